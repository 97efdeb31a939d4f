package gateway

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
)

// documentIDExtension is where the documentId of a request is found among its extensions.
const documentIDExtension = "documentId"

// operations reads the operations of a request, and whether it is a batch. When they cannot be read
// it answers and gives false.
func (g *Gateway) operations(w http.ResponseWriter, r *http.Request) (_ []*graphql.RawParams, batch, ok bool) {
	if r.Method == http.MethodGet {
		p, fault := parseQuery(r.URL.RawQuery)
		if fault != "" {
			refuse(w, http.StatusBadRequest, codeBadRequest, fault)
			return nil, false, false
		}
		return []*graphql.RawParams{p}, false, true
	}
	if !isJSON(r.Header.Values("Content-Type")) {
		w.Header().Set("Accept-Post", "application/json; charset=utf-8")
		refuse(w, http.StatusUnsupportedMediaType, codeBadRequest, "Send Content-Type: application/json, in UTF-8.")
		return nil, false, false
	}
	if coding := strings.Join(r.Header.Values("Content-Encoding"), ","); coding != "" && !strings.EqualFold(coding, "identity") {
		w.Header().Set("Accept-Encoding", "identity") // for requests, by RFC 9110
		refuse(w, http.StatusUnsupportedMediaType, codeBadRequest, "Send the request without a Content-Encoding.")
		return nil, false, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, g.config.MaxBodyBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		refuse(w, http.StatusRequestEntityTooLarge, codeTooLarge, "The request is too large.")
		return nil, false, false
	case err != nil:
		refuse(w, http.StatusBadRequest, codeBadRequest, "The request could not be read.")
		return nil, false, false
	}
	list, batch, fault := parseBodies(body)
	if fault == "" && batch && len(list) > g.batchLimit() {
		refuseWith(w, http.StatusBadRequest, "The batch has too many operations.", map[string]any{"code": codeBatch, "maximumBatchSize": g.batchLimit()})
		return nil, false, false
	}
	if fault != "" {
		refuse(w, http.StatusBadRequest, codeBadRequest, fault)
		return nil, false, false
	}
	return list, batch, true
}

// isJSON tells whether the headers are one application/json, in UTF-8.
func isJSON(contentType []string) bool {
	if len(contentType) != 1 {
		return false
	}
	name, attributes, err := mime.ParseMediaType(contentType[0])
	charset, ok := attributes["charset"]
	return err == nil && name == string(plainJSON) && (!ok || strings.EqualFold(charset, "utf-8"))
}

// parseBodies reads a request's JSON: one operation, or a batch of them. What is wrong with it is a
// sentence that does not quote it.
func parseBodies(body []byte) (_ []*graphql.RawParams, batch bool, fault string) {
	v, fault := readJSON(body)
	if fault != "" {
		return nil, false, fault
	}
	list, batch := v.([]any)
	if !batch {
		list = []any{v}
	}
	if len(list) == 0 {
		return nil, true, "The batch is empty."
	}
	all := make([]*graphql.RawParams, len(list))
	for i, one := range list {
		if all[i], fault = newParams(one); fault != "" {
			return nil, batch, fault
		}
	}
	return all, batch, ""
}

// parseBody reads the JSON of one operation.
func parseBody(body []byte) (*graphql.RawParams, string) {
	list, batch, fault := parseBodies(body)
	switch {
	case fault != "":
		return nil, fault
	case batch:
		return nil, "Send one operation, not a list of them."
	}
	return list[0], ""
}

// newParams gives the parameters in a JSON value. Other names are left aside.
func newParams(v any) (*graphql.RawParams, string) {
	fields, ok := v.(map[string]any)
	if !ok {
		return nil, "An operation is a JSON object."
	}
	var (
		p  graphql.RawParams
		id string
	)
	switch {
	case !take(fields["query"], &p.Query):
		return nil, "query must be a string."
	case !take(fields["operationName"], &p.OperationName):
		return nil, "operationName must be a string."
	case !take(fields["variables"], &p.Variables):
		return nil, "variables must be an object."
	case !take(fields["extensions"], &p.Extensions):
		return nil, "extensions must be an object."
	case !take(fields["documentId"], &id):
		return nil, "documentId must be a string."
	}
	return complete(&p, id)
}

// take takes a value where it is of the type; null and nothing are no fault.
func take[T any](v any, into *T) bool {
	if v == nil {
		return true
	}
	t, ok := v.(T)
	*into = t
	return ok
}

// complete adds a documentId, and tells whether there is anything to run.
func complete(p *graphql.RawParams, id string) (*graphql.RawParams, string) {
	if id != "" {
		if p.Extensions == nil {
			p.Extensions = make(map[string]any, 1)
		}
		p.Extensions[documentIDExtension] = id
	}
	if p.Query == "" && p.Extensions["persistedQuery"] == nil && p.Extensions[documentIDExtension] == nil {
		return nil, "query is missing."
	}
	for name, v := range p.Variables {
		p.Variables[name] = number(v)
	}
	return p, ""
}

// number gives a variable with plain numbers in the place of json.Number, which is a kind of string:
// the validator takes one for a String, and a client would never learn of its mistake.
func number(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil {
			return f
		}
	case []any:
		for i := range v {
			v[i] = number(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = number(v[name])
		}
	}
	return v
}

// parseQuery reads the parameters in an URL's query.
func parseQuery(raw string) (*graphql.RawParams, string) {
	q, err := url.ParseQuery(raw)
	if err != nil {
		return nil, "The URL's query cannot be read."
	}
	for _, name := range []string{"query", "operationName", "variables", "extensions", "documentId"} {
		values := q[name]
		switch {
		case len(values) > 1:
			return nil, name + " is given twice."
		case len(values) == 1 && !utf8.ValidString(values[0]):
			return nil, notUTF8
		}
	}
	p := &graphql.RawParams{Query: q.Get("query"), OperationName: q.Get("operationName")}
	switch {
	case !takeJSON(q.Get("variables"), &p.Variables):
		return nil, "variables must be a JSON object."
	case !takeJSON(q.Get("extensions"), &p.Extensions):
		return nil, "extensions must be a JSON object."
	}
	return complete(p, q.Get("documentId"))
}

// takeJSON reads a JSON object; null and nothing are no fault.
func takeJSON(text string, into *map[string]any) bool {
	if text == "" {
		return true
	}
	v, fault := readJSON([]byte(text))
	return fault == "" && take(v, into)
}

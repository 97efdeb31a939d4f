package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/techmart/techmart/platform/telemetry"
)

// graphHandler speaks GraphQL over HTTP (https://graphql.github.io/graphql-over-http/draft/) with
// POST and GET, graphql-sse in both of its modes, and graphql-transport-ws.
func (g *Gateway) graphHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			g.serveWebSocket(w, r)
			return
		}
		if sharesStream(r) {
			g.shared(w, r)
			return
		}
		if r.Method != http.MethodPost && r.Method != http.MethodGet {
			w.Header().Set("Allow", "GET, POST")
			refuse(w, http.StatusMethodNotAllowed, codeBadRequest, "Use POST, or GET for a query.")
			return
		}
		kind, ok := negotiate(r.Header.Values("Accept"))
		if !ok {
			refuse(w, http.StatusNotAcceptable, codeBadRequest, "Answers are application/graphql-response+json, application/json or text/event-stream.")
			return
		}
		token := streamToken(r)
		if token != "" && kind == eventStream {
			g.read(w, r, token)
			return
		}
		if r.Method == http.MethodGet && !preflighted(r) {
			refuse(w, http.StatusBadRequest, "CSRF", "A page of another origin must send a header that needs a preflight, such as Apollo-Require-Preflight.")
			return
		}
		ctx, calls := telemetry.WithCalls(r.Context())
		ctx, ok = g.authenticate(ctx, w, r)
		if !ok {
			return
		}
		params, ok := g.params(w, r)
		if !ok {
			return
		}
		params.Headers = r.Header
		ctx = graphql.StartOperationTrace(ctx)
		if token != "" {
			g.operate(ctx, w, r, params, kind, token)
			return
		}
		if kind == eventStream {
			g.stream(ctx, w, r, params)
			return
		}
		g.answer(ctx, w, r, params, kind, calls)
	})
}

// answer runs one query or mutation.
func (g *Gateway) answer(ctx context.Context, w http.ResponseWriter, r *http.Request, params *graphql.RawParams, kind mediaType, calls *telemetry.Calls) {
	op, faults := g.exec.CreateOperationContext(ctx, params)
	if faults != nil {
		resp := g.exec.DispatchError(graphql.WithOperationContext(ctx, op), faults)
		status := http.StatusOK // application/json: old clients read errors of 200 only
		if kind == graphqlResponse {
			status = http.StatusBadRequest
		}
		if tooMany, ok := statusOf(resp.Errors); ok {
			status = tooMany
		}
		g.write(w, kind, status, resp, false)
		return
	}
	recordOperation(ctx, op)
	switch {
	case op.Operation.Operation == ast.Subscription:
		refuse(w, http.StatusNotAcceptable, codeBadRequest, "Subscriptions need Accept: text/event-stream, or a WebSocket.")
		return
	case op.Operation.Operation == ast.Mutation && r.Method == http.MethodGet:
		w.Header().Set("Allow", "POST")
		refuse(w, http.StatusMethodNotAllowed, codeBadRequest, "Use POST for a mutation.")
		return
	}
	responses, ctx := g.exec.DispatchOperation(ctx, op)
	resp := responses(ctx)
	if resp == nil { // the client has left
		panic(http.ErrAbortHandler)
	}
	if g.config.ShowBackendCalls {
		w.Header().Set("X-TechMart-Backend-Calls", backendCalls(calls))
	}
	g.write(w, kind, http.StatusOK, resp, true)
}

// mediaType is what the client wants.
type mediaType string

const (
	graphqlResponse mediaType = "application/graphql-response+json"
	plainJSON       mediaType = "application/json"
	eventStream     mediaType = "text/event-stream"
)

// negotiate picks the media type of the answer by quality and order. No Accept, and one that takes
// anything, mean application/json.
func negotiate(accept []string) (mediaType, bool) {
	text := strings.Join(accept, ",")
	if strings.TrimSpace(text) == "" {
		return plainJSON, true
	}
	var best mediaType
	bestQ := 0.0
	for part := range strings.SplitSeq(text, ",") {
		name, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil {
			continue
		}
		if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
			continue
		}
		var kind mediaType
		switch name {
		case string(graphqlResponse), string(plainJSON), string(eventStream):
			kind = mediaType(name)
		case "*/*", "application/*":
			kind = plainJSON
		default:
			continue
		}
		if q := quality(params["q"]); q > bestQ {
			best, bestQ = kind, q
		}
	}
	return best, best != ""
}

func quality(q string) float64 {
	if q == "" {
		return 1
	}
	var v float64
	if err := json.Unmarshal([]byte(q), &v); err != nil || v < 0 || v > 1 {
		return 0
	}
	return v
}

// params reads the request's parameters; when they cannot be read it answers and gives false.
func (g *Gateway) params(w http.ResponseWriter, r *http.Request) (*graphql.RawParams, bool) {
	if r.Method == http.MethodGet {
		return queryParams(w, r)
	}
	name, attributes, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if charset, ok := attributes["charset"]; err != nil || name != string(plainJSON) || ok && !strings.EqualFold(charset, "utf-8") {
		w.Header().Set("Accept-Post", "application/json; charset=utf-8")
		refuse(w, http.StatusUnsupportedMediaType, codeBadRequest, "Send Content-Type: application/json, in UTF-8.")
		return nil, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, g.config.MaxBodyBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		refuse(w, http.StatusRequestEntityTooLarge, "REQUEST_TOO_LARGE", "The request is too large.")
		return nil, false
	case err != nil:
		refuse(w, http.StatusBadRequest, codeBadRequest, "The request could not be read.")
		return nil, false
	}
	params, fault := parseBody(body)
	if fault != "" {
		refuse(w, http.StatusBadRequest, codeBadRequest, fault)
		return nil, false
	}
	return params, true
}

// parseBody reads a request's JSON. What is wrong with it is a sentence that does not quote it.
func parseBody(body []byte) (*graphql.RawParams, string) {
	if !utf8.Valid(body) {
		return nil, "The request is not UTF-8."
	}
	var raw struct {
		Query         json.RawMessage `json:"query"`
		OperationName json.RawMessage `json:"operationName"`
		Variables     json.RawMessage `json:"variables"`
		Extensions    json.RawMessage `json:"extensions"`
		DocumentID    json.RawMessage `json:"documentId"`
	}
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '[' {
		return nil, "Send one operation, not a list of them."
	}
	if err := json.Unmarshal(body, &raw); err != nil {
		return nil, "The request is not a JSON object."
	}
	p := new(graphql.RawParams)
	var id string
	switch {
	case !decode(raw.Query, &p.Query):
		return nil, "query must be a string."
	case !decode(raw.OperationName, &p.OperationName):
		return nil, "operationName must be a string."
	case !decode(raw.Variables, &p.Variables):
		return nil, "variables must be an object."
	case !decode(raw.Extensions, &p.Extensions):
		return nil, "extensions must be an object."
	case !decode(raw.DocumentID, &id):
		return nil, "documentId must be a string."
	}
	setDocumentID(p, id)
	if !namesDocument(p) {
		return nil, "query is missing."
	}
	return p, ""
}

// decode reads a part of a request; one that is null or not there is no fault.
func decode(raw json.RawMessage, into any) bool {
	if len(raw) == 0 {
		return true
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return d.Decode(into) == nil
}

func queryParams(w http.ResponseWriter, r *http.Request) (*graphql.RawParams, bool) {
	q := r.URL.Query()
	p := &graphql.RawParams{Query: q.Get("query"), OperationName: q.Get("operationName")}
	fault := ""
	switch {
	case !decode(json.RawMessage(q.Get("variables")), &p.Variables):
		fault = "variables must be a JSON object."
	case !decode(json.RawMessage(q.Get("extensions")), &p.Extensions):
		fault = "extensions must be a JSON object."
	}
	setDocumentID(p, q.Get("documentId"))
	if fault == "" && !namesDocument(p) {
		fault = "query is missing."
	}
	if fault != "" {
		refuse(w, http.StatusBadRequest, codeBadRequest, fault)
		return nil, false
	}
	return p, true
}

// preflighted tells whether a GET is safe from pages of other origins: either it carries a header
// that such a page cannot send without asking first, or no such page has sent it.
func preflighted(r *http.Request) bool {
	for _, name := range []string{"Apollo-Require-Preflight", "X-Apollo-Operation-Name", "X-Requested-With", "Authorization"} {
		if r.Header.Get(name) != "" {
			return true
		}
	}
	if name, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil {
		switch name {
		case "text/plain", "application/x-www-form-urlencoded", "multipart/form-data":
		default:
			return true
		}
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return true
	case "":
		return r.Header.Get("Origin") == ""
	}
	return false
}

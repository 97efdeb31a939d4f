package gateway

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/techmart/techmart/platform/telemetry"
)

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// maxPooled bounds the buffers that are kept for reuse.
const maxPooled = 256 << 10

// encode writes a response. executed tells whether the operation ran: only then there is data.
// The data are JSON already and are not read again.
func encode(b *bytes.Buffer, resp *graphql.Response, executed bool) error {
	b.WriteByte('{')
	empty := b.Len()
	separate := func() {
		if b.Len() > empty {
			b.WriteByte(',')
		}
	}
	if len(resp.Errors) > 0 {
		b.WriteString(`"errors":`)
		text, err := json.Marshal(resp.Errors)
		if err != nil {
			return fmt.Errorf("gateway: errors of a response: %w", err)
		}
		b.Write(text)
	}
	if executed {
		separate()
		b.WriteString(`"data":`)
		if len(resp.Data) == 0 {
			b.WriteString("null")
		} else {
			b.Write(resp.Data)
		}
	}
	if len(resp.Extensions) > 0 {
		separate()
		b.WriteString(`"extensions":`)
		text, err := json.Marshal(resp.Extensions)
		if err != nil {
			return fmt.Errorf("gateway: extensions of a response: %w", err)
		}
		b.Write(text)
	}
	b.WriteByte('}')
	return nil
}

// outcome is an answer that is ready to be sent.
type outcome struct {
	kind     mediaType
	status   int
	body     []byte
	control  string // Cache-Control; empty for no-store
	tagged   bool   // it has an entity tag
	compress bool   // it may be compressed
}

// reply sends an answer: compressed where the client takes that, and without its body where the
// client has it.
func (g *Gateway) reply(w http.ResponseWriter, r *http.Request, o outcome) {
	h := w.Header()
	h.Set("Cache-Control", cmp.Or(o.control, noStore))
	h.Add("Vary", varying)
	own := identity
	if o.compress && len(o.body) >= leastCompressed {
		own = codingOf(r.Header.Get("Accept-Encoding"))
	}
	if o.tagged {
		plain := tag(o.body)
		if entity, ok := matches(r.Header.Values("If-None-Match"), plain); ok {
			g.metrics.cacheable.WithLabelValues("not_modified").Inc()
			h.Set("ETag", entity)
			w.WriteHeader(http.StatusNotModified)
			return
		}
		h.Set("ETag", entityTag(plain, own))
	}
	h.Set("Content-Type", string(o.kind)+"; charset=utf-8")
	if own != identity {
		b := newBuffer()
		defer b.release()
		compress(b, own, o.body)
		o.body = b.Bytes()
		h.Set("Content-Encoding", string(own))
		g.metrics.compressed.WithLabelValues(string(own)).Inc()
	}
	h.Set("Content-Length", strconv.Itoa(len(o.body)))
	w.WriteHeader(o.status)
	_, _ = w.Write(o.body) // the client may have left
}

// write sends a response that nobody keeps.
func (g *Gateway) write(w http.ResponseWriter, kind mediaType, status int, resp *graphql.Response, executed bool) {
	b := newBuffer()
	defer b.release()
	if err := encode(&b.Buffer, resp, executed); err != nil {
		panic(err)
	}
	g.reply(w, nil, outcome{kind: kind, status: status, body: b.Bytes()})
}

// refuse answers a request that is not run, as JSON like everything else.
func refuse(w http.ResponseWriter, status int, code, message string) {
	refuseWith(w, status, message, map[string]any{"code": code})
}

func refuseWith(w http.ResponseWriter, status int, message string, extensions map[string]any) {
	body, err := json.Marshal(map[string]any{"errors": []*gqlerror.Error{{Message: message, Extensions: extensions}}})
	if err != nil {
		panic("gateway: a refusal always marshals: " + err.Error())
	}
	noteRefusal(w, extensions)
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", noStore)
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may have left
}

// backendCalls writes the calls of a request: postgres=2 mongodb=1.
func backendCalls(c *telemetry.Calls) string {
	var b []byte
	for _, backend := range []telemetry.Backend{telemetry.Postgres, telemetry.MongoDB, telemetry.Redis, telemetry.RabbitMQ, telemetry.Budget} {
		if n := c.Of(backend); n > 0 {
			if len(b) > 0 {
				b = append(b, ' ')
			}
			b = strconv.AppendInt(append(append(b, backend...), '='), n, 10)
		}
	}
	if len(b) == 0 {
		return "none"
	}
	return string(b)
}

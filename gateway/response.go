package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/techmart/techmart/platform/telemetry"
)

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxPooled bounds the buffers that are kept for reuse.
const maxPooled = 256 << 10

// encode writes a response. executed tells whether the operation ran: only then there is data.
// The data are JSON already and are not read again.
func encode(b *bytes.Buffer, resp *graphql.Response, executed bool) error {
	b.WriteByte('{')
	if len(resp.Errors) > 0 {
		b.WriteString(`"errors":`)
		text, err := json.Marshal(resp.Errors)
		if err != nil {
			return fmt.Errorf("gateway: errors of a response: %w", err)
		}
		b.Write(text)
	}
	if executed {
		separate(b)
		b.WriteString(`"data":`)
		if len(resp.Data) == 0 {
			b.WriteString("null")
		} else {
			b.Write(resp.Data)
		}
	}
	if len(resp.Extensions) > 0 {
		separate(b)
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

func separate(b *bytes.Buffer) {
	if b.Len() > 1 {
		b.WriteByte(',')
	}
}

func (g *Gateway) write(w http.ResponseWriter, kind mediaType, status int, resp *graphql.Response, executed bool) {
	b := buffers.Get().(*bytes.Buffer)
	defer func() {
		if b.Cap() <= maxPooled {
			b.Reset()
			buffers.Put(b)
		}
	}()
	if err := encode(b, resp, executed); err != nil {
		panic(err)
	}
	h := w.Header()
	h.Set("Content-Type", string(kind)+"; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Accept, Authorization")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the client may have left
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
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may have left
}

// backendCalls writes the calls of a request: postgres=2 mongodb=1.
func backendCalls(c *telemetry.Calls) string {
	var b []byte
	for _, backend := range []telemetry.Backend{telemetry.Postgres, telemetry.MongoDB, telemetry.Redis, telemetry.RabbitMQ} {
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

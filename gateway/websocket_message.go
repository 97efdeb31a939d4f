package gateway

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	coderws "github.com/coder/websocket"

	"github.com/99designs/gqlgen/graphql"
)

// transportWS is the only subprotocol spoken (https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md).
const transportWS = "graphql-transport-ws"

// Codes with which a connection is closed: those of the protocol, and two of WebSocket's own.
const (
	closeBadRequest   coderws.StatusCode = 4400 // a message that is none of the protocol's
	closeUnauthorized coderws.StatusCode = 4401 // an operation before connection_ack
	closeForbidden    coderws.StatusCode = 4403 // the token is not good, or no longer so
	closeInitTimeout  coderws.StatusCode = 4408 // no connection_init came
	closeRunning      coderws.StatusCode = 4409 // an operation with the id runs already
	closeTooManyInits coderws.StatusCode = 4429 // a second connection_init
	closeGoingAway                       = coderws.StatusGoingAway
	closeTryLater                        = coderws.StatusTryAgainLater // a bound is reached, or a server does not answer
)

// Types of messages.
const (
	typeInit      = "connection_init"
	typeAck       = "connection_ack"
	typePing      = "ping"
	typePong      = "pong"
	typeSubscribe = "subscribe"
	typeNext      = "next"
	typeError     = "error"
	typeComplete  = "complete"
)

// maxOperationID bounds the ids that clients give their operations, in bytes.
const maxOperationID = 256

// clientMessage is what a client may send.
type clientMessage struct {
	kind    string
	id      string          // of subscribe and complete
	payload json.RawMessage // of the others an object, or nothing
}

// parseMessage reads a message; what is wrong with it is a sentence that does not quote it.
func parseMessage(data []byte) (m clientMessage, fault string) {
	var raw struct {
		ID      json.RawMessage `json:"id"`
		Type    json.RawMessage `json:"type"`
		Payload json.RawMessage `json:"payload"`
	}
	if !utf8.Valid(data) || json.Unmarshal(data, &raw) != nil {
		return m, "Invalid message: not a JSON object"
	}
	if json.Unmarshal(raw.Type, &m.kind) != nil {
		return m, "Invalid message: no type"
	}
	switch m.kind {
	case typeInit, typePing, typePong:
		if !isObject(raw.Payload) && !isNull(raw.Payload) {
			return m, "Invalid message: the payload is not an object"
		}
	case typeSubscribe, typeComplete:
		if json.Unmarshal(raw.ID, &m.id) != nil || m.id == "" || len(m.id) > maxOperationID {
			return m, "Invalid message: the id is not a text of 1 to 256 bytes"
		}
		if m.kind == typeSubscribe && !isObject(raw.Payload) {
			return m, "Invalid message: the payload is not an object"
		}
	default:
		return m, "Invalid message: unknown type"
	}
	if !isNull(raw.Payload) {
		m.payload = raw.Payload
	}
	return m, ""
}

func isObject(raw json.RawMessage) bool { return len(raw) > 0 && raw[0] == '{' }

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || bytes.Equal(raw, []byte("null")) }

// serverMessage writes a message. The payload is JSON already; nil for none.
func serverMessage(kind, id string, payload []byte) []byte {
	b := make([]byte, 0, len(payload)+len(id)+40)
	b = append(b, '{')
	if id != "" {
		text, err := json.Marshal(id)
		if err != nil {
			panic("gateway: a text always marshals: " + err.Error())
		}
		b = append(append(append(b, `"id":`...), text...), ',')
	}
	b = append(append(append(b, `"type":"`...), kind...), '"')
	if payload != nil {
		b = append(append(b, `,"payload":`...), payload...)
	}
	return append(b, '}')
}

// wire is the outlet of an operation on a WebSocket.
type wire struct {
	s  *socket
	op *operation
}

func (w wire) next(resp *graphql.Response) bool {
	text, ok := w.s.g.responseText(w.op.ctx, resp, true)
	return ok && w.s.out.send(w.s.ops, w.op, serverMessage(typeNext, w.op.id, text), false)
}

func (w wire) fail(resp *graphql.Response) {
	text, err := json.Marshal(resp.Errors)
	if err != nil {
		w.s.g.log.ErrorContext(w.op.ctx, "internal error", "error", err)
		text = []byte(`[{"message":"` + internalMessage + `","extensions":{"code":"` + codeInternal + `"}}]`)
	}
	w.s.out.send(w.s.ops, w.op, serverMessage(typeError, w.op.id, text), true)
}

func (w wire) complete() {
	w.s.out.send(w.s.ops, w.op, serverMessage(typeComplete, w.op.id, nil), true)
}

// cut says nothing: the code with which the connection closes tells its client to come again.
func (w wire) cut(error) {}

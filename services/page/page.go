// Package page is keyset pagination: requests, pages and signed cursors.
//
// A list is ordered by one or more sort values and, last, by the unique id. A [Key] holds those
// values of one item as texts; a store reads the items on one side of a key. A cursor is the
// key of an item, signed and bound to the list (its name, filter and sort) that made it.
package page

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"

	"github.com/techmart/techmart/services/errs"
)

// Bounds of first and last.
const (
	DefaultSize = 20
	MaxSize     = 100
)

// Key is the position of an item in a list: its sort values and its id, as texts that the store understands.
type Key []string

// Request asks for a part of a list.
type Request struct {
	Limit    int  // 1 to MaxSize
	Backward bool // read towards the start: last/before
	From     Key  // exclusive; nil for an end of the list
}

// Args are the four arguments of a connection field, as they came in.
type Args struct {
	First  *int
	After  *string
	Last   *int
	Before *string
}

// Page is a part of a list in the order of the list, whichever way it was read.
type Page[T any] struct {
	Items       []T
	HasNext     bool
	HasPrevious bool
}

// Trim makes a page of rows that were read in reading direction with a limit of one more than r.Limit.
// The end that the reader came from is known to have items exactly when a key was given.
func Trim[T any](rows []T, r Request) Page[T] {
	more := len(rows) > r.Limit
	if more {
		rows = rows[:r.Limit]
	}
	if !r.Backward {
		return Page[T]{Items: rows, HasNext: more, HasPrevious: r.From != nil}
	}
	slices.Reverse(rows)
	return Page[T]{Items: rows, HasNext: r.From != nil, HasPrevious: more}
}

// Map gives the page with every item converted.
func Map[T, U any](p Page[T], f func(T) U) Page[U] {
	out := Page[U]{Items: make([]U, len(p.Items)), HasNext: p.HasNext, HasPrevious: p.HasPrevious}
	for i, item := range p.Items {
		out.Items[i] = f(item)
	}
	return out
}

// Cursors signs and reads cursors.
type Cursors struct{ secret []byte }

// NewCursors makes a signer; every process of one deployment has the same secret (32 bytes or more).
func NewCursors(secret []byte) *Cursors { return &Cursors{secret: secret} }

// Encode gives the cursor of an item. list names the list with everything that orders or filters it.
func (c *Cursors) Encode(list string, k Key) string {
	body, err := json.Marshal(k)
	if err != nil {
		panic("page: a key of strings always marshals: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(append(c.sign(list, body), body...))
}

// Decode reads a cursor of the same list; any other text fails with CURSOR_MISMATCH.
func (c *Cursors) Decode(list, cursor string) (Key, error) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(raw) <= tagSize || !hmac.Equal(raw[:tagSize], c.sign(list, raw[tagSize:])) {
		return nil, errs.New(errs.CursorMismatch, "This cursor was not made by this list with this filter and sort.")
	}
	var k Key
	if err := json.Unmarshal(raw[tagSize:], &k); err != nil || len(k) == 0 {
		return nil, errs.New(errs.CursorMismatch, "This cursor was not made by this list with this filter and sort.")
	}
	return k, nil
}

// Request checks the arguments of a connection field and decodes its cursor.
// It fails with BAD_USER_INPUT or CURSOR_MISMATCH.
func (c *Cursors) Request(list string, a Args) (Request, error) {
	if a.First != nil && (a.Last != nil || a.Before != nil) || a.Last != nil && a.After != nil || a.After != nil && a.Before != nil {
		return Request{}, errs.New(errs.BadInput, "Use first with after, or last with before; not both.")
	}
	r := Request{Limit: DefaultSize, Backward: a.Last != nil || a.Before != nil}
	name, size := "first", a.First
	cursor := a.After
	if r.Backward {
		name, size, cursor = "last", a.Last, a.Before
	}
	if size != nil {
		if *size < 1 || *size > MaxSize {
			return Request{}, errs.At(errs.BadInput, "Ask for 1 to 100 items.", name)
		}
		r.Limit = *size
	}
	if cursor != nil {
		k, err := c.Decode(list, *cursor)
		if err != nil {
			return Request{}, err
		}
		r.From = k
	}
	return r, nil
}

const tagSize = 16

func (c *Cursors) sign(list string, body []byte) []byte {
	mac := hmac.New(sha256.New, c.secret)
	mac.Write([]byte(list))
	mac.Write([]byte{0})
	mac.Write(body)
	return mac.Sum(nil)[:tagSize]
}

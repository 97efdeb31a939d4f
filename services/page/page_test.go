package page_test

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/page"
)

var cursors = page.NewCursors([]byte("a secret of at least thirty-two bytes"))

func ptr[T any](v T) *T { return &v }

func TestCursorsAreBoundToTheirList(t *testing.T) {
	t.Parallel()
	cursor := cursors.Encode("products[1]", page.Key{"1290", "id"})
	got, err := cursors.Decode("products[1]", cursor)
	if err != nil || !slices.Equal(got, page.Key{"1290", "id"}) {
		t.Fatalf("decoded %v, %v", got, err)
	}
	forged := []byte(cursor)
	forged[len(forged)-2] ^= 1
	for name, try := range map[string]func() (page.Key, error){
		"another list":   func() (page.Key, error) { return cursors.Decode("products[2]", cursor) },
		"a forged one":   func() (page.Key, error) { return cursors.Decode("products[1]", string(forged)) },
		"another secret": func() (page.Key, error) { return page.NewCursors([]byte("other")).Decode("products[1]", cursor) },
		"no base64":      func() (page.Key, error) { return cursors.Decode("products[1]", "!") },
		"nothing":        func() (page.Key, error) { return cursors.Decode("products[1]", "") },
	} {
		if k, err := try(); errs.CodeOf(err) != errs.CursorMismatch {
			t.Errorf("%s: %v, %v; want CURSOR_MISMATCH", name, k, err)
		}
	}
}

func TestRequestBounds(t *testing.T) {
	t.Parallel()
	cursor := cursors.Encode("list", page.Key{"id"})
	tests := map[string]struct {
		args page.Args
		want page.Request
		code errs.Code
	}{
		"default":        {page.Args{}, page.Request{Limit: 20}, ""},
		"most":           {page.Args{First: ptr(100)}, page.Request{Limit: 100}, ""},
		"too many":       {page.Args{First: ptr(101)}, page.Request{}, errs.BadInput},
		"none":           {page.Args{First: ptr(0)}, page.Request{}, errs.BadInput},
		"last":           {page.Args{Last: ptr(3)}, page.Request{Limit: 3, Backward: true}, ""},
		"before alone":   {page.Args{Before: &cursor}, page.Request{Limit: 20, Backward: true, From: page.Key{"id"}}, ""},
		"after":          {page.Args{First: ptr(1), After: &cursor}, page.Request{Limit: 1, From: page.Key{"id"}}, ""},
		"first and last": {page.Args{First: ptr(1), Last: ptr(1)}, page.Request{}, errs.BadInput},
		"both cursors":   {page.Args{After: &cursor, Before: &cursor}, page.Request{}, errs.BadInput},
		"last after":     {page.Args{Last: ptr(1), After: &cursor}, page.Request{}, errs.BadInput},
		"bad cursor":     {page.Args{After: ptr("x")}, page.Request{}, errs.CursorMismatch},
	}
	for name, tt := range tests {
		got, err := cursors.Request("list", tt.args)
		if errs.CodeOf(err) != tt.code || got.Limit != tt.want.Limit || got.Backward != tt.want.Backward || !slices.Equal(got.From, tt.want.From) {
			t.Errorf("%s: %+v, %v; want %+v, %q", name, got, err, tt.want, tt.code)
		}
	}
}

// Walking a list in pages of any size, forwards or backwards, gives every item once and in order.
func TestTrimWalksTheWholeList(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 40).Draw(t, "items")
		limit := rapid.IntRange(1, 10).Draw(t, "limit")
		backward := rapid.Bool().Draw(t, "backward")
		all := make([]int, n)
		for i := range all {
			all[i] = i
		}
		var walked []int
		r := page.Request{Limit: limit, Backward: backward}
		for range n + 1 {
			p := page.Trim(read(all, r), r)
			if backward {
				walked = append(slices.Clone(p.Items), walked...)
			} else {
				walked = append(walked, p.Items...)
			}
			more, edge := p.HasNext, len(p.Items)-1
			if backward {
				more, edge = p.HasPrevious, 0
			}
			if !more {
				break
			}
			r.From = page.Key{strconv.Itoa(p.Items[edge])}
		}
		if !slices.Equal(walked, all) {
			t.Fatalf("walked %v of %v", walked, all)
		}
	})
}

// read does what a store does: it reads in reading direction, one more than asked for.
func read(all []int, r page.Request) []int {
	rows := slices.Clone(all)
	if r.Backward {
		slices.Reverse(rows)
	}
	if r.From != nil {
		from, _ := strconv.Atoi(r.From[0])
		rows = rows[slices.Index(rows, from)+1:]
	}
	return rows[:min(len(rows), r.Limit+1)]
}

func TestMap(t *testing.T) {
	t.Parallel()
	p := page.Map(page.Page[int]{Items: []int{1, 2}, HasNext: true}, strconv.Itoa)
	if !slices.Equal(p.Items, []string{"1", "2"}) || !p.HasNext || p.HasPrevious {
		t.Errorf("mapped to %+v", p)
	}
}

// FuzzDecode reads any text as a cursor: what was not made by this list is refused, and never more than that.
func FuzzDecode(f *testing.F) {
	f.Add(cursors.Encode("list", page.Key{"1", "2"}))
	f.Add(cursors.Encode("other", page.Key{"1", "2"}))
	f.Add("")
	f.Add("AAAAAAAAAAAAAAAAAAAAAFsiYSJd")
	f.Fuzz(func(t *testing.T, cursor string) {
		k, err := cursors.Decode("list", cursor)
		if err != nil {
			if errs.CodeOf(err) != errs.CursorMismatch || k != nil {
				t.Fatalf("%q: %v, %v; want CURSOR_MISMATCH", cursor, k, err)
			}
			return
		}
		if again, err := cursors.Decode("list", cursors.Encode("list", k)); err != nil || !slices.Equal(again, k) {
			t.Fatalf("%q reads as %q, and that as %q, %v", cursor, k, again, err)
		}
	})
}

// FuzzEncode makes the cursor of any item of any list: it leads back to the item, in that list and in no other, and
// not with any bit of it changed.
func FuzzEncode(f *testing.F) {
	f.Add("products[1]", "products[2]", "1290", "id", uint16(3))
	f.Add("a", "a\x00", "[", "", uint16(0))
	f.Add("", "\x00", "\x00", "\"", uint16(200))
	f.Fuzz(func(t *testing.T, list, other, value, id string, bit uint16) {
		k := page.Key{strings.ToValidUTF8(value, ""), strings.ToValidUTF8(id, "")} // texts of the stores are valid
		cursor := cursors.Encode(list, k)
		if got, err := cursors.Decode(list, cursor); err != nil || !slices.Equal(got, k) {
			t.Fatalf("%q became %q, %v", k, got, err)
		}
		if got, err := cursors.Decode(other, cursor); err == nil && other != list {
			t.Fatalf("list %q reads %q from a cursor of %q", other, got, list)
		}
		raw, err := base64.RawURLEncoding.DecodeString(cursor)
		if err != nil {
			t.Fatal(err)
		}
		raw[int(bit)/8%len(raw)] ^= 1 << (bit % 8)
		if got, err := cursors.Decode(list, base64.RawURLEncoding.EncodeToString(raw)); err == nil {
			t.Fatalf("a forged cursor reads as %q", got)
		}
	})
}

package page_test

import (
	"slices"
	"strconv"
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

func FuzzDecode(f *testing.F) {
	f.Add(cursors.Encode("list", page.Key{"1", "2"}))
	f.Add("")
	f.Fuzz(func(t *testing.T, cursor string) {
		k, err := cursors.Decode("list", cursor)
		if err == nil && cursors.Encode("list", k) == "" {
			t.Fatal("a key without a cursor")
		}
	})
}

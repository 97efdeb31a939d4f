package shopifycsv

import (
	"bufio"
	"encoding/csv"
	"io"
	"slices"
	"strings"
	"testing"
)

type told struct {
	cells []string
	line  int
	err   error
}

func readRecords(text string, width int) []told {
	r := newRecords(bufio.NewReader(strings.NewReader(text)), ',')
	r.width = width
	var all []told
	for {
		rec, err := r.next()
		switch {
		case err == io.EOF:
			return all
		case isBroken(err):
			broken := err.(*recordError)
			all = append(all, told{line: broken.line, err: broken.err})
		default:
			all = append(all, told{cells: rec.cells, line: rec.lines[0]})
		}
	}
}

func TestRecords(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text string
		want []told
	}{
		"nothing":                  {"", nil},
		"no final newline":         {"a,b", []told{{[]string{"a", "b"}, 1, nil}}},
		"quoted to the end":        {`a,"b"`, []told{{[]string{"a", "b"}, 1, nil}}},
		"empty cells":              {"a,,\n,b,\"\"\r\n", []told{{[]string{"a", "", ""}, 1, nil}, {[]string{"", "b", ""}, 2, nil}}},
		"empty lines":              {"\n\r\na,b\n\n", []told{{[]string{"a", "b"}, 3, nil}}},
		"quoted newlines":          {"\"a\n1\",b\nc,d\n", []told{{[]string{"a\n1", "b"}, 1, nil}, {[]string{"c", "d"}, 3, nil}}},
		"quoted CRLF is kept":      {"\"a\r\n1\",b\r\nc,d\r\n", []told{{[]string{"a\r\n1", "b"}, 1, nil}, {[]string{"c", "d"}, 3, nil}}},
		"doubled quotes":           {`"12"" screen","""x"""`, []told{{[]string{`12" screen`, `"x"`}, 1, nil}}},
		"a lone CR is text":        {"a\rb,c\n", []told{{[]string{"a\rb", "c"}, 1, nil}}},
		"bare quote":               {"a,12\" x\nb,c\n", []told{{nil, 1, errBareQuote}, {[]string{"b", "c"}, 2, nil}}},
		"text behind quote":        {"a,\"x\"y\nb,c\n", []told{{nil, 1, errAfterQuote}, {[]string{"b", "c"}, 2, nil}}},
		"never closed":             {"a,\"x\nb,c\nd,e\n", []told{{nil, 1, errOpenQuote}, {[]string{"b", "c"}, 2, nil}, {[]string{"d", "e"}, 3, nil}}},
		"closed by another's":      {"a,\"x\nb,\"c\"\nd,e\n", []told{{nil, 1, errAfterQuote}, {[]string{"b", "c"}, 2, nil}, {[]string{"d", "e"}, 3, nil}}},
		"two never closed":         {"a,\"x\nb,\"y\nd,e\n", []told{{nil, 1, errAfterQuote}, {nil, 2, errOpenQuote}, {[]string{"d", "e"}, 3, nil}}},
		"text of a broken record":  {"a,\"<p>\nno row\n</p>\"x\nd,e\n", []told{{nil, 1, errAfterQuote}, {[]string{"d", "e"}, 4, nil}}},
		"fault in the second line": {"\"a\n1\",\"b\"\nc,\"d\ne\"x\nf,g\n", []told{{[]string{"a\n1", "b"}, 1, nil}, {nil, 3, errAfterQuote}, {[]string{"f", "g"}, 5, nil}}},
		"a row that is too long":   {"a," + strings.Repeat("x", maxRecord) + "\nb,c\n", []told{{nil, 1, errTooLong}, {[]string{"b", "c"}, 2, nil}}},
		"an open quote, then long": {"a,\"b\n" + strings.Repeat("x", maxRecord+1) + "\nb,c\n", []told{{nil, 1, errOpenQuote}, {[]string{"b", "c"}, 3, nil}}},
		"never closed, much text":  {"a,\"b\n" + strings.Repeat("x\n", maxRecord), []told{{nil, 1, errOpenQuote}}},
	}
	for name, tt := range tests {
		got := readRecords(tt.text, 2)
		if name == "never closed, much text" {
			got = got[:1]
		}
		if !slices.EqualFunc(got, tt.want, func(a, b told) bool {
			return slices.Equal(a.cells, b.cells) && a.line == b.line && a.err == b.err
		}) {
			t.Errorf("%s: got %.300v; want %.300v", name, got, tt.want)
		}
	}
}

// What encoding/csv accepts is read alike, but for \r\n in quoted cells, which encoding/csv rewrites.
func FuzzRecords(f *testing.F) {
	for _, seed := range []string{"", "a,b\nc,d", "\"a\nb\",c\r\n", "a,\"b\"\"c\"", "\"", "a\"b", "\"a\"b,c\nd\n", ",,\n,,", "\r\n\r,\"\r\""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := readRecords(text, 0)
		std := csv.NewReader(strings.NewReader(text))
		std.FieldsPerRecord = -1
		want, err := std.ReadAll()
		if err != nil {
			return
		}
		want = slices.DeleteFunc(want, func(cells []string) bool { return len(cells) == 1 && cells[0] == "" })
		if len(got) != len(want) {
			t.Fatalf("%q: %d records; encoding/csv reads %d", text, len(got), len(want))
		}
		for i := range got {
			for j, cell := range got[i].cells {
				if normal := strings.ReplaceAll(cell, "\r\n", "\n"); normal != want[i][j] {
					t.Fatalf("%q: cell %d of record %d is %q; encoding/csv reads %q", text, j, i, cell, want[i][j])
				}
			}
		}
	})
}

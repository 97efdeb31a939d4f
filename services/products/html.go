package products

import (
	"strings"
	"sync"

	"github.com/microcosm-cc/bluemonday"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// policy lets through what people may write about products: text, lists, tables, pictures, links.
var policy = sync.OnceValue(bluemonday.UGCPolicy)

// SafeHTML gives an HTML text without the parts that could harm its readers.
func SafeHTML(text string) string {
	if !strings.ContainsAny(text, "<>&\"'") {
		return strings.TrimSpace(text)
	}
	return strings.TrimSpace(policy().Sanitize(text))
}

// PlainText gives the text of an HTML text, blocks apart by a line break and spaces single.
func PlainText(text string) string {
	if !strings.ContainsAny(text, "<&") {
		return strings.Join(strings.Fields(text), " ")
	}
	var lines []string
	var line strings.Builder
	end := func() {
		if words := strings.Fields(line.String()); len(words) > 0 {
			lines = append(lines, strings.Join(words, " "))
		}
		line.Reset()
	}
	for z := html.NewTokenizer(strings.NewReader(text)); ; {
		switch z.Next() {
		case html.ErrorToken: // the end: a tokenizer of a string reads on to it
			end()
			return strings.Join(lines, "\n")
		case html.TextToken:
			line.Write(z.Text())
			continue
		case html.StartTagToken, html.EndTagToken, html.SelfClosingTagToken:
			name, _ := z.TagName()
			if breaks[atom.Lookup(name)] {
				end()
			} else if cells[atom.Lookup(name)] {
				line.WriteByte(' ')
			}
		}
	}
}

// breaks are elements that stand on lines of their own; cells are apart by a space.
var (
	breaks = map[atom.Atom]bool{
		atom.P: true, atom.Div: true, atom.Br: true, atom.Li: true, atom.Ul: true, atom.Ol: true, atom.Tr: true, atom.Table: true,
		atom.H1: true, atom.H2: true, atom.H3: true, atom.H4: true, atom.H5: true, atom.H6: true, atom.Blockquote: true, atom.Pre: true,
		atom.Dl: true, atom.Dt: true, atom.Dd: true, atom.Hr: true, atom.Section: true, atom.Article: true, atom.Figure: true,
	}
	cells = map[atom.Atom]bool{atom.Td: true, atom.Th: true}
)

package gateway

import (
	"encoding/json"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxJSONDepth bounds how deep values of a request are nested for the reader's own sake; what an
// operation may have is bounded later.
const maxJSONDepth = 500

// Why a text is not the JSON of a request. None quotes it.
const (
	notJSON       = "The request is not JSON."
	notUTF8       = "The request is not UTF-8."
	afterJSON     = "The request has something after its JSON."
	repeatedName  = "The request has a name twice in one object."
	tooDeep       = "The request is nested too deep."
	halfCharacter = "The request has half of a surrogate pair."
)

// jsonReader reads JSON by RFC 8259, and what that leaves open it refuses: a name that comes twice in
// an object, half a surrogate pair, and texts that are not UTF-8. Two readers would take such a text
// for two different requests.
type jsonReader struct {
	text  []byte
	at    int
	fault string // the first; empty for none
}

// readJSON gives the one value of a text: nil, bool, json.Number, string, []any or map[string]any.
// What is wrong with it is a sentence.
func readJSON(text []byte) (any, string) {
	if !utf8.Valid(text) {
		return nil, notUTF8
	}
	r := jsonReader{text: text}
	v := r.value(0)
	if r.fault == "" && r.next() != 0 {
		r.fault = afterJSON
	}
	if r.fault != "" {
		return nil, r.fault
	}
	return v, ""
}

func (r *jsonReader) fail(sentence string) any {
	if r.fault == "" {
		r.fault = sentence
	}
	return nil
}

// next gives the next byte that is no space, without taking it; 0 at the end.
func (r *jsonReader) next() byte {
	for ; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; c {
		case ' ', '\t', '\r', '\n':
		case 0:
			return 1 // a byte that nothing begins with
		default:
			return c
		}
	}
	return 0
}

func (r *jsonReader) value(depth int) any {
	if depth > maxJSONDepth {
		return r.fail(tooDeep)
	}
	switch c := r.next(); c {
	case '{':
		return r.object(depth)
	case '[':
		return r.array(depth)
	case '"':
		return r.string()
	case 't':
		return r.word("true", true)
	case 'f':
		return r.word("false", false)
	case 'n':
		return r.word("null", nil)
	default:
		if c == '-' || '0' <= c && c <= '9' {
			return r.number()
		}
		return r.fail(notJSON)
	}
}

func (r *jsonReader) word(word string, v any) any {
	end := r.at + len(word)
	if end > len(r.text) || string(r.text[r.at:end]) != word {
		return r.fail(notJSON)
	}
	r.at = end
	return v
}

func (r *jsonReader) object(depth int) any {
	r.at++
	fields := make(map[string]any)
	if r.next() == '}' {
		r.at++
		return fields
	}
	for {
		if r.next() != '"' {
			return r.fail(notJSON)
		}
		name := r.string()
		if r.fault == "" && r.next() != ':' {
			return r.fail(notJSON)
		}
		if _, twice := fields[name]; twice {
			return r.fail(repeatedName)
		}
		r.at++
		v := r.value(depth + 1)
		if r.fault != "" {
			return nil
		}
		fields[name] = v
		switch r.next() {
		case ',':
			r.at++
		case '}':
			r.at++
			return fields
		default:
			return r.fail(notJSON)
		}
	}
}

func (r *jsonReader) array(depth int) any {
	r.at++
	items := []any{}
	if r.next() == ']' {
		r.at++
		return items
	}
	for {
		v := r.value(depth + 1)
		if r.fault != "" {
			return nil
		}
		items = append(items, v)
		switch r.next() {
		case ',':
			r.at++
		case ']':
			r.at++
			return items
		default:
			return r.fail(notJSON)
		}
	}
}

func (r *jsonReader) number() any {
	began := r.at
	if r.text[r.at] == '-' {
		r.at++
	}
	if r.at < len(r.text) && r.text[r.at] == '0' {
		r.at++
	} else if r.digits() == 0 {
		return r.fail(notJSON)
	}
	if r.at < len(r.text) && r.text[r.at] == '.' {
		r.at++
		if r.digits() == 0 {
			return r.fail(notJSON)
		}
	}
	if r.at < len(r.text) && (r.text[r.at] == 'e' || r.text[r.at] == 'E') {
		r.at++
		if r.at < len(r.text) && (r.text[r.at] == '+' || r.text[r.at] == '-') {
			r.at++
		}
		if r.digits() == 0 {
			return r.fail(notJSON)
		}
	}
	return json.Number(r.text[began:r.at])
}

func (r *jsonReader) digits() int {
	began := r.at
	for r.at < len(r.text) && '0' <= r.text[r.at] && r.text[r.at] <= '9' {
		r.at++
	}
	return r.at - began
}

// string reads a text from its opening quote on.
func (r *jsonReader) string() string {
	r.at++
	began := r.at
	for ; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; {
		case c == '"':
			s := string(r.text[began:r.at])
			r.at++
			return s
		case c == '\\':
			return r.escaped(began)
		case c < ' ':
			r.fail(notJSON)
			return ""
		}
	}
	r.fail(notJSON)
	return ""
}

// escaped reads a text with escapes; what comes before the first is plain.
func (r *jsonReader) escaped(began int) string {
	var b strings.Builder
	b.Write(r.text[began:r.at])
	for r.at < len(r.text) {
		c := r.text[r.at]
		switch {
		case c == '"':
			r.at++
			return b.String()
		case c < ' ':
			r.fail(notJSON)
			return ""
		case c != '\\':
			b.WriteByte(c)
			r.at++
			continue
		}
		char, ok := r.escape()
		if !ok {
			return ""
		}
		b.WriteRune(char)
	}
	r.fail(notJSON)
	return ""
}

// escape reads one escape from its backslash on.
func (r *jsonReader) escape() (rune, bool) {
	if r.at+1 >= len(r.text) {
		r.fail(notJSON)
		return 0, false
	}
	c := r.text[r.at+1]
	if c == 'u' {
		return r.unicode()
	}
	const from, to = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	i := strings.IndexByte(from, c)
	if i < 0 {
		r.fail(notJSON)
		return 0, false
	}
	r.at += 2
	return rune(to[i]), true
}

func (r *jsonReader) unicode() (rune, bool) {
	first, ok := r.hex()
	if !ok {
		r.fail(notJSON)
		return 0, false
	}
	if !utf16.IsSurrogate(first) {
		return first, true
	}
	if second, ok := r.hex(); ok {
		if char := utf16.DecodeRune(first, second); char != utf8.RuneError {
			return char, true
		}
	}
	r.fail(halfCharacter)
	return 0, false
}

// hex reads one \u and its four digits.
func (r *jsonReader) hex() (rune, bool) {
	end := r.at + 6
	if end > len(r.text) || r.text[r.at] != '\\' || r.text[r.at+1] != 'u' {
		return 0, false
	}
	var n rune
	for _, c := range r.text[r.at+2 : end] {
		switch {
		case '0' <= c && c <= '9':
			n = n<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			n = n<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			n = n<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	r.at = end
	return n, true
}

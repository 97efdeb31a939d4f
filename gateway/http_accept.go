package gateway

import (
	"mime"
	"strconv"
	"strings"
)

// mediaType is what the client wants.
type mediaType string

const (
	graphqlResponse mediaType = "application/graphql-response+json"
	plainJSON       mediaType = "application/json"
	eventStream     mediaType = "text/event-stream"
	multipartMixed  mediaType = "multipart/mixed"
)

// offers are the media types of answers, in the order in which the edge prefers them.
var offers = []mediaType{plainJSON, graphqlResponse, eventStream, multipartMixed}

// deferSpec is the format of deferred parts that is spoken, as clients name it.
const deferSpec = "20220824"

// accepted is how a client takes its answer.
type accepted struct {
	kind     mediaType // for an operation that is answered at once
	deferred bool      // the answer may come in parts, as multipart/mixed
	parts    bool      // and in no other way
}

// mediaRange is one entry of an Accept header.
type mediaRange struct {
	name    string // lower case
	place   int    // in the header
	quality float64
}

// negotiate picks how to answer by quality, then by order; what is named wins over a range. No
// Accept, and one that takes anything, mean application/json. It is false where nothing fits.
func negotiate(accept []string) (accepted, bool) {
	text := strings.Join(accept, ",")
	if strings.TrimSpace(text) == "" {
		return accepted{kind: plainJSON}, true
	}
	switch text { // what nearly everybody sends
	case string(graphqlResponse):
		return accepted{kind: graphqlResponse}, true
	case string(plainJSON), "*/*":
		return accepted{kind: plainJSON}, true
	}
	ranges := mediaRanges(text)
	var (
		out  accepted
		best mediaRange
	)
	for _, offer := range offers {
		r, ok := matching(ranges, offer)
		if !ok || r.quality == 0 {
			continue
		}
		if offer == multipartMixed {
			out.deferred = true
			if out.kind == "" {
				out.kind, out.parts = graphqlResponse, true
			}
			continue
		}
		if out.kind == "" || better(r, best) {
			out.kind, best = offer, r
		}
	}
	return out, out.kind != ""
}

// better tells whether one range is to be preferred to another.
func better(a, b mediaRange) bool {
	if a.quality != b.quality {
		return a.quality > b.quality
	}
	if wild := strings.HasSuffix(a.name, "*"); wild != strings.HasSuffix(b.name, "*") {
		return !wild
	}
	return a.place < b.place
}

// matching gives the most specific range that has the media type in it. Streams and parts are for
// those who name them.
func matching(ranges []mediaRange, offer mediaType) (best mediaRange, ok bool) {
	rank := -1
	for _, r := range ranges {
		own := -1
		switch {
		case r.name == string(offer):
			own = 2
		case offer != plainJSON && offer != graphqlResponse:
		case r.name == "application/*":
			own = 1
		case r.name == "*/*":
			own = 0
		}
		if own > rank {
			best, rank = r, own
		}
	}
	return best, rank >= 0
}

// mediaRanges reads an Accept header. Entries that cannot be read, or ask for what is not spoken,
// are left out.
func mediaRanges(text string) []mediaRange {
	var list []mediaRange
	for i, entry := range splitQuoted(text) {
		name, attributes, err := mime.ParseMediaType(entry)
		if err != nil {
			continue
		}
		if charset, ok := attributes["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
			continue
		}
		if name == string(multipartMixed) && !speaksDefer(attributes) {
			continue
		}
		list = append(list, mediaRange{name: name, place: i, quality: quality(attributes["q"])})
	}
	return list
}

// speaksDefer tells whether multipart/mixed means deferred parts in the format that is spoken: it is
// used for other formats, and for subscriptions, too.
func speaksDefer(attributes map[string]string) bool {
	for name, value := range attributes {
		switch name {
		case "deferspec":
			if value != deferSpec {
				return false
			}
		case "incrementalspec", "subscriptionspec":
			return false
		}
	}
	return true
}

// splitQuoted divides a header at its commas, but not at those in quotes.
func splitQuoted(text string) []string {
	var list []string
	began, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case c == ',' && !quoted:
			list = append(list, text[began:i])
			began = i + 1
		}
	}
	return append(list, text[began:])
}

// quality reads a weight of RFC 9110; one that is none counts as 0.
func quality(q string) float64 {
	if q == "" {
		return 1
	}
	v, err := strconv.ParseFloat(q, 64)
	if err != nil || len(q) > len("0.000") || v < 0 || v > 1 || strings.ContainsAny(q, "eExXpP_+-niNI") {
		return 0
	}
	return v
}

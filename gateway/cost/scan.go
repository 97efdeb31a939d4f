package cost

import "bytes"

// scanner reads JSON from front to back and keeps nothing. What is broken ends it: from then on it
// is at the end.
type scanner struct {
	data      []byte
	pos       int
	broken    bool
	variables map[string]any
}

func (s *scanner) fail() {
	s.broken, s.pos = true, len(s.data)
}

// peek gives the first byte of what comes next, 0 at the end.
func (s *scanner) peek() byte {
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// open begins an object or list; false for an empty one.
func (s *scanner) open(opening, closing byte) bool {
	if s.peek() != opening {
		s.fail()
		return false
	}
	s.pos++
	switch s.peek() {
	case closing:
		s.pos++
		return false
	case 0:
		s.fail()
		return false
	}
	return true
}

// next goes on to the next member of an object or list; false at its end.
func (s *scanner) next(closing byte) bool {
	switch s.peek() {
	case ',':
		s.pos++
		return true
	case closing:
		s.pos++
		return false
	}
	s.fail()
	return false
}

// key reads the key of a member and the colon.
func (s *scanner) key() []byte {
	text := s.text()
	if s.peek() != ':' {
		s.fail()
		return nil
	}
	s.pos++
	return text
}

// text reads a string, and gives it as it is written.
func (s *scanner) text() []byte {
	if s.peek() != '"' {
		s.fail()
		return nil
	}
	start := s.pos + 1
	for at := start; ; {
		end := bytes.IndexByte(s.data[at:], '"')
		if end < 0 {
			s.fail()
			return nil
		}
		end += at
		slashes := 0
		for slashes < end-start && s.data[end-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			s.pos = end + 1
			return s.data[start:end]
		}
		at = end + 1
	}
}

// skip reads over one value, however deep it is nested.
func (s *scanner) skip() {
	depth := 0
	for {
		switch s.peek() {
		case 0:
			s.fail()
			return
		case '"':
			s.text()
		case '{', '[':
			s.pos++
			depth++
			continue
		case '}', ']':
			if depth == 0 {
				s.fail()
				return
			}
			s.pos++
			depth--
		case ',', ':':
			if depth == 0 {
				s.fail()
				return
			}
			s.pos++
			continue
		default:
			s.word()
		}
		if depth == 0 || s.broken {
			return
		}
	}
}

// word reads over a number, true, false or null.
func (s *scanner) word() {
	for s.pos++; s.pos < len(s.data); s.pos++ {
		switch s.data[s.pos] {
		case ',', '}', ']', ':', '"', '{', '[', ' ', '\t', '\n', '\r':
			return
		}
	}
}

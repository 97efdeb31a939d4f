package shopifycsv

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxRecord bounds one record in bytes, so that a quote that is never closed cannot hold the rest of a file in memory.
const maxRecord = 1 << 20

// Why a record cannot be read.
var (
	errBareQuote  = errors.New("a quotation mark stands inside an unquoted cell; quote the cell and double the mark")
	errAfterQuote = errors.New("text follows the closing quotation mark of a cell; double the mark if it belongs to the text")
	errOpenQuote  = errors.New("a quotation mark opens a cell and is never closed")
	errTooLong    = errors.New("the row is longer than 1 MiB")
)

// recordError is a record that breaks the rules of CSV.
type recordError struct {
	start int    // physical line that the record begins on, from 1
	line  int    // physical line of the fault
	text  []byte // first line of the record
	err   error
}

func (e *recordError) Error() string { return e.err.Error() }

// record is one row: its cells and the physical line that each begins on.
type record struct {
	cells []string
	lines []int
}

// records reads CSV by RFC 4180 with physical line numbers. Unlike encoding/csv it keeps \r\n inside
// quoted cells, bounds a record, and goes on behind a broken one: at the next line that is a row by itself.
type records struct {
	src      *bufio.Reader
	comma    byte
	line     int      // number of the last line taken
	queue    [][]byte // lines read ahead and given back
	width    int      // cells of the header; 0 before it
	doubtful int      // up to this line, what is no row belongs to a broken record that was reported
	parser   parser
}

// newRecords reads from src; the caller has dealt with a byte order mark.
func newRecords(src *bufio.Reader, comma byte) *records {
	return &records{src: src, comma: comma}
}

// next gives the next record that is not an empty line. It fails with [*recordError] for a broken one,
// after which next goes on; with io.EOF at the end, and with the source's error otherwise.
func (r *records) next() (record, error) {
	for {
		doubtful := r.doubtful
		rec, first, err := r.read()
		switch {
		case isBroken(err) && r.line <= doubtful && !r.looksLikeRow(first):
			continue
		case err != nil:
			return record{}, err
		case rec.lines[0] <= doubtful && len(rec.cells) != r.width:
			continue
		case len(rec.cells) == 1 && rec.cells[0] == "":
			continue
		}
		return rec, nil
	}
}

// read takes one record. After a broken one only its first line is taken; the rest are given back.
func (r *records) read() (record, []byte, error) {
	first, err := r.take()
	if err != nil {
		return record{}, nil, err
	}
	start, size := r.line, len(first)
	var rest [][]byte
	r.parser.reset(r.comma, start)
	for line := first; ; {
		whole, err := r.parser.feed(line)
		if err == nil && whole {
			return r.parser.record(), first, nil
		}
		if err == nil && size > maxRecord {
			err = errOpenQuote
		}
		if err == nil {
			line, err = r.take()
			switch {
			case err == nil:
				rest = append(rest, line)
				size += len(line)
				continue
			case err == io.EOF && r.parser.end():
				return r.parser.record(), first, nil
			case err == io.EOF:
				err = errOpenQuote
			case isBroken(err):
				rest = append(rest, []byte{'\n'}) // keeps the count of lines
				err = errOpenQuote
			default:
				return record{}, nil, err
			}
		}
		r.doubtful = max(r.doubtful, r.line)
		r.line = start
		r.queue = append(rest, r.queue...)
		return record{}, first, &recordError{start: start, line: r.parser.cell, text: first, err: err}
	}
}

func isBroken(err error) bool {
	var broken *recordError
	return errors.As(err, &broken)
}

// looksLikeRow reports whether a broken line has so many cells that it was meant as a row.
func (r *records) looksLikeRow(line []byte) bool {
	return bytes.Count(line, []byte{r.comma}) >= max(1, (r.width-1)/2)
}

// take gives the next physical line with its end. A line longer than [maxRecord] is skipped and gives errTooLong.
func (r *records) take() ([]byte, error) {
	if len(r.queue) > 0 {
		line := r.queue[0]
		r.queue = r.queue[1:]
		r.line++
		return line, nil
	}
	var line []byte
	size := 0
	for {
		part, err := r.src.ReadSlice('\n')
		size += len(part)
		if size <= maxRecord {
			line = append(line, part...)
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err != nil && err != io.EOF, err == io.EOF && size == 0:
			return nil, err
		}
		r.line++
		if size > maxRecord {
			return nil, &recordError{start: r.line, line: r.line, text: line[:min(len(line), 512)], err: errTooLong}
		}
		return line, nil
	}
}

// parser is the state machine of one record, fed line by line.
type parser struct {
	comma byte
	state state
	text  []byte
	ends  []int // of each cell in text
	lines []int // of each cell's first byte
	line  int   // being read
	cell  int   // line that the current cell begins on
}

type state int

const (
	cellStart   state = iota // nothing of the cell was read
	unquoted                 // in an unquoted cell
	quoted                   // in a quoted cell
	quoteInCell              // behind a quotation mark in a quoted cell: its end, or half of a doubled one
)

func (p *parser) reset(comma byte, line int) {
	*p = parser{comma: comma, line: line - 1, text: p.text[:0], ends: p.ends[:0], lines: p.lines[:0]}
}

// feed reads one physical line and reports whether the record ends with it.
func (p *parser) feed(line []byte) (bool, error) {
	p.line++
	if p.state == cellStart {
		p.cell = p.line
	}
	for i := 0; i < len(line); i++ {
		c := line[i]
		if p.state == quoted {
			if c == '"' {
				p.state = quoteInCell
			} else {
				p.text = append(p.text, c)
			}
			continue
		}
		switch {
		case c == p.comma:
			p.endCell()
		case c == '\n':
			p.endCell()
			return true, nil
		case c == '\r' && (i+1 == len(line) || i+2 == len(line) && line[i+1] == '\n'): // part of the line's end
		case c == '"':
			switch p.state {
			case cellStart:
				p.state = quoted
			case quoteInCell:
				p.text = append(p.text, '"')
				p.state = quoted
			default:
				return false, errBareQuote
			}
		case p.state == quoteInCell:
			return false, errAfterQuote
		default:
			p.state = unquoted
			p.text = append(p.text, c)
		}
	}
	return false, nil
}

// end reports whether the record is whole when the file ends here.
func (p *parser) end() bool {
	if p.state == quoted {
		return false
	}
	p.endCell()
	return true
}

func (p *parser) endCell() {
	p.ends = append(p.ends, len(p.text))
	p.lines = append(p.lines, p.cell)
	p.state = cellStart
	p.cell = p.line
}

// record gives what was read, in memory of its own.
func (p *parser) record() record {
	text := string(p.text)
	rec := record{cells: make([]string, len(p.ends)), lines: append([]int(nil), p.lines...)}
	start := 0
	for i, end := range p.ends {
		rec.cells[i] = text[start:end]
		start = end
	}
	return rec
}

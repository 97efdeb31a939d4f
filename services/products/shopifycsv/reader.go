package shopifycsv

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of one product; a product has at most 100 variants and 20 pictures.
const (
	maxRows = 1000
	maxSize = 4 << 20 // bytes
)

// Reader reads products from a CSV file.
type Reader struct {
	records    *records
	columns    map[Column]int
	names      []string // header as it stands in the file
	metafields map[int]Metafield
	ahead      *row // first one of the next product
	seed       maphash.Seed
	seen       map[uint64]struct{} // hashes of the handles that are done
}

// NewReader reads the header. It fails when the file is empty, is not UTF-8 text with a header,
// or has no Handle column; such an error is safe to show.
func NewReader(src io.Reader) (*Reader, error) {
	buffered := bufio.NewReaderSize(src, 64<<10)
	if err := skipMark(buffered); err != nil {
		return nil, err
	}
	r := &Reader{
		records:    newRecords(buffered, delimiter(buffered)),
		columns:    make(map[Column]int),
		metafields: make(map[int]Metafield),
		seed:       maphash.MakeSeed(),
		seen:       make(map[uint64]struct{}),
	}
	header, err := r.records.next()
	if err == io.EOF {
		return nil, errors.New("the file is empty: its first row has to name the columns")
	}
	if err != nil {
		return nil, fmt.Errorf("the header cannot be read: %w", err)
	}
	r.records.width = len(header.cells)
	return r, r.readHeader(header.cells)
}

// skipMark takes the byte order mark of UTF-8 away and refuses other encodings.
func skipMark(src *bufio.Reader) error {
	start, err := src.Peek(3)
	if err != nil && err != io.EOF {
		return fmt.Errorf("the file cannot be read: %w", err)
	}
	switch {
	case bytes.HasPrefix(start, []byte("\xef\xbb\xbf")):
		_, err = src.Discard(3)
		return err
	case bytes.HasPrefix(start, []byte("\xff\xfe")), bytes.HasPrefix(start, []byte("\xfe\xff")):
		return errors.New("the file is UTF-16: save it as CSV UTF-8")
	}
	return nil
}

// delimiter finds what divides the header's cells: a comma, or what spreadsheets put in its place.
func delimiter(src *bufio.Reader) byte {
	start, _ := src.Peek(4 << 10) // what cannot be read fails again as the header
	line, _, _ := bytes.Cut(start, []byte{'\n'})
	best := byte(',')
	for _, c := range []byte{';', '\t'} {
		if bytes.Count(line, []byte{c}) > bytes.Count(line, []byte{best}) {
			best = c
		}
	}
	return best
}

func (r *Reader) readHeader(cells []string) error {
	known := make(map[string]Column)
	for _, c := range columnOrder {
		known[strings.ToLower(string(c))] = c
	}
	for i, cell := range cells {
		if !utf8.ValidString(cell) {
			return errors.New("the header is not UTF-8 text: save the file as CSV UTF-8")
		}
		name := strings.TrimSpace(cell)
		r.names = append(r.names, name)
		if m, ok := parseMetafield(name); ok {
			r.metafields[i] = m
			continue
		}
		lower := strings.ToLower(name)
		column, ok := known[lower]
		if !ok {
			column, ok = aliases[lower]
		}
		if !ok {
			continue
		}
		if first, twice := r.columns[column]; twice {
			return fmt.Errorf("columns %d and %d of the header are both %q", first+1, i+1, string(column))
		}
		r.columns[column] = i
	}
	if _, ok := r.columns[Handle]; !ok {
		return errors.New(`the header has no column "Handle": this is not a Shopify product CSV`)
	}
	return nil
}

// Has reports whether the file has the column. What has no column is left as it is.
func (r *Reader) Has(c Column) bool { _, ok := r.columns[c]; return ok }

// Name gives the column's name as the file has it.
func (r *Reader) Name(c Column) string {
	if i, ok := r.columns[c]; ok {
		return r.names[i]
	}
	return string(c)
}

// Line gives the physical line of a column's cell in a row.
func (r *Reader) Line(row Row, c Column) int {
	if i, ok := r.columns[c]; ok && i < len(row.lines) {
		return row.lines[i]
	}
	return row.Line
}

// Metafields gives the file's metafield columns, in their order.
func (r *Reader) Metafields() []Metafield {
	var all []Metafield
	for i := range r.names {
		if m, ok := r.metafields[i]; ok {
			all = append(all, m)
		}
	}
	return all
}

// Next gives the next product; its Faults say what is wrong with its rows. A product with an empty
// Handle stands for a row that belongs to none, and has Faults only. Next fails with io.EOF at the end
// and with the source's error otherwise.
func (r *Reader) Next() (*Product, error) {
	next, err := r.row()
	if err != nil {
		return nil, err
	}
	p := &Product{Row: Row{next.line, next.lines}, Handle: next.handle, Published: true}
	described, full := next.fault == nil, false
	r.begin(p, next)
	for rows, size := 1, 0; ; rows++ {
		size += next.size()
		switch {
		case full:
		case rows > maxRows, size > maxSize:
			full = true
			p.Faults = append(p.Faults, Fault{Line: next.line, Reason: fmt.Sprintf("a product has at most %d rows and 4 MiB", maxRows)})
		case next.fault != nil:
			p.Faults = append(p.Faults, *next.fault)
		case described:
			r.add(p, next.record, rows == 1)
		}
		if p.Handle == "" {
			break
		}
		if next, err = r.row(); err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if next.handle != p.Handle {
			r.ahead = &next
			break
		}
	}
	r.finish(p)
	return p, nil
}

// row is one row of the file, broken or not.
type row struct {
	record
	line   int
	handle string // as far as it can be made out
	fault  *Fault // what makes the row unreadable
}

// size gives the bytes of the row's text.
func (r *row) size() int {
	n := 0
	for _, cell := range r.cells {
		n += len(cell)
	}
	return n
}

// row gives the next row.
func (r *Reader) row() (row, error) {
	if next := r.ahead; next != nil {
		r.ahead = nil
		return *next, nil
	}
	rec, err := r.records.next()
	var broken *recordError
	if errors.As(err, &broken) {
		return row{
			line: broken.start, handle: r.guessHandle(broken.text),
			fault: &Fault{Line: broken.line, Reason: broken.Error()},
		}, nil
	}
	if err != nil {
		return row{}, err
	}
	next := row{record: rec, line: rec.lines[0], handle: r.cell(rec, Handle)}
	for i, cell := range rec.cells {
		if i >= r.records.width && cell != "" {
			next.fault = &Fault{Line: rec.lines[i], Reason: fmt.Sprintf("the row has %d cells, the header %d", len(rec.cells), r.records.width)}
			break
		}
		if !utf8.ValidString(cell) {
			next.fault = &Fault{Line: rec.lines[i], Reason: "the text is not UTF-8"}
			if i < len(r.names) {
				next.fault.Column = r.names[i]
			}
			break
		}
	}
	return next, nil
}

// guessHandle finds the handle in a line that cannot be read as CSV.
func (r *Reader) guessHandle(line []byte) string {
	cells := bytes.Split(line, []byte{r.records.comma})
	if i := r.columns[Handle]; i < len(cells) {
		return strings.Trim(strings.TrimSpace(string(cells[i])), `"`)
	}
	return ""
}

// begin records faults of the handle itself.
func (r *Reader) begin(p *Product, first row) {
	if p.Handle == "" {
		if first.fault == nil {
			r.fault(p, first.record, Handle, "a row needs a handle")
		}
		return
	}
	sum := maphash.String(r.seed, p.Handle)
	if _, ok := r.seen[sum]; ok {
		p.Faults = append(p.Faults, Fault{Line: p.Line, Column: r.Name(Handle), Reason: "the handle has come before: the rows of a product have to stand together"})
	}
	r.seen[sum] = struct{}{}
}

// add reads one row of the product.
func (r *Reader) add(p *Product, rec record, first bool) {
	if p.Handle == "" {
		return
	}
	if first {
		r.describe(p, rec)
	}
	if first || r.cell(rec, SKU) != "" || r.cell(rec, Price) != "" || r.cell(rec, Option1Value) != "" {
		r.addVariant(p, rec)
	}
	if src := r.cell(rec, ImageSrc); src != "" {
		p.Images = append(p.Images, Image{
			Row: Row{rec.lines[0], rec.lines}, Src: src, Alt: r.cell(rec, ImageAlt),
			Position: r.count(p, rec, ImagePosition), Width: r.count(p, rec, ImageWidth), Height: r.count(p, rec, ImageHeight),
		})
	}
}

// describe reads what the first row says of the product.
func (r *Reader) describe(p *Product, rec record) {
	p.Title = r.cell(rec, Title)
	p.Body = r.raw(rec, Body)
	p.Vendor = r.cell(rec, Vendor)
	p.Type = r.cell(rec, Type)
	p.Category = r.cell(rec, Category)
	p.Tags = splitTags(r.cell(rec, Tags))
	switch published := strings.ToLower(r.cell(rec, Published)); published {
	case "true", "yes", "1", "":
	case "false", "no", "0":
		p.Published = false
	default:
		r.fault(p, rec, Published, `write TRUE or FALSE`)
	}
	switch p.Status = strings.ToLower(r.cell(rec, Status)); p.Status {
	case "active", "draft", "archived", "":
	default:
		r.fault(p, rec, Status, `write active, draft or archived`)
	}
	for i, column := range optionNames {
		switch name := r.cell(rec, column); {
		case name != "" && len(p.Options) < i:
			r.fault(p, rec, column, "the option before it has no name")
		case name != "":
			p.Options = append(p.Options, name)
		}
	}
	for i := range r.names {
		if m, ok := r.metafields[i]; ok && m.Owner == "product" && i < len(rec.cells) {
			if text := strings.TrimSpace(rec.cells[i]); text != "" {
				p.Metafields = append(p.Metafields, Value{Field: m, Text: text})
			}
		}
	}
}

func (r *Reader) addVariant(p *Product, rec record) {
	v := Variant{
		Row:   Row{rec.lines[0], rec.lines},
		SKU:   unquoteNumber(r.cell(rec, SKU)),
		Price: r.cell(rec, Price), CompareAtPrice: r.cell(rec, CompareAtPrice),
		Barcode: unquoteNumber(r.cell(rec, Barcode)),
		Image:   r.cell(rec, VariantImage),
	}
	for i, column := range optionValues {
		value := r.cell(rec, column)
		switch {
		case i < len(p.Options) && value == "":
			r.fault(p, rec, column, fmt.Sprintf("the variant has no value for the option %q", p.Options[i]))
		case i >= len(p.Options) && value != "" && (i > 0 || value != defaultValue):
			r.fault(p, rec, column, "the option has no name in the product's first row")
		case i < len(p.Options):
			v.Options = append(v.Options, value)
		}
	}
	if text := r.cell(rec, Grams); text != "" {
		grams, err := strconv.ParseFloat(text, 64)
		if err != nil || !(grams >= 0 && grams < 1e9) {
			r.fault(p, rec, Grams, "write a weight in grams, 0 or more")
		}
		whole := int(grams + 0.5)
		v.Grams = &whole
	}
	if text := r.cell(rec, Quantity); text != "" {
		n, ok := wholeNumber(text)
		if !ok {
			r.fault(p, rec, Quantity, "write a whole number of pieces")
		}
		v.Quantity = &n
	}
	if text := r.cell(rec, Policy); text != "" {
		more := strings.EqualFold(text, policyContinue)
		if !more && !strings.EqualFold(text, policyDeny) {
			r.fault(p, rec, Policy, "write deny or continue")
		}
		v.BackOrders = &more
	}
	for i := range min(len(r.names), len(rec.cells)) {
		m, ok := r.metafields[i]
		if !ok || !m.isStock() || rec.cells[i] == "" {
			continue
		}
		n, ok := wholeNumber(strings.TrimSpace(rec.cells[i]))
		if !ok || n < 0 {
			p.Faults = append(p.Faults, Fault{Line: rec.lines[i], Column: r.names[i], Reason: "write a whole number of pieces, 0 or more"})
		}
		if v.Stock == nil {
			v.Stock = make(map[string]int)
		}
		v.Stock[m.Key] = n
	}
	p.Variants = append(p.Variants, v)
}

// finish puts the whole product into its final form.
func (r *Reader) finish(p *Product) {
	slices.SortStableFunc(p.Faults, func(a, b Fault) int { return a.Line - b.Line })
	if len(p.Options) == 1 && strings.EqualFold(p.Options[0], defaultOption) && len(p.Variants) == 1 && slices.ContainsFunc(p.Variants[0].Options, isDefault) {
		p.Options, p.Variants[0].Options = nil, nil
	}
	slices.SortStableFunc(p.Images, func(a, b Image) int {
		switch {
		case a.Position == b.Position:
			return 0
		case a.Position == 0:
			return 1
		case b.Position == 0:
			return -1
		}
		return a.Position - b.Position
	})
}

func isDefault(value string) bool { return strings.EqualFold(value, defaultValue) }

// raw gives a cell as it is; empty for one that the file or the row does not have.
func (r *Reader) raw(rec record, c Column) string {
	if i, ok := r.columns[c]; ok && i < len(rec.cells) {
		return rec.cells[i]
	}
	return ""
}

func (r *Reader) cell(rec record, c Column) string { return strings.TrimSpace(r.raw(rec, c)) }

// count reads a whole number above 0, or 0 for an empty cell.
func (r *Reader) count(p *Product, rec record, c Column) int {
	text := r.cell(rec, c)
	if text == "" {
		return 0
	}
	n, ok := wholeNumber(text)
	if !ok || n < 1 {
		r.fault(p, rec, c, "write a whole number above 0")
	}
	return n
}

func (r *Reader) fault(p *Product, rec record, c Column, reason string) {
	p.Faults = append(p.Faults, Fault{Line: r.Line(Row{rec.lines[0], rec.lines}, c), Column: r.Name(c), Reason: reason})
}

// wholeNumber reads an integer of at most nine digits, also as spreadsheets write it: "12.0".
func wholeNumber(text string) (int, bool) {
	whole, decimals, _ := strings.Cut(text, ".")
	n, err := strconv.Atoi(whole)
	return n, err == nil && strings.Trim(decimals, "0") == "" && n > -1e9 && n < 1e9
}

// unquoteNumber takes away the apostrophe that keeps a spreadsheet from changing an article number.
func unquoteNumber(text string) string {
	rest, ok := strings.CutPrefix(text, "'")
	if ok && rest != "" && (rest[0] == '\'' || strings.Trim(rest, "0123456789") == "") {
		return rest
	}
	return text
}

// quoteNumber writes a text that unquoteNumber would change so that it does not.
func quoteNumber(text string) string {
	if unquoteNumber(text) != text {
		return "'" + text
	}
	return text
}

// splitTags divides tags at commas; a tag in quotation marks may have commas in it.
func splitTags(text string) []string {
	var tags []string
	var tag strings.Builder
	inQuotes := false
	end := func() {
		if t := strings.TrimSpace(tag.String()); t != "" {
			tags = append(tags, t)
		}
		tag.Reset()
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inQuotes && c == '"' && i+1 < len(text) && text[i+1] == '"':
			tag.WriteByte(c)
			i++
		case inQuotes && c == '"':
			inQuotes = false
		case !inQuotes && c == '"' && strings.TrimSpace(tag.String()) == "" && strings.Count(text[i:], `"`) > 1:
			inQuotes = true
		case !inQuotes && c == ',':
			end()
		default:
			tag.WriteByte(c)
		}
	}
	end()
	return tags
}

// joinTags writes tags so that splitTags reads them back.
func joinTags(tags []string) string {
	quoted := make([]string, len(tags))
	for i, t := range tags {
		if quoted[i] = t; strings.Contains(t, ",") || strings.HasPrefix(t, `"`) {
			quoted[i] = `"` + strings.ReplaceAll(t, `"`, `""`) + `"`
		}
	}
	return strings.Join(quoted, ", ")
}

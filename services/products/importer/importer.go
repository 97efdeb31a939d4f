// Package importer carries products between the shop and Shopify's product CSV.
//
// An import takes the file's products in batches and compares each with what is there: products are
// found by their address (Handle), variants by SKU. What has no column, and variants that are not in
// the file, stay as they are, so the same file again changes nothing. A product with a fault is left
// out whole; the others go in. An export writes everything that an import reads.
package importer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/products"
	"github.com/techmart/techmart/services/products/shopifycsv"
)

const (
	batchSize   = 500      // products written together
	batchBytes  = 16 << 20 // of the file, for products that are large
	keptFaults  = 10_000   // faults in a report
	historyNote = "Product CSV"
)

// Options say how to import. The zero value will do.
type Options struct {
	// Progress is called after each batch.
	Progress func(Progress)
	// Fault is called for each fault, in the order of the file's batches.
	Fault func(Fault)
}

// Progress says how far an import or export is.
type Progress struct {
	Bytes    int64 // read or written
	Products int   // done, bad ones included
}

// Fault is one thing wrong in the file.
type Fault struct {
	Line   int    // physical line, from 1
	Column string // as the file names it; empty where the row itself is at fault
	Handle string // of the product that was left out; empty where the row names none
	Reason string
}

// String gives the fault in one line.
func (f Fault) String() string {
	text := fmt.Sprintf("line %d", f.Line)
	if f.Column != "" {
		text += ", " + f.Column
	}
	if f.Handle != "" {
		text += " (" + f.Handle + ")"
	}
	return text + ": " + f.Reason
}

// Report is what an import did.
type Report struct {
	Products  int // in the file
	Created   int
	Updated   int
	Unchanged int
	Failed    int     // left out
	Stock     int     // levels of stock that were set
	FaultSum  int     // all faults
	Faults    []Fault // the first 10,000
}

// Import reads a product CSV. It needs catalog:write, and inventory:write for a file with stock. It
// fails when the file is none, cannot be read on, or the stores fail; what was reported as done
// until then is done.
func Import(ctx context.Context, service *products.Service, src io.Reader, o Options) (Report, error) {
	counted := &counter{src: src}
	reader, err := shopifycsv.NewReader(counted)
	if err != nil {
		return Report{}, err
	}
	i := &importing{
		service: service, reader: reader, options: o,
		seed: maphash.MakeSeed(), slugs: make(map[uint64]struct{}),
	}
	if err := i.prepare(ctx); err != nil {
		return Report{}, err
	}
	var batch []*item
	start := int64(0)
	for {
		p, err := reader.Next()
		if err != nil && err != io.EOF {
			return i.report, fmt.Errorf("reading the file: %w", err)
		}
		if p != nil {
			batch = append(batch, &item{file: p})
		}
		if err == io.EOF || len(batch) >= batchSize || counted.read-start >= batchBytes {
			if failed := i.write(ctx, batch); failed != nil {
				return i.report, failed
			}
			batch, start = batch[:0], counted.read
			if o.Progress != nil {
				o.Progress(Progress{Bytes: counted.read, Products: i.report.Products})
			}
		}
		if err == io.EOF {
			return i.report, nil
		}
	}
}

// importing is an import under way.
type importing struct {
	service    *products.Service
	reader     *shopifycsv.Reader
	options    Options
	report     Report
	columns    []shopifycsv.Metafield // technical facts
	locations  map[string]uuid.UUID   // by the key of the stock column
	standard   uuid.UUID              // location of stock without one
	paths      map[uuid.UUID]string   // of categories
	categories map[string]uuid.UUID   // by path, folded
	refused    map[string]error       // paths that cannot be made
	seed       maphash.Seed
	slugs      map[uint64]struct{} // hashes of the addresses that came
}

// item is one product of a batch.
type item struct {
	file   *shopifycsv.Product
	slug   string
	stored *products.Product // nil for a new one
	merged *products.Product // nil for a bad one
	faults []Fault
}

// prepare reads what every batch needs, and checks the header against it.
func (i *importing) prepare(ctx context.Context) error {
	locations, err := i.service.Locations(ctx)
	if err != nil {
		return err
	}
	i.locations = make(map[string]uuid.UUID)
	for _, l := range locations {
		i.locations[shopifycsv.StockField(l.Code).Key] = l.ID
	}
	if len(products.Locations) > 0 {
		i.standard = products.Locations[0].ID
	}
	for _, m := range i.reader.Metafields() {
		switch {
		case m.Owner == "product":
			i.columns = append(i.columns, m)
		case m.Namespace == shopifycsv.InventoryNamespace:
			if _, ok := i.locations[m.Key]; !ok {
				return fmt.Errorf("the column %q is of a location that the shop does not have", m.Header())
			}
		}
	}
	names, err := i.service.CategoryPaths(ctx)
	if err != nil {
		return err
	}
	i.paths, i.categories, i.refused = make(map[uuid.UUID]string), make(map[string]uuid.UUID), make(map[string]error)
	for id, path := range names {
		i.paths[id] = joinPath(path)
		i.categories[products.Fold(i.paths[id])] = id
	}
	return nil
}

// write takes a batch in.
func (i *importing) write(ctx context.Context, batch []*item) error {
	var slugs []string
	for _, one := range batch {
		for _, f := range one.file.Faults {
			one.faults = append(one.faults, Fault{Line: f.Line, Column: f.Column, Handle: one.file.Handle, Reason: f.Reason})
		}
		if i.claim(one); one.faults == nil {
			slugs = append(slugs, one.slug)
		}
	}
	stored, err := i.service.BySlugs(ctx, slugs)
	if err != nil {
		return err
	}
	var list []*products.Product
	var good []*item
	for _, one := range batch {
		if one.faults != nil {
			continue
		}
		one.stored = stored[one.slug]
		if err := i.merge(ctx, one); err != nil {
			return err
		}
		if one.faults == nil {
			list, good = append(list, one.merged), append(good, one)
		}
	}
	outcomes, err := i.service.ImportProducts(ctx, list)
	if err != nil {
		return err
	}
	written := good[:0]
	for n, one := range good {
		switch o := outcomes[n]; {
		case o.Err != nil && errs.All(o.Err) == nil:
			return o.Err
		case o.Err != nil:
			for _, e := range errs.All(o.Err) {
				one.faults = append(one.faults, i.fault(one, e))
			}
			continue
		case o.Created:
			i.report.Created++
		case o.Updated:
			i.report.Updated++
		default:
			i.report.Unchanged++
		}
		written = append(written, one)
	}
	if err := i.writeStock(ctx, written); err != nil {
		return err
	}
	i.tell(batch)
	return nil
}

// claim finds the product's address, and refuses one that another handle of the file led to.
func (i *importing) claim(one *item) {
	handle := one.file.Handle
	if handle == "" {
		return
	}
	if one.slug = handle; !products.IsSlug(handle) {
		one.slug = products.MakeSlug(handle)
	}
	if one.slug == "" {
		i.add(one, one.file.Row, shopifycsv.Handle, "the handle has neither letters nor digits")
		return
	}
	sum := maphash.String(i.seed, one.slug)
	if _, ok := i.slugs[sum]; ok && one.faults == nil {
		i.add(one, one.file.Row, shopifycsv.Handle, "another product of the file has the same address "+one.slug)
	}
	i.slugs[sum] = struct{}{}
}

// tell counts the batch and reports its faults.
func (i *importing) tell(batch []*item) {
	for _, one := range batch {
		if one.file.Handle != "" {
			i.report.Products++
		}
		if one.faults == nil {
			continue
		}
		if one.file.Handle != "" {
			i.report.Failed++
		}
		slices.SortStableFunc(one.faults, func(a, b Fault) int { return cmp.Compare(a.Line, b.Line) })
		for _, f := range one.faults {
			i.report.FaultSum++
			if len(i.report.Faults) < keptFaults {
				i.report.Faults = append(i.report.Faults, f)
			}
			if i.options.Fault != nil {
				i.options.Fault(f)
			}
		}
	}
}

// add records a fault of a cell.
func (i *importing) add(one *item, row shopifycsv.Row, c shopifycsv.Column, reason string) {
	one.faults = append(one.faults, Fault{Line: i.reader.Line(row, c), Column: i.reader.Name(c), Handle: one.file.Handle, Reason: reason})
}

// writeStock sets the stock and the policies that the file gives and the shop has not.
func (i *importing) writeStock(ctx context.Context, written []*item) error {
	var slugs []string
	for _, one := range written {
		if slices.ContainsFunc(one.file.Variants, func(v shopifycsv.Variant) bool { return v.Quantity != nil || v.Stock != nil || v.BackOrders != nil }) {
			slugs = append(slugs, one.slug)
		}
	}
	if len(slugs) == 0 {
		return nil
	}
	stored, err := i.service.BySlugs(ctx, slugs)
	if err != nil {
		return err
	}
	var ids []uuid.UUID
	for _, p := range stored {
		for _, v := range p.Variants {
			ids = append(ids, v.ID)
		}
	}
	stocks, err := i.service.Stock(ctx, ids)
	if err != nil {
		return err
	}
	var list []products.OnHand
	policies := make(map[uuid.UUID]bool)
	for _, one := range written {
		p := stored[one.slug]
		if p == nil {
			continue
		}
		for n, v := range one.file.Variants {
			k := slices.IndexFunc(p.Variants, func(s products.Variant) bool { return s.SKU == one.merged.Variants[n].SKU })
			if k < 0 {
				continue
			}
			stock := stocks[p.Variants[k].ID]
			list = append(list, i.onHand(p, stock, v)...)
			if v.BackOrders != nil && *v.BackOrders != stock.BackOrders {
				policies[p.Variants[k].ID] = *v.BackOrders
			}
		}
	}
	i.report.Stock += len(list)
	if err := i.service.ImportStock(ctx, list, historyNote); err != nil {
		return err
	}
	for id, allowed := range policies {
		if _, err := i.service.SetBackOrders(ctx, id, allowed); err != nil {
			return err
		}
	}
	return nil
}

// onHand gives the levels of a variant that differ from what the file says. Pieces without a location
// are counted over all: what is more goes to the standard location, what is less is taken from there first.
func (i *importing) onHand(p *products.Product, stock products.Stock, v shopifycsv.Variant) []products.OnHand {
	var list []products.OnHand
	set := func(location uuid.UUID, pieces int) {
		list = append(list, products.OnHand{VariantID: stock.VariantID, ProductID: p.ID, LocationID: location, Pieces: pieces})
	}
	if v.Stock != nil {
		for key, pieces := range v.Stock {
			location := i.locations[key]
			known := slices.ContainsFunc(stock.Levels, func(l products.Level) bool { return l.LocationID == location })
			if !known || stock.OnHand(location) != pieces {
				set(location, pieces)
			}
		}
		return list
	}
	if v.Quantity == nil {
		return nil
	}
	more := max(0, *v.Quantity)
	for _, l := range stock.Levels {
		more -= l.OnHand
	}
	if more > 0 {
		set(i.standard, stock.OnHand(i.standard)+more)
		return list
	}
	levels := slices.Clone(stock.Levels)
	slices.SortStableFunc(levels, func(a, b products.Level) int {
		return cmp.Compare(rank(a.LocationID == i.standard), rank(b.LocationID == i.standard))
	})
	for _, l := range levels {
		if fewer := min(-more, l.Available()); fewer > 0 {
			set(l.LocationID, l.OnHand-fewer)
			more += fewer
		}
	}
	return list
}

func rank(first bool) int {
	if first {
		return 0
	}
	return 1
}

// category gives the category of a path and makes it where it is missing; zero for no path.
func (i *importing) category(ctx context.Context, path string, stored *products.Product) (uuid.UUID, error) {
	names := splitPath(path)
	if len(names) == 0 {
		return uuid.Nil, nil
	}
	path = joinPath(names)
	if stored != nil && stored.CategoryID != uuid.Nil && i.paths[stored.CategoryID] == path {
		return stored.CategoryID, nil
	}
	key := products.Fold(path)
	if id, ok := i.categories[key]; ok {
		return id, nil
	}
	if err := i.refused[key]; err != nil {
		return uuid.Nil, err
	}
	id, err := i.service.EnsureCategory(ctx, names)
	if err != nil {
		if errs.All(err) != nil {
			i.refused[key] = err
		}
		return uuid.Nil, err
	}
	i.categories[key], i.paths[id] = id, path
	return id, nil
}

const pathDivider = " > "

func joinPath(names []string) string { return strings.Join(names, pathDivider) }

// splitPath divides a path; the taxonomy of Shopify is deeper than the shop's tree, which ends at
// [products.MaxLevels].
func splitPath(path string) []string {
	var names []string
	for name := range strings.SplitSeq(path, ">") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	if len(names) == 1 && strings.EqualFold(names[0], "Uncategorized") {
		return nil
	}
	return names[:min(len(names), products.MaxLevels)]
}

// counter counts what is read.
type counter struct {
	src  io.Reader
	read int64
}

func (c *counter) Read(buf []byte) (int, error) {
	n, err := c.src.Read(buf)
	c.read += int64(n)
	return n, err
}

// errChanged is what an export fails with when a product got a fact meanwhile that the header lacks.
var errChanged = errors.New("the catalogue was changed during the export: repeat it")

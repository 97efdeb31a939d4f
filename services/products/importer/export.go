package importer

import (
	"cmp"
	"context"
	"io"
	"slices"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/products"
	"github.com/techmart/techmart/services/products/shopifycsv"
)

// Export writes the whole catalogue, drafts and archived products included, in the order of ids. It
// needs catalog:write and inventory:read. progress may be nil; it is called after each batch.
func Export(ctx context.Context, service *products.Service, dst io.Writer, progress func(Progress)) error {
	locations, err := service.Locations(ctx)
	if err != nil {
		return err
	}
	codes := make([]string, len(locations))
	byID := make(map[uuid.UUID]string)
	for i, l := range locations {
		codes[i], byID[l.ID] = l.Code, l.Code
	}
	names, err := service.CategoryPaths(ctx)
	if err != nil {
		return err
	}
	fields, err := metafields(ctx, service)
	if err != nil {
		return err
	}
	written := &writeCounter{dst: dst}
	w, err := shopifycsv.NewWriter(written, fields, codes)
	if err != nil {
		return err
	}
	known := make(map[shopifycsv.Metafield]bool)
	for _, f := range fields {
		known[f] = true
	}
	done := 0
	var batch []*products.Product
	flush := func() error {
		var ids []uuid.UUID
		for _, p := range batch {
			for _, v := range p.Variants {
				ids = append(ids, v.ID)
			}
		}
		stocks, err := service.Stock(ctx, ids)
		if err != nil {
			return err
		}
		for _, p := range batch {
			row := exported(p, stocks, joinPath(names[p.CategoryID]), byID)
			if slices.ContainsFunc(row.Metafields, func(v shopifycsv.Value) bool { return !known[v.Field] }) {
				return errChanged
			}
			if err := w.Write(row); err != nil {
				return err
			}
		}
		done += len(batch)
		batch = batch[:0]
		if err := w.Flush(); err != nil {
			return err
		}
		if progress != nil {
			progress(Progress{Bytes: written.written, Products: done})
		}
		return nil
	}
	err = service.Export(ctx, func(p *products.Product) error {
		if batch = append(batch, p); len(batch) < batchSize {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

// metafields gives a column for every key, name and unit of an attribute in the catalogue.
func metafields(ctx context.Context, service *products.Service) ([]shopifycsv.Metafield, error) {
	seen := make(map[shopifycsv.Metafield]bool)
	var list []shopifycsv.Metafield
	err := service.Export(ctx, func(p *products.Product) error {
		for _, a := range p.Attributes {
			if m := field(a); !seen[m] {
				seen[m] = true
				list = append(list, m)
			}
		}
		return nil
	})
	slices.SortFunc(list, func(a, b shopifycsv.Metafield) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Unit, b.Unit))
	})
	return list, err
}

func field(a products.Attribute) shopifycsv.Metafield {
	return shopifycsv.Metafield{Owner: "product", Namespace: shopifycsv.SpecsNamespace, Key: a.Key, Name: a.Name, Unit: a.Unit}
}

// exported gives a product in the format's terms.
func exported(p *products.Product, stocks map[uuid.UUID]products.Stock, category string, locations map[uuid.UUID]string) *shopifycsv.Product {
	out := &shopifycsv.Product{
		Handle: p.Slug, Title: p.Title, Body: p.DescriptionHTML, Vendor: p.Vendor, Category: category,
		Tags: p.Tags, Published: p.Status == products.Active,
		Status: map[products.Status]string{products.Active: "active", products.Draft: "draft", products.Archived: "archived"}[p.Status],
	}
	for _, o := range p.Options {
		out.Options = append(out.Options, o.Name)
	}
	for _, a := range p.Attributes {
		out.Metafields = append(out.Metafields, shopifycsv.Value{Field: field(a), Text: a.Value})
	}
	for _, m := range p.Media {
		out.Images = append(out.Images, shopifycsv.Image{Src: m.URL, Alt: m.Alt, Width: number(m.Width), Height: number(m.Height)})
	}
	for _, v := range p.Variants {
		row := shopifycsv.Variant{SKU: v.SKU, Grams: v.WeightGrams, Price: v.Price.Decimal(), Barcode: v.Barcode}
		for _, o := range v.Options {
			row.Options = append(row.Options, o.Value)
		}
		if v.CompareAt != nil {
			row.CompareAtPrice = v.CompareAt.Decimal()
		}
		if v.Image != nil {
			row.Image = v.Image.URL
		}
		if stock, ok := stocks[v.ID]; ok {
			row.BackOrders = &stock.BackOrders
		}
		if levels := stocks[v.ID].Levels; len(levels) > 0 {
			sum := 0
			row.Stock = make(map[string]int)
			for _, l := range levels {
				row.Stock[locations[l.LocationID]] = l.OnHand
				sum += l.OnHand
			}
			row.Quantity = &sum
		}
		out.Variants = append(out.Variants, row)
	}
	return out
}

func number(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}

// writeCounter counts what is written.
type writeCounter struct {
	dst     io.Writer
	written int64
}

func (c *writeCounter) Write(buf []byte) (int, error) {
	n, err := c.dst.Write(buf)
	c.written += int64(n)
	return n, err
}

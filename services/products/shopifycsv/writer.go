package shopifycsv

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Writer writes products to a CSV file that Shopify and [Reader] understand.
type Writer struct {
	csv        *csv.Writer
	metafields map[Metafield]int // column, from 0
	stock      map[string]int    // column by location code in lower case
	at         map[Column]int
	width      int
}

// NewWriter writes the header: Shopify's columns, one for each metafield of a product, one for the
// stock at each location.
func NewWriter(dst io.Writer, metafields []Metafield, locationCodes []string) (*Writer, error) {
	w := &Writer{
		csv: csv.NewWriter(dst), metafields: make(map[Metafield]int),
		stock: make(map[string]int), at: make(map[Column]int),
	}
	var header []string
	for _, c := range columnOrder {
		w.at[c] = len(header)
		header = append(header, string(c))
	}
	for _, m := range metafields {
		w.metafields[m] = len(header)
		header = append(header, m.Header())
	}
	for _, code := range locationCodes {
		m := StockField(code)
		w.stock[m.Key] = len(header)
		header = append(header, m.Header())
	}
	w.width = len(header)
	return w, w.csv.Write(header)
}

// Write writes the rows of one product; its Lines and Faults play no part. It fails for a metafield
// or location that the header does not have.
func (w *Writer) Write(p *Product) error {
	for i := range max(1, len(p.Variants), len(p.Images)) {
		row := make([]string, w.width)
		w.set(row, Handle, p.Handle)
		if i == 0 {
			if err := w.describe(row, p); err != nil {
				return err
			}
		}
		if i < len(p.Variants) {
			if err := w.variant(row, p, &p.Variants[i]); err != nil {
				return err
			}
		}
		if i < len(p.Images) {
			image := p.Images[i]
			w.set(row, ImageSrc, image.Src)
			w.set(row, ImagePosition, strconv.Itoa(i+1))
			w.set(row, ImageAlt, image.Alt)
			w.set(row, ImageWidth, positive(image.Width))
			w.set(row, ImageHeight, positive(image.Height))
		}
		if err := w.csv.Write(row); err != nil {
			return err
		}
	}
	return nil
}

// Flush writes out what is buffered and gives the first failure of writing.
func (w *Writer) Flush() error {
	w.csv.Flush()
	return w.csv.Error()
}

func (w *Writer) describe(row []string, p *Product) error {
	w.set(row, Title, p.Title)
	w.set(row, Body, p.Body)
	w.set(row, Vendor, p.Vendor)
	w.set(row, Category, p.Category)
	w.set(row, Type, p.Type)
	w.set(row, Tags, joinTags(p.Tags))
	w.set(row, Published, strings.ToUpper(strconv.FormatBool(p.Published)))
	w.set(row, Status, p.Status)
	for i, name := range p.Options {
		w.set(row, optionNames[i], name)
	}
	if len(p.Options) == 0 {
		w.set(row, Option1Name, defaultOption)
	}
	for _, v := range p.Metafields {
		column, ok := w.metafields[v.Field]
		if !ok {
			return fmt.Errorf("shopifycsv: no column for the metafield %s of %s", v.Field.Header(), p.Handle)
		}
		row[column] = v.Text
	}
	return nil
}

func (w *Writer) variant(row []string, p *Product, v *Variant) error {
	for i, value := range v.Options {
		w.set(row, optionValues[i], value)
	}
	if len(p.Options) == 0 {
		w.set(row, Option1Value, defaultValue)
	}
	w.set(row, SKU, quoteNumber(v.SKU))
	w.set(row, Price, v.Price)
	w.set(row, CompareAtPrice, v.CompareAtPrice)
	w.set(row, Barcode, quoteNumber(v.Barcode))
	w.set(row, VariantImage, v.Image)
	if v.Grams != nil {
		w.set(row, Grams, strconv.Itoa(*v.Grams))
	}
	if v.Quantity != nil {
		w.set(row, Quantity, strconv.Itoa(*v.Quantity))
	}
	switch {
	case v.BackOrders == nil:
	case *v.BackOrders:
		w.set(row, Policy, policyContinue)
	default:
		w.set(row, Policy, policyDeny)
	}
	for code, n := range v.Stock {
		column, ok := w.stock[strings.ToLower(code)]
		if !ok {
			return fmt.Errorf("shopifycsv: no column for the location %s of %s", code, p.Handle)
		}
		row[column] = strconv.Itoa(n)
	}
	return nil
}

func (w *Writer) set(row []string, c Column, text string) { row[w.at[c]] = text }

func positive(n int) string {
	if n < 1 {
		return ""
	}
	return strconv.Itoa(n)
}

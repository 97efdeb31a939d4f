package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/services/products/importer"
)

type importCommand struct {
	Products importProducts `cmd:"" help:"Products, from a CSV as Shopify exports it. Good rows go in, bad ones are reported."`
}

type importProducts struct {
	File string `arg:"" help:"The CSV file; - for standard input."`
}

// Run imports products.
func (i *importProducts) Run(ctx context.Context, p *program) error {
	src, size, err := openInput(i.File)
	if err != nil {
		return err
	}
	defer src.Close() // it was only read
	return p.with(ctx, func(a *app.App, _ app.Config) error {
		report, err := a.ImportProducts(ctx, src, importer.Options{
			Progress: func(at importer.Progress) {
				fmt.Fprintf(p.errors, "%s products%s\n", count(at.Products), share(at.Bytes, size))
			},
			Fault: func(f importer.Fault) { fmt.Fprintln(p.errors, f) },
		})
		fmt.Fprintf(p.out, "%s products: %s new, %s changed, %s as they were, %s left out; %s stock levels set.\n",
			count(report.Products), count(report.Created), count(report.Updated), count(report.Unchanged), count(report.Failed), count(report.Stock))
		if err == nil && report.FaultSum > 0 {
			err = fmt.Errorf("%d faults in the file", report.FaultSum)
		}
		return err
	})
}

type exportCommand struct {
	Products exportProducts `cmd:"" help:"Products, as a CSV that import takes."`
}

type exportProducts struct {
	File string `arg:"" optional:"" default:"-" help:"The CSV file to write; - for standard output (the default)."`
}

// Run exports products.
func (e *exportProducts) Run(ctx context.Context, p *program) error {
	return p.with(ctx, func(a *app.App, _ app.Config) (err error) {
		dst := p.out
		if e.File != "-" {
			file, err := os.Create(e.File)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, file.Close()) }()
			dst = file
		}
		return a.ExportProducts(ctx, dst, func(at importer.Progress) { fmt.Fprintf(p.errors, "%s products\n", count(at.Products)) })
	})
}

// openInput opens a file, or standard input, and gives its size, 0 where it is unknown.
func openInput(name string) (io.ReadCloser, int64, error) {
	if name == "-" {
		return os.Stdin, 0, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	return file, info.Size(), nil
}

func share(done, of int64) string {
	if of == 0 {
		return ""
	}
	return fmt.Sprintf(", %d %%", done*100/of)
}

// count writes a number with its thousands apart: 12,345.
func count(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

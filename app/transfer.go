package app

import (
	"context"
	"io"

	"github.com/techmart/techmart/services/products/importer"
)

// ImportProducts reads a product CSV; see [importer.Import].
func (a *App) ImportProducts(ctx context.Context, src io.Reader, o importer.Options) (importer.Report, error) {
	return importer.Import(asProgram(ctx), a.Services.Products, src, o)
}

// ExportProducts writes a product CSV; see [importer.Export].
func (a *App) ExportProducts(ctx context.Context, dst io.Writer, progress func(importer.Progress)) error {
	return importer.Export(asProgram(ctx), a.Services.Products, dst, progress)
}

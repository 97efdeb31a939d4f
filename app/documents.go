package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/techmart/techmart/gateway/documents"
	"github.com/techmart/techmart/services/clients"
)

// shownFaults bounds the faults that publishing reports.
const shownFaults = 50

// PublishDocuments reads a manifest, validates every document against the schema and the limits of
// the edge, and publishes them as a version of an API client. Nothing is published where one of them
// is not good; all faults are reported. It gives how many there are.
func (a *App) PublishDocuments(ctx context.Context, client, version string, src io.Reader) (int, error) {
	data, err := io.ReadAll(io.LimitReader(src, documents.MaxManifest+1))
	if err != nil {
		return 0, fmt.Errorf("read the manifest: %w", err)
	}
	entries, err := documents.Parse(data)
	if err != nil {
		return 0, err
	}
	list := make([]clients.Document, 0, len(entries))
	var faults []error
	for _, e := range entries {
		d, err := a.inspect(e)
		if err != nil {
			if len(faults) == shownFaults {
				faults = append(faults, errors.New("and more"))
				break
			}
			faults = append(faults, fmt.Errorf("%s: %w", label(e.ID, e.Name), err))
			continue
		}
		list = append(list, d)
	}
	if len(faults) > 0 {
		return 0, errors.Join(faults...)
	}
	if err := a.Services.Clients.Publish(asProgram(ctx), client, version, list); err != nil {
		return 0, err
	}
	return len(list), nil
}

// inspect validates one document and finds out what is recorded of it.
func (a *App) inspect(e documents.Document) (clients.Document, error) {
	d := clients.Document{ID: e.ID, Text: e.Text}
	found, err := a.gateway.Inspect(e.Text)
	if err != nil {
		return d, err
	}
	d.Name, d.Kind, d.Cost = found.Name, found.Kind, found.Cost
	return d, e.Agrees(found.Name, found.Kind)
}

// label names a document for people.
func label(id, name string) string {
	if name == "" {
		return id
	}
	return name + " (" + id + ")"
}

// RetireDocuments takes a version of an API client out of use.
func (a *App) RetireDocuments(ctx context.Context, client, version string) error {
	return a.Services.Clients.Retire(asProgram(ctx), client, version)
}

// Releases gives the versions of an API client, the newest first.
func (a *App) Releases(ctx context.Context, client string) ([]clients.Release, error) {
	return a.Services.Clients.Releases(asProgram(ctx), client)
}

// Documents gives the documents of a version of an API client.
func (a *App) Documents(ctx context.Context, client, version string) ([]clients.Document, error) {
	return a.Services.Clients.Documents(asProgram(ctx), client, version)
}

// BrokenDocument is a published document that does not fit a schema.
type BrokenDocument struct {
	Client, Version string
	Document        string // its name and id
	Faults          []error
}

// CheckDocuments validates the published documents of all versions that are in use against the
// schema in the files (a directory stands for its *.graphqls), or against this program's for none.
// It gives those that no longer fit, and how many were looked at.
func (a *App) CheckDocuments(ctx context.Context, files ...string) (broken []BrokenDocument, looked int, err error) {
	schema := a.gateway.Schema()
	if len(files) > 0 {
		sources, err := schemaFiles(files)
		if err != nil {
			return nil, 0, err
		}
		if schema, err = documents.Schema(sources...); err != nil {
			return nil, 0, err
		}
	}
	all, err := a.Clients(ctx)
	if err != nil {
		return nil, 0, err
	}
	known := make(map[clients.Hash][]error)
	for _, c := range all {
		if !c.Active() {
			continue
		}
		releases, err := a.Releases(ctx, c.Name)
		if err != nil {
			return nil, 0, err
		}
		for _, r := range releases {
			if !r.RetiredAt.IsZero() {
				continue
			}
			list, err := a.Documents(ctx, c.Name, r.Version)
			if err != nil {
				return nil, 0, err
			}
			for _, d := range list {
				faults, seen := known[d.Hash]
				if !seen {
					faults = documents.Check(schema, d.Text)
					known[d.Hash] = faults
				}
				if looked++; len(faults) > 0 {
					broken = append(broken, BrokenDocument{Client: c.Name, Version: r.Version, Document: label(d.ID, d.Name), Faults: faults})
				}
			}
		}
	}
	return broken, looked, nil
}

func schemaFiles(names []string) ([]*ast.Source, error) {
	var sources []*ast.Source
	for _, name := range names {
		files := []string{name}
		if info, err := os.Stat(name); err == nil && info.IsDir() {
			if files, err = filepath.Glob(filepath.Join(name, "*.graphqls")); err != nil {
				return nil, err
			}
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			sources = append(sources, &ast.Source{Name: file, Input: string(text)})
		}
	}
	return sources, nil
}

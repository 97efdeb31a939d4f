package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/techmart/techmart/app"
)

type documentsCommand struct {
	Publish documentsPublish `cmd:"" help:"Trust the documents of a manifest: Apollo's persisted-query manifest, or Relay's persisted-queries map."`
	List    documentsList    `cmd:"" help:"Show the versions of a client, or the documents of one."`
	Retire  documentsRetire  `cmd:"" help:"Trust a version no longer."`
	Check   documentsCheck   `cmd:"" help:"Fail where a published document does not fit the schema."`
}

type documentsPublish struct {
	Client  string `required:"" help:"The API client."`
	Version string `required:"" help:"Its version; what was published under one never changes."`
	File    string `arg:"" help:"The manifest; - for standard input."`
}

// Run publishes a manifest.
func (d *documentsPublish) Run(ctx context.Context, p *program) error {
	src, _, err := openInput(d.File)
	if err != nil {
		return err
	}
	defer src.Close() // it was only read
	return p.with(ctx, func(a *app.App, _ app.Config) error {
		n, err := a.PublishDocuments(ctx, d.Client, d.Version, src)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.out, "%s %s: %s documents are trusted.\n", d.Client, d.Version, count(n))
		return nil
	})
}

type documentsList struct {
	Client  string `required:"" help:"The API client."`
	Version string `help:"The documents of this version."`
}

// Run shows versions or documents.
func (d *documentsList) Run(ctx context.Context, p *program) error {
	return p.with(ctx, func(a *app.App, _ app.Config) error {
		w := tabwriter.NewWriter(p.out, 0, 4, 2, ' ', 0)
		if d.Version != "" {
			list, err := a.Documents(ctx, d.Client, d.Version)
			if err != nil {
				return err
			}
			fmt.Fprintln(w, "NAME\tKIND\tCOST\tID\tSHA-256")
			for _, one := range list {
				fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%x\n", one.Name, one.Kind, one.Cost, one.ID, one.Hash)
			}
			return w.Flush()
		}
		list, err := a.Releases(ctx, d.Client)
		if err != nil {
			return err
		}
		fmt.Fprintln(w, "VERSION\tDOCUMENTS\tPUBLISHED\tRETIRED")
		for _, r := range list {
			retired := "-"
			if !r.RetiredAt.IsZero() {
				retired = r.RetiredAt.Format(time.RFC3339)
			}
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", r.Version, r.Documents, r.PublishedAt.Format(time.RFC3339), retired)
		}
		return w.Flush()
	})
}

type documentsRetire struct {
	Client  string `required:"" help:"The API client."`
	Version string `required:"" help:"Its version."`
}

// Run retires a version.
func (d *documentsRetire) Run(ctx context.Context, p *program) error {
	return p.with(ctx, func(a *app.App, _ app.Config) error {
		if err := a.RetireDocuments(ctx, d.Client, d.Version); err != nil {
			return err
		}
		fmt.Fprintf(p.out, "%s %s is retired: what no other version has is trusted no longer.\n", d.Client, d.Version)
		return nil
	})
}

type documentsCheck struct {
	Schema []string `help:"SDL files, or directories of *.graphqls, to check against; this program's schema where none is given." type:"path"`
}

// Run checks all published documents.
func (d *documentsCheck) Run(ctx context.Context, p *program) error {
	return p.with(ctx, func(a *app.App, _ app.Config) error {
		broken, looked, err := a.CheckDocuments(ctx, d.Schema...)
		if err != nil {
			return err
		}
		for _, b := range broken {
			for _, fault := range b.Faults {
				fmt.Fprintf(p.out, "%s %s: %s: %v\n", b.Client, b.Version, b.Document, fault)
			}
		}
		if len(broken) > 0 {
			return errors.New(count(len(broken)) + " of " + count(looked) + " published documents do not fit the schema")
		}
		fmt.Fprintf(p.out, "All %s published documents fit the schema.\n", count(looked))
		return nil
	})
}

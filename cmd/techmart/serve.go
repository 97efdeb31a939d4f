package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"text/tabwriter"

	"github.com/techmart/techmart/app"
)

type serveCommand struct {
	WithWorker bool     `help:"Do the work that is queued, too: one process for a small shop."`
	Subgraph   []string `placeholder:"PART,..." help:"Serve these parts of the graph alone, as a subgraph of a federated one: users, products, orders, payments, notifications."`
}

// Run answers requests until ctx ends.
func (s *serveCommand) Run(ctx context.Context, p *program) error {
	if len(s.Subgraph) > 0 {
		p.environ = append(p.environ, app.Prefix+"SUBGRAPH="+strings.Join(s.Subgraph, ","))
	}
	p.degraded = true
	return p.with(ctx, func(a *app.App, c app.Config) error {
		l, err := app.Listen(ctx, c.HTTPAddr)
		if err != nil {
			return err
		}
		collectSeldom()
		a.Log().InfoContext(ctx, "serving", "address", l.Addr().String(), "worker", s.WithWorker, "subgraph", c.Subgraph)
		return a.Run(ctx, app.Parts{API: l, Worker: s.WithWorker})
	})
}

type workerCommand struct{}

// Run does queued work until ctx ends.
func (*workerCommand) Run(ctx context.Context, p *program) error {
	p.wait = true
	return p.with(ctx, func(a *app.App, c app.Config) error {
		parts := app.Parts{Worker: true}
		if c.WorkerAddr != "" {
			l, err := app.Listen(ctx, c.WorkerAddr)
			if err != nil {
				return err
			}
			parts.Status = l
		}
		collectSeldom()
		a.Log().InfoContext(ctx, "working", "status", c.WorkerAddr)
		return a.Run(ctx, parts)
	})
}

// garbagePercent is how much garbage there may be beside what is in use, which is little: some 20 MiB.
const garbagePercent = 400

// collectSeldom trades memory for time, unless the environment says otherwise.
func collectSeldom() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
}

type migrateCommand struct {
	Up     migrateUp     `cmd:"" default:"1" help:"Apply what is missing (the default)."`
	Status migrateStatus `cmd:"" help:"Show what is applied."`
}

type migrateUp struct{}

// Run migrates.
func (*migrateUp) Run(ctx context.Context, p *program) error {
	return p.with(ctx, func(a *app.App, _ app.Config) error {
		if err := a.Migrate(ctx); err != nil {
			return err
		}
		fmt.Fprintln(p.out, "The stores are up to date.")
		return nil
	})
}

type migrateStatus struct{}

// Run shows each migration.
func (*migrateStatus) Run(ctx context.Context, p *program) error {
	return p.with(ctx, func(a *app.App, _ app.Config) error {
		list, err := a.MigrationStatus(ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(p.out, 0, 4, 2, ' ', 0)
		for _, m := range list {
			state := "missing"
			if m.Applied {
				state = "applied"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", m.Domain, m.Name, state)
		}
		return w.Flush()
	})
}

type seedCommand struct {
	Scale int `default:"1" help:"How many times as large as the smallest shop (2,100 products); 1 to 1000."`
}

// Run fills an empty shop with demo data.
func (s *seedCommand) Run(ctx context.Context, p *program) error {
	return p.with(ctx, func(a *app.App, _ app.Config) error {
		if err := a.Migrate(ctx); err != nil {
			return err
		}
		if err := a.Seed(ctx, s.Scale, p.say); err != nil {
			return err
		}
		fmt.Fprintln(p.out, "The shop has its demo data.")
		return nil
	})
}

type configCommand struct {
	Markdown bool `help:"Write the reference of all settings, which is docs/configuration.md."`
}

// Run shows the settings, and what is wrong with them.
func (cmd *configCommand) Run(p *program) error {
	if cmd.Markdown {
		return app.WriteReference(p.out)
	}
	c, unread := app.Load(p.environ)
	w := tabwriter.NewWriter(p.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "SETTING\tVALUE\tORIGIN\tMEANING")
	for _, s := range c.Settings() {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", s.Name, s.Value, s.Origin, s.Doc)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	err := c.Validate()
	if unread != nil {
		return errors.Join(unread, err)
	}
	if err != nil {
		fmt.Fprintf(p.out, "\nNot ready to serve:\n%v\n", err)
	}
	return nil
}

type versionCommand struct{}

// Run shows from what the program was built.
func (*versionCommand) Run(p *program) error {
	fmt.Fprintln(p.out, "techmart "+version())
	return nil
}

// version says from what the program was built.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown build)"
	}
	revision, state := "unknown revision", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			state = ", modified"
		}
	}
	return fmt.Sprintf("%s (%s%s, %s)", info.Main.Version, revision, state, info.GoVersion)
}

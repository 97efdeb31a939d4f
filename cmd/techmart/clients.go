package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/services/clients"
	"github.com/techmart/techmart/services/viewer"
)

type clientsCommand struct {
	Create clientsCreate `cmd:"" help:"Make a client and show its key, once."`
	List   clientsList   `cmd:"" help:"Show clients and how their keys begin."`
	Rotate clientsRotate `cmd:"" help:"Make a new key and show it, once; the old ones stay good for the overlap."`
	Revoke clientsRevoke `cmd:"" help:"End a client with all its keys, for good; or one key."`
	Mode   clientsMode   `cmd:"" help:"Say which documents a client may run."`
	Scopes clientsScopes `cmd:"" help:"Say what a client may do without an account."`
}

type clientsCreate struct {
	Name  string   `arg:"" help:"Such as web-shop."`
	Mode  string   `default:"open" help:"Which documents it may run: open, log, prefer or only."`
	Scope []string `help:"What it may do without an account, such as orders:read; may be repeated."`
}

// Run makes a client.
func (c *clientsCreate) Run(ctx context.Context, p *program) error {
	return p.with(ctx, func(a *app.App, _ app.Config) error {
		key, err := a.CreateClient(ctx, c.Name, clients.Mode(c.Mode), scopes(c.Scope))
		if err != nil {
			return err
		}
		showKey(p, c.Name, key)
		return nil
	})
}

func scopes(texts []string) []viewer.Scope {
	list := make([]viewer.Scope, len(texts))
	for i, s := range texts {
		list[i] = viewer.Scope(s)
	}
	return list
}

// showKey shows a key alone on the output, so that a script can take it.
func showKey(p *program, name, key string) {
	fmt.Fprintln(p.out, key)
	fmt.Fprintf(p.errors, "This is the key of %s. It is not shown again. Send it as X-API-Key.\n", name)
}

type clientsList struct{}

// Run shows clients.
func (*clientsList) Run(ctx context.Context, p *program) error {
	return p.with(ctx, func(a *app.App, _ app.Config) error {
		list, err := a.Clients(ctx)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			fmt.Fprintln(p.out, "There are none.")
			return nil
		}
		w := tabwriter.NewWriter(p.out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "NAME\tMODE\tSCOPES\tKEY\tSTATE\tCREATED")
		now := time.Now()
		for _, c := range list {
			for _, k := range c.Keys {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s...\t%s\t%s\n", c.Name, c.Mode, written(c.Scopes), k.Hint, keyState(k, now), k.CreatedAt.Format(time.RFC3339))
			}
		}
		return w.Flush()
	})
}

func written(scopes []viewer.Scope) string {
	if len(scopes) == 0 {
		return "-"
	}
	texts := make([]string, len(scopes))
	for i, s := range scopes {
		texts[i] = string(s)
	}
	return strings.Join(texts, ",")
}

func keyState(k clients.Key, now time.Time) string {
	switch {
	case !k.RevokedAt.IsZero():
		return "revoked " + k.RevokedAt.Format(time.RFC3339)
	case k.ExpiresAt.IsZero():
		return "good"
	case k.GoodAt(now):
		return "good until " + k.ExpiresAt.Format(time.RFC3339)
	}
	return "ended " + k.ExpiresAt.Format(time.RFC3339)
}

type clientsRotate struct {
	Name    string        `arg:"" help:"The client."`
	Overlap time.Duration `default:"168h" help:"How long the old keys stay good."`
}

// Run makes a new key.
func (r *clientsRotate) Run(ctx context.Context, p *program) error {
	return p.with(ctx, func(a *app.App, _ app.Config) error {
		key, err := a.RotateClient(ctx, r.Name, r.Overlap)
		if err != nil {
			return err
		}
		showKey(p, r.Name, key)
		return nil
	})
}

type clientsRevoke struct {
	Name string `arg:"" help:"The client."`
	Key  string `help:"Only this key: how it begins, as list shows it (without the dots)."`
}

// Run ends a client or a key.
func (r *clientsRevoke) Run(ctx context.Context, p *program) error {
	return p.with(ctx, func(a *app.App, _ app.Config) error {
		if err := a.RevokeClient(ctx, r.Name, strings.TrimSuffix(r.Key, "...")); err != nil {
			return err
		}
		what := r.Name
		if r.Key != "" {
			what = "the key of " + r.Name
		}
		fmt.Fprintf(p.out, "%s is revoked; every server knows within seconds.\n", what)
		return nil
	})
}

type clientsMode struct {
	Name string `arg:"" help:"The client."`
	Mode string `arg:"" help:"open: any document. log: any, unknown ones are logged and counted. prefer: unknown ones must be cheap, too. only: those that were published."`
}

// Run changes a client's mode.
func (m *clientsMode) Run(ctx context.Context, p *program) error {
	return p.with(ctx, func(a *app.App, _ app.Config) error {
		if err := a.SetClientMode(ctx, m.Name, clients.Mode(m.Mode)); err != nil {
			return err
		}
		fmt.Fprintf(p.out, "The mode of %s is %s.\n", m.Name, m.Mode)
		return nil
	})
}

type clientsScopes struct {
	Name   string   `arg:"" help:"The client."`
	Scopes []string `arg:"" optional:"" name:"scope" help:"All that it may do from now on; none for nothing."`
}

// Run changes a client's scopes.
func (s *clientsScopes) Run(ctx context.Context, p *program) error {
	return p.with(ctx, func(a *app.App, _ app.Config) error {
		if err := a.SetClientScopes(ctx, s.Name, scopes(s.Scopes)); err != nil {
			return err
		}
		fmt.Fprintf(p.out, "The scopes of %s are %s.\n", s.Name, written(scopes(s.Scopes)))
		return nil
	})
}

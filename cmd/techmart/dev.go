package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/techmart/techmart/app"
	web "github.com/techmart/techmart/clients/web"
	"github.com/techmart/techmart/devstack"
)

type devCommand struct {
	Data string `default:".data" type:"path" help:"Directory of all data."`
}

// Bounds of starting and stopping the private servers.
const stackStop = 30 * time.Second

// Run serves everything from private servers until ctx ends.
func (d *devCommand) Run(ctx context.Context, p *program) (err error) {
	ctx, cancel := withParent(ctx)
	defer cancel()
	say := &progress{out: p.out, began: time.Now()}
	silent := context.AfterFunc(ctx, func() { say.line("stopping") })
	defer silent()
	// A wrong setting and a taken port are told before anything starts.
	if err := d.check(p.environ); err != nil {
		return err
	}
	c, err := app.Load(p.environ)
	if err != nil {
		return err
	}
	l, err := app.Listen(ctx, c.HTTPAddr)
	if err != nil {
		return err
	}
	defer l.Close() // serving closes it, too
	say.line("starting the servers; data is in " + d.Data)
	stack, err := devstack.Start(ctx, devstack.Options{Dir: d.Data, Progress: say.line})
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), stackStop)
		defer cancel()
		err = errors.Join(err, stack.Close(closing))
	}()
	kept, err := readSecrets(filepath.Join(d.Data, "secrets"))
	if err != nil {
		return err
	}
	configure(&c, stack, kept, l.Addr().String())
	environment := filepath.Join(d.Data, "env")
	if err := writeEnvironment(environment, c.Environ()); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(environment)) }()
	a, err := app.New(ctx, c, app.Options{Demo: app.DemoAccounts()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shut(ctx, a, c)) }()
	say.line("preparing the stores")
	if err := a.Migrate(ctx); err != nil {
		return err
	}
	if err := a.Seed(ctx, 1, say.line); err != nil {
		return err
	}
	if err := openShop(ctx, a, filepath.Join(d.Data, "shop-key")); err != nil {
		return err
	}
	say.line(fmt.Sprintf("ready after %.1f s", time.Since(say.began).Seconds()))
	welcome(p.out, "http://"+l.Addr().String(), environment)
	return a.Run(ctx, app.Parts{API: l, Worker: true})
}

// check finds what is wrong with the settings, before there are servers.
func (*devCommand) check(environ []string) error {
	c, unread := app.Load(environ)
	configure(&c, &devstack.Stack{PostgresURL: "postgres:", MongoURL: "mongodb:", RedisURL: "redis:", RabbitURL: "memory:"}, newSecrets(), "localhost")
	return errors.Join(unread, c.Validate())
}

// configure fills in what the environment leaves open.
func configure(c *app.Config, stack *devstack.Stack, kept secrets, address string) {
	for _, s := range []struct {
		field  *string
		value  string
		origin string
	}{
		{&c.Mode, app.Development, "dev"},
		{&c.PublicURL, "http://" + address + web.Prefix, "dev"},
		{&c.LogFormat, "text", "dev"},
		{&c.PostgresURL, stack.PostgresURL, "dev"},
		{&c.MongoURL, stack.MongoURL, "dev"},
		{&c.RedisURL, stack.RedisURL, "dev"},
		{&c.RabbitURL, stack.RabbitURL, "dev"},
		{&c.TokenKeys, kept.TokenKeys, "secrets file"},
		{&c.CursorSecret, kept.CursorSecret, "secrets file"},
	} {
		c.Default(s.field, s.value, s.origin)
	}
	c.ShowBackendCalls = true
}

// progress shows what is being done, one line each. It may be called from many goroutines.
type progress struct {
	mu    sync.Mutex
	out   io.Writer
	began time.Time
}

func (p *progress) line(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.out, "%6.1fs  %s\n", time.Since(p.began).Seconds(), text)
}

// welcome says where everything is.
func welcome(out io.Writer, base, environment string) {
	fmt.Fprintf(out, `
  TechMart is running. Ctrl-C stops it.

  shop         %[1]s/shop
  playground   %[1]s/playground
  docs         %[1]s/docs
  graph        %[1]s/graphql
  mailbox      %[1]s/dev/mailbox
  health       %[1]s/readyz

  demo accounts (password %[2]s)
`, base, app.DemoPassword)
	for _, a := range app.DemoAccounts() {
		fmt.Fprintf(out, "    %-30s %s\n", a.Email, a.Role)
	}
	fmt.Fprintf(out, `
  a first query:

    curl -s %[1]s/graphql -H 'Content-Type: application/json' -d '{"query":"{ products(first: 3) { nodes { title slug variants(first: 1) { sku price { amount currencyCode } } } totalCount } }"}'

  other commands, in another terminal:

    (. %[2]s && bin/techmart deadletters list)

`, base, environment)
}

// writeEnvironment writes settings as a shell reads them.
func writeEnvironment(path string, settings []string) error {
	var b strings.Builder
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		fmt.Fprintf(&b, "export %s='%s'\n", name, strings.ReplaceAll(value, "'", `'\''`))
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("settings for other commands: %w", err)
	}
	return nil
}

// parentCheck is how often the parent is looked for.
const parentCheck = time.Second

// withParent gives a context that also ends when the process that started this one does, so that
// nothing stays behind a terminal or a make that was killed.
func withParent(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	parent := os.Getppid()
	if parent <= 1 { // started by init, or detached on purpose
		return ctx, cancel
	}
	go func() {
		ticker := time.NewTicker(parentCheck)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				if os.Getppid() != parent {
					cancel()
					return
				}
			}
		}
	}()
	return ctx, cancel
}

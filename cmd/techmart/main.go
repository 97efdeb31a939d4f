// Command techmart is the shop's backend: server, worker and the tools around them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/techmart/techmart/app"
)

// commands are the program's commands and flags.
type commands struct {
	Serve       serveCommand       `cmd:"" help:"Answer requests."`
	Worker      workerCommand      `cmd:"" help:"Do the work that is queued: orders, events, e-mails."`
	Dev         devCommand         `cmd:"" help:"Run everything here for development: private servers, demo data, API and worker."`
	Migrate     migrateCommand     `cmd:"" help:"Bring the stores to the state that this version needs."`
	Seed        seedCommand        `cmd:"" help:"Fill an empty shop with demo data. Its accounts share one published password: never in production."`
	Import      importCommand      `cmd:"" help:"Read data into the shop."`
	Export      exportCommand      `cmd:"" help:"Write data of the shop."`
	Backup      backupCommand      `cmd:"" help:"Write all business data to a directory, while the shop goes on."`
	Restore     restoreCommand     `cmd:"" help:"Read a backup into empty servers."`
	Inventory   inventoryCommand   `cmd:"" help:"Stock: check it, and repair it."`
	Clients     clientsCommand     `cmd:"" help:"API clients: their keys, scopes and modes."`
	Documents   documentsCommand   `cmd:"" help:"Trusted documents of API clients."`
	Shop        shopCommand        `cmd:"" help:"The shop front at /shop."`
	DeadLetters deadLettersCommand `cmd:"" name:"deadletters" help:"Messages that were given up."`
	Schema      schemaCommand      `cmd:"" help:"Print the schema with the directives of Federation 2, for composition; no server is needed."`
	Config      configCommand      `cmd:"" help:"Show every setting and where it comes from; secrets are masked."`
	Version     versionCommand     `cmd:"" help:"Show the version."`
}

// program is what a command runs with.
type program struct {
	wait     bool // for servers that are away
	degraded bool // goes on without servers that are away
	environ  []string
	out      io.Writer // what was asked for
	errors   io.Writer // everything else
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], program{environ: os.Environ(), out: os.Stdout, errors: os.Stderr}))
}

// run runs one command and gives the exit code.
func run(ctx context.Context, args []string, p program) (code int) {
	defer func() { // kong ends a program by panicking with what exit was given
		if status, ok := recover().(exitStatus); ok {
			code = int(status)
		}
	}()
	var c commands
	parser, err := kong.New(&c,
		kong.Name("techmart"),
		kong.Description("TechMart: the GraphQL backend of a shop. Settings come from TECHMART_* variables; `techmart config` lists them."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.Writers(p.out, p.errors),
		kong.Exit(func(code int) { panic(exitStatus(code)) }),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(&p),
	)
	if err != nil {
		panic(err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(p.errors, "techmart: %v\nSee techmart --help.\n", err)
		return 2
	}
	if err := command.Run(); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(p.errors, "techmart: "+sentences(err))
		return 1
	}
	return 0
}

type exitStatus int

// sentences shows several faults one below the other.
func sentences(err error) string {
	return strings.ReplaceAll(err.Error(), "\n", "\n          ")
}

// say tells how far a long command is.
func (p *program) say(line string) { fmt.Fprintln(p.errors, line) }

// open reads the configuration and connects.
func (p *program) open(ctx context.Context) (*app.App, app.Config, error) {
	c, err := app.Load(p.environ)
	if err := errors.Join(err, c.Validate()); err != nil {
		return nil, c, err
	}
	a, err := app.New(ctx, c, app.Options{Wait: p.wait, Degraded: p.degraded})
	return a, c, err
}

// with runs something on the connected program, and disconnects.
func (p *program) with(ctx context.Context, do func(a *app.App, c app.Config) error) (err error) {
	a, c, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shut(ctx, a, c)) }()
	return do(a, c)
}

func shut(ctx context.Context, a *app.App, c app.Config) error {
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.ShutdownGrace)
	defer cancel()
	return a.Close(closing)
}

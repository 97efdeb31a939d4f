package main

import (
	"context"
	"fmt"

	"github.com/techmart/techmart/app"
)

type backupCommand struct {
	Directory string `arg:"" help:"A new directory, which takes the backup."`
}

// Run writes a backup.
func (b *backupCommand) Run(ctx context.Context, p *program) error {
	return p.with(ctx, func(a *app.App, _ app.Config) error {
		if err := a.Backup(ctx, b.Directory, version(), p.say); err != nil {
			return err
		}
		fmt.Fprintf(p.out, "The backup is in %s.\n", b.Directory)
		return nil
	})
}

type restoreCommand struct {
	Directory string `arg:"" help:"What backup wrote."`
}

// Run reads a backup into empty servers.
func (r *restoreCommand) Run(ctx context.Context, p *program) error {
	return p.with(ctx, func(a *app.App, _ app.Config) error {
		if err := a.Restore(ctx, r.Directory, p.say); err != nil {
			return err
		}
		fmt.Fprintln(p.out, "The shop is as it was. Start the API and the workers.")
		return nil
	})
}

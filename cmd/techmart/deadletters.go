package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/techmart/techmart/app"
)

type deadLettersCommand struct {
	List    deadLettersList    `cmd:"" help:"Show them, the oldest first."`
	Replay  deadLettersReplay  `cmd:"" help:"Move them back to work."`
	Discard deadLettersDiscard `cmd:"" help:"Delete them; their e-mails are never sent."`
}

type deadLettersList struct {
	Queue string `arg:"" optional:"" help:"Of this queue only."`
	Limit int    `default:"100" help:"At most so many."`
}

// Run shows dead letters.
func (l *deadLettersList) Run(ctx context.Context, p *program) error {
	return p.with(ctx, func(a *app.App, _ app.Config) error {
		letters, err := a.DeadLetters(ctx, l.Queue, l.Limit)
		if err != nil {
			return err
		}
		if len(letters) == 0 {
			fmt.Fprintln(p.out, "There are none.")
			return nil
		}
		w := tabwriter.NewWriter(p.out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "QUEUE\tID\tTYPE\tATTEMPTS\tGIVEN UP\tREASON")
		for _, d := range letters {
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", d.Queue, d.ID, d.Type, d.Attempts, d.DiedAt.Format(time.RFC3339), d.Reason)
		}
		return w.Flush()
	})
}

// choice says which dead letters are meant.
type choice struct {
	Queue string   `arg:"" help:"The queue, as list shows it."`
	IDs   []string `arg:"" optional:"" name:"id" help:"Which ones, as list shows them."`
	All   bool     `help:"All of the queue."`
}

func (c choice) check() error {
	if c.All == (len(c.IDs) > 0) {
		return errors.New("say which: give ids, or --all")
	}
	return nil
}

type deadLettersReplay struct{ choice }

// Run moves dead letters back to work.
func (r *deadLettersReplay) Run(ctx context.Context, p *program) error {
	if err := r.check(); err != nil {
		return err
	}
	return p.with(ctx, func(a *app.App, _ app.Config) error {
		n, err := a.ReplayDeadLetters(ctx, r.Queue, r.IDs...)
		fmt.Fprintf(p.out, "%d moved back to work.\n", n)
		return err
	})
}

type deadLettersDiscard struct{ choice }

// Run deletes dead letters.
func (d *deadLettersDiscard) Run(ctx context.Context, p *program) error {
	if err := d.check(); err != nil {
		return err
	}
	return p.with(ctx, func(a *app.App, _ app.Config) error {
		n, err := a.DiscardDeadLetters(ctx, d.Queue, d.IDs...)
		fmt.Fprintf(p.out, "%d deleted.\n", n)
		return err
	})
}

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/techmart/techmart/app"
)

type inventoryCommand struct {
	Check inventoryCheckCommand `cmd:"" help:"Check that stock on hand is available and reserved, and that reserved is what live reservations hold."`
}

type inventoryCheckCommand struct {
	Repair bool `help:"Put right what follows from the reservations, and give back what orders hold that are over."`
}

var errDrift = errors.New("the stock contradicts itself")

// Run checks all stock. It fails where something is wrong that it did not repair.
func (c *inventoryCheckCommand) Run(ctx context.Context, p *program) error {
	return p.with(ctx, func(a *app.App, _ app.Config) error {
		found, err := a.CheckInventory(ctx, c.Repair)
		if err != nil {
			return err
		}
		for _, text := range found.Texts() {
			fmt.Fprintln(p.out, text)
		}
		if rest := found.Count - len(found.Drifts); rest > 0 {
			fmt.Fprintf(p.out, "... and %d more\n", rest)
		}
		if c.Repair && found.Count > 0 {
			fmt.Fprintln(p.out, "Repaired. What is left:")
			if found, err = a.CheckInventory(ctx, false); err != nil {
				return err
			}
			for _, text := range found.Texts() {
				fmt.Fprintln(p.out, text)
			}
		}
		fmt.Fprintf(p.out, "%d variants: %d on hand = %d available + %d reserved by %d reservations; %d contradictions.\n",
			found.Variants, found.OnHand, found.Available, found.Reserved, found.Reservations, found.Count)
		if found.Count > 0 {
			return errDrift
		}
		return nil
	})
}

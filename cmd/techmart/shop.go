package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/techmart/techmart/app"
)

type shopCommand struct {
	Publish shopPublish `cmd:"" help:"Trust the documents of this program's shop front, and register it as an API client where it is none yet: then its key is shown, once, for TECHMART_SHOP_KEY."`
}

type shopPublish struct{}

// Run publishes the shop front.
func (*shopPublish) Run(ctx context.Context, p *program) error {
	return p.with(ctx, func(a *app.App, _ app.Config) error {
		key, err := a.PublishShop(ctx)
		if err != nil {
			return err
		}
		if key != "" {
			showKey(p, app.ShopClient, key)
		}
		fmt.Fprintln(p.errors, "The documents of the shop front are trusted.")
		return nil
	})
}

// openShop shows the shop front, and keeps its key in a file for the next start.
func openShop(ctx context.Context, a *app.App, path string) error {
	kept, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the key of the shop front: %w", err)
	}
	key, err := a.OpenShop(ctx, strings.TrimSpace(string(kept)))
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(key+"\n"), 0o600); err != nil {
		return fmt.Errorf("the key of the shop front: %w", err)
	}
	return nil
}

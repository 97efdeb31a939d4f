package app

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	web "github.com/techmart/techmart/clients/web"
	"github.com/techmart/techmart/services/clients"
)

// ShopClient is the API client that the pages at /shop are.
const ShopClient = "web-shop"

// PublishShop registers the shop front as an API client that may run nothing but what it has published, where it is
// none yet, and publishes its documents. It gives the key of a client that is new; an empty one otherwise.
func (a *App) PublishShop(ctx context.Context) (key string, err error) {
	_, found, err := a.shopClient(ctx)
	if err != nil {
		return "", err
	}
	if !found {
		if key, err = a.CreateClient(ctx, ShopClient, clients.Only, nil); err != nil {
			return "", err
		}
	}
	if _, err := a.PublishDocuments(ctx, ShopClient, web.Version(), bytes.NewReader(web.Manifest())); err != nil {
		return "", fmt.Errorf("the documents of the shop front: %w", err)
	}
	return key, nil
}

// OpenShop publishes the shop front and shows it at /shop, whatever the configuration says. It gives the key that it
// asks the graph by: the one that was kept, where it is still good, or a new one, which ends those before.
func (a *App) OpenShop(ctx context.Context, kept string) (key string, err error) {
	if key, err = a.PublishShop(ctx); err != nil {
		return "", err
	}
	if key == "" {
		client, found, err := a.shopClient(ctx)
		if err != nil {
			return "", err
		}
		if key = kept; !found || !opens(client, kept) {
			if key, err = a.RotateClient(ctx, ShopClient, 0); err != nil {
				return "", fmt.Errorf("the key of the shop front: %w", err)
			}
		}
	}
	a.shop.SetKey(key)
	return key, nil
}

// shopClient gives the API client of the shop front, where there is one.
func (a *App) shopClient(ctx context.Context) (_ *clients.Client, found bool, err error) {
	all, err := a.Clients(ctx)
	if err != nil {
		return nil, false, err
	}
	i := slices.IndexFunc(all, func(c *clients.Client) bool { return c.Name == ShopClient })
	if i < 0 {
		return nil, false, nil
	}
	return all[i], true, nil
}

// opens tells whether a key is a good one of the client.
func opens(c *clients.Client, key string) bool {
	hash, now := clients.HashOf(key), time.Now()
	return slices.ContainsFunc(c.Keys, func(k clients.Key) bool { return k.Hash == hash && k.GoodAt(now) })
}

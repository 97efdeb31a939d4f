package app

import (
	"context"
	"time"

	"github.com/techmart/techmart/gateway"
	"github.com/techmart/techmart/services/clients"
	clientspostgres "github.com/techmart/techmart/services/clients/postgres"
	"github.com/techmart/techmart/services/viewer"
)

// buildClients makes the domain of API clients, and the directory that every request asks.
func (a *App) buildClients(o Options) (err error) {
	store := clientspostgres.New(a.pool("clients"))
	a.Services.Clients, err = clients.New(clients.Deps{Store: store, Clock: o.Clock, Log: a.log})
	a.directory = clients.NewDirectory(store, o.Clock, a.log)
	a.closers = append(a.closers, func(context.Context) error { a.directory.Close(); return nil })
	return err
}

// apiClients is gateway.Clients and gateway.Documents.
type apiClients struct{ *clients.Directory }

var (
	_ gateway.Clients   = apiClients{}
	_ gateway.Documents = apiClients{}
)

// Client implements gateway.Clients.
func (c apiClients) Client(ctx context.Context, key string) (gateway.Client, error) {
	found, hint, err := c.ByKey(ctx, key)
	if err != nil {
		return gateway.Client{}, err
	}
	return gateway.Client{ID: found.ID, Name: found.Name, Scopes: found.Scopes, Documents: gateway.DocumentMode(found.Mode), KeyID: hint}, nil
}

// ClientActive implements gateway.Clients.
func (c apiClients) ClientActive(ctx context.Context, client gateway.Client) error {
	return c.Active(ctx, client.ID, client.KeyID)
}

// CreateClient makes an API client; see [clients.Service.Create].
func (a *App) CreateClient(ctx context.Context, name string, mode clients.Mode, scopes []viewer.Scope) (key string, err error) {
	_, key, err = a.Services.Clients.Create(asProgram(ctx), name, mode, scopes)
	return key, err
}

// Clients gives all API clients by name.
func (a *App) Clients(ctx context.Context) ([]*clients.Client, error) {
	return a.Services.Clients.List(asProgram(ctx))
}

// RotateClient gives an API client a new key; see [clients.Service.Rotate].
func (a *App) RotateClient(ctx context.Context, name string, overlap time.Duration) (key string, err error) {
	return a.Services.Clients.Rotate(asProgram(ctx), name, overlap)
}

// RevokeClient ends an API client, or one key of it; see [clients.Service.Revoke].
func (a *App) RevokeClient(ctx context.Context, name, key string) error {
	return a.Services.Clients.Revoke(asProgram(ctx), name, key)
}

// SetClientMode changes which documents an API client may run.
func (a *App) SetClientMode(ctx context.Context, name string, mode clients.Mode) error {
	return a.Services.Clients.SetMode(asProgram(ctx), name, mode)
}

// SetClientScopes changes what an API client may do without an account.
func (a *App) SetClientScopes(ctx context.Context, name string, scopes []viewer.Scope) error {
	return a.Services.Clients.SetScopes(asProgram(ctx), name, scopes)
}

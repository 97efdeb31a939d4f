package clients

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Store keeps clients and their documents. Any error that a comment does not name is internal.
type Store interface {
	// Create writes a new client with its keys. It fails with TAKEN for a name that is in use.
	Create(ctx context.Context, c *Client) error
	// Update changes a client and its keys under a lock, by change, which may add keys but takes
	// none away; an error of change is returned as it is and nothing is written. It fails with NOT_FOUND.
	Update(ctx context.Context, name string, change func(*Client) error) (*Client, error)
	// Clients gives all clients with their keys, revoked ones too, by name.
	Clients(ctx context.Context) ([]*Client, error)

	// Publish writes a version of a client with its documents. A version that is there with the
	// same documents is taken back into use where it was retired. It fails with NOT_FOUND for the
	// client, and with CONFLICT for a version that is there with other documents, or where an id
	// stands for another text.
	Publish(ctx context.Context, name, version string, documents []Document, now time.Time) error
	// Retire takes a version out of use; one that is retired stays so. It fails with NOT_FOUND.
	Retire(ctx context.Context, name, version string, now time.Time) error
	// Releases gives the versions of a client, the newest first. It fails with NOT_FOUND.
	Releases(ctx context.Context, name string) ([]Release, error)
	// Documents gives the documents of a version by name and id. It fails with NOT_FOUND.
	Documents(ctx context.Context, name, version string) ([]Document, error)

	// Trusted gives what the ids of a client stand for, of versions that are in use, and each text
	// by its hash in hexadecimal, unless that is an id; for the zero id the texts of all clients
	// that are not revoked, by their hashes only.
	Trusted(ctx context.Context, clientID uuid.UUID) (map[string]Hash, error)
	// Text gives the text with the hash. It fails with NOT_FOUND.
	Text(ctx context.Context, hash Hash) (string, error)
}

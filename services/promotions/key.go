package promotions

import (
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/page"
)

// KeyOf gives a promotion's position in the list.
func KeyOf(p *Promotion) page.Key {
	return page.Key{p.CreatedAt.Format(time.RFC3339Nano), p.ID.String()}
}

// ParseKey reads what KeyOf made.
func ParseKey(k page.Key) (createdAt time.Time, id uuid.UUID, err error) {
	if len(k) != 2 {
		return createdAt, id, errors.New("promotions: a key has two parts")
	}
	if createdAt, err = time.Parse(time.RFC3339Nano, k[0]); err == nil {
		id, err = uuid.Parse(k[1])
	}
	return createdAt, id, err
}

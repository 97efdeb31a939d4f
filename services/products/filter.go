package products

import (
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/page"
)

// Filter says which products. All conditions must hold; the zero value matches all.
type Filter struct {
	Categories [][]uuid.UUID // in one of the categories, or below, of each inner list
	Vendors    []string      // by one of them
	PriceMin   *int64        // a variant costs at least this, in minor units
	PriceMax   *int64        // and at most this
	Attributes []AttributeFilter
	Available  *bool
	RatingMin  int        // tenths of a star; 0 for any
	Tags       []string   // has all of them
	Statuses   []Status   // has one of them; empty for any
	UpdatedGTE *time.Time // changed then or later
	UpdatedLT  *time.Time // changed before
}

// AttributeFilter asks for one of the values of an attribute.
type AttributeFilter struct {
	Key    string
	Values []string
}

// SortField is what products are sorted by.
type SortField string

// The sort fields.
const (
	ByPublished SortField = "PUBLISHED_AT"
	ByPrice     SortField = "PRICE"
	ByTitle     SortField = "TITLE"
	ByRating    SortField = "RATING"
	BySold      SortField = "BEST_SELLING"
	ByUpdated   SortField = "UPDATED_AT"
)

// Sort orders products; ties are broken by id in the same direction. The zero value is newest first.
type Sort struct {
	Field     SortField
	Ascending bool
}

// Key gives the position of a product in a list with this sort.
func (s Sort) Key(p *Product) page.Key {
	var value string
	switch s.Field {
	case ByPrice:
		value = strconv.FormatInt(p.PriceMin.Amount, 10)
	case ByTitle:
		value = TitleKey(p.Title)
	case ByRating:
		value = strconv.Itoa(p.Rating.Tenths())
	case BySold:
		value = strconv.Itoa(p.SoldCount)
	case ByUpdated:
		value = strconv.FormatInt(p.UpdatedAt.UnixMilli(), 10)
	default:
		value = strconv.FormatInt(PublishedKey(p).UnixMilli(), 10)
	}
	return page.Key{value, p.ID.String()}
}

// PublishedKey gives when the product came into the shop, as lists sort it: drafts count as the oldest.
func PublishedKey(p *Product) time.Time {
	if p.PublishedAt.IsZero() {
		return time.UnixMilli(0).UTC()
	}
	return p.PublishedAt
}

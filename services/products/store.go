package products

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/page"
)

// CatalogStore keeps products, categories and the words of the search. Methods that give a map
// leave out what is not there; an error that is no errs.Error is internal.
type CatalogStore interface {
	ProductReader
	ProductWriter
	CategoryStore
	SearchStore
}

// ProductReader reads products, each method in one command.
type ProductReader interface {
	// Products gives products by id.
	Products(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*Product, error)
	// ProductsBySlug gives products by slug.
	ProductsBySlug(ctx context.Context, slugs []string) (map[string]*Product, error)
	// ProductsBySKU gives products by the SKU of any of their variants.
	ProductsBySKU(ctx context.Context, skus []string) (map[string]*Product, error)
	// ProductsByVariant gives products by the id of any of their variants.
	ProductsByVariant(ctx context.Context, variantIDs []uuid.UUID) (map[uuid.UUID]*Product, error)
	// OffersByVariant gives what is offered of the variants, but for what is available of them, which is stock's
	// to say. It may give other variants of their products, too.
	OffersByVariant(ctx context.Context, variantIDs []uuid.UUID) (map[uuid.UUID]Offer, error)
	// ListProducts reads one more than r.Limit products in reading direction.
	ListProducts(ctx context.Context, f Filter, s Sort, r page.Request) ([]*Product, error)
	// CountProducts counts the products that match.
	CountProducts(ctx context.Context, f Filter) (int, error)
	// CategoryProducts is ListProducts of each of the categories and below, all in one command.
	CategoryProducts(ctx context.Context, categoryIDs []uuid.UUID, f Filter, s Sort, r page.Request) (map[uuid.UUID][]*Product, error)
	// CountCategoryProducts is CountProducts of each of the categories and below, all in one command.
	CountCategoryProducts(ctx context.Context, categoryIDs []uuid.UUID, f Filter) (map[uuid.UUID]int, error)
	// RelatedProducts gives for each product at most limit other ACTIVE and available ones of its
	// category, the most alike first, all in one command.
	RelatedProducts(ctx context.Context, of []*Product, limit int) (map[uuid.UUID][]*Product, error)
	// EachProduct calls f with every product in the order of ids until f fails; for exports.
	EachProduct(ctx context.Context, f func(*Product) error) error
}

// ProductWriter changes products.
type ProductWriter interface {
	// InsertProduct adds a product. It fails with TAKEN at slug or variants.N.sku, with CONFLICT
	// when the id exists, and with NOT_FOUND at categoryId.
	InsertProduct(ctx context.Context, p *Product) error
	// UpdateProduct stores what staff can change of p, if the stored version is p.Version-1; what
	// stock and reviews refresh is left alone. It fails with NOT_FOUND, CONFLICT (Data
	// currentVersion), TAKEN and NOT_FOUND at categoryId.
	UpdateProduct(ctx context.Context, p *Product) error
	// ImportProducts inserts or replaces products by slug in bulk: an existing product keeps its id,
	// creation, publication, availability, rating and pieces sold, and its variants their ids by SKU;
	// an equal one stays as it is. It gives one outcome per product, in order.
	ImportProducts(ctx context.Context, list []*Product, now time.Time) ([]ImportOutcome, error)
	// RefreshAvailable sets whether the product can be bought to what compute gives. When several
	// run for one product at a time, the last one to begin decides. An unknown product is no error.
	RefreshAvailable(ctx context.Context, productID uuid.UUID, compute func(context.Context) (bool, error)) error
	// RefreshRating is RefreshAvailable for the rating.
	RefreshRating(ctx context.Context, productID uuid.UUID, compute func(context.Context) (Rating, error)) error
	// SetAvailable sets availability in bulk, for imports that know it.
	SetAvailable(ctx context.Context, available map[uuid.UUID]bool) error
	// SetRatings sets ratings in bulk, for imports that know them.
	SetRatings(ctx context.Context, ratings map[uuid.UUID]Rating) error
	// AddSold adds pieces sold by product.
	AddSold(ctx context.Context, pieces map[uuid.UUID]int) error
	// ClaimKey records that owner uses an idempotency key of an operation for an input with the
	// hash, whose result gets the id proposed, and that a call is at it for the lease. It gives the id recorded first for
	// the same hash. It fails with IDEMPOTENCY_REUSED for another hash, and with IN_FLIGHT while another call is at it.
	ClaimKey(ctx context.Context, k IdempotencyKey, proposed uuid.UUID, lease time.Duration) (Claim, error)
	// FinishKey says that the call of a key is answered.
	FinishKey(ctx context.Context, k IdempotencyKey) error
	// ReleaseKey forgets a key whose operation was refused.
	ReleaseKey(ctx context.Context, k IdempotencyKey) error
}

// CategoryStore keeps the category tree.
type CategoryStore interface {
	// Categories gives categories by id.
	Categories(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*Category, error)
	// CategoriesBySlug gives categories by slug.
	CategoriesBySlug(ctx context.Context, slugs []string) (map[string]*Category, error)
	// Children gives the categories right below each parent (zero: the top), by position and name.
	Children(ctx context.Context, parentIDs []uuid.UUID) (map[uuid.UUID][]*Category, error)
	// InsertCategory adds a category and sets its Path. It fails with TAKEN at slug, NOT_FOUND at
	// parentId and LIMIT_EXCEEDED for too deep or too large a tree.
	InsertCategory(ctx context.Context, c *Category) error
	// UpdateCategory stores c if the stored version is c.Version-1, sets its Path and lets
	// categories and products below follow. It fails with NOT_FOUND, CONFLICT (Data currentVersion),
	// TAKEN at slug, NOT_FOUND at parentId, INVALID at parentId for a move below itself and
	// LIMIT_EXCEEDED for too deep a tree.
	UpdateCategory(ctx context.Context, c *Category) error
	// DeleteCategory removes a category. It fails with NOT_FOUND, and with INVALID_STATE while it
	// holds products or categories.
	DeleteCategory(ctx context.Context, id uuid.UUID) error
}

// SearchStore finds products by words.
type SearchStore interface {
	// LookUpWords gives what the dictionary knows of each word of a query, completions of the last
	// one, and the category of the slug ("" for none), all in one command.
	LookUpWords(ctx context.Context, words []string, categorySlug string) (Vocabulary, error)
	// Search reads one page and the facets of what matches, in one command. It reads one more than
	// r.Limit hits, in reading direction.
	Search(ctx context.Context, q Query, f Filter, r page.Request) (*Found, error)
	// Suggest completes the last of the words, most likely first, in one command.
	Suggest(ctx context.Context, text string, words []string, limit int) ([]string, error)
	// RebuildWords counts the words of all products anew.
	RebuildWords(ctx context.Context) error
}

// IdempotencyKey names one use of a mutation.
type IdempotencyKey struct {
	Owner     uuid.UUID // the viewer's account
	Operation string    // such as productCreate
	Key       string    // as the client gave it
	Hash      []byte    // of the input
}

// Claim is a key that a call may go on with.
type Claim struct {
	ID       uuid.UUID // of the result
	First    bool      // no call had the key before
	Answered bool      // an earlier call was answered
}

// ImportOutcome is what became of one product of an import.
type ImportOutcome struct {
	ID      uuid.UUID // of the stored product
	Created bool
	Updated bool  // neither Created nor Updated: it was equal
	Removed bool  // variants ended, so that availability may be another
	Err     error // why it was refused
}

package products

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/viewer"
)

// NotPurchased is the code of a review of a product that its author has not bought.
const NotPurchased errs.Code = "NOT_PURCHASED"

// Bounds of a review.
const (
	maxReviewTitle = 120
	maxReviewBody  = 5000
)

// Review is what a buyer thinks of a product; one for each customer and product.
type Review struct {
	ID         uuid.UUID
	ProductID  uuid.UUID
	AuthorID   uuid.UUID
	AuthorName string // as it was at the time
	Rating     int    // stars, 1 to 5
	Title      string
	Body       string
	CreatedAt  time.Time // of its present text
}

// Key gives the review's position among the reviews of its product, newest first.
func (r *Review) Key() page.Key { return page.Key{r.CreatedAt.Format(time.RFC3339Nano), r.ID.String()} }

// ReviewStore keeps reviews.
type ReviewStore interface {
	// PutReview adds a review, or replaces that of the same author and product, whose id it keeps.
	// It gives the review as stored.
	PutReview(ctx context.Context, r *Review) (*Review, error)
	// InsertReviews adds reviews in bulk; those that are there already, by id or by author and
	// product, stay as they are.
	InsertReviews(ctx context.Context, list []*Review) error
	// DeleteReview removes a review. It fails with NOT_FOUND.
	DeleteReview(ctx context.Context, id uuid.UUID) error
	// Reviews gives reviews by id, in one command.
	Reviews(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*Review, error)
	// ProductReviews reads for each product one more than r.Limit reviews in reading direction, newest
	// first, all in one command.
	ProductReviews(ctx context.Context, productIDs []uuid.UUID, r page.Request) (map[uuid.UUID][]*Review, error)
	// CountReviews counts the reviews of each product, all in one command.
	CountReviews(ctx context.Context, productIDs []uuid.UUID) (map[uuid.UUID]int, error)
	// Ratings sums the reviews of each product up, all in one command.
	Ratings(ctx context.Context, productIDs []uuid.UUID) (map[uuid.UUID]Rating, error)
}

// ReviewInput is a review as its author gives it.
type ReviewInput struct {
	ProductID uuid.UUID
	Rating    int
	Title     string
	Body      string
	Faults    error // what was wrong with the input before it came here, reported with the rest
}

// CreateReview rates a product that the viewer has bought; a second review replaces the first. It
// fails with NOT_FOUND at productId, with NOT_PURCHASED, and for each field out of its bounds.
func (s *Service) CreateReview(ctx context.Context, in ReviewInput) (*Review, error) {
	v := viewer.FromContext(ctx)
	if err := v.RequireAccount(); err != nil {
		return nil, err
	}
	in.Title, in.Body = strings.TrimSpace(in.Title), strings.TrimSpace(in.Body)
	var faults errs.Collector
	faults.Merge(in.Faults)
	if in.Rating < 1 || in.Rating > 5 {
		faults.Add(errs.OutOfRange, "Give 1 to 5 stars.", "rating")
	}
	if utf8.RuneCountInString(in.Title) > maxReviewTitle {
		faults.Addf([]string{"title"}, errs.TooLong, "A heading has at most %d characters.", maxReviewTitle)
	}
	if utf8.RuneCountInString(in.Body) > maxReviewBody {
		faults.Addf([]string{"body"}, errs.TooLong, "A text has at most %d characters.", maxReviewBody)
	}
	found, err := s.Products(ctx, []uuid.UUID{in.ProductID})
	if err != nil {
		return nil, err
	}
	if found[in.ProductID] == nil && !faultAt(in.Faults, "productId") {
		faults.Add(errs.NotFound, "There is no such product.", "productId")
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	bought, err := s.purchases.HasBought(ctx, v.UserID, in.ProductID)
	if err != nil {
		return nil, err
	}
	if !bought {
		return nil, errs.At(NotPurchased, "Only a customer who bought the product can review it.", "productId")
	}
	name, err := s.authors.DisplayName(ctx, v.UserID)
	if err != nil {
		return nil, err
	}
	review, err := s.reviews.PutReview(ctx, &Review{
		ID: newID(), ProductID: in.ProductID, AuthorID: v.UserID, AuthorName: name,
		Rating: in.Rating, Title: in.Title, Body: in.Body, CreatedAt: s.now(),
	})
	if err != nil {
		return nil, err
	}
	return review, s.refreshRating(ctx, in.ProductID)
}

// DeleteReview removes the viewer's own review, or any for catalog:write. It fails with NOT_FOUND at id.
func (s *Service) DeleteReview(ctx context.Context, id uuid.UUID) error {
	v := viewer.FromContext(ctx)
	if err := v.RequireAccount(); err != nil {
		return err
	}
	found, err := s.reviews.Reviews(ctx, []uuid.UUID{id})
	if err != nil {
		return err
	}
	review := found[id]
	if review == nil || !v.IsOrCan(review.AuthorID, viewer.CatalogWrite) {
		return errs.At(errs.NotFound, "There is no such review.", "id")
	}
	err = s.reviews.DeleteReview(ctx, id)
	if errs.Is(err, errs.NotFound) {
		return errs.At(errs.NotFound, "There is no such review.", "id")
	}
	if err != nil {
		return err
	}
	return s.refreshRating(ctx, review.ProductID)
}

// Reviews gives reviews by id, as far as the viewer may know of their products.
func (s *Service) Reviews(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*Review, error) {
	found, err := s.reviews.Reviews(ctx, ids)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	var productIDs []uuid.UUID
	for _, r := range found {
		productIDs = append(productIDs, r.ProductID)
	}
	known, err := s.Products(ctx, productIDs)
	if err != nil {
		return nil, err
	}
	for id, r := range found {
		if known[r.ProductID] == nil {
			delete(found, id)
		}
	}
	return found, nil
}

// ProductReviews gives pages of the reviews of products, newest first. The caller has the products
// from this service.
func (s *Service) ProductReviews(ctx context.Context, asked []Nested) (map[Nested]page.Page[*Review], error) {
	return nestedPages(ctx, asked, s.reviews.ProductReviews)
}

// CountReviews counts the reviews of each product, all in one command.
func (s *Service) CountReviews(ctx context.Context, productIDs []uuid.UUID) (map[uuid.UUID]int, error) {
	counts, err := s.reviews.CountReviews(ctx, productIDs)
	if err != nil {
		return nil, err
	}
	for _, id := range productIDs {
		counts[id] += 0
	}
	return counts, nil
}

// ImportReviews adds reviews in bulk, as they are, and brings the ratings of their products up to
// date. Those that are there already stay as they are.
func (s *Service) ImportReviews(ctx context.Context, list []*Review) error {
	if err := viewer.FromContext(ctx).Require(viewer.CatalogWrite); err != nil {
		return err
	}
	if err := s.reviews.InsertReviews(ctx, list); err != nil {
		return err
	}
	seen := make(map[uuid.UUID]bool)
	var productIDs []uuid.UUID
	for _, r := range list {
		if !seen[r.ProductID] {
			seen[r.ProductID] = true
			productIDs = append(productIDs, r.ProductID)
		}
	}
	ratings, err := s.reviews.Ratings(ctx, productIDs)
	if err != nil {
		return err
	}
	return s.catalog.SetRatings(ctx, ratings)
}

// refreshRating brings the rating on the product up to date.
func (s *Service) refreshRating(ctx context.Context, productID uuid.UUID) error {
	return s.catalog.RefreshRating(ctx, productID, func(ctx context.Context) (Rating, error) {
		ratings, err := s.reviews.Ratings(ctx, []uuid.UUID{productID})
		return ratings[productID], err
	})
}

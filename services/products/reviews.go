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
	Unrated    uuid.UUID `json:"-"` // set by each change, until the rating of the product follows; zero then
}

// Key gives the review's position among the reviews of its product, newest first.
func (r *Review) Key() page.Key { return page.Key{r.CreatedAt.Format(time.RFC3339Nano), r.ID.String()} }

// ReviewStore keeps reviews.
type ReviewStore interface {
	// PutReview adds a review, or replaces that of the same author and product, whose id it keeps.
	// It gives the review as stored, with the mark Unrated.
	PutReview(ctx context.Context, r *Review) (*Review, error)
	// InsertReviews adds reviews in bulk; those that are there already, by id or by author and
	// product, stay as they are.
	InsertReviews(ctx context.Context, list []*Review) error
	// DeleteReview removes a review, of which only the mark Unrated is left. It gives the mark: a review with ID,
	// ProductID and Unrated. It fails with NOT_FOUND.
	DeleteReview(ctx context.Context, id uuid.UUID) (*Review, error)
	// Unrated gives the marks of at most limit reviews, removed ones among them.
	Unrated(ctx context.Context, limit int) ([]*Review, error)
	// Rated takes marks away, unless they were set anew.
	Rated(ctx context.Context, marks []*Review) error
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
	s.rate(ctx, review)
	return review, nil
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
	mark, err := s.reviews.DeleteReview(ctx, id)
	if errs.Is(err, errs.NotFound) {
		return errs.At(errs.NotFound, "There is no such review.", "id")
	}
	if err != nil {
		return err
	}
	s.rate(ctx, mark)
	return nil
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

// rate brings the rating on the product of a review that has changed up to date. Should it fail, the mark on the review
// stays, and [Service.EnsureRatings] does it.
func (s *Service) rate(ctx context.Context, mark *Review) {
	if err := s.refreshRatings(ctx, []*Review{mark}); err != nil {
		s.log.WarnContext(ctx, "the rating of a product follows later", "product", mark.ProductID, "error", err)
	}
	mark.Unrated = uuid.Nil
}

// refreshRatings brings the ratings on products up to date, and takes the marks away that said so.
func (s *Service) refreshRatings(ctx context.Context, marks []*Review) error {
	done := make(map[uuid.UUID]bool)
	for _, m := range marks {
		if done[m.ProductID] {
			continue
		}
		done[m.ProductID] = true
		err := s.catalog.RefreshRating(ctx, m.ProductID, func(ctx context.Context) (Rating, error) {
			ratings, err := s.reviews.Ratings(ctx, []uuid.UUID{m.ProductID})
			return ratings[m.ProductID], err
		})
		if err != nil {
			return err
		}
	}
	return s.reviews.Rated(ctx, marks)
}

// EnsureRatings brings ratings up to date whose reviews changed just before a crash. It may run at any time, in several
// processes at once.
func (s *Service) EnsureRatings(ctx context.Context) error {
	for {
		marks, err := s.reviews.Unrated(ctx, settleBatch)
		if err != nil || len(marks) == 0 {
			return err
		}
		if err := s.refreshRatings(ctx, marks); err != nil {
			return err
		}
	}
}

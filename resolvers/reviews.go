package resolvers

import (
	"context"

	"github.com/google/uuid"

	"github.com/techmart/techmart/dataloaders"
	"github.com/techmart/techmart/graph/generated"
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/products"
)

type (
	reviewResolver           struct{}
	reviewConnectionResolver struct{}
)

// Review gives the resolver of reviews.
func (r *Resolver) Review() generated.ReviewResolver { return reviewResolver{} }

// ReviewConnection gives the resolver of lists of reviews.
func (r *Resolver) ReviewConnection() generated.ReviewConnectionResolver {
	return reviewConnectionResolver{}
}

// TotalCount answers ReviewConnection.totalCount.
func (reviewConnectionResolver) TotalCount(ctx context.Context, c *model.ReviewConnection) (int, error) {
	return c.Count(ctx)
}

// Product answers Review.product.
func (reviewResolver) Product(ctx context.Context, review *model.Review) (*model.Product, error) {
	p, err := dataloaders.Load(ctx, dataloaders.For(ctx).Products.ByID, review.ProductID)
	if err != nil {
		return nil, err
	}
	return newProduct(p), nil
}

// Reviews answers Product.reviews.
func (p productResolver) Reviews(ctx context.Context, product *model.Product, first *int, after *string) (*model.ReviewConnection, error) {
	list := listName("reviews", product.ID)
	r, err := p.r.Cursors.Request(list, pageArgs(first, after, nil, nil))
	if err != nil {
		return nil, err
	}
	found, err := dataloaders.Load(ctx, dataloaders.For(ctx).Reviews.Pages, products.NestedIn(product.ProductID, r))
	if err != nil {
		return nil, err
	}
	connection := &model.ReviewConnection{Nodes: page.Map(found, newReview).Items}
	connection.Edges, connection.PageInfo = edges(p.r.Cursors, list, found, (*products.Review).Key, func(cursor string, review *products.Review) *model.ReviewEdge {
		return &model.ReviewEdge{Cursor: cursor, Node: newReview(review)}
	})
	connection.Count = func(ctx context.Context) (int, error) {
		return dataloaders.Load(ctx, dataloaders.For(ctx).Reviews.Counts, product.ProductID)
	}
	return connection, nil
}

// ReviewCreate answers Mutation.reviewCreate.
func (m mutationResolver) ReviewCreate(ctx context.Context, input model.ReviewCreateInput) (*model.ReviewCreatePayload, error) {
	productID, unknown := id(model.PrefixProduct, input.ProductID, "productId")
	in := products.ReviewInput{ProductID: productID, Rating: input.Rating, Faults: unknown}
	if input.Title != nil {
		in.Title = *input.Title
	}
	if input.Body != nil {
		in.Body = *input.Body
	}
	payload := &model.ReviewCreatePayload{}
	review, err := m.r.Products.CreateReview(ctx, in)
	if err == nil {
		payload.Review = newReview(review)
	}
	if payload.UserErrors, err = userErrors(err); err != nil {
		return nil, err
	}
	return payload, nil
}

// ReviewDelete answers Mutation.reviewDelete.
func (m mutationResolver) ReviewDelete(ctx context.Context, input model.ReviewDeleteInput) (*model.ReviewDeletePayload, error) {
	payload := &model.ReviewDeletePayload{}
	reviewID, err := id(model.PrefixReview, input.ID, "id")
	if err == nil {
		if err = m.r.Products.DeleteReview(ctx, reviewID); err == nil {
			payload.DeletedReviewID = &input.ID
		}
	}
	if payload.UserErrors, err = userErrors(err); err != nil {
		return nil, err
	}
	return payload, nil
}

// reviewNodes are the look-ups of reviews for node(id).
func (r *Resolver) reviewNodes() map[string]nodeFunc {
	return map[string]nodeFunc{
		model.PrefixReview: func(ctx context.Context, id uuid.UUID) (model.Node, error) {
			review, err := dataloaders.Load(ctx, dataloaders.For(ctx).Reviews.ByID, id)
			if err != nil {
				return nil, err
			}
			return newReview(review), nil
		},
	}
}

func newReview(r *products.Review) *model.Review {
	out := &model.Review{
		ID: model.ID(model.PrefixReview, r.ID), ProductID: r.ProductID, Rating: r.Rating,
		AuthorName: r.AuthorName, CreatedAt: r.CreatedAt,
	}
	if r.Title != "" {
		out.Title = &r.Title
	}
	if r.Body != "" {
		out.Body = &r.Body
	}
	return out
}

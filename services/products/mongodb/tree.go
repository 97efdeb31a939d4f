package mongodb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/products"
)

const (
	treeLock   = "categories"
	lease      = 30 * time.Second
	leaseRenew = 10 * time.Second
	lockPoll   = 15 * time.Millisecond
	lockWait   = 15 * time.Second
	followSize = 500 // products rewritten by one command
)

// locked runs f while no other process changes the category tree. A holder that dies loses the
// lock with its lease; what it left undone is finished first.
func (s *Store) locked(ctx context.Context, f func(context.Context) error) error {
	holder := uuid.New()
	if err := s.acquire(ctx, holder); err != nil {
		return err
	}
	working, cancel := context.WithCancelCause(ctx)
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		s.renew(working, holder, cancel)
	}()
	defer func() {
		cancel(nil)
		<-renewed
		s.release(context.WithoutCancel(ctx), holder)
	}()
	if err := s.finish(working); err != nil {
		return err
	}
	return f(working)
}

// acquire waits for the lock.
func (s *Store) acquire(ctx context.Context, holder uuid.UUID) error {
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for {
		now := time.Now().UTC()
		_, err := s.locks.UpdateOne(ctx,
			bson.D{{Key: "_id", Value: treeLock}, {Key: "until", Value: bson.D{{Key: "$lt", Value: now}}}},
			bson.D{{Key: "$set", Value: bson.D{{Key: "holder", Value: holder}, {Key: "until", Value: now.Add(lease)}}}},
			options.UpdateOne().SetUpsert(true))
		if err == nil {
			return nil
		}
		if !mongo.IsDuplicateKeyError(err) { // else another one holds it
			return fmt.Errorf("mongodb: lock the category tree: %w", err)
		}
		select {
		case <-ctx.Done():
			return &errs.Error{Code: errs.Unavailable, Message: "The categories are being changed by someone else: try again.", Cause: ctx.Err()}
		case <-tick.C:
		}
	}
}

// renew extends the lease until the work ends, and ends the work when the lease is lost.
func (s *Store) renew(ctx context.Context, holder uuid.UUID, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(leaseRenew)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		done, err := s.locks.UpdateOne(ctx,
			bson.D{{Key: "_id", Value: treeLock}, {Key: "holder", Value: holder}},
			bson.D{{Key: "$set", Value: bson.D{{Key: "until", Value: time.Now().UTC().Add(lease)}}}})
		if err == nil && done.MatchedCount == 0 {
			cancel(errors.New("mongodb: the lock of the category tree was lost"))
		}
	}
}

// release frees the lock; should that fail, the lease ends by itself.
func (s *Store) release(ctx context.Context, holder uuid.UUID) {
	_, _ = s.locks.UpdateOne(ctx,
		bson.D{{Key: "_id", Value: treeLock}, {Key: "holder", Value: holder}},
		bson.D{{Key: "$set", Value: bson.D{{Key: "until", Value: time.UnixMilli(0).UTC()}}}})
}

// finishPending completes changes that were cut off, if there are any.
func (s *Store) finishPending(ctx context.Context) error {
	n, err := s.categories.CountDocuments(ctx, bson.D{{Key: "$or", Value: bson.A{
		bson.D{{Key: "pending", Value: true}}, bson.D{{Key: "closing", Value: true}}}}}, options.Count().SetLimit(1))
	if err != nil {
		return fmt.Errorf("mongodb: count categories: %w", err)
	}
	if n == 0 {
		return nil
	}
	return s.locked(ctx, func(context.Context) error { return nil })
}

// finish completes what an earlier holder of the lock left undone, from the top down.
func (s *Store) finish(ctx context.Context) error {
	if err := s.reopen(ctx); err != nil {
		return err
	}
	pending, err := s.findCategories(ctx, bson.D{{Key: "pending", Value: true}})
	if err != nil {
		return err
	}
	slices.SortFunc(pending, func(a, b *products.Category) int { return len(a.Path) - len(b.Path) })
	for _, c := range pending {
		if err := s.spread(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// tree reads all categories.
func (s *Store) tree(ctx context.Context) (map[uuid.UUID]*products.Category, error) {
	list, err := s.findCategories(ctx, bson.D{})
	if err != nil {
		return nil, err
	}
	return byID(list), nil
}

// follow makes products that match stand where their category stands now. One that is changed by
// someone else meanwhile is left to its writer, who looks at the category after writing.
func (s *Store) follow(ctx context.Context, filter bson.D) error {
	tree, err := s.tree(ctx)
	if err != nil {
		return err
	}
	cursor, err := s.products.Find(ctx, filter, options.Find().SetBatchSize(followSize))
	if err != nil {
		return fmt.Errorf("mongodb: find products: %w", err)
	}
	defer cursor.Close(context.WithoutCancel(ctx))
	var writes []mongo.WriteModel
	words := make(map[string]int)
	flush := func() error {
		if err := bulk(ctx, s.products, writes); err != nil {
			return err
		}
		defer clear(words)
		writes = writes[:0]
		return s.countWords(ctx, words)
	}
	for cursor.Next(ctx) {
		var before productDoc
		if err := cursor.Decode(&before); err != nil {
			return fmt.Errorf("mongodb: find products: %w", err)
		}
		p := before.product()
		after := before
		after.setTree(p, pathTo(tree, p.CategoryID))
		if slices.Equal(before.Tree.Path, after.Tree.Path) && slices.Equal(before.Tree.Words, after.Tree.Words) && before.Tree.CategoryNames == after.Tree.CategoryNames {
			continue
		}
		writes = append(writes, mongo.NewUpdateOneModel().
			SetFilter(bson.D{{Key: "_id", Value: p.ID}, {Key: "version", Value: p.Version}}).
			SetUpdate(bson.D{{Key: "$set", Value: after.Tree}}))
		addWords(words, &before, -1)
		addWords(words, &after, 1)
		if len(writes) == followSize {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := cursor.Err(); err != nil {
		return fmt.Errorf("mongodb: find products: %w", err)
	}
	return flush()
}

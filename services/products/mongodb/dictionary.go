package mongodb

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/techmart/techmart/services/products"
)

const (
	maxSimilar     = 1000 // words looked at for corrections
	maxCompletions = 12   // of the last word of a query
	minCompleted   = 2    // runes of a word to complete
	termBatch      = 2000 // words written by one command
)

// termDoc is a word of the products that are ACTIVE.
type termDoc struct {
	Word      string   `bson:"_id"`
	Stem      string   `bson:"stem"`
	Deletions []string `bson:"deletions,omitempty"`
	Count     int      `bson:"count"` // products that have it
}

// wordChange gives by how much the counts of words change when before becomes after.
func wordChange(before, after *productDoc) map[string]int {
	changes := make(map[string]int)
	addWords(changes, before, -1)
	addWords(changes, after, 1)
	return changes
}

func addWords(changes map[string]int, d *productDoc, by int) {
	if d == nil || d.Body.Status != string(products.Active) {
		return
	}
	for _, w := range d.Tree.Words {
		changes[w] += by
	}
}

// countWords changes counts of the dictionary.
func (s *Store) countWords(ctx context.Context, changes map[string]int) error {
	var writes []mongo.WriteModel
	for w, by := range changes {
		if by == 0 {
			continue
		}
		update := bson.D{{Key: "$inc", Value: bson.D{{Key: "count", Value: by}}}}
		if _, known := s.known.Load(w); !known {
			update = append(update, bson.E{Key: "$setOnInsert", Value: bson.D{
				{Key: "stem", Value: products.Stem(w)}, {Key: "deletions", Value: products.DeletionKeys(w)}}})
		}
		writes = append(writes, mongo.NewUpdateOneModel().SetFilter(bson.D{{Key: "_id", Value: w}}).SetUpdate(update).SetUpsert(true))
	}
	for part := range slices.Chunk(writes, termBatch) {
		if err := bulk(ctx, s.terms, part); err != nil {
			return err
		}
	}
	for w := range changes {
		s.known.Store(w, true)
	}
	return nil
}

// RebuildWords counts the words of all products anew.
func (s *Store) RebuildWords(ctx context.Context) error {
	ctx, cancel := unhurried(ctx)
	defer cancel()
	cursor, err := s.products.Aggregate(ctx, bson.A{
		bson.D{{Key: "$match", Value: bson.D{{Key: "status", Value: products.Active}}}},
		bson.D{{Key: "$unwind", Value: "$words"}},
		bson.D{{Key: "$group", Value: bson.D{{Key: "_id", Value: "$words"}, {Key: "count", Value: bson.D{{Key: "$sum", Value: 1}}}}}},
	}, options.Aggregate().SetAllowDiskUse(true).SetBatchSize(batchSize))
	if err != nil {
		return fmt.Errorf("mongodb: count words: %w", err)
	}
	defer cursor.Close(context.WithoutCancel(ctx))
	if _, err := s.terms.UpdateMany(ctx, bson.D{{Key: "count", Value: bson.D{{Key: "$ne", Value: 0}}}}, bson.D{{Key: "$set", Value: bson.D{{Key: "count", Value: 0}}}}); err != nil {
		return fmt.Errorf("mongodb: count words: %w", err)
	}
	var writes []mongo.WriteModel
	flush := func() error {
		defer func() { writes = writes[:0] }()
		return bulk(ctx, s.terms, writes)
	}
	for cursor.Next(ctx) {
		var t termDoc
		if err := cursor.Decode(&t); err != nil {
			return fmt.Errorf("mongodb: count words: %w", err)
		}
		t.Stem, t.Deletions = products.Stem(t.Word), products.DeletionKeys(t.Word)
		writes = append(writes, mongo.NewReplaceOneModel().SetFilter(bson.D{{Key: "_id", Value: t.Word}}).SetReplacement(t).SetUpsert(true))
		if len(writes) == termBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := cursor.Err(); err != nil {
		return fmt.Errorf("mongodb: count words: %w", err)
	}
	return flush()
}

// LookUpWords gives what the dictionary knows of each word of a query, and the category of the slug.
func (s *Store) LookUpWords(ctx context.Context, words []string, categorySlug string) (products.Vocabulary, error) {
	if len(words) == 0 {
		return products.Vocabulary{}, nil
	}
	var stems, deletions []string
	for _, w := range words {
		stems = append(stems, products.Stem(w))
		deletions = append(deletions, products.DeletionKeys(w)...)
	}
	used := bson.D{{Key: "count", Value: bson.D{{Key: "$gt", Value: 0}}}}
	project := bson.D{{Key: "$project", Value: bson.D{{Key: "stem", Value: 1}, {Key: "count", Value: 1}}}}
	part := func(field string, values []string, limit int) bson.A {
		return bson.A{
			bson.D{{Key: "$match", Value: append(bson.D{{Key: field, Value: in(values)}}, used...)}},
			bson.D{{Key: "$limit", Value: limit}},
			project,
		}
	}
	parts := []bson.A{part("_id", words, maxSimilar), part("stem", stems, maxSimilar)}
	if len(deletions) > 0 {
		parts = append(parts, part("deletions", deletions, maxSimilar))
	}
	if last := words[len(words)-1]; len([]rune(last)) >= minCompleted {
		parts = append(parts, bson.A{
			bson.D{{Key: "$match", Value: append(bson.D{{Key: "_id", Value: beginning(last)}}, used...)}},
			bson.D{{Key: "$sort", Value: bson.D{{Key: "count", Value: -1}, {Key: "_id", Value: 1}}}},
			bson.D{{Key: "$limit", Value: maxCompletions}},
			project,
			bson.D{{Key: "$set", Value: bson.D{{Key: "completes", Value: true}}}},
		})
	}
	pipeline := union(s.terms.Name(), parts)
	if categorySlug != "" {
		pipeline = append(pipeline, bson.D{{Key: "$unionWith", Value: bson.D{{Key: "coll", Value: s.categories.Name()}, {Key: "pipeline", Value: bson.A{
			bson.D{{Key: "$match", Value: bson.D{{Key: "slug", Value: categorySlug}}}},
			bson.D{{Key: "$project", Value: bson.D{{Key: "_id", Value: 0}, {Key: "category", Value: "$_id"}}}},
		}}}}})
	}
	type found struct {
		Term      termDoc   `bson:",inline"`
		Completes bool      `bson:"completes"`
		Category  uuid.UUID `bson:"category"`
	}
	docs, err := aggregate[found](ctx, s.terms, pipeline)
	if err != nil {
		return products.Vocabulary{}, err
	}
	var v products.Vocabulary
	seen := make(map[string]bool, len(docs))
	for _, d := range docs {
		if d.Category != uuid.Nil {
			v.Category = d.Category
			continue
		}
		w := products.Word{Text: d.Term.Word, Stem: d.Term.Stem, Count: d.Term.Count}
		if d.Completes {
			v.Completions = append(v.Completions, w)
		}
		if !seen[w.Text] {
			seen[w.Text] = true
			v.Words = append(v.Words, w)
		}
	}
	return v, nil
}

// beginning matches texts that begin with the prefix.
func beginning(prefix string) bson.D {
	return bson.D{{Key: "$gte", Value: prefix}, {Key: "$lt", Value: prefix + "\U0010ffff"}}
}

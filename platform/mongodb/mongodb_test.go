package mongodb_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/techmart/techmart/devstack"
	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/platform/mongodb"
	"github.com/techmart/techmart/platform/telemetry"
)

func setup(t *testing.T) *mongo.Database {
	t.Helper()
	db, closer, err := mongodb.Open(t.Context(), mongodb.Config{URL: stacktest.MongoDB(t), Database: "unused", ApplicationName: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := closer(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return db
}

type document struct {
	ID     uuid.UUID            `bson:"_id"`
	Parent *uuid.UUID           `bson:"parent"`
	None   *uuid.UUID           `bson:"none"`
	Tags   []uuid.UUID          `bson:"tags"`
	ByName map[string]uuid.UUID `bson:"byName"`
}

func TestUUIDs(t *testing.T) {
	t.Parallel()
	c := setup(t).Collection("docs")
	a, b := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	in := document{ID: a, Parent: &b, Tags: []uuid.UUID{a, b}, ByName: map[string]uuid.UUID{"x": b}}
	if _, err := c.InsertOne(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	var out document
	if err := c.FindOne(t.Context(), bson.M{"_id": bson.M{"$in": []uuid.UUID{a}}, "tags": b, "parent": &b}).Decode(&out); err != nil {
		t.Fatal(err)
	}
	if out.ID != a || *out.Parent != b || out.None != nil || !slices.Equal(out.Tags, in.Tags) || out.ByName["x"] != b {
		t.Errorf("read %+v", out)
	}
	var raw bson.Raw
	if err := c.FindOne(t.Context(), bson.M{}).Decode(&raw); err != nil {
		t.Fatal(err)
	}
	subtype, data := raw.Lookup("_id").Binary()
	if subtype != bson.TypeBinaryUUID || !slices.Equal(data, a[:]) {
		t.Errorf("stored as subtype %d, %x", subtype, data)
	}
	if null := raw.Lookup("none"); null.Type != bson.TypeNull {
		t.Errorf("a nil pointer is stored as %s", null.Type)
	}
}

func TestUUIDDecodingRefusesOthers(t *testing.T) {
	t.Parallel()
	c := setup(t).Collection("docs")
	for name, value := range map[string]any{
		"another subtype": bson.Binary{Subtype: 0, Data: make([]byte, 16)},
		"too short":       bson.Binary{Subtype: bson.TypeBinaryUUID, Data: make([]byte, 15)},
		"text":            uuid.NewString(),
	} {
		if _, err := c.InsertOne(t.Context(), bson.M{"_id": name, "parent": value}); err != nil {
			t.Fatal(err)
		}
		var out struct{ Parent uuid.UUID }
		if err := c.FindOne(t.Context(), bson.M{"_id": name}).Decode(&out); err == nil {
			t.Errorf("%s was read as %s", name, out.Parent)
		}
	}
	if _, err := c.InsertOne(t.Context(), bson.M{"_id": "null", "parent": nil}); err != nil {
		t.Fatal(err)
	}
	out := struct{ Parent uuid.UUID }{uuid.New()}
	if err := c.FindOne(t.Context(), bson.M{"_id": "null"}).Decode(&out); err != nil || out.Parent != uuid.Nil {
		t.Errorf("null was read as %s, %v", out.Parent, err)
	}
}

func TestCommandsAreCounted(t *testing.T) {
	t.Parallel()
	c := setup(t).Collection("docs")
	ctx, calls := telemetry.WithCalls(t.Context())
	docs := make([]bson.M, 25)
	for i := range docs {
		docs[i] = bson.M{"_id": i}
	}
	if _, err := c.InsertMany(ctx, docs); err != nil {
		t.Fatal(err)
	}
	if got := calls.MongoDB.Load(); got != 1 {
		t.Errorf("inserting many made %d calls, want 1", got)
	}
	cursor, err := c.Find(ctx, bson.M{}, options.Find().SetBatchSize(20))
	if err != nil {
		t.Fatal(err)
	}
	var out []bson.M
	if err := cursor.All(ctx, &out); err != nil || len(out) != 25 {
		t.Fatalf("%d documents, %v", len(out), err)
	}
	if got := calls.MongoDB.Load(); got != 3 {
		t.Errorf("with a find and a getMore %d calls, want 3", got)
	}
	if _, err := c.InsertOne(ctx, bson.M{"_id": 1}); !mongo.IsDuplicateKeyError(err) {
		t.Errorf("a duplicate gave %v", err)
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	url := stacktest.MongoDB(t)
	if _, _, err := mongodb.Open(t.Context(), mongodb.Config{}); err == nil {
		t.Error("no URL was accepted")
	}
	if _, _, err := mongodb.Open(t.Context(), mongodb.Config{URL: "http://localhost"}); err == nil {
		t.Error("another protocol was accepted")
	}
	noDatabase := devstack.MongoDatabaseURL(url, "")
	if _, _, err := mongodb.Open(t.Context(), mongodb.Config{URL: noDatabase}); err == nil {
		t.Error("no database was accepted")
	}
	db, closer, err := mongodb.Open(t.Context(), mongodb.Config{URL: noDatabase, Database: "named"})
	if err != nil || db.Name() != "named" {
		t.Fatalf("the database of the configuration: %v", err)
	}
	if err := closer(t.Context()); err != nil {
		t.Error(err)
	}
	began := time.Now()
	_, _, err = mongodb.Open(t.Context(), mongodb.Config{URL: "mongodb://127.0.0.1:1/x", ServerSelectionTimeout: 100 * time.Millisecond})
	var selection interface{ Error() string }
	if !errors.As(err, &selection) || time.Since(began) > 5*time.Second {
		t.Errorf("an absent server gave %v after %s", err, time.Since(began))
	}
}

package e2e

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/techmart/techmart/platform/mongodb"
)

// leftovers are rows that are over long since, one for each purge, and how many of them are left.
const (
	leftovers = `
INSERT INTO carts.carts (id, token_hash, created_at, updated_at, expires_at)
	SELECT gen_random_uuid(), sha256('old'), now() - '99 days'::interval, now() - '99 days'::interval, now() - '69 days'::interval;
WITH account AS (
	INSERT INTO users.accounts (id, email, display_name, name_key, password_hash, roles, mails_since, mails, created_at, updated_at, version)
	SELECT gen_random_uuid(), 'old@example.com', 'Old', 'old', 'hash', ARRAY['CUSTOMER'], now(), 0, now(), now(), 1 RETURNING id
) INSERT INTO users.tokens SELECT sha256('old'), id, 'VERIFY_EMAIL', now() - '9 days'::interval, now() - '8 days'::interval FROM account;
INSERT INTO orders.idempotency_keys SELECT gen_random_uuid(), 'old', 'old', '', gen_random_uuid(), now() - '99 days'::interval;
WITH payment AS (
	INSERT INTO payments.payments (id, order_id, customer_id, provider, status, currency, amount, authorized, captured, refunded, created_at, updated_at)
	SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'sandbox', 'AUTHORIZED', 'EUR', 1, 1, 0, 0, now(), now() RETURNING id
), transaction AS (
	INSERT INTO payments.transactions (id, payment_id, kind, status, currency, amount, created_at, settled_at)
	SELECT gen_random_uuid(), id, 'AUTHORIZE', 'SUCCEEDED', 'EUR', 1, now(), now() FROM payment RETURNING id
) INSERT INTO payments.idempotency_keys SELECT gen_random_uuid(), 'old', 'old', '', id, now() - '99 days'::interval FROM transaction;
INSERT INTO notifications.deliveries (id, event_id, user_id, kind, channel, recipient, status, payload, created_at, updated_at)
	SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'WELCOME', 'EMAIL', 'old@example.com', 'PENDING', '{}', now(), now() - '9 hours'::interval;`

	left = `SELECT what FROM (VALUES
	('carts', (SELECT count(*) FROM carts.carts)),
	('tokens', (SELECT count(*) FROM users.tokens)),
	('keys of orders', (SELECT count(*) FROM orders.idempotency_keys)),
	('keys of payments', (SELECT count(*) FROM payments.idempotency_keys)),
	('forgotten e-mails', (SELECT count(*) FROM notifications.deliveries WHERE updated_at < now() - '1 hour'::interval))
) AS l(what, n) WHERE n > 0 ORDER BY what`
)

// A worker that starts clears up what is over, and finishes what another one left half done when it was killed.
func TestUpkeep(t *testing.T) {
	t.Parallel()
	c := config(t)
	s := open(t, c)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	sql, err := pgx.Connect(t.Context(), c.PostgresURL)
	if err != nil {
		t.Fatal(err)
	}
	defer sql.Close(t.Context())
	if _, err := sql.Exec(t.Context(), leftovers, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	db, disconnect, err := mongodb.Open(t.Context(), mongodb.Config{URL: c.MongoURL, Database: c.MongoDatabase})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = disconnect(t.Context()) }()
	s.run(false)
	s.product("Lantern", "10.00", 5)
	// What a process leaves that is killed after it sold the last one, or stored a review.
	var stock struct {
		Product uuid.UUID `bson:"productId"`
	}
	if err := db.Collection("inventory").FindOneAndUpdate(t.Context(), bson.M{}, bson.M{"$set": bson.M{"flipped": uuid.New()}}).Decode(&stock); err != nil {
		t.Fatal(err)
	}
	_, err = db.Collection("reviews").InsertOne(t.Context(), bson.M{
		"_id": uuid.New(), "productId": stock.Product, "authorId": uuid.New(), "rating": 5, "created": time.Now(), "unrated": uuid.New(),
	})
	if err != nil {
		t.Fatal(err)
	}
	half := map[string]bson.M{
		"inventory": {"flipped": bson.M{"$exists": true}},
		"reviews":   {"unrated": bson.M{"$exists": true}},
		"products":  {"ratingCount": 0},
	}
	worker := open(t, c)
	worker.run(true)
	var remains []string
	defer func() { t.Log("what remains:", remains) }()
	eventually(t, "all is cleared up", func() bool {
		rows, err := sql.Query(t.Context(), left)
		if err != nil {
			t.Fatal(err)
		}
		remains, err = pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		for name, filter := range half {
			n, err := db.Collection(name).CountDocuments(t.Context(), filter)
			if err != nil {
				t.Fatal(err)
			}
			if n > 0 {
				remains = append(remains, name+" left half done")
			}
		}
		return len(remains) == 0
	})
}

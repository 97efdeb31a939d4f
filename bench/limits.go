package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/techmart/techmart/devstack"
)

// limits are what the shop is measured against: handlers written by hand for one answer each, on
// the same servers with the same data, and pgbench.
type limits struct {
	server *http.Server
	base   string
	http   *http.Client
	pool   *pgxpool.Pool
	mongo  *mongo.Client
	pgURL  string
	tps    string // pgbench's program
}

// startLimits copies the answer of the product list into a collection of its own, one document an
// item, and serves it, and an order history, by one query each.
func startLimits(ctx context.Context, stack *devstack.Stack, c *client) (*limits, error) {
	l := &limits{http: c.http, pgURL: stack.PostgresURL}
	var err error
	if l.tps, err = pgbenchPath(); err != nil {
		return nil, err
	}
	if l.pool, err = pgxpool.New(ctx, stack.PostgresURL); err != nil {
		return nil, err
	}
	if l.mongo, err = mongo.Connect(options.Client().ApplyURI(stack.MongoURL).SetMaxPoolSize(64)); err != nil {
		return nil, err
	}
	items := l.mongo.Database("bench").Collection("product_list")
	if err := l.fillProductList(ctx, c, items); err != nil {
		return nil, err
	}
	if _, err := l.pool.Exec(ctx, benchTables); err != nil {
		return nil, err
	}
	var customer string
	if err := l.pool.QueryRow(ctx, `SELECT id::text FROM users.accounts WHERE email = $1`, demoCustomer).Scan(&customer); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /products", func(w http.ResponseWriter, r *http.Request) {
		answerJSON(w, func() (any, error) { return productList(r.Context(), items) })
	})
	mux.HandleFunc("GET /history", func(w http.ResponseWriter, r *http.Request) {
		answerJSON(w, func() (any, error) {
			var body json.RawMessage
			err := l.pool.QueryRow(r.Context(), historySQL, customer).Scan(&body)
			return body, err
		})
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l.base = "http://" + listener.Addr().String()
	l.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = l.server.Serve(listener) }()
	return l, nil
}

func (l *limits) close() {
	_ = l.server.Close()
	l.pool.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = l.mongo.Disconnect(ctx)
}

// fillProductList stores what the graph answers, so that one find can answer the same.
func (l *limits) fillProductList(ctx context.Context, c *client, items *mongo.Collection) error {
	a, err := c.do(ctx, "", productListQuery, nil, nil)
	if err != nil {
		return err
	}
	list, err := decode[struct {
		Products struct{ Nodes []json.RawMessage }
	}](a.data)
	if err != nil {
		return err
	}
	for i, raw := range list.Products.Nodes {
		var doc bson.D
		if err := bson.UnmarshalExtJSON(raw, false, &doc); err != nil {
			return err
		}
		if _, err := items.InsertOne(ctx, bson.D{{Key: "_id", Value: i}, {Key: "node", Value: doc}}); err != nil {
			return err
		}
	}
	return nil
}

// productList answers the product list by one find.
func productList(ctx context.Context, items *mongo.Collection) (any, error) {
	cursor, err := items.Find(ctx, bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(20))
	if err != nil {
		return nil, err
	}
	var docs []struct{ Node bson.M }
	if err := cursor.All(ctx, &docs); err != nil {
		return nil, err
	}
	nodes := make([]bson.M, len(docs))
	for i, d := range docs {
		nodes[i] = d.Node
	}
	return map[string]any{"data": map[string]any{"products": map[string]any{"nodes": nodes, "pageInfo": map[string]any{"hasNextPage": true, "endCursor": "20"}}}}, nil
}

// historySQL answers the order history by one statement.
const historySQL = `SELECT json_build_object('data', json_build_object('me', json_build_object('orders', json_build_object(
  'nodes', coalesce(json_agg(json_build_object('id', o.id, 'number', o.number, 'status', o.status, 'placedAt', o.placed_at,
    'total', json_build_object('amount', (o.total / 100.0)::numeric(20,2)::text, 'currencyCode', o.currency), 'lines', l.lines,
    'payment', p.payment) ORDER BY o.placed_at DESC, o.id DESC), '[]'),
  'pageInfo', json_build_object('hasNextPage', true, 'endCursor', max(o.placed_at))))))
FROM (SELECT * FROM orders.orders WHERE customer_id = $1::uuid ORDER BY placed_at DESC, id DESC LIMIT 20) o
CROSS JOIN LATERAL (SELECT json_agg(json_build_object('title', title, 'quantity', quantity, 'unitPrice',
    json_build_object('amount', (unit_price / 100.0)::numeric(20,2)::text, 'currencyCode', o.currency),
    'product', json_build_object('id', product_id, 'slug', sku)) ORDER BY position) AS lines
  FROM orders.lines WHERE order_id = o.id) l
LEFT JOIN LATERAL (SELECT json_build_object('status', status, 'capturedAmount',
    json_build_object('amount', (captured / 100.0)::numeric(20,2)::text, 'currencyCode', currency)) AS payment
  FROM payments.payments WHERE order_id = o.id) p ON true`

func answerJSON(w http.ResponseWriter, make func() (any, error)) {
	body, err := make()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

func (l *limits) scenarios() []scenario {
	get := func(path string) func(context.Context, int, int) (answer, error) {
		return func(ctx context.Context, _, _ int) (answer, error) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.base+path, nil)
			if err != nil {
				return answer{}, err
			}
			resp, err := l.http.Do(req)
			if err != nil {
				return answer{}, err
			}
			defer func() { _ = resp.Body.Close() }()
			raw, err := io.ReadAll(resp.Body)
			if err == nil && resp.StatusCode != http.StatusOK {
				err = fmt.Errorf("status %d: %s", resp.StatusCode, raw)
			}
			return answer{bytes: len(raw)}, err
		}
	}
	return []scenario{
		{name: "limit: product list, 1 find", most: 1 << 20, do: get("/products")},
		{name: "limit: order history, 1 SQL", most: 1 << 20, do: get("/history")},
	}
}

// benchTables are the order's tables once more, with all their indexes and checks.
const benchTables = `CREATE SCHEMA bench;
CREATE TABLE bench.orders (LIKE orders.orders INCLUDING ALL);
CREATE TABLE bench.lines (LIKE orders.lines INCLUDING ALL);
CREATE TABLE bench.outbox (LIKE orders.outbox INCLUDING ALL);`

// pgbenchScript inserts an order with two lines and an outbox row in one transaction.
const pgbenchScript = `WITH o AS (
  INSERT INTO bench.orders (id, number, customer_id, email, display_name, status, currency, subtotal, shipping, tax, total, address, stage, capture_now, placed_at, updated_at, version, sequence)
  SELECT id, id::text, gen_random_uuid(), 'ada@example.com', 'Ada', 'PENDING', 'EUR', 2000, 490, 398, 2490, '{"city": "Berlin"}', 'RESERVE', false, now(), now(), 1, 1
  FROM gen_random_uuid() AS id RETURNING id
), l AS (
  INSERT INTO bench.lines (id, order_id, position, variant_id, product_id, sku, title, variant_title, quantity, unit_price, total)
  SELECT gen_random_uuid(), o.id, n, gen_random_uuid(), gen_random_uuid(), 'SKU', 'A product', 'Black', 1, 1000, 1000 FROM o, generate_series(0, 1) AS n
)
INSERT INTO bench.outbox (id, type, source, subject, sequence, time, data, shard)
SELECT gen_random_uuid(), 'orders.placed', 'orders', o.id::text, 1, now(), '{"total": 2490}', 0 FROM o;
`

var tpsLine = regexp.MustCompile(`tps = ([0-9.]+)`)

// pgbench prints how many orders a second PostgreSQL alone inserts, and the CPU time that it takes for each.
func (l *limits) pgbench(ctx context.Context, s *servers, clients int, d time.Duration) error {
	file := filepath.Join(os.TempDir(), fmt.Sprintf("techmart-bench-%d.sql", os.Getpid()))
	if err := os.WriteFile(file, []byte(pgbenchScript), 0o600); err != nil {
		return err
	}
	defer func() { _ = os.Remove(file) }()
	u, err := url.Parse(l.pgURL)
	if err != nil {
		return errors.New("the URL of PostgreSQL cannot be read")
	}
	seconds := strconv.Itoa(max(1, int(d.Seconds())))
	cmd := exec.CommandContext(ctx, l.tps, "-n", "-f", file, "-c", strconv.Itoa(clients), "-j", "2", "-T", seconds, l.pgURL)
	if password, ok := u.User.Password(); ok {
		cmd.Env = append(os.Environ(), "PGPASSWORD="+password)
	}
	before := cpuOf(s)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("pgbench: %w\n%s", err, out)
	}
	used := cpuOf(s)["postgres"] - before["postgres"]
	match := tpsLine.FindSubmatch(out)
	if match == nil {
		return fmt.Errorf("pgbench printed no rate:\n%s", out)
	}
	rate, err := strconv.ParseFloat(string(match[1]), 64)
	if err != nil {
		return err
	}
	fmt.Printf("%-28s %4d %9.0f/s\n", "limit: pgbench order insert", clients, rate)
	fmt.Printf("  %.0f orders a minute; CPU, ms an order: postgres %.2f\n", 60*rate, 1000*used/(rate*max(1, d.Truncate(time.Second).Seconds())))
	return nil
}

// pgbenchPath finds pgbench beside the servers of Debian's packages, or in PATH.
func pgbenchPath() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench")
	if len(found) > 0 {
		return found[len(found)-1], nil
	}
	path, err := exec.LookPath("pgbench")
	if err != nil {
		return "", errors.New("pgbench is missing: install PostgreSQL's server and contrib programs")
	}
	return path, nil
}

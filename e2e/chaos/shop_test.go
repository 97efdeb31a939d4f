package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/e2e/audit"
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/notifications/notificationstest"
	"github.com/techmart/techmart/services/products"
	"github.com/techmart/techmart/services/users"
	"github.com/techmart/techmart/services/viewer"
)

// settings are the environment of a program.
type settings map[string]string

// environ gives it as a process takes it.
func (s settings) environ() []string {
	list := make([]string, 0, len(s))
	for name, value := range s {
		list = append(list, app.Prefix+name+"="+value)
	}
	return list
}

const wide = "10000000/1000000" // a budget that nobody uses up

// fresh are settings with empty stores on the servers of all tests.
func fresh(t *testing.T) settings {
	redisURL, prefix := stacktest.Redis(t)
	rabbitURL, namespace := stacktest.RabbitMQ(t)
	return common(settings{
		"POSTGRES_URL": stacktest.Postgres(t), "MONGODB_URL": stacktest.MongoDB(t),
		"REDIS_URL": redisURL, "REDIS_PREFIX": prefix, "RABBITMQ_URL": rabbitURL, "RABBITMQ_NAMESPACE": namespace,
	})
}

// common adds what all shops have.
func common(s settings) settings {
	for name, value := range map[string]string{
		"MODE": app.Development, "HTTP_ADDR": "127.0.0.1:0", "TOKEN_KEYS": users.GenerateKey(), "SECOND_FACTOR_KEYS": users.GenerateKey(),
		"CURSOR_SECRET": "0123456789abcdefghijklmnopqrstuvwxyz", "LOG_LEVEL": "error", "LOG_FORMAT": "text",
		"POSTGRES_MAX_CONNS": "10", "ACCESS_TTL": "24h", "PASSWORD_MEMORY_KIB": "8192",
		"BUDGET_ANONYMOUS": wide, "BUDGET_CUSTOMER": wide, "BUDGET_STAFF": wide, "BUDGET_CLIENT": wide,
		// Attempts at e-mails and events outlast every fault.
		"RETRY_DELAYS": "100ms,500ms,2s,5s,5s,10s,10s,20s,30s,30s",
	} {
		s[name] = value
	}
	return s
}

// shop is a running program.
type shop struct {
	*app.App
	t        *testing.T
	settings settings
	direct   settings // with the servers' own addresses, where settings lead through proxies
	url      string
	pool     *pgxpool.Pool // of the test itself
	mail     *notificationstest.MailServer
	http     *http.Client
}

// open starts a shop whose mail server is the test's, with the worker or without. It ends with the test.
func open(t *testing.T, s, direct settings, worker bool) *shop {
	t.Helper()
	mail := notificationstest.NewMailServer(t, nil)
	s["SMTP_URL"], direct["SMTP_URL"] = "smtp://"+mail.Addr, "smtp://"+mail.Addr
	c, err := app.Load(s.environ())
	if err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.New(t.Context(), direct["POSTGRES_URL"])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	a, err := app.New(t.Context(), c, app.Options{Log: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := a.Close(ctx); err != nil {
			t.Logf("close: %v", err)
		}
	})
	if err := a.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx, app.Parts{API: l, Worker: worker}) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the program ended: %v", err)
		}
	})
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	t.Cleanup(client.CloseIdleConnections)
	return &shop{App: a, t: t, settings: s, direct: direct, url: "http://" + l.Addr().String(), pool: pool, mail: mail, http: client}
}

// client is somebody who is signed in.
type client struct {
	s     *shop
	token string
}

var accounts atomic.Int64

// as signs a new account in.
func (s *shop) as(role users.Role) *client {
	s.t.Helper()
	const password = "correct-horse-battery-1"
	email := fmt.Sprintf("%s-%d@example.com", strings.ToLower(string(role)), accounts.Add(1))
	if _, err := s.Services.Users.CreateAccount(s.t.Context(), users.NewAccount{
		Email: email, DisplayName: "Test", Password: password, Roles: []users.Role{role}, Verified: true,
	}); err != nil {
		s.t.Fatal(err)
	}
	var out struct {
		SessionCreate struct{ Tokens struct{ AccessToken string } }
	}
	c := &client{s: s}
	if err := c.run(&out, `mutation($i: SessionCreateInput!) { sessionCreate(input: $i) { tokens { accessToken } userErrors { code message } } }`,
		vars{"i": vars{"email": email, "password": password}}); err != nil {
		s.t.Fatal(err)
	}
	c.token = out.SessionCreate.Tokens.AccessToken
	return c
}

type vars = map[string]any

// run runs an operation; user errors are errors, too.
func (c *client) run(out any, query string, variables vars) error {
	body, err := json.Marshal(vars{"query": query, "variables": variables})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(c.s.t.Context(), http.MethodPost, c.s.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.s.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() // it is read to its end
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	var answer struct {
		Data   json.RawMessage
		Errors []struct{ Message string }
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return err
	}
	if len(answer.Errors) > 0 {
		return errors.New(answer.Errors[0].Message)
	}
	var payloads map[string]struct{ UserErrors []refusal }
	if json.Unmarshal(answer.Data, &payloads) == nil {
		for _, p := range payloads {
			if len(p.UserErrors) > 0 {
				return p.UserErrors[0]
			}
		}
	}
	return json.Unmarshal(answer.Data, out)
}

// refusal is a user error.
type refusal struct{ Code, Message string }

// Error implements error.
func (r refusal) Error() string { return r.Code + ": " + r.Message }

// buy orders pieces of a variant under an idempotency key and gives the order.
func (c *client) buy(variant string, quantity int, token, key string) (uuid.UUID, error) {
	if err := c.add(variant, quantity, key); err != nil {
		return uuid.Nil, err
	}
	return c.place(token, key)
}

// add puts pieces of a variant into the cart, once for the key of the order that they are for.
func (c *client) add(variant string, quantity int, key string) error {
	return c.run(new(any), `mutation($i: CartLinesAddInput!) { cartLinesAdd(input: $i) { userErrors { code message } } }`,
		vars{"i": vars{"lines": []vars{{"variantId": variant, "quantity": quantity}}, "idempotencyKey": key + "-cart"}})
}

// place orders what is in the cart.
func (c *client) place(token, key string) (uuid.UUID, error) {
	var out struct {
		OrderPlace struct{ Order struct{ ID string } }
	}
	if err := c.run(&out, `mutation($i: OrderPlaceInput!) { orderPlace(input: $i) { order { id } userErrors { code message } } }`, vars{"i": vars{
		"paymentToken": token, "idempotencyKey": key,
		"shippingAddress": vars{"recipient": "Ada Lovelace", "line1": "Ackerstr. 1", "postalCode": "10115", "city": "Berlin", "countryCode": "DE"},
	}}); err != nil {
		return uuid.Nil, err
	}
	return model.ParseID("ord", out.OrderPlace.Order.ID)
}

// empty takes everything out of the cart, as far as that is possible.
func (c *client) empty() {
	var out struct {
		Cart *struct{ Lines []struct{ ID string } }
	}
	if c.run(&out, `{ cart { lines { id } } }`, nil) != nil || out.Cart == nil {
		return
	}
	ids := make([]string, len(out.Cart.Lines))
	for i, l := range out.Cart.Lines {
		ids[i] = l.ID
	}
	_ = c.run(new(any), `mutation($i: CartLinesRemoveInput!) { cartLinesRemove(input: $i) { userErrors { code message } } }`,
		vars{"i": vars{"lineIds": ids}}) // the next order tells
}

// cancel calls an order off.
func (c *client) cancel(id uuid.UUID) error {
	return c.run(new(any), `mutation($i: OrderCancelInput!) { orderCancel(input: $i) { userErrors { code message } } }`,
		vars{"i": vars{"id": model.ID("ord", id)}})
}

// fulfill sends all that is left of an order.
func (c *client) fulfill(id uuid.UUID) error {
	return c.run(new(any), `mutation($i: OrderFulfillInput!) { orderFulfill(input: $i) { userErrors { code message } } }`,
		vars{"i": vars{"orderId": model.ID("ord", id), "idempotencyKey": uuid.NewString()}})
}

// refund pays all of an order back that is not yet.
func (c *client) refund(id uuid.UUID) error { return c.refundAmount(id, "") }

// refundAmount pays so much of an order back, or all that is not yet where the amount is "".
func (c *client) refundAmount(id uuid.UUID, amount string) error {
	var out struct {
		Order struct{ Payment struct{ ID string } }
	}
	if err := c.run(&out, `query($id: ID!) { order(id: $id) { payment { id } } }`, vars{"id": model.ID("ord", id)}); err != nil {
		return err
	}
	input := vars{"paymentId": out.Order.Payment.ID, "idempotencyKey": uuid.NewString()}
	if amount != "" {
		input["amount"] = vars{"amount": amount, "currencyCode": "EUR"}
	}
	return c.run(new(any), `mutation($i: PaymentRefundInput!) { paymentRefund(input: $i) { userErrors { code message } } }`,
		vars{"i": input})
}

// product puts a product of 20.00 with one variant into the shop, with so many pieces, and gives the variant.
func (s *shop) product(title string, pieces int) string {
	s.t.Helper()
	ctx := viewer.NewContext(s.t.Context(), viewer.System)
	outcomes, err := s.Services.Products.ImportProducts(ctx, []*products.Product{{
		Title: title, Vendor: "Nordlicht", Status: products.Active,
		Variants: []products.Variant{{SKU: strings.ToUpper(products.MakeSlug(title)), Price: money.New(2000, "EUR")}},
	}})
	if err != nil || outcomes[0].Err != nil {
		s.t.Fatal(err, outcomes)
	}
	p, err := s.Services.Products.Product(ctx, outcomes[0].ID)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, _, err := s.Services.Products.AdjustInventory(ctx, products.AdjustInput{
		VariantID: p.Variants[0].ID, LocationID: products.Locations[0].ID, OnHand: pieces, Reason: products.Received,
	}); err != nil {
		s.t.Fatal(err)
	}
	return model.ID("var", p.Variants[0].ID)
}

// reconnect gives the test a connection to where PostgreSQL is now.
func (s *shop) reconnect() {
	s.t.Helper()
	s.pool.Close()
	var err error
	if s.pool, err = pgxpool.New(s.t.Context(), s.direct["POSTGRES_URL"]); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(s.pool.Close)
}

// eventually asks again and again until done, and fails the test when the time is over.
func (s *shop) eventually(within time.Duration, what string, done func(ctx context.Context) bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), within)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !done(ctx) {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			s.t.Errorf("it does not come true within %s: %s", within, what)
			return
		}
	}
}

// rests waits until nothing is under way, and tells now and then what still is.
func (s *shop) rests(within time.Duration) {
	s.t.Helper()
	began, told := time.Now(), time.Now()
	s.eventually(within, "the shop comes to rest", func(ctx context.Context) bool {
		open, err := audit.UnderWay(ctx, s.pool)
		if time.Since(told) > 10*time.Second {
			told = time.Now()
			s.t.Logf("after %.0f s: %v, %v; messages: %v", time.Since(began).Seconds(), open, err, s.messages())
		}
		return err == nil && len(open) == 0
	})
}

// messages counts what is ready in the queues of the worker that have something.
func (s *shop) messages() map[string]int {
	s.t.Helper()
	conn, err := amqp.Dial(s.direct["RABBITMQ_URL"])
	if err != nil {
		s.t.Error(err)
		return nil
	}
	defer func() { _ = conn.Close() }()
	counts := make(map[string]int)
	for _, queue := range []string{"notifications.events", "notifications.email", "orders.refunds", "webhooks.events"} {
		names := []string{queue, queue + ".dead"}
		for delay := range strings.SplitSeq(s.settings["RETRY_DELAYS"], ",") {
			names = append(names, queue+".retry."+delay)
		}
		for _, name := range names {
			ch, err := conn.Channel()
			if err != nil {
				s.t.Error(err)
				return nil
			}
			q, err := ch.QueueDeclarePassive(s.direct["RABBITMQ_NAMESPACE"]+"."+name, true, false, false, false, nil)
			if err == nil {
				_ = ch.Close()
			}
			if q.Messages > 0 {
				counts[name] = q.Messages
			}
		}
	}
	return counts
}

// audit holds the shop to its promises.
func (s *shop) audit(accepted []uuid.UUID, doubtful bool) {
	s.t.Helper()
	c, err := app.Load(s.direct.environ())
	if err != nil {
		s.t.Fatal(err)
	}
	mongoURL := c.MongoURL
	database := mongoURL[strings.LastIndexByte(mongoURL, '/')+1:]
	database, _, _ = strings.Cut(database, "?")
	if database == "" {
		database = c.MongoDatabase
	}
	mails, err := s.mail.Counts()
	if err != nil {
		s.t.Fatal(err)
	}
	report, err := audit.Check(s.t.Context(), audit.Shop{
		PostgresURL: c.PostgresURL, MongoURL: mongoURL, Mongo: database, Accepted: accepted, Mails: mails, Doubtful: doubtful,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Logf("audit: %s", report)
	for _, w := range report.Wrong {
		s.t.Error(w)
	}
}

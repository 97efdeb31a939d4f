package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/graph/model"
)

// How what an order costs is counted.
const (
	warmOrders    = 5
	countedOrders = 50
	mostRoundSQL  = 25 // round trips from orderPlace to CONFIRMED
)

// The columns of the table, as the metric work_total names them.
var workKinds = []string{"postgres", "statements", "commits", "mongodb", "redis", "messages"}

// The parts of an order that count from orderPlace to CONFIRMED.
var toConfirmed = []string{"orderPlace", "jobs", "saga", "outbox"}

// countOrders prints what one order asks of the servers, by part, counted by a process that does everything, one
// order at a time: so that none shares a round trip with another. It tells whether there is too much SQL.
func countOrders(ctx context.Context, s *servers, pgURL string) (failed bool, err error) {
	if err := s.start(ctx, "serve --with-worker"); err != nil {
		return false, err
	}
	defer s.stop()
	c := newClient(s.base)
	shop, err := prepare(ctx, c, []int{1})
	if err != nil {
		return false, err
	}
	conn, err := pgx.Connect(ctx, pgURL)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	n := counting{client: c, shop: shop, base: s.base, conn: conn, nonce: time.Now().UnixNano()}
	for range warmOrders {
		if err := n.order(ctx, map[string]float64{}); err != nil {
			return false, err
		}
	}
	if err := n.settle(ctx); err != nil {
		return false, err
	}
	polls, err := n.idle(ctx)
	if err != nil {
		return false, err
	}
	sums, began := make(map[string]float64), time.Now()
	before, err := n.work(ctx)
	if err != nil {
		return false, err
	}
	log, err := n.wal(ctx)
	if err != nil {
		return false, err
	}
	for range countedOrders {
		if err := n.order(ctx, sums); err != nil {
			return false, err
		}
	}
	if err := n.settle(ctx); err != nil {
		return false, err
	}
	took := time.Since(began).Seconds()
	after, err := n.work(ctx)
	if err != nil {
		return false, err
	}
	logged, err := n.wal(ctx)
	if err != nil {
		return false, err
	}
	for name, v := range after {
		if !strings.HasPrefix(name, "requests ") {
			sums[name] += v - before[name] - polls[name]*took
		}
	}
	return printOrder(sums, (logged-log)/countedOrders), nil
}

// idle gives what a worker asks of the servers a second where there are no orders: it looks for jobs from time to time.
func (n *counting) idle(ctx context.Context) (map[string]float64, error) {
	const watched = 3 * time.Second
	before, err := n.work(ctx)
	if err != nil {
		return nil, err
	}
	select {
	case <-time.After(watched):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	polls := make(map[string]float64)
	after, err := n.work(ctx)
	for name, v := range after {
		if strings.HasPrefix(name, "jobs ") {
			polls[name] = (v - before[name]) / watched.Seconds()
		}
	}
	return polls, err
}

// printOrder prints the table.
func printOrder(sums map[string]float64, wal float64) (failed bool) {
	header := fmt.Sprintf("\n%-28s", "what an order costs")
	for _, title := range []string{"SQL trips", "statements", "commits", "MongoDB", "Redis", "messages"} {
		header += fmt.Sprintf(" %10s", title)
	}
	fmt.Println(header)
	var confirmed, all [16]float64
	for _, part := range append([]string{"cartLinesAdd"}, append(slices.Clone(toConfirmed), "notifications")...) {
		line := fmt.Sprintf("%-28s", part)
		for i, kind := range workKinds {
			v := sums[part+" "+kind] / countedOrders
			line += fmt.Sprintf(" %10.1f", v)
			all[i] += v
			if slices.Contains(toConfirmed, part) {
				confirmed[i] += v
			}
		}
		fmt.Println(line)
	}
	for _, sum := range []struct {
		name   string
		values [16]float64
	}{{"orderPlace to CONFIRMED", confirmed}, {"in all", all}} {
		line := fmt.Sprintf("%-28s", sum.name)
		for i := range workKinds {
			line += fmt.Sprintf(" %10.1f", sum.values[i])
		}
		fmt.Println(line)
	}
	verdict := ""
	if confirmed[0] > mostRoundSQL {
		failed, verdict = true, "  TOO MANY"
	}
	fmt.Printf("at most %d SQL round trips to CONFIRMED%s; %.1f kB of PostgreSQL's log in all\n", mostRoundSQL, verdict, wal/1000)
	return failed
}

// counting buys and counts.
type counting struct {
	client *client
	shop   shop
	base   string
	conn   *pgx.Conn
	nonce  int64
	orders int
}

// order buys once, adds what cartLinesAdd and orderPlace asked of the servers, and waits until the order is
// CONFIRMED by reading the database, which the program does not count.
func (n *counting) order(ctx context.Context, sums map[string]float64) error {
	n.orders++
	token, key := n.shop.buyers[0], fmt.Sprintf("count-%d-%d", n.nonce, n.orders)
	before, err := n.work(ctx)
	if err != nil {
		return err
	}
	if err := n.client.add(ctx, token, key, n.shop.variants[n.orders%len(n.shop.variants)]); err != nil {
		return err
	}
	added, err := n.work(ctx)
	if err != nil {
		return err
	}
	id, err := n.client.place(ctx, token, key)
	if err != nil {
		return err
	}
	placed, err := n.work(ctx)
	if err != nil {
		return err
	}
	for _, kind := range workKinds {
		sums["cartLinesAdd "+kind] += added["requests "+kind] - before["requests "+kind]
		sums["orderPlace "+kind] += placed["requests "+kind] - added["requests "+kind]
	}
	orderID, err := model.ParseID(model.PrefixOrder, id)
	if err != nil {
		return err
	}
	return n.await(ctx, `SELECT status = 'CONFIRMED' FROM orders.orders WHERE id = $1`, orderID.String())
}

// settle waits until no order is under way, also none of the demo data, no event and no e-mail.
func (n *counting) settle(ctx context.Context) error {
	return n.await(ctx, `SELECT NOT EXISTS (SELECT FROM orders.outbox) AND NOT EXISTS (SELECT FROM payments.outbox)
  AND NOT EXISTS (SELECT FROM notifications.outbox) AND NOT EXISTS (SELECT FROM notifications.deliveries WHERE status = 'PENDING')
  AND NOT EXISTS (SELECT FROM orders.orders WHERE stage NOT IN ('DONE', 'UNDONE'))
  AND (SELECT count(*) FROM notifications.deliveries WHERE kind = 'ORDER_CONFIRMED') >= $1`, n.orders)
}

// await asks the database until it says yes.
func (n *counting) await(ctx context.Context, sql string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		var yes bool
		if err := n.conn.QueryRow(ctx, sql, args...).Scan(&yes); err != nil || yes {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.New("an order is not settled within 30 s")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// wal gives how many bytes PostgreSQL has logged.
func (n *counting) wal(ctx context.Context) (bytes float64, err error) {
	err = n.conn.QueryRow(ctx, `SELECT (pg_current_wal_insert_lsn() - '0/0')::float8`).Scan(&bytes)
	return bytes, err
}

// workLine is a line of the metric.
var workLine = regexp.MustCompile(`(?m)^work_total\{kind="([a-z]+)",part="([a-z]+)"\} (\S+)$`)

// work gives what the program has asked of the servers so far, as "part kind".
func (n *counting) work(ctx context.Context) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.base+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := n.client.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	counts := make(map[string]float64)
	for _, m := range workLine.FindAllSubmatch(text, -1) {
		v, err := strconv.ParseFloat(string(m[3]), 64)
		if err != nil {
			return nil, err
		}
		counts[string(m[2])+" "+string(m[1])] = v
	}
	return counts, nil
}

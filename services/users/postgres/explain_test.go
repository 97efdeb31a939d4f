package postgres

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/users"
)

// seedExplain fills the tables with so many rows that the planner would scan them for want of an index.
const seedExplain = `
INSERT INTO users.accounts (id, email, display_name, name_key, password_hash, roles, mails_since, mails, created_at, updated_at, version)
SELECT md5(n::text)::uuid, md5(n::text) || '@example.com', 'Person ' || md5((n * 7)::text), 'person ' || md5((n * 7)::text), 'hash',
  CASE WHEN n % 1000 = 0 THEN ARRAY['CUSTOMER', 'SUPPORT'] ELSE ARRAY['CUSTOMER'] END,
  now(), 0, now() - n * interval '1 minute', now(), 1
FROM generate_series(1, 20000) AS n;
INSERT INTO users.sessions (id, account_id, user_agent, ip_address, created_at, last_used_at, expires_at, revoked_at)
SELECT id, id, '', '', now(), now(), created_at + interval '30 days', CASE WHEN get_byte(decode(md5(email), 'hex'), 0) = 1 THEN created_at END
FROM users.accounts;
INSERT INTO users.refresh_tokens (digest, session_id, created_at, expires_at)
SELECT sha256(id::text::bytea), id, now(), expires_at FROM users.sessions;
INSERT INTO users.tokens (digest, account_id, purpose, created_at, expires_at)
SELECT sha256(id::text::bytea), id, 'VERIFY_EMAIL', created_at, created_at + interval '30 days' FROM users.accounts;
INSERT INTO users.addresses (id, account_id, recipient, line1, line2, postal_code, city, region, country_code, phone, is_default, created_at, updated_at)
SELECT id, id, 'A', 'B', '', 'C', 'D', '', 'DE', '', true, now(), now() FROM users.accounts;
ANALYZE users.accounts, users.sessions, users.refresh_tokens, users.tokens, users.addresses`

// TestPlans fails for a statement that reads a table from end to end.
func TestPlans(t *testing.T) {
	t.Parallel()
	pool, err := postgres.Open(t.Context(), postgres.Config{URL: stacktest.Postgres(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if err := postgres.Migrate(t.Context(), pool, os.DirFS("../../../migrations/users"), Schema); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), seedExplain, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}

	var (
		ids      = []uuid.UUID{uuid.New(), uuid.New()}
		digest   = make([]byte, 32)
		now      = time.Now()
		lastYear = now.Add(-10 * 24 * time.Hour)
		week     = lastYear.Add(2 * time.Hour)
	)
	for name, c := range map[string]struct {
		sql  string
		args []any
	}{
		"accountGetByEmail":   {accountGetByEmail, []any{"ada@example.com"}},
		"accountGetByToken":   {accountGetByToken, []any{digest, "VERIFY_EMAIL", now}},
		"accountListByIDs":    {accountListByIDs, []any{ids}},
		"tokenDelete":         {tokenDelete, []any{digest, "VERIFY_EMAIL", now}},
		"tokenDeleteBy":       {tokenDeleteByPurpose, []any{ids[0], "VERIFY_EMAIL"}},
		"sessionCreate":       {sessionCreate, []any{ids[0], ids[1], "hash", "", "", now, now, digest, now, now, nil}},
		"sessionRefreshLock":  {sessionRefreshLock, []any{digest}},
		"sessionRevoke":       {sessionRevoke, []any{ids[0], ids[1], now}},
		"sessionRevokeAll":    {sessionRevokeAll, []any{ids[0], ids[1], now}},
		"sessionActive":       {sessionActive, []any{ids[0], now}},
		"sessionAddresses":    {sessionAddresses, []any{ids[0], 100}},
		"sessionListByIDs":    {sessionListByIDs, []any{ids[0], ids, now}},
		"sessionListByUsers":  {sessionListByUsers, []any{ids, now, 100}},
		"sessionListRevoked":  {sessionListRevoked, []any{now.Add(-time.Minute), uuid.Nil, 1000}},
		"addressListByUsers":  {addressListByUsers, []any{ids}},
		"addressListByIDs":    {addressListByIDs, []any{ids}},
		"tokenPurge":          {tokenPurge, []any{now, 100}},
		"refreshTokenPurge":   {refreshTokenPurge, []any{now, 100}},
		"sessionPurgeExpired": {sessionPurgeExpired, []any{now, 100}},
		"sessionPurgeRevoked": {sessionPurgeRevoked, []any{now, 100}},
	} {
		explain(t, pool, name, c.sql, c.args)
	}

	filters := map[string]users.Filter{
		"all":             {},
		"search":          {Search: "person 12"},
		"role":            {Role: users.Support},
		"created":         {CreatedFrom: &lastYear, CreatedBefore: &week},
		"search and role": {Search: "person 12", Role: users.Support},
		"everything":      {Search: "12", Role: users.Support, CreatedFrom: &lastYear, CreatedBefore: &week},
	}
	someone := &users.User{ID: ids[0], Email: "b@example.com", CreatedAt: lastYear}
	for name, f := range filters {
		for _, order := range []users.Sort{{}, {Descending: true}, {Field: users.SortEmail}, {Field: users.SortEmail, Descending: true}} {
			for _, from := range []page.Key{nil, order.Key(someone)} {
				sql, args := accountList(f, order, page.Request{Limit: 20, From: from})
				explain(t, pool, fmt.Sprintf("accountList of %s, %+v, from %v", name, order, from), sql, args)
			}
		}
		if name != "all" { // counting all reads all
			sql, args := accountCount(f)
			explain(t, pool, "accountCount of "+name, sql, args)
		}
	}
}

func explain(t *testing.T, pool *pgxpool.Pool, name, sql string, args []any) {
	t.Helper()
	rows, err := pool.Query(t.Context(), "EXPLAIN "+sql, args...)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if plan := strings.Join(lines, "\n"); strings.Contains(plan, "Seq Scan") {
		t.Errorf("%s scans a table:\n%s", name, plan)
	}
}

package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/platform/postgres"
)

func TestColumnsUnnest(t *testing.T) {
	t.Parallel()
	pool := open(t, postgres.Config{URL: stacktest.Postgres(t)})
	type row struct {
		id   uuid.UUID
		text string
		at   *time.Time
		n    int
		json []byte
	}
	now := time.Now()
	rows := []row{{uuid.New(), "a", &now, 1, []byte(`{"a": 1}`)}, {uuid.New(), "b", nil, 2, []byte(`[]`)}}
	args := postgres.Columns(rows, func(r row) []any { return []any{r.id, r.text, r.at, r.n, r.json} })
	var ids []uuid.UUID
	var texts string
	var sum, known int
	err := pool.QueryRow(t.Context(), `SELECT array_agg(id), string_agg(text || json::text, ','), sum(n), count(at) FROM `+
		postgres.Unnest(1, "uuid text timestamptz integer jsonb")+` AS r(id, text, at, n, json)`, args...).Scan(&ids, &texts, &sum, &known)
	if err != nil || len(ids) != 2 || ids[0] != rows[0].id || texts != `a{"a": 1},b[]` || sum != 3 || known != 1 {
		t.Errorf("got %v %q %d %d, %v", ids, texts, sum, known, err)
	}
}

// What the server refuses for one is tried for each; what it did not answer is not, nor is what it did.
func TestGroupedFallsBack(t *testing.T) {
	t.Parallel()
	pool := open(t, postgres.Config{URL: stacktest.Postgres(t)})
	lost := errors.New("lost")
	for name, c := range map[string]struct {
		fail func() error
		want error
		ones int
	}{
		"done":    {fail: func() error { return nil }},
		"refused": {fail: func() error { _, err := pool.Exec(t.Context(), "SELECT 1/0"); return err }, ones: 2},
		"lost":    {fail: func() error { return lost }, want: lost},
	} {
		ones := 0
		g := postgres.Grouped[int, int]{
			One: func(_ context.Context, n int) (int, error) { ones++; return 10 * n, nil },
			Many: func(context.Context, []int) ([]postgres.Result[int], error) {
				return []postgres.Result[int]{{Value: 10}, {Value: 20}}, c.fail()
			},
		}
		results, err := g.Run(t.Context(), []int{1, 2})
		if !errors.Is(err, c.want) || ones != c.ones || err == nil && (results[0].Value != 10 || results[1].Value != 20) {
			t.Errorf("%s: got %v, %v, %d made alone", name, results, err, ones)
		}
	}
}

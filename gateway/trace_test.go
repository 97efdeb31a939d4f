package gateway_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/techmart/techmart/gateway"
	"github.com/techmart/techmart/platform/telemetry"
)

// A developer who asks for it is shown what resolvers and servers took; nobody is in production.
func TestTrace(t *testing.T) {
	t.Parallel()
	calls := func(_ *gateway.Config, d *gateway.Deps) {
		var m *telemetry.Metrics
		d.Loaders = func(ctx context.Context) context.Context {
			m.Observe(ctx, telemetry.Postgres, "query", time.Millisecond, nil)
			return ctx
		}
	}
	e := setup(t, calls)
	a := e.post(t, `{ categories { name } }`, "X-TechMart-Trace", "1")
	for _, part := range []string{`"trace":{"duration":`, `"path":"categories"`, `"backend":"postgres","operation":"query"`} {
		if !strings.Contains(a.text, part) {
			t.Errorf("without %s: %s", part, a.text)
		}
	}
	if strings.Contains(a.text, "categories.0.name") || strings.Contains(a.text, "categories[0].name") {
		t.Errorf("a field of a struct is traced: %s", a.text)
	}
	if a := e.post(t, `{ categories { name } }`); strings.Contains(a.text, `"trace"`) {
		t.Errorf("traced without being asked: %s", a.text)
	}
	e = setup(t, production, calls)
	if a := e.post(t, `{ categories { name } }`, "X-TechMart-Trace", "1"); strings.Contains(a.text, `"trace"`) {
		t.Errorf("traced in production: %s", a.text)
	}
}

package chaos

import (
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"

	"github.com/techmart/techmart/devstack"
	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/services/users"
)

// components are the servers that are killed, with the setting that has their address.
var components = []struct{ name, setting string }{
	{"PostgreSQL", "POSTGRES_URL"}, {"MongoDB", "MONGODB_URL"}, {"Redis", "REDIS_URL"}, {"RabbitMQ", "RABBITMQ_URL"},
}

// Servers of the shop's own are killed by SIGKILL while customers order, and come back on their data: what was
// promised before holds.
func TestServersAreKilled(t *testing.T) {
	t.Parallel()
	chance := random(t)
	stack := stacktest.Private(t)
	urls := stack.URLs()
	direct := common(settings{
		"POSTGRES_URL": urls.Postgres, "MONGODB_URL": devstack.MongoDatabaseURL(urls.MongoDB, "techmart"),
		"REDIS_URL": urls.Redis, "REDIS_PREFIX": "chaos", "RABBITMQ_URL": urls.RabbitMQ, "RABBITMQ_NAMESPACE": "chaos",
	})
	// The program finds each server at one address, wherever it comes back.
	through, all := wires(t, direct)
	s := open(t, through, direct, true)
	l := &load{s: s, variants: []string{s.product("Fjord Camera", 100_000), s.product("Fjord Lens", 40)}, staff: s.as(users.Admin)}
	stop := l.start(6, chance)
	took, rounds := time.Second, 1
	if *lasts > 0 {
		took, rounds = 5*time.Second, max(1, int(*lasts/(4*15*time.Second)))
	}
	for range rounds {
		for _, i := range chance.Perm(len(components)) {
			wait(t.Context(), took/2+time.Duration(chance.Int64N(int64(took))))
			c := components[i]
			again, err := stack.Crash(t.Context(), c.name, time.Duration(chance.Int64N(int64(took))))
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if c.name == "MongoDB" {
				again = devstack.MongoDatabaseURL(again, "techmart")
			}
			direct[c.setting] = again
			_, _, host := address(t, again)
			if err := all[i].proxy.Update(&toxiproxy.Proxy{Listen: all[i].proxy.Listen, Upstream: host, Enabled: true}); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
		}
	}
	wait(t.Context(), took)
	stop()
	t.Log(l)
	s.reconnect()
	s.rests(4 * time.Minute)
	s.audit(l.accepted, true)
}

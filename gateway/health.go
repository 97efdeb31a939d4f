package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// checkTimeout bounds the look at all components.
const checkTimeout = 2 * time.Second

// component is how one server answered.
type component struct {
	Status string `json:"status"` // ok or unavailable
	Millis int64  `json:"milliseconds"`
}

// healthz tells that the process lives.
func (g *Gateway) healthz(w http.ResponseWriter, _ *http.Request) {
	writeHealth(w, http.StatusOK, map[string]any{"status": "ok"})
}

// readyz asks every server that the process needs, all at once, and tells whether requests can be
// taken.
func (g *Gateway) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
	defer cancel()
	var (
		mu         sync.Mutex
		group      sync.WaitGroup
		components = make(map[string]component, len(g.deps.Checks))
		ready      = !g.streams.closing()
	)
	for name, check := range g.deps.Checks {
		group.Go(func() {
			began := time.Now()
			err := check(ctx)
			c := component{Status: "ok", Millis: time.Since(began).Milliseconds()}
			if err != nil {
				c.Status = "unavailable"
				g.log.WarnContext(ctx, "not ready", "component", name, "error", err)
			}
			mu.Lock()
			defer mu.Unlock()
			components[name] = c
			ready = ready && err == nil
		})
	}
	group.Wait()
	status, text := http.StatusOK, "ok"
	if !ready {
		status, text = http.StatusServiceUnavailable, "unavailable"
	}
	writeHealth(w, status, map[string]any{"status": text, "components": components})
}

func writeHealth(w http.ResponseWriter, status int, body map[string]any) {
	text, err := json.Marshal(body)
	if err != nil {
		panic("gateway: health always marshals: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(text) // the client may have left
}

package gateway

import (
	"embed"
	"encoding/json"
	"io/fs"
	"net/http"

	"github.com/techmart/techmart/platform/site"
)

// The playground is GraphiQL with the shop's own queries and accounts, built from playground/src by `npm run build`
// and served from the binary: nothing comes from another host.
//
//go:embed all:playground/dist
var playgroundFiles embed.FS

// playgroundPrefix is where the playground is; its build knows it, too.
const playgroundPrefix = "/playground"

// playgroundPolicy lets the page use its own files only. Its editor sets styles inline, and has pictures and fonts
// in its styles.
const playgroundPolicy = "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self' 'unsafe-inline'; " +
	"font-src 'self' data:; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// newPlayground gives the pages below [playgroundPrefix].
func newPlayground() (http.Handler, error) {
	dist, err := fs.Sub(playgroundFiles, "playground/dist")
	if err != nil {
		return nil, err
	}
	return site.New(dist, site.Config{Prefix: playgroundPrefix, Policy: playgroundPolicy})
}

// demoAccounts tells the playground by whom it may sign in.
func (g *Gateway) demoAccounts(w http.ResponseWriter, _ *http.Request) {
	list := make([]map[string]string, len(g.deps.Demo))
	for i, a := range g.deps.Demo {
		list[i] = map[string]string{"role": a.Role, "email": a.Email, "password": a.Password}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", noStore)
	_ = json.NewEncoder(w).Encode(list) // the client may have left
}

package site_test

import (
	"net/http/httptest"
	"testing"
	"time"

	site "github.com/techmart/techmart/docs/site"
	"github.com/techmart/techmart/e2e/node"
)

// browserDir has the browser's driver and the script.
const browserDir = "../../e2e/web"

// A reader in a browser finds things by search and by links, on a desk and on a phone, and the browser has
// nothing to complain about.
func TestBrowser(t *testing.T) {
	t.Parallel()
	chromium := node.Chromium(t)
	node.Install(t, browserDir)
	server := httptest.NewServer(site.Handler())
	defer server.Close()
	out, err := node.Run(t, browserDir, 5*time.Minute, []string{`SHOP={"url":"` + server.URL + `"}`, "CHROMIUM=" + chromium},
		"node", "--test", "--test-reporter=spec", "--test-timeout=300000", "docs.test.mjs")
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

package gateway

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
)

//go:embed landing.html
var landingText string

var landingPage = template.Must(template.New("landing").Parse(landingText))

// landing links to what there is to see in development.
func (g *Gateway) landing(w http.ResponseWriter, _ *http.Request) {
	var b bytes.Buffer
	data := struct {
		Shop, Docs, Mailbox bool
		Demo                []Account
	}{g.deps.Shop != nil, g.deps.Docs != nil, g.deps.Mailbox != nil, g.deps.Demo}
	if err := landingPage.Execute(&b, data); err != nil {
		panic(err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'")
	_, _ = w.Write(b.Bytes()) // the client may have left
}

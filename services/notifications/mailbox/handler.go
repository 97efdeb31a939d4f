package mailbox

import (
	"bytes"
	"embed"
	"html/template"
	"log/slog"
	"net/http"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
)

//go:embed page/*
var pageFiles embed.FS

var pages = template.Must(template.New("").Funcs(template.FuncMap{"address": address, "clock": clock, "initial": initial}).ParseFS(pageFiles, "page/*.gohtml"))

// Security policies: the page loads only its own style sheet; a mail's HTML may use inline styles
// and nothing else, and its frame may open links in a new tab, but run no script.
const (
	pagePolicy = "default-src 'none'; style-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	mailPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)

// NewHandler gives the pages of the mailbox, to be mounted at prefix, such as "/dev/mailbox":
//
//	GET prefix             the list, newest first; it renews itself
//	GET prefix/latest?to=  the text part of the newest mail to an address, for scripts
//	GET prefix/{id}        a mail with its HTML in a sandboxed frame
//	GET prefix/{id}/html   the HTML part alone
//	GET prefix/{id}/text   the text part alone
func NewHandler(prefix string, store Store, log *slog.Logger) http.Handler {
	h := &handler{prefix: strings.TrimRight(prefix, "/"), store: store, log: log}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+h.prefix, h.list)
	mux.HandleFunc("GET "+h.prefix+"/{$}", h.list)
	mux.HandleFunc("GET "+h.prefix+"/style.css", h.style)
	mux.HandleFunc("GET "+h.prefix+"/latest", h.latest)
	mux.HandleFunc("GET "+h.prefix+"/{id}", h.mail)
	mux.HandleFunc("GET "+h.prefix+"/{id}/html", h.html)
	mux.HandleFunc("GET "+h.prefix+"/{id}/text", h.text)
	return mux
}

type handler struct {
	prefix string
	store  Store
	log    *slog.Logger
}

// refreshSeconds is how often the list renews itself.
const refreshSeconds = 3

func (h *handler) list(w http.ResponseWriter, r *http.Request) {
	mails, err := h.store.Mails(r.Context(), Capacity)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.page(w, r, "list.gohtml", map[string]any{"Prefix": h.prefix, "Mails": mails, "Refresh": refreshSeconds, "Capacity": Capacity})
}

func (h *handler) mail(w http.ResponseWriter, r *http.Request) {
	if m, ok := h.find(w, r); ok {
		h.page(w, r, "mail.gohtml", map[string]any{"Prefix": h.prefix, "Mail": m})
	}
}

func (h *handler) html(w http.ResponseWriter, r *http.Request) {
	if m, ok := h.find(w, r); ok {
		// Links open beside the mailbox, as they would in a mail program.
		body := strings.Replace(m.HTML, "<head>", `<head><base target="_blank">`, 1)
		h.write(w, "text/html; charset=utf-8", mailPolicy, []byte(body))
	}
}

func (h *handler) text(w http.ResponseWriter, r *http.Request) {
	if m, ok := h.find(w, r); ok {
		h.write(w, "text/plain; charset=utf-8", mailPolicy, []byte(m.Text))
	}
}

func (h *handler) latest(w http.ResponseWriter, r *http.Request) {
	mails, err := h.store.Mails(r.Context(), Capacity)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	to := r.URL.Query().Get("to")
	i := slices.IndexFunc(mails, func(m *Mail) bool { return strings.EqualFold(recipient(m.To).Address, to) })
	if i < 0 {
		http.Error(w, "There is no mail to this address.", http.StatusNotFound)
		return
	}
	r.SetPathValue("id", mails[i].ID.String())
	h.text(w, r)
}

func (h *handler) style(w http.ResponseWriter, r *http.Request) {
	body, err := pageFiles.ReadFile("page/style.css")
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.write(w, "text/css; charset=utf-8", pagePolicy, body)
}

func (h *handler) find(w http.ResponseWriter, r *http.Request) (*Mail, bool) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		http.NotFound(w, r)
		return nil, false
	}
	m, err := h.store.Mail(r.Context(), id)
	switch {
	case errs.CodeOf(err) == errs.NotFound:
		http.NotFound(w, r)
		return nil, false
	case err != nil:
		h.fail(w, r, err)
		return nil, false
	}
	return m, true
}

func (h *handler) page(w http.ResponseWriter, r *http.Request, name string, data any) {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, data); err != nil {
		h.fail(w, r, err)
		return
	}
	h.write(w, "text/html; charset=utf-8", pagePolicy, b.Bytes())
}

func (h *handler) write(w http.ResponseWriter, contentType, policy string, body []byte) {
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	_, _ = w.Write(body) // a client that has gone needs no answer
}

func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	h.log.ErrorContext(r.Context(), "mailbox: a page failed", "error", err)
	http.Error(w, "The mailbox cannot be read right now.", http.StatusInternalServerError)
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// recipient reads an address as it stands in a mail's header; what is none is taken as it is.
func recipient(header string) mail.Address {
	a, err := mail.ParseAddress(header)
	if err != nil {
		return mail.Address{Address: header}
	}
	return *a
}

// address shows an address to people: a header holds names beyond ASCII in an encoding.
func address(header string) string {
	a := recipient(header)
	if a.Name == "" {
		return a.Address
	}
	return a.Name + " <" + a.Address + ">"
}

// initial is the letter in a mail's badge.
func initial(header string) string {
	for _, r := range address(header) {
		return strings.ToUpper(string(r))
	}
	return "?"
}

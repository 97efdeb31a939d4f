package webhooks

import (
	"context"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

// Bounds of an endpoint.
const (
	maxURL         = 2048 // bytes
	maxDescription = 500  // characters
	maxSelection   = 8192 // bytes
	maxEndpoints   = 20   // of an owner
	maxKey         = 255  // characters
	lowestPort     = 1024 // beside those of HTTP and HTTPS
)

// checkURL says what is wrong with a URL; empty where nothing is. Its address is looked at when it is called: a name may
// stand for another one by then.
func checkURL(text string, allowHTTP bool) (errs.Code, string) {
	if len(text) > maxURL {
		return errs.TooLong, "A URL has at most 2048 bytes."
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errs.Invalid, "A URL has printable ASCII characters only: encode others."
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return errs.Invalid, "This is no URL such as https://example.com/webhooks."
	case u.Scheme != "https" && !(allowHTTP && u.Scheme == "http"):
		return errs.Invalid, "A URL begins with https://."
	case u.User != nil:
		return errs.Invalid, "A URL has no user name or password: requests are signed."
	case u.Fragment != "" || strings.HasSuffix(text, "#"):
		return errs.Invalid, "A URL has no fragment."
	}
	if port := u.Port(); port != "" && port != "443" && !(port == "80" && u.Scheme == "http") {
		if n, err := strconv.Atoi(port); err != nil || n < lowestPort || n > 65535 {
			return errs.Invalid, "The port is 443, or 1024 and above."
		}
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if _, err := netip.ParseAddr(host); err == nil {
		return "", ""
	}
	if allowHTTP && host == "localhost" {
		return "", ""
	}
	if !strings.Contains(host, ".") || strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".local") || strings.HasSuffix(host, ".internal") {
		return errs.Invalid, "This is the name of no server on the public internet."
	}
	return "", ""
}

func checkDescription(text string) (errs.Code, string) {
	switch {
	case utf8.RuneCountInString(text) > maxDescription:
		return errs.TooLong, "A description has at most 500 characters."
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
		return errs.Invalid, "This holds characters that cannot be printed."
	}
	return "", ""
}

// roots are the root fields by which a selection of an owner reads the subjects of event types.
func roots(o Owner, eventTypes []string) []string {
	var list []string
	for _, t := range eventTypes {
		if s, ok := SubjectOf(t); ok && !slices.Contains(list, string(s)) {
			list = append(list, string(s))
		}
	}
	// One field has to read them all, and those of one subject need an account, which an API client has not.
	if len(list) > 1 || o.UserID == uuid.Nil {
		return []string{"node"}
	}
	return append(list, "node")
}

// check finds everything that is wrong with an endpoint that is owned by the viewer.
func (s *Service) check(ctx context.Context, v viewer.Viewer, e *Endpoint) error {
	var c errs.Collector
	if code, message := checkURL(e.URL, s.policy.AllowHTTP); code != "" {
		c.Add(code, message, "url")
	}
	if code, message := checkDescription(e.Description); code != "" {
		c.Add(code, message, "description")
	}
	if len(e.EventTypes) == 0 {
		c.Add(errs.Required, "Ask for one type of event at least.", "eventTypes")
	}
	for _, t := range e.EventTypes {
		if subject := subjects[t]; !v.Can(needs[subject]) {
			c.Addf([]string{"eventTypes"}, errs.Invalid, "%s needs the scope %s.", t, needs[subject])
			break
		}
	}
	if e.APIVersion != CurrentVersion {
		c.Add(errs.Invalid, "The version is "+CurrentVersion+".", "apiVersion")
	}
	if len(e.Selection) > maxSelection {
		c.Add(errs.TooLong, "A selection has at most 8192 bytes.", "payloadSelection")
	} else if e.Selection != "" && len(e.EventTypes) > 0 {
		c.Merge(s.graph.CheckSelection(ctx, e.Selection, roots(e.Owner, e.EventTypes)))
	}
	return c.Err()
}

func checkKey(key string) error {
	switch {
	case utf8.RuneCountInString(key) > maxKey:
		return errs.At(errs.TooLong, "A key has at most 255 characters.", "idempotencyKey")
	case strings.ContainsRune(key, 0):
		return errs.At(errs.Invalid, "A key has no NUL characters.", "idempotencyKey")
	}
	return nil
}

package notifications

import (
	"bytes"
	"embed"
	"fmt"
	htmltemplate "html/template"
	"net/mail"
	"net/url"
	"strings"
	texttemplate "text/template"

	"github.com/techmart/techmart/services/money"
)

// The texts of all kinds are in copy.tmpl; the layouts put them into an e-mail's two parts.
//
//go:embed templates/*.tmpl
var templateFiles embed.FS

var (
	texts = texttemplate.Must(texttemplate.New("").Funcs(texttemplate.FuncMap{"money": displayMoney, "rule": rule}).
		ParseFS(templateFiles, "templates/copy.tmpl", "templates/email.txt.tmpl"))
	pages = htmltemplate.Must(htmltemplate.New("").Funcs(htmltemplate.FuncMap{"money": displayMoney}).
		ParseFS(templateFiles, "templates/email.html.tmpl"))
)

// renderer makes the texts of notifications.
type renderer struct {
	shop    string
	baseURL string
	from    *mail.Address
}

// view is what templates see.
type view struct {
	Shop       string
	BaseURL    string
	Name       string
	Recipient  string
	Title      string
	Paragraphs []string
	Action     *action
	Token      string
	Order      *orderData
	Webhook    *hookData
	Refund     *amount
	Parcel     *fulfillmentData
	Note       string
}

// action is the button of an e-mail.
type action struct {
	Label string
	URL   string
}

// inbox gives the title and the body of an inbox entry.
func (r *renderer) inbox(kind Kind, c *content) (title, body string, err error) {
	v := r.view(kind, c)
	if title, err = r.text(kind, "title", v); err != nil {
		return "", "", err
	}
	body, err = r.text(kind, "body", v)
	return oneLine(title), body, err
}

// message gives the e-mail of a delivery.
func (r *renderer) message(d *Delivery, c *content) (*Message, error) {
	v := r.view(d.Kind, c)
	var err error
	if v.Title, err = r.text(d.Kind, "title", v); err != nil {
		return nil, err
	}
	v.Title = oneLine(v.Title)
	body, err := r.text(d.Kind, "body", v)
	if err != nil {
		return nil, err
	}
	v.Paragraphs = strings.Split(body, "\n\n")
	if v.Note, err = r.text(d.Kind, "note", v); err != nil {
		return nil, err
	}
	var text, page bytes.Buffer
	if err := texts.ExecuteTemplate(&text, "email.txt.tmpl", v); err != nil {
		return nil, err
	}
	if err := pages.ExecuteTemplate(&page, "email.html.tmpl", v); err != nil {
		return nil, err
	}
	_, domain, _ := strings.Cut(r.from.Address, "@")
	return &Message{
		ID:   fmt.Sprintf("%s.delivery@%s", d.ID, domain),
		From: r.from.String(), To: (&mail.Address{Name: oneLine(c.Name), Address: d.Recipient}).String(),
		Recipient: d.Recipient, Subject: v.Title, Text: text.String(), HTML: page.String(), Date: d.CreatedAt,
	}, nil
}

func (r *renderer) view(kind Kind, c *content) *view {
	v := &view{Shop: r.shop, BaseURL: r.baseURL, Name: oneLine(c.Name), Recipient: c.Email, Token: c.Token, Order: c.Order, Webhook: c.Webhook}
	v.Action = r.action(kind, c)
	if c.Order != nil {
		if c.Order.Refund != nil && kind == OrderRefunded {
			v.Refund = &c.Order.Refund.Amount
		}
		if kind == ReturnRefunded {
			v.Refund = c.Order.Return.Refund
		}
		if f := c.Order.Fulfillment; f != nil && kind == OrderShipped {
			v.Parcel = f
		}
	}
	return v
}

// action gives the link of an e-mail. A secret token is in the fragment, which browsers send to no
// server, so that it is in no access log and no Referer header.
func (r *renderer) action(kind Kind, c *content) *action {
	secret := "#token=" + url.QueryEscape(c.Token)
	switch kind {
	case EmailVerification:
		return &action{"Confirm your e-mail address", r.baseURL + "/verify-email" + secret}
	case PasswordReset:
		return &action{"Choose a new password", r.baseURL + "/reset-password" + secret}
	case AccountExists:
		return &action{"Sign in", r.baseURL + "/sign-in"}
	case PasswordChanged, SecondFactorEnabled, SecondFactorDisabled, RecoveryCodesRenewed, RecoveryCodeUsed:
		return &action{"Reset your password", r.baseURL + "/forgot-password"}
	case Welcome:
		return &action{"Start shopping", r.baseURL + "/"}
	case OrderShipped:
		if f := c.Order.Fulfillment; f != nil && webAddress(f.TrackingURL) {
			return &action{"Track your parcel", f.TrackingURL}
		}
	case OrderFailed, PaymentFailed:
		return &action{"Go to your cart", r.baseURL + "/cart"}
	}
	if c.Order == nil {
		return nil
	}
	return &action{"View your order", r.baseURL + "/orders/" + url.PathEscape(c.Order.Number)}
}

func webAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http")
}

// text executes one text of a kind; a kind that has none of the name gives "".
func (r *renderer) text(kind Kind, name string, v *view) (string, error) {
	t := texts.Lookup(string(kind) + "/" + name)
	if t == nil {
		if name == "note" {
			return "", nil
		}
		return "", fmt.Errorf("there is no %s for %s", name, kind)
	}
	var b strings.Builder
	if err := t.Execute(&b, v); err != nil {
		return "", err
	}
	return strings.TrimSpace(b.String()), nil
}

// oneLine makes a text fit for a header or a line of its own.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

var symbols = map[money.Currency]string{"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}

// displayMoney writes an amount for people: €12.90, or 12.90 CHF.
func displayMoney(a amount) string {
	symbol, ok := symbols[a.Currency]
	if !ok {
		return a.money().String()
	}
	text := a.money().Decimal()
	if digits, negative := strings.CutPrefix(text, "-"); negative {
		return "-" + symbol + digits
	}
	return symbol + text
}

// rule underlines a title.
func rule(title string) string { return strings.Repeat("=", len([]rune(title))) }

package products

import (
	"slices"
	"strings"
	"time"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
)

// transitions says which states may follow a state.
var transitions = map[Status][]Status{
	Draft:    {Active, Archived},
	Active:   {Archived},
	Archived: {Active},
}

// SetStatus moves the product to another state. It fails with INVALID_STATE at status; the state
// that it has is no failure.
func (p *Product) SetStatus(to Status, now time.Time) error {
	if p.Status == to {
		return nil
	}
	if !slices.Contains(transitions[p.Status], to) {
		return errs.At(errs.InvalidState, "A product that is "+string(p.Status)+" cannot become "+string(to)+".", "status")
	}
	p.Status = to
	p.publish(now)
	return nil
}

// publish notes when the product first was in the shop.
func (p *Product) publish(now time.Time) {
	if p.Status == Active && p.PublishedAt.IsZero() {
		p.PublishedAt = now
	}
}

// own makes the lists of the product its own, so that they can be changed.
func (p *Product) own() {
	p.Options, p.Variants = slices.Clone(p.Options), slices.Clone(p.Variants)
	p.Media, p.Attributes = slices.Clone(p.Media), slices.Clone(p.Attributes)
	for i := range p.Options {
		p.Options[i].Values = slices.Clone(p.Options[i].Values)
	}
	for i := range p.Variants {
		p.Variants[i].Options = slices.Clone(p.Variants[i].Options)
	}
}

// normalize trims the texts of the product, gives new variants their ids, and derives what follows
// from the rest: the safe HTML, the plain text, the titles of variants and the span of prices. What
// it was made of stays as it is.
func (p *Product) normalize(currency money.Currency) {
	p.own()
	trim := func(texts ...*string) {
		for _, t := range texts {
			*t = strings.TrimSpace(*t)
		}
	}
	trim(&p.Title, &p.Slug, &p.Vendor)
	p.DescriptionHTML = SafeHTML(p.DescriptionHTML)
	p.Description = PlainText(p.DescriptionHTML)
	for i := range p.Options {
		trim(&p.Options[i].Name)
		for j := range p.Options[i].Values {
			trim(&p.Options[i].Values[j])
		}
	}
	for i := range p.Attributes {
		a := &p.Attributes[i]
		trim(&a.Key, &a.Name, &a.Value, &a.Unit)
	}
	p.Tags = distinct(p.Tags)
	for i := range p.Media {
		trim(&p.Media[i].URL, &p.Media[i].Alt)
	}
	p.PriceMin, p.PriceMax = money.Money{Currency: currency}, money.Money{Currency: currency}
	for i := range p.Variants {
		v := &p.Variants[i]
		v.normalize(p.Options)
		if i == 0 || v.Price.Amount < p.PriceMin.Amount {
			p.PriceMin.Amount = v.Price.Amount
		}
		p.PriceMax.Amount = max(p.PriceMax.Amount, v.Price.Amount)
	}
}

func (v *Variant) normalize(options []Option) {
	v.SKU, v.Barcode = strings.TrimSpace(v.SKU), strings.TrimSpace(v.Barcode)
	if v.ID == [16]byte{} {
		v.ID = newID()
	}
	for i := range v.Options {
		v.Options[i].Name, v.Options[i].Value = strings.TrimSpace(v.Options[i].Name), strings.TrimSpace(v.Options[i].Value)
	}
	// Choices stand in the order of the product's options.
	place := func(o SelectedOption) int {
		return slices.IndexFunc(options, func(p Option) bool { return p.Name == o.Name })
	}
	slices.SortStableFunc(v.Options, func(a, b SelectedOption) int { return place(a) - place(b) })
	choices := make([]string, len(v.Options))
	for i, o := range v.Options {
		choices[i] = o.Value
	}
	v.Title = strings.Join(choices, " / ")
	if v.Title == "" {
		v.Title = "Default"
	}
}

// distinct gives the trimmed texts in order, each once.
func distinct(texts []string) []string {
	out := make([]string, 0, len(texts))
	for _, t := range texts {
		if t = strings.TrimSpace(t); !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}

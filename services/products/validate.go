package products

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
)

// Bounds of what staff may store.
const (
	maxTitle       = 200
	maxVendor      = 100
	maxHTML        = 50_000
	maxOptions     = 3
	maxChoices     = 100
	maxName        = 100
	maxValue       = 500
	maxVariants    = 100
	maxMedia       = 20
	maxAttributes  = 50
	maxTags        = 50
	maxSKU         = 64
	maxUnit        = 20
	maxURL         = 2048
	maxPixels      = 100_000
	maxWeight      = 10_000_000              // grams
	maxPrice       = int64(1_000_000_000_00) // minor units
	maxDescription = 1000                    // of a category
)

var (
	slugPattern = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	keyPattern  = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)
)

// checker gathers the faults of one product or category.
type checker struct{ errs.Collector }

// text checks a text of one line; lower is 0 for one that may be empty.
func (c *checker) text(value string, lower, upper int, field ...string) {
	switch n := utf8.RuneCountInString(value); {
	case n == 0 && lower > 0:
		c.Add(errs.Required, "It is missing.", field...)
	case n > upper:
		c.Addf(field, errs.TooLong, "It has more than %d characters.", upper)
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		c.Add(errs.Invalid, "It has characters that do not print.", field...)
	}
}

// size checks the length of a list.
func (c *checker) size(n, upper int, field ...string) {
	if n > upper {
		c.Addf(field, errs.TooLong, "It has more than %d entries.", upper)
	}
}

func (c *checker) slug(slug string) {
	switch {
	case len(slug) > maxSlugSize:
		c.Addf([]string{"slug"}, errs.TooLong, "It has more than %d characters.", maxSlugSize)
	case !slugPattern.MatchString(slug):
		c.Add(errs.Invalid, "Use lower case letters, digits and single hyphens.", "slug")
	}
}

// check reports all that is wrong with a normalized product.
func (p *Product) check(currency money.Currency) error {
	c := &checker{}
	c.text(p.Title, 1, maxTitle, "title")
	c.slug(p.Slug)
	c.text(p.Vendor, 1, maxVendor, "vendor")
	if utf8.RuneCountInString(p.DescriptionHTML) > maxHTML {
		c.Addf([]string{"descriptionHtml"}, errs.TooLong, "It has more than %d characters.", maxHTML)
	}
	if !slices.Contains([]Status{Draft, Active, Archived}, p.Status) {
		c.Add(errs.Invalid, "There is no such status.", "status")
	}
	c.options(p.Options)
	c.variants(p, currency)
	c.media(p.Media)
	c.attributes(p.Attributes)
	c.size(len(p.Tags), maxTags, "tags")
	for i, t := range p.Tags {
		c.text(t, 1, maxName, "tags", strconv.Itoa(i))
	}
	return c.Err()
}

func (c *checker) options(options []Option) {
	c.size(len(options), maxOptions, "options")
	names := make(map[string]bool)
	for i, o := range options {
		at := []string{"options", strconv.Itoa(i)}
		c.text(o.Name, 1, maxName, append(at, "name")...)
		if names[Fold(o.Name)] {
			c.Add(errs.Taken, "Another option has this name.", append(at, "name")...)
		}
		names[Fold(o.Name)] = true
		values := append(at, "values")
		if len(o.Values) == 0 {
			c.Add(errs.Required, "An option needs a value.", values...)
		}
		c.size(len(o.Values), maxChoices, values...)
		seen := make(map[string]bool)
		for j, v := range o.Values {
			c.text(v, 1, maxName, append(values[:len(values):len(values)], strconv.Itoa(j))...)
			if seen[v] {
				c.Add(errs.Taken, "The option has this value already.", append(values[:len(values):len(values)], strconv.Itoa(j))...)
			}
			seen[v] = true
		}
	}
}

func (c *checker) variants(p *Product, currency money.Currency) {
	if len(p.Variants) == 0 {
		c.Add(errs.Required, "A product needs a variant.", "variants")
	}
	c.size(len(p.Variants), maxVariants, "variants")
	skus, choices := make(map[string]bool), make(map[string]bool)
	ids := make(map[uuid.UUID]bool)
	for i := range p.Variants {
		v := &p.Variants[i]
		at := func(name ...string) []string { return append([]string{"variants", strconv.Itoa(i)}, name...) }
		c.text(v.SKU, 1, maxSKU, at("sku")...)
		if v.SKU != "" && skus[v.SKU] {
			c.Add(errs.Taken, "Another variant has this SKU.", at("sku")...)
		}
		skus[v.SKU] = true
		if ids[v.ID] {
			c.Add(errs.Taken, "Another variant has this id.", at("id")...)
		}
		ids[v.ID] = true
		c.price(v.Price, currency, at("price")...)
		if v.CompareAt != nil {
			c.price(*v.CompareAt, currency, at("compareAtPrice")...)
		}
		c.text(v.Barcode, 0, maxSKU, at("barcode")...)
		if v.WeightGrams != nil && (*v.WeightGrams < 0 || *v.WeightGrams > maxWeight) {
			c.Addf(at("weightGrams"), errs.OutOfRange, "Use 0 to %d grams.", maxWeight)
		}
		c.choices(v, p.Options, at("selectedOptions"))
		key := fmt.Sprintf("%q", v.Options)
		if choices[key] {
			c.Add(errs.Taken, "Another variant has the same choices.", at("selectedOptions")...)
		}
		choices[key] = true
	}
}

// choices checks that a variant has one choice for each option, and none else.
func (c *checker) choices(v *Variant, options []Option, at []string) {
	chosen := make(map[string]bool)
	for i, o := range v.Options {
		field := func(name string) []string { return append(at[:len(at):len(at)], strconv.Itoa(i), name) }
		k := slices.IndexFunc(options, func(p Option) bool { return p.Name == o.Name })
		switch {
		case k < 0:
			c.Add(errs.NotFound, "The product has no such option.", field("name")...)
		case chosen[o.Name]:
			c.Add(errs.Taken, "The option is chosen already.", field("name")...)
		case !slices.Contains(options[k].Values, o.Value):
			c.Add(errs.NotFound, "The option has no such value.", field("value")...)
		}
		chosen[o.Name] = true
	}
	for _, o := range options {
		if !chosen[o.Name] {
			c.Addf(at, errs.Required, "A choice for %s is missing.", o.Name)
		}
	}
}

func (c *checker) price(m money.Money, currency money.Currency, field ...string) {
	switch {
	case m.Currency != currency:
		c.Addf(append(field, "currencyCode"), errs.Invalid, "Prices are in %s.", currency)
	case m.Amount < 0 || m.Amount > maxPrice:
		c.Add(errs.OutOfRange, "A price is 0 or more, and less than a thousand million.", append(field, "amount")...)
	}
}

func (c *checker) media(media []Media) {
	c.size(len(media), maxMedia, "media")
	for i, m := range media {
		at := func(name string) []string { return []string{"media", strconv.Itoa(i), name} }
		c.text(m.URL, 1, maxURL, at("url")...)
		if rooted := strings.HasPrefix(m.URL, "/") && !strings.HasPrefix(m.URL, "//"); m.URL != "" && !rooted && !strings.HasPrefix(m.URL, "https://") {
			c.Add(errs.Invalid, "Use https or a path from the root.", at("url")...)
		}
		c.text(m.Alt, 0, maxValue, at("alt")...)
		for name, pixels := range map[string]*int{"width": m.Width, "height": m.Height} {
			if pixels != nil && (*pixels < 1 || *pixels > maxPixels) {
				c.Addf(at(name), errs.OutOfRange, "Use 1 to %d pixels.", maxPixels)
			}
		}
	}
}

func (c *checker) attributes(attributes []Attribute) {
	c.size(len(attributes), maxAttributes, "attributes")
	seen := make(map[string]bool)
	for i, a := range attributes {
		at := func(name string) []string { return []string{"attributes", strconv.Itoa(i), name} }
		if !keyPattern.MatchString(a.Key) {
			c.Add(errs.Invalid, "Use 1 to 64 lower case letters, digits and underscores.", at("key")...)
		}
		if seen[a.Key] {
			c.Add(errs.Taken, "The product has this attribute already.", at("key")...)
		}
		seen[a.Key] = true
		c.text(a.Name, 1, maxName, at("name")...)
		c.text(a.Value, 1, maxValue, at("value")...)
		c.text(a.Unit, 0, maxUnit, at("unit")...)
	}
}

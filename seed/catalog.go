package seed

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/products"
)

// schedule deals the kinds out in turn, each as often as its share, so that any run of products is mixed.
var schedule = dealt()

// dealt gives the places of kinds in one round, spread evenly.
func dealt() []int {
	total, dealtOut := 0, make([]float64, len(kinds))
	for _, k := range kinds {
		total += k.share
	}
	round := make([]int, 0, total)
	for range total {
		next := 0
		for i, k := range kinds {
			dealtOut[i] += float64(k.share) / float64(total)
			if dealtOut[i] > dealtOut[next] {
				next = i
			}
		}
		dealtOut[next]--
		round = append(round, next)
	}
	return round
}

// kindOf gives the kind of a product and its number among the products of the kind.
func kindOf(i int) (kind, int) {
	place := i % len(schedule)
	k := kinds[schedule[place]]
	n := i / len(schedule) * k.share
	for _, other := range schedule[:place] {
		if other == schedule[place] {
			n++
		}
	}
	return k, n
}

// Catalog gives all products. Rating and SoldCount are left to what customers did.
func (s *Shop) Catalog() iter.Seq[*products.Product] {
	return func(yield func(*products.Product) bool) {
		for i := range s.Products() {
			if !yield(s.Product(i)) {
				return
			}
		}
	}
}

// published gives when a product came into the shop. One in seven is newer than the oldest orders.
func published(i int) time.Time {
	r := source("published", i)
	days := 190 + r.IntN(350)
	if r.IntN(7) == 0 {
		days = 1 + r.IntN(180)
	}
	return Epoch.AddDate(0, 0, -days).Add(time.Duration(r.IntN(86400)) * time.Second)
}

// status gives the state of a product: a few are being prepared, a few are gone.
func status(i int) products.Status {
	switch i % 97 {
	case 53:
		return products.Draft
	case 71:
		return products.Archived
	}
	return products.Active
}

// Product gives one product by its number. The lower the number, the more often it is bought.
func (s *Shop) Product(i int) *products.Product {
	k, n := kindOf(i)
	r := source("product", i)
	at := published(i)
	p := &products.Product{
		ID: newID(at, "product", i), Status: status(i), Vendor: k.vendors[n%len(k.vendors)], CategoryID: categoryID(k.slug),
		CreatedAt: at.Add(-time.Duration(1+r.IntN(72)) * time.Hour), UpdatedAt: at,
	}
	if p.Status != products.Draft {
		p.PublishedAt = at
	}
	name := k.name(n)
	if n == 0 && k.hero != "" {
		name = k.hero
		for _, v := range k.vendors {
			if strings.HasPrefix(name, v) {
				p.Vendor = v
			}
		}
	}
	p.Title = name + " " + k.noun
	p.Slug = products.MakeSlug(p.Title)

	quality := r.Float64()
	p.Attributes = k.attributes(r, quality)
	if n == 0 {
		agree(&p.Attributes[0], k.specs[0], name)
	}
	base := float64(k.low) * math.Pow(float64(k.high)/float64(k.low), quality)
	s.addVariants(p, k, i, n, base, r)
	p.DescriptionHTML = describe(k, p, r)
	p.Tags = tags(k, p, quality, at)
	for v := range p.Variants {
		if s.Stock(i, v).total() > 0 {
			p.Available = true
		}
	}
	return p
}

// suffixes end the names of models.
var suffixes = []string{"", " Plus", " Pro", " Lite", " Max"}

// name gives vendor and model of the n-th product of the kind; no two are the same.
func (k kind) name(n int) string {
	// Of one vendor, every round of its series has another suffix, and every round of suffixes
	// another number.
	v, round := n%len(k.vendors), n/len(k.vendors)
	vendor, series := k.vendors[v], k.series[(round+v)%len(k.series)]
	round /= len(k.series)
	suffix, number := suffixes[(round+v)%len(suffixes)], 110+10*(round/len(suffixes))+len(vendor)%5*2
	return fmt.Sprintf("%s %s %d%s", vendor, series, number, suffix)
}

// attributes gives the technical facts: better ones for a better product.
func (k kind) attributes(r *rand.Rand, quality float64) []products.Attribute {
	list := make([]products.Attribute, len(k.specs))
	for i, sp := range k.specs {
		at := quality*float64(len(sp.values)) + r.NormFloat64()*0.4
		list[i] = products.Attribute{Key: sp.key, Name: sp.name, Unit: sp.unit, Value: sp.values[min(max(int(at), 0), len(sp.values)-1)]}
	}
	return list
}

// agree gives the fact the value that the product's name ends with, if it is one: an X14 has 14 inches.
func agree(a *products.Attribute, of spec, name string) {
	for _, value := range of.values {
		if strings.HasSuffix(name, value) {
			a.Value = value
		}
	}
}

// maxVariants keeps products within reason.
const maxVariants = 12

func (s *Shop) addVariants(p *products.Product, k kind, i, n int, base float64, r *rand.Rand) {
	if len(k.colours) > 1 {
		p.Options = append(p.Options, products.Option{Name: "Colour", Values: some(r, k.colours, 1+r.IntN(min(4, len(k.colours))))})
	}
	percents := map[string]int{}
	for _, o := range k.options {
		most := len(o.values)
		if o.most > 0 {
			most = min(o.most, most)
		}
		from := r.IntN(len(o.values) - most + 1)
		p.Options = append(p.Options, products.Option{Name: o.name, Values: o.values[from : from+1+r.IntN(most)]})
		percents[o.name] = o.percent
	}
	sale := chance(r, 18)
	var add func(chosen []products.SelectedOption, factor float64)
	add = func(chosen []products.SelectedOption, factor float64) {
		if len(chosen) < len(p.Options) {
			o := p.Options[len(chosen)]
			for c, value := range o.Values {
				next := append(chosen[:len(chosen):len(chosen)], products.SelectedOption{Name: o.Name, Value: value})
				add(next, factor*(1+float64(percents[o.Name]*c)/100))
			}
			return
		}
		v := len(p.Variants)
		if v == maxVariants {
			return
		}
		cents := k.ending(base * factor)
		weight := k.grams[0] + (k.grams[1]-k.grams[0])*(i*7%11)/10
		variant := products.Variant{
			ID: newID(p.CreatedAt, "variant", i, v), SKU: fmt.Sprintf("%s-%05d-%02d", k.code, n+1, v+1), Options: chosen,
			Price: s.price(cents), Barcode: barcode(i, v), WeightGrams: &weight, Image: k.picture(p.Title, chosen, i, 1),
		}
		if sale {
			was := s.price(k.ending(base * factor * 1.2))
			variant.CompareAt = &was
		}
		p.Variants = append(p.Variants, variant)
	}
	add(nil, 1)
	for v := range p.Variants {
		p.Variants[v].Title = choices(p.Variants[v].Options)
	}
	p.Options = used(p)
	p.Media = k.media(p, i)
	p.PriceMin, p.PriceMax = priceSpan(p.Variants)
}

// choices gives the title of a variant: Black / 512 GB.
func choices(chosen []products.SelectedOption) string {
	values := make([]string, len(chosen))
	for i, o := range chosen {
		values[i] = o.Value
	}
	return strings.Join(values, " / ")
}

// used gives the options with those values only that a variant has.
func used(p *products.Product) []products.Option {
	var options []products.Option
	for at, o := range p.Options {
		kept := products.Option{Name: o.Name}
		for _, value := range o.Values {
			for v := range p.Variants {
				if p.Variants[v].Options[at].Value == value {
					kept.Values = append(kept.Values, value)
					break
				}
			}
		}
		options = append(options, kept)
	}
	return options
}

func priceSpan(variants []products.Variant) (least, most money.Money) {
	least, most = variants[0].Price, variants[0].Price
	for _, v := range variants[1:] {
		if v.Price.Amount < least.Amount {
			least = v.Price
		}
		if v.Price.Amount > most.Amount {
			most = v.Price
		}
	}
	return least, most
}

// ending rounds a price in euros to what stands on price tags, in cents: 1,299.00, 49.99.
func (k kind) ending(euros float64) int64 {
	whole := int64(math.Round(euros))
	if whole >= 100 {
		whole = whole/10*10 + 9
	}
	if k.whole {
		return whole * 100
	}
	return whole*100 + 99
}

// some gives n of the list in the list's order.
func some(r *rand.Rand, list []string, n int) []string {
	chosen := map[int]bool{}
	for _, at := range r.Perm(len(list))[:n] {
		chosen[at] = true
	}
	var out []string
	for at, v := range list {
		if chosen[at] {
			out = append(out, v)
		}
	}
	return out
}

// barcode gives an EAN-13 of the range for use inside a shop, with its check digit.
func barcode(i, v int) string {
	digits := fmt.Sprintf("2%09d%02d", i, v)
	sum := 0
	for at, d := range digits {
		weight := 1
		if at%2 == 1 {
			weight = 3
		}
		sum += int(d-'0') * weight
	}
	return digits + strconv.Itoa((10-sum%10)%10)
}

// tags gives the shop's own labels.
func tags(k kind, p *products.Product, quality float64, at time.Time) []string {
	list := []string{k.drawing}
	if p.Variants[0].CompareAt != nil {
		list = append(list, "sale")
	}
	if at.After(Epoch.AddDate(0, 0, -60)) {
		list = append(list, "new")
	}
	switch {
	case quality > 0.85:
		list = append(list, "premium")
	case quality < 0.2:
		list = append(list, "budget")
	}
	return list
}

// Level is the stock of a variant at the two locations, before any order of the present.
type Level struct{ Berlin, Rotterdam int }

func (l Level) total() int { return l.Berlin + l.Rotterdam }

// Stock gives what came in of a variant. One in ten is sold out; of the others there is more than
// the open orders of the shop ask for.
func (s *Shop) Stock(i, v int) Level {
	r := source("stock", i, v)
	if r.IntN(10) == 0 || i%41 == 17 {
		return Level{}
	}
	demand := int(math.Ceil(float64(s.Orders()) * popularity(i, s.Products())))
	return Level{Berlin: 12 + demand + r.IntN(60), Rotterdam: r.IntN(40)}
}

// skew says how much more often the first products are bought than the last ones.
const skew = 2.2

// popularity gives the share of purchases that are of the product.
func popularity(i, of int) float64 {
	return math.Pow(float64(i+1)/float64(of), 1/skew) - math.Pow(float64(i)/float64(of), 1/skew)
}

// popular gives the number of a product that is bought.
func popular(r *rand.Rand, of int) int {
	return min(int(math.Pow(r.Float64(), skew)*float64(of)), of-1)
}

// adjustmentID gives the id of the line in the history that says where a variant's stock came from.
func adjustmentID(i, v int, location uuid.UUID) uuid.UUID {
	return newID(published(i), "adjustment:"+location.String(), i, v)
}

package mongodb

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/products"
)

// productDoc is a product as it is stored. Amounts are minor units of currency.
type productDoc struct {
	ID      uuid.UUID   `bson:"_id"`
	Body    productBody `bson:",inline"`
	Tree    productTree `bson:",inline"`
	Live    productLive `bson:",inline"`
	Version int         `bson:"version"`
	Created time.Time   `bson:"created"`
}

// productBody is what staff change.
type productBody struct {
	Slug        string         `bson:"slug"`
	Title       string         `bson:"title"`
	TitleKey    string         `bson:"titleKey"`
	HTML        string         `bson:"html"`
	Description string         `bson:"description"`
	Vendor      string         `bson:"vendor"`
	Status      string         `bson:"status"`
	Options     []optionDoc    `bson:"options"`
	Variants    []variantDoc   `bson:"variants"`
	Media       []mediaDoc     `bson:"media"`
	Attributes  []attributeDoc `bson:"attributes"`
	Tags        []string       `bson:"tags"`
	Currency    string         `bson:"currency"`
	PriceMin    int64          `bson:"priceMin"`
	PriceMax    int64          `bson:"priceMax"`
	Published   time.Time      `bson:"published"` // the epoch before it is
	Updated     time.Time      `bson:"updated"`
}

// productTree follows from the product's category, and words from all of it.
type productTree struct {
	Category      *uuid.UUID  `bson:"category"`
	Path          []uuid.UUID `bson:"path"`
	CategoryNames string      `bson:"categoryNames"`
	Words         []string    `bson:"words"` // read by imports only
}

// productLive is refreshed by stock, reviews and sales.
type productLive struct {
	Available   bool `bson:"available"`
	Rating      int  `bson:"rating"` // mean, tenths of a star
	RatingCount int  `bson:"ratingCount"`
	RatingSum   int  `bson:"ratingSum"`
	Sold        int  `bson:"sold"`
}

type optionDoc struct {
	Name   string   `bson:"name"`
	Values []string `bson:"values"`
}

type variantDoc struct {
	ID        uuid.UUID   `bson:"id"`
	SKU       string      `bson:"sku"`
	Title     string      `bson:"title"`
	Options   []choiceDoc `bson:"options"`
	Price     int64       `bson:"price"`
	CompareAt *int64      `bson:"compareAt,omitempty"`
	Barcode   string      `bson:"barcode,omitempty"`
	Weight    *int        `bson:"weight,omitempty"` // grams
	Image     *mediaDoc   `bson:"image,omitempty"`
}

type choiceDoc struct {
	Name  string `bson:"name"`
	Value string `bson:"value"`
}

type mediaDoc struct {
	URL    string `bson:"url"`
	Alt    string `bson:"alt"`
	Width  *int   `bson:"width,omitempty"`
	Height *int   `bson:"height,omitempty"`
}

type attributeDoc struct {
	Key   string `bson:"key"`
	Name  string `bson:"name"`
	Value string `bson:"value"`
	Unit  string `bson:"unit,omitempty"`
}

// newProductDoc gives the document of p, without its place in the tree.
func newProductDoc(p *products.Product) *productDoc {
	return &productDoc{
		ID:      p.ID,
		Body:    newProductBody(p),
		Live:    productLive{Available: p.Available, Rating: p.Rating.Tenths(), RatingCount: p.Rating.Count, RatingSum: p.Rating.Sum, Sold: p.SoldCount},
		Version: p.Version,
		Created: p.CreatedAt,
	}
}

func newProductBody(p *products.Product) productBody {
	b := productBody{
		Slug: p.Slug, Title: p.Title, TitleKey: products.TitleKey(p.Title), HTML: p.DescriptionHTML, Description: p.Description,
		Vendor: p.Vendor, Status: string(p.Status),
		Options: make([]optionDoc, len(p.Options)), Variants: make([]variantDoc, len(p.Variants)), Media: make([]mediaDoc, len(p.Media)),
		Attributes: make([]attributeDoc, len(p.Attributes)), Tags: append([]string{}, p.Tags...),
		Currency: string(p.PriceMin.Currency), PriceMin: p.PriceMin.Amount, PriceMax: p.PriceMax.Amount,
		Published: products.PublishedKey(p), Updated: p.UpdatedAt,
	}
	for i, o := range p.Options {
		b.Options[i] = optionDoc(o)
	}
	for i := range p.Variants {
		b.Variants[i] = newVariantDoc(&p.Variants[i])
	}
	for i, m := range p.Media {
		b.Media[i] = mediaDoc(m)
	}
	for i, a := range p.Attributes {
		b.Attributes[i] = attributeDoc(a)
	}
	return b
}

func newVariantDoc(v *products.Variant) variantDoc {
	d := variantDoc{
		ID: v.ID, SKU: v.SKU, Title: v.Title, Options: make([]choiceDoc, len(v.Options)),
		Price: v.Price.Amount, Barcode: v.Barcode, Weight: v.WeightGrams, Image: (*mediaDoc)(v.Image),
	}
	for i, o := range v.Options {
		d.Options[i] = choiceDoc(o)
	}
	if v.CompareAt != nil {
		d.CompareAt = &v.CompareAt.Amount
	}
	return d
}

// setTree places the document below the path of categories, the top one first.
func (d *productDoc) setTree(p *products.Product, path []*products.Category) {
	ids, names := make([]uuid.UUID, len(path)), make([]string, len(path))
	for i, c := range path {
		ids[i], names[i] = c.ID, c.Name
	}
	d.Tree = productTree{Path: ids, CategoryNames: strings.Join(names, " "), Words: products.WordsOf(p, names)}
	if len(ids) > 0 {
		d.Tree.Category = &ids[len(ids)-1]
	}
}

// product gives the product of the document.
func (d *productDoc) product() *products.Product {
	b := &d.Body
	currency := money.Currency(b.Currency)
	p := &products.Product{
		ID: d.ID, Version: d.Version, Slug: b.Slug, Title: b.Title, DescriptionHTML: b.HTML, Description: b.Description,
		Vendor: b.Vendor, Status: products.Status(b.Status), CategoryPath: d.Tree.Path,
		Options: make([]products.Option, len(b.Options)), Variants: make([]products.Variant, len(b.Variants)),
		Media: make([]products.Media, len(b.Media)), Attributes: make([]products.Attribute, len(b.Attributes)), Tags: b.Tags,
		PriceMin: money.New(b.PriceMin, currency), PriceMax: money.New(b.PriceMax, currency),
		Available: d.Live.Available, Rating: products.Rating{Count: d.Live.RatingCount, Sum: d.Live.RatingSum}, SoldCount: d.Live.Sold,
		CreatedAt: d.Created.UTC(), UpdatedAt: b.Updated.UTC(),
	}
	if d.Tree.Category != nil {
		p.CategoryID = *d.Tree.Category
	}
	if b.Published.UnixMilli() != 0 {
		p.PublishedAt = b.Published.UTC()
	}
	for i, o := range b.Options {
		p.Options[i] = products.Option(o)
	}
	for i, m := range b.Media {
		p.Media[i] = products.Media(m)
	}
	for i, a := range b.Attributes {
		p.Attributes[i] = products.Attribute(a)
	}
	for i := range b.Variants {
		p.Variants[i] = b.Variants[i].variant(currency)
	}
	return p
}

func (d *variantDoc) variant(currency money.Currency) products.Variant {
	v := products.Variant{
		ID: d.ID, SKU: d.SKU, Title: d.Title, Options: make([]products.SelectedOption, len(d.Options)),
		Price: money.New(d.Price, currency), Barcode: d.Barcode, WeightGrams: d.Weight, Image: (*products.Media)(d.Image),
	}
	for i, o := range d.Options {
		v.Options[i] = products.SelectedOption(o)
	}
	if d.CompareAt != nil {
		amount := money.New(*d.CompareAt, currency)
		v.CompareAt = &amount
	}
	return v
}

// productsOf gives the products of documents.
func productsOf(docs []*productDoc) []*products.Product {
	list := make([]*products.Product, len(docs))
	for i, d := range docs {
		list[i] = d.product()
	}
	return list
}

// categoryDoc is a category as it is stored.
type categoryDoc struct {
	ID          uuid.UUID   `bson:"_id"`
	Version     int         `bson:"version"`
	Slug        string      `bson:"slug"`
	Name        string      `bson:"name"`
	Description string      `bson:"description"`
	Parent      *uuid.UUID  `bson:"parent"`
	Path        []uuid.UUID `bson:"path"` // ancestors, the top one first
	Position    int         `bson:"position"`
	Pending     bool        `bson:"pending,omitempty"` // what is below has yet to follow a change
	Closing     bool        `bson:"closing,omitempty"` // is being removed
}

func newCategoryDoc(c *products.Category) *categoryDoc {
	d := &categoryDoc{
		ID: c.ID, Version: c.Version, Slug: c.Slug, Name: c.Name, Description: c.Description,
		Path: append([]uuid.UUID{}, c.Path...), Position: c.Position,
	}
	if c.ParentID != uuid.Nil {
		d.Parent = &c.ParentID
	}
	return d
}

func (d *categoryDoc) category() *products.Category {
	c := &products.Category{
		ID: d.ID, Version: d.Version, Slug: d.Slug, Name: d.Name, Description: d.Description, Path: d.Path, Position: d.Position,
	}
	if d.Parent != nil {
		c.ParentID = *d.Parent
	}
	return c
}

package importer

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/products"
	"github.com/techmart/techmart/services/products/shopifycsv"
)

// typeKey is the attribute that keeps Shopify's product type beside a category.
const typeKey = "product_type"

const (
	maxStock = 1_000_000
	maxSKU   = 64
)

// merge makes the product as it shall be of what is stored and what the file says. Faults are
// recorded; it fails only when a store does.
func (i *importing) merge(ctx context.Context, one *item) error {
	file, p := one.file, &products.Product{Slug: one.slug, Status: products.Active}
	if one.stored != nil {
		copied := *one.stored
		p = &copied
	}
	if i.reader.Has(shopifycsv.Title) {
		p.Title = file.Title
	}
	if i.reader.Has(shopifycsv.Body) {
		p.DescriptionHTML = file.Body
	}
	if i.reader.Has(shopifycsv.Vendor) {
		p.Vendor = file.Vendor
	}
	if i.reader.Has(shopifycsv.Tags) {
		p.Tags = file.Tags
	}
	if i.reader.Has(shopifycsv.Status) || i.reader.Has(shopifycsv.Published) {
		p.Status = status(file)
	}
	if i.reader.Has(shopifycsv.Category) || i.reader.Has(shopifycsv.Type) {
		path := file.Category
		if path == "" {
			path = file.Type
		}
		id, err := i.category(ctx, path, one.stored)
		if err != nil && errs.All(err) == nil {
			return err
		}
		for _, e := range errs.All(err) {
			i.add(one, file.Row, shopifycsv.Category, reason(e))
		}
		p.CategoryID = id
	}
	p.Attributes = i.attributes(file, p.Attributes)
	if i.reader.Has(shopifycsv.ImageSrc) {
		p.Media = i.media(file, p.Media)
	}
	i.variants(one, p)
	if one.faults == nil {
		one.merged = p
	}
	return nil
}

// status reads the two columns that say where a product is in its life.
func status(file *shopifycsv.Product) products.Status {
	switch {
	case file.Status == "archived":
		return products.Archived
	case file.Status == "draft", !file.Published:
		return products.Draft
	}
	return products.Active
}

// attributes gives the facts of the file's columns in the place of those with the same keys.
func (i *importing) attributes(file *shopifycsv.Product, stored []products.Attribute) []products.Attribute {
	columns := make(map[string]bool)
	for _, m := range i.columns {
		columns[attributeKey(m.Key)] = true
	}
	given := make(map[string]products.Attribute)
	var order []string
	put := func(a products.Attribute) {
		if _, twice := given[a.Key]; !twice && a.Value != "" {
			given[a.Key] = a
			order = append(order, a.Key)
		}
	}
	for _, v := range file.Metafields {
		put(products.Attribute{Key: attributeKey(v.Field.Key), Name: v.Field.Name, Value: strings.Join(strings.Fields(v.Text), " "), Unit: v.Field.Unit})
	}
	if file.Category != "" && file.Type != "" {
		columns[typeKey] = true
		put(products.Attribute{Key: typeKey, Name: "Type", Value: file.Type})
	}
	var list []products.Attribute
	for _, a := range stored {
		if fresh, ok := given[a.Key]; ok {
			if fresh.Value == strings.Join(strings.Fields(a.Value), " ") {
				fresh.Value = a.Value // with the spaces that it has
			}
			list = append(list, fresh)
			delete(given, a.Key)
		} else if !columns[a.Key] {
			list = append(list, a)
		}
	}
	for _, key := range order {
		if a, ok := given[key]; ok {
			list = append(list, a)
		}
	}
	return list
}

// attributeKey makes a metafield's key one of an attribute.
func attributeKey(key string) string {
	key = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_':
			return r
		}
		return '_'
	}, strings.ToLower(key))
	return key[:min(len(key), 64)]
}

// media gives the file's pictures; what it does not say of one stays.
func (i *importing) media(file *shopifycsv.Product, stored []products.Media) []products.Media {
	list := make([]products.Media, 0, len(file.Images))
	for _, image := range file.Images {
		m := products.Media{URL: address(image.Src), Alt: image.Alt}
		k := slices.IndexFunc(stored, func(s products.Media) bool { return s.URL == m.URL })
		if k >= 0 {
			if m.Width, m.Height = stored[k].Width, stored[k].Height; !i.reader.Has(shopifycsv.ImageAlt) {
				m.Alt = stored[k].Alt
			}
		}
		if i.reader.Has(shopifycsv.ImageWidth) {
			m.Width = pixels(image.Width)
		}
		if i.reader.Has(shopifycsv.ImageHeight) {
			m.Height = pixels(image.Height)
		}
		list = append(list, m)
	}
	return list
}

func pixels(n int) *int {
	if n < 1 {
		return nil
	}
	return &n
}

// address completes an address without a scheme, as older exports have them.
func address(src string) string {
	if strings.HasPrefix(src, "//") {
		return "https:" + src
	}
	return src
}

// variants puts the file's variants first, in its order; the others of the shop follow.
func (i *importing) variants(one *item, p *products.Product) {
	var stored []products.Variant
	var had []products.Option
	if one.stored != nil {
		stored, had = one.stored.Variants, one.stored.Options
	}
	list := make([]products.Variant, 0, len(one.file.Variants))
	skus := make(map[string]bool)
	for _, v := range one.file.Variants {
		fresh := i.variant(one, p, v, stored)
		if skus[fresh.SKU] {
			i.add(one, v.Row, shopifycsv.SKU, "another variant of the product has the SKU "+fresh.SKU)
		}
		skus[fresh.SKU] = true
		list = append(list, fresh)
	}
	for _, v := range stored {
		if !skus[v.SKU] {
			list = append(list, v)
		}
	}
	p.Variants, p.Options = list, options(one.file.Options, list, had, stored)
}

// variant makes one variant of its row and of what is stored under its SKU.
func (i *importing) variant(one *item, p *products.Product, v shopifycsv.Variant, stored []products.Variant) products.Variant {
	choices := make([]products.SelectedOption, len(v.Options))
	for n, value := range v.Options {
		choices[n] = products.SelectedOption{Name: one.file.Options[n], Value: value}
	}
	var fresh products.Variant
	k := slices.IndexFunc(stored, func(s products.Variant) bool {
		if v.SKU == "" {
			return slices.Equal(s.Options, choices)
		}
		return s.SKU == v.SKU
	})
	if k >= 0 {
		fresh = stored[k]
	} else if fresh.SKU = v.SKU; v.SKU == "" {
		fresh.SKU = madeSKU(one.slug, v.Options)
	}
	fresh.Options = choices
	if i.reader.Has(shopifycsv.Price) {
		fresh.Price = i.price(one, v.Row, shopifycsv.Price, v.Price)
	} else if k < 0 {
		i.add(one, v.Row, shopifycsv.Price, "a new variant needs a price")
	}
	if i.reader.Has(shopifycsv.CompareAtPrice) {
		before := fresh.CompareAt
		fresh.CompareAt = nil
		if v.CompareAtPrice != "" {
			if m := i.price(one, v.Row, shopifycsv.CompareAtPrice, v.CompareAtPrice); m.Amount != 0 || before != nil && before.Amount == 0 {
				fresh.CompareAt = &m
			}
		}
	}
	if i.reader.Has(shopifycsv.Barcode) {
		fresh.Barcode = v.Barcode
	}
	if i.reader.Has(shopifycsv.Grams) {
		fresh.WeightGrams = v.Grams
	}
	if i.reader.Has(shopifycsv.VariantImage) {
		fresh.Image = image(address(v.Image), fresh.Image, p.Media)
	}
	i.checkStock(one, v)
	return fresh
}

// image gives a variant's picture: the one it has, the product's with the same address, or a new one.
func image(url string, stored *products.Media, media []products.Media) *products.Media {
	if url == "" {
		return nil
	}
	if stored != nil && stored.URL == url {
		return stored
	}
	for _, m := range media {
		if m.URL == url {
			return &m
		}
	}
	return &products.Media{URL: url}
}

// price reads an amount in the shop's currency.
func (i *importing) price(one *item, row shopifycsv.Row, c shopifycsv.Column, text string) money.Money {
	if text == "" {
		i.add(one, row, c, "a variant needs a price")
		return money.Money{}
	}
	m, err := money.Parse(text, i.service.Currency())
	if err != nil {
		i.add(one, row, c, err.Error())
	}
	return m
}

// checkStock refuses more pieces than a shelf holds, and numbers that contradict one another.
func (i *importing) checkStock(one *item, v shopifycsv.Variant) {
	sum := 0
	for _, n := range v.Stock {
		sum += n
	}
	switch {
	case sum > maxStock, v.Quantity != nil && *v.Quantity > maxStock:
		i.add(one, v.Row, shopifycsv.Quantity, fmt.Sprintf("a variant has at most %d pieces", maxStock))
	case v.Quantity != nil && v.Stock != nil && *v.Quantity != sum:
		i.add(one, v.Row, shopifycsv.Quantity, fmt.Sprintf("%d pieces in all, but the locations have %d", *v.Quantity, sum))
	}
}

// options gives the product's options: known values keep their order, new ones follow in the order of
// the variants; a value that a variant had and none has now ends.
func options(names []string, variants []products.Variant, stored []products.Option, had []products.Variant) []products.Option {
	ended := make(map[products.SelectedOption]bool)
	for _, v := range had {
		for _, o := range v.Options {
			ended[o] = true
		}
	}
	for _, v := range variants {
		for _, o := range v.Options {
			delete(ended, o)
		}
	}
	list := make([]products.Option, 0, len(names))
	for _, name := range names {
		option := products.Option{Name: name}
		k := slices.IndexFunc(stored, func(o products.Option) bool { return o.Name == name })
		if k >= 0 {
			option.Values = slices.DeleteFunc(slices.Clone(stored[k].Values), func(value string) bool {
				return ended[products.SelectedOption{Name: name, Value: value}]
			})
		}
		for _, v := range variants {
			for _, o := range v.Options {
				if o.Name == name && !slices.Contains(option.Values, o.Value) {
					option.Values = append(option.Values, o.Value)
				}
			}
		}
		list = append(list, option)
	}
	return list
}

// madeSKU gives an article number to a variant without one, the same each time.
func madeSKU(slug string, values []string) string {
	parts := []string{slug}
	for _, v := range values {
		parts = append(parts, products.MakeSlug(v))
	}
	sku := strings.ToUpper(strings.Join(parts, "-"))
	if len(sku) <= maxSKU {
		return sku
	}
	sum := fnv.New64a()
	sum.Write([]byte(sku + strings.Join(values, "\n")))
	return fmt.Sprintf("%s-%016X", sku[:maxSKU-17], sum.Sum64())
}

// columnOf are the columns of a product's fields; of its variants; of its pictures.
var (
	columnOf = map[string]shopifycsv.Column{
		"title": shopifycsv.Title, "slug": shopifycsv.Handle, "descriptionHtml": shopifycsv.Body, "vendor": shopifycsv.Vendor,
		"status": shopifycsv.Status, "categoryId": shopifycsv.Category, "tags": shopifycsv.Tags, "options": shopifycsv.Option1Name,
		"variants": shopifycsv.SKU, "media": shopifycsv.ImageSrc,
	}
	variantColumn = map[string]shopifycsv.Column{
		"sku": shopifycsv.SKU, "price": shopifycsv.Price, "compareAtPrice": shopifycsv.CompareAtPrice, "barcode": shopifycsv.Barcode,
		"weightGrams": shopifycsv.Grams, "selectedOptions": shopifycsv.Option1Value, "image": shopifycsv.VariantImage,
	}
	imageColumn = map[string]shopifycsv.Column{
		"url": shopifycsv.ImageSrc, "alt": shopifycsv.ImageAlt, "width": shopifycsv.ImageWidth, "height": shopifycsv.ImageHeight,
	}
)

// fault tells of a refused product in the file's terms.
func (i *importing) fault(one *item, e *errs.Error) Fault {
	row, text := one.file.Row, reason(e)
	var column shopifycsv.Column
	if len(e.Field) > 0 {
		column = columnOf[e.Field[0]]
	}
	if len(e.Field) > 2 {
		n, err := strconv.Atoi(e.Field[1])
		switch {
		case err != nil:
		case e.Field[0] == "variants" && n < len(one.file.Variants):
			row, column = one.file.Variants[n].Row, variantColumn[e.Field[2]]
		case e.Field[0] == "variants":
			text = "variant " + one.merged.Variants[n].SKU + ", which is not in the file: " + text
		case e.Field[0] == "media" && n < len(one.file.Images):
			row, column = one.file.Images[n].Row, imageColumn[e.Field[2]]
		case e.Field[0] == "attributes" && n < len(one.merged.Attributes):
			return Fault{Line: row.Line, Column: i.attributeColumn(one.merged.Attributes[n]), Handle: one.file.Handle, Reason: text}
		}
	}
	f := Fault{Line: row.Line, Handle: one.file.Handle, Reason: text}
	if column != "" {
		f.Line, f.Column = i.reader.Line(row, column), i.reader.Name(column)
	}
	return f
}

// attributeColumn gives the name of the column that an attribute came from.
func (i *importing) attributeColumn(a products.Attribute) string {
	for _, m := range i.columns {
		if attributeKey(m.Key) == a.Key && m.Name == a.Name && m.Unit == a.Unit {
			return m.Header()
		}
	}
	return a.Name
}

// reason gives an error's message without its full stop.
func reason(e *errs.Error) string { return strings.TrimSuffix(e.Message, ".") }

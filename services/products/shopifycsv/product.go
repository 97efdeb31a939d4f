// Package shopifycsv reads and writes the product CSV of Shopify, as shops export it.
//
// A product takes several rows with the same Handle: the first one describes it, each one may add a
// variant, a picture or both. The package knows the format only; what a product has to be like is
// decided elsewhere. Both directions work on a stream and hold one product in memory.
package shopifycsv

import (
	"regexp"
	"strings"
)

// Column names a column as Shopify's older and still most usual template does; the newer
// template's names ("URL handle", "SKU", "Price", ...) are understood too.
type Column string

// The columns that are read. Any other is passed over.
const (
	Handle         Column = "Handle"
	Title          Column = "Title"
	Body           Column = "Body (HTML)"
	Vendor         Column = "Vendor"
	Category       Column = "Product Category"
	Type           Column = "Type"
	Tags           Column = "Tags"
	Published      Column = "Published"
	Option1Name    Column = "Option1 Name"
	Option1Value   Column = "Option1 Value"
	Option2Name    Column = "Option2 Name"
	Option2Value   Column = "Option2 Value"
	Option3Name    Column = "Option3 Name"
	Option3Value   Column = "Option3 Value"
	SKU            Column = "Variant SKU"
	Grams          Column = "Variant Grams"
	Quantity       Column = "Variant Inventory Qty"
	Policy         Column = "Variant Inventory Policy"
	Price          Column = "Variant Price"
	CompareAtPrice Column = "Variant Compare At Price"
	Barcode        Column = "Variant Barcode"
	ImageSrc       Column = "Image Src"
	ImagePosition  Column = "Image Position"
	ImageAlt       Column = "Image Alt Text"
	ImageWidth     Column = "Image Width"  // not Shopify's own: keeps what is known of a picture
	ImageHeight    Column = "Image Height" // not Shopify's own
	VariantImage   Column = "Variant Image"
	Status         Column = "Status"
)

// aliases maps the newer template's names, in lower case, to the columns.
var aliases = map[string]Column{
	"url handle": Handle, "description": Body, "published on online store": Published,
	"sku": SKU, "weight value (grams)": Grams, "inventory quantity": Quantity, "price": Price,
	"continue selling when out of stock": Policy,
	"compare-at price":                   CompareAtPrice, "barcode": Barcode, "product image url": ImageSrc,
	"variant image url": VariantImage,
}

// columnOrder is the order in which the columns are written.
var columnOrder = []Column{
	Handle, Title, Body, Vendor, Category, Type, Tags, Published,
	Option1Name, Option1Value, Option2Name, Option2Value, Option3Name, Option3Value,
	SKU, Grams, Quantity, Policy, Price, CompareAtPrice, Barcode,
	ImageSrc, ImagePosition, ImageAlt, ImageWidth, ImageHeight, VariantImage, Status,
}

// MaxOptions is how many options a product can have in the format.
const MaxOptions = 3

var (
	optionNames  = [MaxOptions]Column{Option1Name, Option2Name, Option3Name}
	optionValues = [MaxOptions]Column{Option1Value, Option2Value, Option3Value}
)

// A product without options has one variant with this option.
const (
	defaultOption = "Title"
	defaultValue  = "Default Title"
)

// What the policy of a variant is: whether it is sold when there is none.
const (
	policyDeny     = "deny"
	policyContinue = "continue"
)

// Row says where something stands in a file that was read.
type Row struct {
	Line  int   // physical line that the row begins on, from 1
	lines []int // of each cell
}

// Product is what the rows of one Handle say. The fields of a column that the file does not have are
// empty; see [Reader.Has].
type Product struct {
	Row
	Handle     string
	Title      string
	Body       string // HTML
	Vendor     string
	Category   string // path of names, the top one first, divided by ">"
	Type       string
	Tags       []string
	Published  bool
	Status     string // active, draft, archived, or empty
	Options    []string
	Variants   []Variant
	Images     []Image // by position
	Metafields []Value // of the product, those that are not empty
	Faults     []Fault // what is wrong with its rows; such a product is not to be used
}

// Variant is what one row says of a variant.
type Variant struct {
	Row
	Options        []string // one value for each of the product's options
	SKU            string
	Grams          *int
	Quantity       *int
	BackOrders     *bool          // whether more may be ordered than there is; nil where the file does not say
	Stock          map[string]int // pieces on hand by location code; see [Metafield.Location]
	Price          string         // decimal, as it stands in the file
	CompareAtPrice string
	Barcode        string
	Image          string // address
}

// Image is what one row says of a picture.
type Image struct {
	Row
	Src      string
	Position int // 0 where the file says none
	Alt      string
	Width    int // 0 where the file says none
	Height   int
}

// Value is the content of a metafield.
type Value struct {
	Field Metafield
	Text  string
}

// Fault is one thing wrong in the file.
type Fault struct {
	Line   int    // physical line, from 1
	Column string // as the file names it; empty where the row itself is at fault
	Reason string // one English sentence without a full stop
}

// Metafield is a column such as "Screen size [in] (product.metafields.specs.screen_size)".
type Metafield struct {
	Owner     string // product or variant
	Namespace string
	Key       string
	Name      string // for people
	Unit      string // in square brackets behind the name; may be empty
}

// Namespaces of the metafields that this package writes.
const (
	SpecsNamespace     = "specs"     // product: technical facts
	InventoryNamespace = "inventory" // variant: pieces on hand at a location, which is the key
)

var (
	metafieldHeader = regexp.MustCompile(`(?s)^(.*) \((product|variant)\.metafields\.([^.()\s]+)\.([^.()\s]+)\)$`)
	unitSuffix      = regexp.MustCompile(`(?s)^(.*) \[([^\[\]]*)\]$`)
)

// StockField is the metafield of the stock at a location.
func StockField(locationCode string) Metafield {
	return Metafield{Owner: "variant", Namespace: InventoryNamespace, Key: strings.ToLower(locationCode), Name: "Stock " + locationCode}
}

// Header gives the column's name.
func (m Metafield) Header() string {
	name := m.Name
	if m.Unit != "" || unitSuffix.MatchString(name) {
		name += " [" + m.Unit + "]"
	}
	return name + " (" + m.Owner + ".metafields." + m.Namespace + "." + m.Key + ")"
}

// parseMetafield reads a column's name; false for one that is no metafield.
func parseMetafield(header string) (Metafield, bool) {
	part := metafieldHeader.FindStringSubmatch(header)
	if part == nil {
		return Metafield{}, false
	}
	m := Metafield{Owner: part[2], Namespace: part[3], Key: part[4], Name: part[1]}
	if unit := unitSuffix.FindStringSubmatch(m.Name); unit != nil {
		m.Name, m.Unit = unit[1], unit[2]
	}
	return m, true
}

// isStock reports whether the column holds the stock of a location.
func (m Metafield) isStock() bool {
	return m.Owner == "variant" && m.Namespace == InventoryNamespace
}

package seed

// kind describes what is sold in one category at the bottom of the tree: what it is called, what it
// can be like and what that costs.
type kind struct {
	slug     string // of its category
	noun     string // the last word of titles
	code     string // the beginning of SKUs
	drawing  string // name of its picture
	hero     string // vendor and model of the first product, where it has a name of its own
	share    int    // how many of the shop's products, relative to other kinds
	vendors  []string
	series   []string
	low      int  // price in euros of the plainest
	high     int  // and of the dearest
	whole    bool // prices end in .00 instead of .99
	grams    [2]int
	colours  []string
	specs    []spec
	options  []option
	features []string // sentences for the description
}

// spec is a technical fact with its possible values, the plain ones first: what comes later costs more.
type spec struct {
	key, name, unit string
	values          []string
}

// option is what variants differ in, beside the colour. The price of a variant grows by percent for
// each choice after the first one.
type option struct {
	name    string
	values  []string
	percent int
	most    int // choices of one product; 0 for all
}

// Invented brands, by what they are known for.
var (
	computerBrands = []string{"Nordlicht", "Veyra", "Tarnholm", "Okavi", "Halden", "Solenne"}
	gamingBrands   = []string{"Grimward", "Voltkraken", "Nyxara", "Sturmfels", "Pixelforge"}
	partBrands     = []string{"Ferrolux", "Kupferwerk", "Datura", "Octane Labs", "Blockhaus"}
	phoneBrands    = []string{"Lumora", "Okavi", "Nordlicht", "Zephyrin", "Kestra"}
	audioBrands    = []string{"Marlow Audio", "Quill & Ohm", "Resonanz", "Aurelia", "Tonwerk"}
	screenBrands   = []string{"Lumora", "Halden", "Panoravue", "Solenne", "Irisk"}
	photoBrands    = []string{"Obscura", "Fennec", "Aquilo", "Silbersalz", "Horizont"}
	homeBrands     = []string{"Heimelig", "Glimr", "Sauberwind", "Wohnwerk", "Warmly"}
	wearBrands     = []string{"Pulsar", "Kestra", "Ostara", "Zephyrin", "Gangart"}
	networkBrands  = []string{"Weitnetz", "Maschenwerk", "Pingu Networks", "Halden", "Okavi"}
	officeBrands   = []string{"Tastwerk", "Nordlicht", "Papyra", "Halden", "Klackson"}
)

var (
	plainColours = []string{"Black", "Silver", "White", "Graphite"}
	softColours  = []string{"Black", "White", "Sand", "Midnight Blue", "Forest Green", "Rose", "Lavender", "Coral"}
	darkColours  = []string{"Black", "White", "Graphite", "Crimson"}
)

func attribute(key, name, unit string, values ...string) spec { return spec{key, name, unit, values} }

var (
	screenLaptop  = attribute("screen_size", "Screen size", "in", "13.3", "14", "15.6", "16")
	screenMonitor = attribute("screen_size", "Screen size", "in", "24", "27", "32", "34")
	screenTV      = attribute("screen_size", "Screen size", "in", "43", "50", "55", "65", "77")
	resolutionPC  = attribute("resolution", "Resolution", "", "1920 x 1200", "2560 x 1600", "2880 x 1800", "3840 x 2400")
	resolutionTV  = attribute("resolution", "Resolution", "", "1920 x 1080", "3840 x 2160", "3840 x 2160", "7680 x 4320")
	memoryPC      = attribute("memory", "Memory", "GB", "8", "16", "32", "64")
	cores         = attribute("processor_cores", "Processor cores", "", "6", "8", "12", "16")
	warranty      = attribute("warranty", "Warranty", "months", "24", "24", "36")
	bluetooth     = attribute("bluetooth", "Bluetooth", "", "5.2", "5.3", "5.4")
	wifi          = attribute("wifi", "Wi-Fi", "", "Wi-Fi 6", "Wi-Fi 6E", "Wi-Fi 7")
	waterproof    = attribute("protection", "Protection", "", "IPX4", "IPX5", "IP67", "IP68")
)

func storageOption(values ...string) option { return option{"Storage", values, 18, 3} }

// kinds are all there is to sell, by the place of their category in the tree.
var kinds = concat(computerKinds, mobileKinds, soundVisionKinds, homeKinds, deskKinds)

func concat(lists ...[]kind) []kind {
	var all []kind
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

package seed

import (
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/products"
)

// branch is a category with what is below it.
type branch struct {
	slug, name, about string
	below             []branch
}

// tree is the shop's category tree. Its leaves are the slugs of kinds.
var tree = []branch{
	{"computers", "Computers", "Everything to work, study and play on.", []branch{
		{"laptops", "Laptops", "Computers to take along.", []branch{
			{"ultrabooks", "Ultrabooks", "Thin, light and made to last a working day.", nil},
			{"gaming-laptops", "Gaming laptops", "Fast graphics and displays that keep up.", nil},
			{"everyday-laptops", "Everyday laptops", "Good companions for home and school.", nil},
		}},
		{"desktops", "Desktops", "Computers that stay where they are.", []branch{
			{"tower-pcs", "Tower PCs", "Room for upgrades.", nil},
			{"mini-pcs", "Mini PCs", "A whole computer behind the screen.", nil},
		}},
		{"monitors", "Monitors", "Screens for work and play.", []branch{
			{"office-monitors", "Office monitors", "Sharp text and easy on the eyes.", nil},
			{"gaming-monitors", "Gaming monitors", "High refresh rates, low delay.", nil},
		}},
	}},
	{"components-storage", "Components & storage", "To build and to extend.", []branch{
		{"pc-components", "PC components", "What is inside.", []branch{
			{"graphics-cards", "Graphics cards", "For games, video and models.", nil},
			{"memory-modules", "Memory modules", "More room to think.", nil},
			{"power-supplies", "Power supplies", "Steady and quiet.", nil},
		}},
		{"storage-devices", "Storage", "A safe place for everything.", []branch{
			{"internal-ssds", "Internal SSDs", "Start in seconds.", nil},
			{"portable-ssds", "Portable SSDs", "Fast storage for the pocket.", nil},
			{"memory-cards", "Memory cards", "For cameras, drones and consoles.", nil},
		}},
	}},
	{"phones-tablets", "Phones & tablets", "To stay in touch.", []branch{
		{"phones", "Phones", "Smart and simple ones.", []branch{
			{"smartphones", "Smartphones", "Cameras that happen to make calls.", nil},
			{"rugged-phones", "Rugged phones", "For building sites and mountains.", nil},
		}},
		{"tablets-readers", "Tablets & readers", "Screens to hold.", []branch{
			{"tablets", "Tablets", "For sofa, sketchbook and school.", nil},
			{"e-readers", "E-readers", "A library that weighs as much as one book.", nil},
		}},
		{"phone-accessories", "Phone accessories", "Power and protection.", []branch{
			{"power-banks", "Power banks", "Another day away from the socket.", nil},
			{"chargers", "Chargers", "Small, cool and quick.", nil},
		}},
	}},
	{"audio", "Audio", "Sound for every room and every way.", []branch{
		{"headphones", "Headphones", "Only for you.", []branch{
			{"over-ear-headphones", "Over-ear headphones", "Closed, soft and calm.", nil},
			{"earbuds", "Earbuds", "Small and wireless.", nil},
		}},
		{"speakers", "Speakers", "For everybody else, too.", []branch{
			{"bluetooth-speakers", "Bluetooth speakers", "For park, beach and kitchen.", nil},
			{"soundbars", "Soundbars", "The cinema under the screen.", nil},
		}},
		{"hi-fi", "Hi-fi", "Listening as an occupation.", []branch{
			{"turntables", "Turntables", "For the collection.", nil},
		}},
	}},
	{"tv-home-cinema", "TV & home cinema", "A good seat in the first row.", []branch{
		{"televisions", "Televisions", "Screens for the living room.", []branch{
			{"oled-tvs", "OLED TVs", "Black that is black.", nil},
			{"led-tvs", "LED TVs", "Bright pictures for bright rooms.", nil},
		}},
		{"projection", "Projection", "The whole wall.", []branch{
			{"projectors", "Projectors", "Pictures as large as the wall allows.", nil},
		}},
	}},
	{"photo-drones", "Photo & drones", "To see and to keep.", []branch{
		{"cameras", "Cameras", "Pictures on purpose.", []branch{
			{"mirrorless-cameras", "Mirrorless cameras", "Small bodies, large sensors.", nil},
			{"action-cameras", "Action cameras", "Wherever you dare.", nil},
		}},
		{"drones", "Drones", "A view from above.", []branch{
			{"camera-drones", "Camera drones", "Steady pictures from the air.", nil},
		}},
	}},
	{"gaming", "Gaming", "Play.", []branch{
		{"gaming-devices", "Consoles & controllers", "On the sofa and on the train.", []branch{
			{"gaming-handhelds", "Gaming handhelds", "The library in both hands.", nil},
			{"controllers", "Controllers", "A good grip.", nil},
		}},
		{"gaming-gear", "Gaming gear", "For the desk.", []branch{
			{"gaming-keyboards", "Gaming keyboards", "Every key counts.", nil},
			{"gaming-mice", "Gaming mice", "Light and exact.", nil},
			{"gaming-headsets", "Gaming headsets", "To hear them come.", nil},
		}},
	}},
	{"smart-home", "Smart home", "A home that helps.", []branch{
		{"smart-lighting", "Smart lighting", "The right light.", []branch{
			{"smart-bulbs", "Smart bulbs", "Any colour, any time.", nil},
		}},
		{"home-robots", "Home robots", "Somebody else cleans.", []branch{
			{"robot-vacuums", "Robot vacuums", "Under the sofa, too.", nil},
		}},
		{"climate-security", "Climate & security", "Warm and safe.", []branch{
			{"thermostats", "Thermostats", "Warm when somebody is at home.", nil},
			{"security-cameras", "Security cameras", "An eye on the door.", nil},
		}},
	}},
	{"wearables", "Wearables", "Technology to wear.", []branch{
		{"watches-bands", "Watches & bands", "For pulse, pace and post.", []branch{
			{"smartwatches", "Smartwatches", "The phone can stay in the bag.", nil},
			{"fitness-bands", "Fitness bands", "Light and always on.", nil},
		}},
	}},
	{"network-office", "Network & office", "Connected at the desk.", []branch{
		{"network", "Network", "Signal in every corner.", []branch{
			{"wifi-routers", "Wi-Fi routers", "The heart of the home network.", nil},
			{"mesh-systems", "Mesh systems", "One network from cellar to attic.", nil},
		}},
		{"peripherals", "Peripherals", "For hands, eyes and paper.", []branch{
			{"keyboards", "Keyboards", "To write much and well.", nil},
			{"mice", "Mice", "To point all day.", nil},
			{"webcams", "Webcams", "To be seen well.", nil},
			{"printers", "Printers", "For what has to be on paper.", nil},
			{"docking-stations", "Docking stations", "One cable for all.", nil},
		}},
	}},
}

// founded is when the shop opened: the categories are from then.
var founded = Epoch.AddDate(-1, -6, 0)

// Categories gives the category tree, parents before children.
func Categories() iter.Seq[*products.Category] {
	return func(yield func(*products.Category) bool) {
		var walk func(level []branch, parent uuid.UUID) bool
		walk = func(level []branch, parent uuid.UUID) bool {
			for i, b := range level {
				c := &products.Category{ID: categoryID(b.slug), Slug: b.slug, Name: b.name, Description: b.about, ParentID: parent, Position: i}
				if !yield(c) || !walk(b.below, c.ID) {
					return false
				}
			}
			return true
		}
		walk(tree, uuid.Nil)
	}
}

// categoryID gives the id of the category with the slug.
func categoryID(slug string) uuid.UUID {
	sum := 0
	for _, r := range slug {
		sum = sum*31 + int(r)
	}
	return newID(founded.Add(time.Duration(sum&0xfff)*time.Second), "category:"+slug)
}

package seed

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/products"
	"github.com/techmart/techmart/services/users"
)

// Password is that of every seeded account. It is for demonstrations only.
const Password = "techmart-demo-2026"

// Demo is an account to sign in with, and what it is for.
type Demo struct {
	Email string
	Name  string
	Roles []users.Role
	Use   string
}

// Demos are the demonstration accounts, one for each role.
var Demos = []Demo{
	{"ada@techmart.example", "Ada Lovelace", []users.Role{users.Customer}, "a customer with orders"},
	{"support@techmart.example", "Sam Support", []users.Role{users.Customer, users.Support}, "orders, payments, customers"},
	{"catalog@techmart.example", "Cleo Catalog", []users.Role{users.Customer, users.CatalogManager}, "products and stock"},
	{"admin@techmart.example", "Alan Admin", []users.Role{users.Customer, users.Admin}, "everything"},
}

var (
	firstNames = []string{"Emma", "Noah", "Mila", "Elias", "Lina", "Finn", "Clara", "Leon", "Ida", "Paul", "Marie", "Jonas", "Nora", "Henri", "Sofie", "Luca",
		"Anouk", "Daan", "Fleur", "Bram", "Chloé", "Hugo", "Inès", "Théo", "Amira", "Yusuf", "Zoe", "Mateo", "Olga", "Piotr", "Greta", "Oskar",
		"Mei", "Arjun", "Priya", "Kenji", "Aisha", "Tariq", "Ines", "Rui"}
	lastNames = []string{"Berger", "Lindner", "Vogel", "Hartmann", "Sommer", "Kessler", "Brandt", "Winkler", "de Vries", "Jansen", "Bakker", "Visser",
		"Moreau", "Lefèvre", "Rousseau", "Girard", "Novak", "Kowalska", "Horvat", "Eriksson", "Nielsen", "Costa", "Ferreira", "Rossi", "Yilmaz", "Okafor",
		"Tanaka", "Sharma", "Nguyen", "Haddad", "O'Brien", "Clarke", "Meyer", "Schäfer", "Busch", "Pohl"}
	streets = []string{"Lindenstraße", "Gartenweg", "Hafenstraße", "Kastanienallee", "Am Mühlbach", "Schillerstraße", "Uferweg", "Marktplatz", "Bergstraße", "Rosenweg"}
)

// town is a place to live: its name and the beginning of its postal codes.
type town struct {
	city, country, code, phone string
}

var towns = []town{
	{"Berlin", "DE", "10###", "+4930"}, {"Hamburg", "DE", "20###", "+4940"}, {"München", "DE", "80###", "+4989"}, {"Köln", "DE", "50###", "+49221"},
	{"Leipzig", "DE", "04###", "+49341"}, {"Freiburg", "DE", "79###", "+49761"}, {"Bremen", "DE", "28###", "+49421"}, {"Dresden", "DE", "01###", "+49351"},
	{"Wien", "AT", "1##0", "+431"}, {"Graz", "AT", "80##", "+43316"}, {"Zürich", "CH", "80##", "+4144"}, {"Rotterdam", "NL", "30## AB", "+3110"},
	{"Utrecht", "NL", "35## KL", "+3130"}, {"Antwerpen", "BE", "20##", "+323"}, {"Lyon", "FR", "690##", "+334"}, {"København", "DK", "21##", "+45"},
}

// Customer gives one customer by number. The first one is the demo customer.
func (s *Shop) Customer(i int) users.NewAccount {
	r := source("customer", i)
	at := founded.Add(time.Duration(r.IntN(300*24)) * time.Hour)
	first, last := pick(r, firstNames), pick(r, lastNames)
	a := users.NewAccount{
		ID: newID(at, "customer", i), DisplayName: first + " " + last, Email: mailbox(first, last, i),
		Roles: []users.Role{users.Customer}, Verified: !chance(r, 4), CreatedAt: at,
	}
	if i == 0 {
		a.DisplayName, a.Email, a.Verified = Demos[0].Name, Demos[0].Email, true
	}
	for n := range 1 + r.IntN(2) {
		a.Addresses = append(a.Addresses, users.NewAddress{ID: newID(at, "address", i, n), PostalAddress: address(r, a.DisplayName)})
	}
	return a
}

// mailbox gives an address that is nobody's: its domain is reserved for examples.
func mailbox(first, last string, i int) string {
	name := strings.ReplaceAll(products.MakeSlug(first+" "+last), "-", ".")
	return fmt.Sprintf("%s.%d@example.%s", name, i, []string{"com", "net", "org"}[i%3])
}

func address(r *rand.Rand, recipient string) users.PostalAddress {
	t := pick(r, towns)
	code := []byte(t.code)
	for i, c := range code {
		if c == '#' {
			code[i] = byte('0' + r.IntN(10))
		}
	}
	a := users.PostalAddress{
		Recipient: recipient, Line1: fmt.Sprintf("%s %d", pick(r, streets), 1+r.IntN(180)),
		PostalCode: string(code), City: t.city, CountryCode: t.country, Phone: fmt.Sprintf("%s%07d", t.phone, 1000000+r.IntN(8999999)),
	}
	if chance(r, 15) {
		a.Line2 = fmt.Sprintf("c/o %s", pick(r, lastNames))
	}
	return a
}

// shipTo gives the account's default address as orders keep it.
func shipTo(a users.NewAccount) orders.Address {
	p := a.Addresses[0].PostalAddress
	return orders.Address{Recipient: p.Recipient, Line1: p.Line1, Line2: p.Line2, PostalCode: p.PostalCode, City: p.City, Region: p.Region, CountryCode: p.CountryCode, Phone: p.Phone}
}

// People gives all customers but the demo customer.
func (s *Shop) People() iter.Seq[users.NewAccount] {
	return func(yield func(users.NewAccount) bool) {
		for i := 1; i < s.Customers(); i++ {
			if !yield(s.Customer(i)) {
				return
			}
		}
	}
}

// DemoAccounts gives the demonstration accounts.
func (s *Shop) DemoAccounts() []users.NewAccount {
	list := []users.NewAccount{s.Customer(0)}
	for i, d := range Demos[1:] {
		at := founded.Add(time.Duration(i+1) * time.Minute)
		list = append(list, users.NewAccount{ID: newID(at, "demo", i+1), Email: d.Email, DisplayName: d.Name, Roles: d.Roles, Verified: true, CreatedAt: at})
	}
	return list
}

// markerID is the account that is made last: where it is, the shop is seeded.
func (s *Shop) markerID() uuid.UUID {
	demos := s.DemoAccounts()
	return demos[len(demos)-1].ID
}

// Package seed makes the data of a demonstration shop: an electronics shop with its catalogue, stock,
// customers, orders, payments and reviews.
//
// All of it is a pure function of the index of a thing and the scale of the shop, so that it is the
// same every time, and a shop of any size streams through little memory: an order does not need the
// catalogue, only the few products in it. Times lie in the half year before [Epoch].
package seed

import (
	"encoding/binary"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/orders"
)

// Epoch is the present of the seeded shop: its newest order is from shortly before.
var Epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// What a shop of scale 1 has.
const (
	productsPerScale  = 2100
	customersPerScale = 200
	ordersPerScale    = 2000
)

// MaxScale bounds the scale.
const MaxScale = 1000

// Shop generates the data of one shop.
type Shop struct {
	scale int
	terms orders.Config
}

// New describes a shop that is scale times as large as the smallest one, from 1 to MaxScale, and
// sells by the terms.
func New(scale int, terms orders.Config) *Shop {
	return &Shop{scale: min(max(scale, 1), MaxScale), terms: terms}
}

// Products gives the number of products.
func (s *Shop) Products() int { return productsPerScale * s.scale }

// Customers gives the number of customers, the demo customer among them.
func (s *Shop) Customers() int { return customersPerScale * s.scale }

// Orders gives the number of orders.
func (s *Shop) Orders() int { return ordersPerScale * s.scale }

// price gives an amount of whole and hundredth euros in the shop's currency.
func (s *Shop) price(cents int64) money.Money {
	minor := cents
	for d := s.terms.Currency.Digits(); d != 2; {
		if d < 2 {
			minor, d = minor/10, d+1
		} else {
			minor, d = minor*10, d-1
		}
	}
	return money.New(minor, s.terms.Currency)
}

// seedNumber is the one source of all chance here; another one makes another shop.
const seedNumber = 0x7ec4_3a27

// source gives the chance of one thing, by what it is and its indexes.
func source(what string, indexes ...int) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(what))
	var buf [8]byte
	for _, i := range indexes {
		binary.BigEndian.PutUint64(buf[:], uint64(i))
		h.Write(buf[:])
	}
	return rand.New(rand.NewPCG(seedNumber, h.Sum64()))
}

// newID gives the id of one thing that was made at a time: a UUIDv7 that is always the same.
func newID(at time.Time, what string, indexes ...int) uuid.UUID {
	r := source("id:"+what, indexes...)
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], uint64(at.UnixMilli())<<16|r.Uint64()&0xffff)
	binary.BigEndian.PutUint64(id[8:], r.Uint64())
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}

// pick gives one of the list.
func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// chance is true in percent of 100 cases.
func chance(r *rand.Rand, percent int) bool { return r.IntN(100) < percent }

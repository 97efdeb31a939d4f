package seed

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/techmart/techmart/services/money"
	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/payments"
	"github.com/techmart/techmart/services/products"
	"github.com/techmart/techmart/services/users"
)

// Order is one order with all that belongs to it.
type Order struct {
	orders.Record
	Payment *payments.Record // nil for an order whose payment was not tried
	Reserve []products.StockLine
	Ship    *products.Fulfillment // what of Reserve has left
	Reviews []*products.Review
}

// period is how far back orders reach.
const period = 180 * 24 * time.Hour

// outcomes of orders: what each hundred of the old and of the recent ones came to.
var (
	oldOutcomes    = outcomes(map[orders.Status]int{orders.Delivered: 72, orders.Fulfilled: 6, orders.Cancelled: 8, orders.Failed: 6, orders.Refunded: 8})
	recentOutcomes = outcomes(map[orders.Status]int{orders.Confirmed: 45, orders.PartiallyFulfilled: 20, orders.Fulfilled: 20, orders.Cancelled: 8, orders.Failed: 7})
)

func outcomes(counts map[orders.Status]int) []orders.Status {
	var list []orders.Status
	for _, s := range orders.Statuses {
		for range counts[s] {
			list = append(list, s)
		}
	}
	return list
}

// orderStatus gives what became of an order: the newest hundredth is being arranged, the newest tenth is
// on its way, the rest is over.
func (s *Shop) orderStatus(r *rand.Rand, i int) orders.Status {
	switch n := s.Orders(); {
	case i >= n-n/100:
		return orders.Pending
	case i >= n-n/10:
		return pick(r, recentOutcomes)
	}
	return pick(r, oldOutcomes)
}

// customerOf gives the number of the customer of an order. The demo customer has one in a hundred
// of the first scale's, spread over time; some of the others order more than others.
func (s *Shop) customerOf(r *rand.Rand, i int) int {
	if i%(s.Orders()/20) == s.Orders()/20-1 {
		return 0
	}
	return 1 + popular(r, s.Customers()-1)
}

// History gives all orders, oldest first.
func (s *Shop) History() iter.Seq[*Order] {
	return func(yield func(*Order) bool) {
		for i := range s.Orders() {
			if !yield(s.Order(i)) {
				return
			}
		}
	}
}

// Order gives one order by number, from the oldest one.
func (s *Shop) Order(i int) *Order {
	r := source("order", i)
	placed := Epoch.Add(-period + time.Duration(float64(period)*(float64(i)+0.5)/float64(s.Orders()))).Truncate(time.Microsecond)
	customer := s.Customer(s.customerOf(r, i))
	o := &orders.Order{
		ID: newID(placed, "order", i), Number: fmt.Sprintf("T-%d", 100001+i), CustomerID: customer.ID, Email: customer.Email,
		DisplayName: customer.DisplayName, Status: s.orderStatus(r, i), Address: shipTo(customer), PlacedAt: placed, UpdatedAt: placed,
	}
	b := &story{shop: s, order: &Order{Record: orders.Record{Order: o}}, number: i, now: placed, chance: r}
	b.fill()
	b.tell(customer)
	return b.order
}

// story tells what happened to an order, step by step, as the services would have written it down.
type story struct {
	shop     *Shop
	order    *Order
	number   int
	now      time.Time
	chance   *rand.Rand
	products []int // the number of each line's product
}

// fill puts one to four products into the order.
func (b *story) fill() {
	o := b.order.Order
	wanted := []int{1, 1, 1, 1, 1, 2, 2, 2, 3, 4}[b.chance.IntN(10)]
	taken := map[int]bool{}
	for tries := 0; len(b.order.Lines) < wanted && tries < 200; tries++ {
		n := popular(b.chance, b.shop.Products())
		if taken[n] || status(n) != products.Active || published(n).After(o.PlacedAt.Add(-24*time.Hour)) {
			continue
		}
		p := b.shop.Product(n)
		v := b.chance.IntN(len(p.Variants))
		if b.shop.Stock(n, v).total() == 0 {
			continue
		}
		taken[n] = true
		variant := p.Variants[v]
		line := &orders.Line{
			ID: newID(o.PlacedAt, "line", b.number, len(b.order.Lines)), OrderID: o.ID, Position: len(b.order.Lines), VariantID: variant.ID, ProductID: p.ID,
			SKU: variant.SKU, Title: p.Title, VariantTitle: variant.Title, Quantity: 1, UnitPrice: variant.Price,
		}
		if chance(b.chance, 15) {
			line.Quantity = 2 + b.chance.IntN(2)
		}
		line.Total = line.UnitPrice.Times(line.Quantity)
		b.order.Lines = append(b.order.Lines, line)
		b.products = append(b.products, n)
	}
	t := b.shop.terms.Totals(b.order.Lines)
	o.Subtotal, o.Discount, o.Shipping, o.Tax, o.Total = t.Subtotal, t.Discount, t.Shipping, t.Tax, t.Total
}

// change begins a change of the order some time after the last one.
func (b *story) change(after time.Duration) {
	b.now = b.now.Add(after)
	b.order.Order.Version++
	b.order.Order.UpdatedAt = b.now
}

// log writes to the timeline.
func (b *story) log(entryType, message string) {
	o := b.order.Order
	n := 0
	for _, e := range b.order.Entries {
		if e.Position/1000 == int64(o.Version) {
			n++
		}
	}
	b.order.Entries = append(b.order.Entries, orders.Entry{
		ID: newID(b.now, "entry", b.number, len(b.order.Entries)), OrderID: o.ID, Position: int64(o.Version)*1000 + int64(n),
		Type: entryType, Message: message, CreatedAt: b.now,
	})
}

// tell takes the order from the cart to its status.
func (b *story) tell(customer users.NewAccount) {
	o := b.order.Order
	b.change(0)
	b.log(orders.EntryPlaced, "The order was placed.")
	o.Sequence, o.Stage = 1, orders.StageReserve
	if o.Status == orders.Pending {
		b.order.Token = "tok_visa"
		return
	}
	b.change(180 * time.Millisecond)
	b.log(orders.EntryReserved, "The stock is reserved.")
	b.change(240 * time.Millisecond)
	if o.Status == orders.Failed {
		b.fail()
		return
	}
	b.authorize()
	switch o.Status {
	case orders.Confirmed:
		b.reserve()
	case orders.Cancelled:
		b.cancel()
	case orders.PartiallyFulfilled:
		b.reserve()
		b.ship(b.firstHalf())
	default:
		b.ship(b.all())
	}
	switch o.Status {
	case orders.Delivered:
		b.deliver()
		b.review(customer)
		if chance(b.chance, 3) {
			b.refund(b.order.Lines[0].UnitPrice)
		}
	case orders.Refunded:
		b.deliver()
		b.refund(o.Total)
	}
}

func (b *story) fail() {
	o := b.order.Order
	b.pay().declined(b.now)
	o.ReasonCode, o.Reason = orders.ReasonPaymentDeclined, b.order.Payment.Payment.DeclineReason
	b.log(orders.EntryDeclined, o.Reason)
	b.change(90 * time.Millisecond)
	b.log(orders.EntryReleased, "The stock is given back.")
	b.log(orders.EntryFailed, o.Reason)
	o.Stage = orders.StageUndone
	o.Sequence++
}

func (b *story) authorize() {
	o := b.order.Order
	b.pay().authorized(b.now)
	b.log(orders.EntryAuthorized, "The payment is authorized.")
	b.log(orders.EntryConfirmed, "The order is confirmed.")
	o.Stage = orders.StageDone
	o.Sequence++
}

func (b *story) cancel() {
	o := b.order.Order
	o.ReasonCode, o.Reason = orders.ReasonByCustomer, pick(b.chance, []string{"Ordered by mistake.", "Found it elsewhere.", "It takes too long.", "Changed my mind."})
	b.change(time.Duration(5+b.chance.IntN(300)) * time.Minute)
	b.log(orders.EntryCancelled, "The order was cancelled: "+o.Reason)
	o.Sequence++
	b.change(200 * time.Millisecond)
	b.pay().voided(b.now)
	b.log(orders.EntryVoided, "The payment was given up; nothing is charged.")
	b.change(100 * time.Millisecond)
	b.log(orders.EntryReleased, "The stock is given back.")
	o.Stage = orders.StageUndone
}

// reserve holds the pieces that are still in the shop.
func (b *story) reserve() {
	for _, l := range b.order.Lines {
		b.order.Reserve = append(b.order.Reserve, products.StockLine{VariantID: l.VariantID, Quantity: l.Quantity})
	}
}

func (b *story) all() map[int]int {
	parcel := map[int]int{}
	for i, l := range b.order.Lines {
		parcel[i] = l.Quantity
	}
	return parcel
}

// firstHalf gives a part of the order, or makes the order large enough to have parts.
func (b *story) firstHalf() map[int]int {
	if len(b.order.Lines) > 1 {
		return map[int]int{0: b.order.Lines[0].Quantity}
	}
	if l := b.order.Lines[0]; l.Quantity > 1 {
		return map[int]int{0: 1}
	}
	return nil
}

// ship sends a parcel and captures its share. A parcel of nothing leaves the order confirmed.
func (b *story) ship(parcel map[int]int) {
	o := b.order.Order
	if parcel == nil {
		o.Status = orders.Confirmed
		return
	}
	b.change(time.Duration(14+b.chance.IntN(30)) * time.Hour)
	f := &orders.Fulfillment{
		ID: newID(b.now, "fulfillment", b.number), OrderID: o.ID, Status: orders.ParcelShipped, Carrier: pick(b.chance, []string{"DHL", "DPD", "PostNL"}),
		TrackingNumber: fmt.Sprintf("%014d", b.chance.Int64N(1e14)), CreatedAt: b.now, Capture: money.New(0, o.Total.Currency),
	}
	f.TrackingURL = "https://tracking.example.com/" + f.TrackingNumber
	left, sum := 0, o.Shipping
	for i, l := range b.order.Lines {
		if n := parcel[i]; n > 0 {
			l.Fulfilled = n
			sum = sum.Add(l.UnitPrice.Times(n))
			f.Lines = append(f.Lines, orders.FulfillmentLine{LineID: l.ID, Quantity: n})
		}
		left += l.Quantity - l.Fulfilled
	}
	if left > 0 {
		b.order.Ship = &products.Fulfillment{ID: f.ID, OrderID: o.ID, At: b.now.Truncate(time.Millisecond)}
		for i, l := range b.order.Lines {
			if n := parcel[i]; n > 0 {
				b.order.Ship.Lines = append(b.order.Ship.Lines, products.StockLine{VariantID: l.VariantID, Quantity: n})
			}
		}
	}
	f.Capture = sum
	b.log(orders.EntryShipped, "A parcel is on its way.")
	o.Sequence++
	b.change(400 * time.Millisecond)
	b.pay().captured(sum, b.now)
	b.log(orders.EntryCaptured, "A payment of "+sum.String()+" was captured.")
	settled := b.now
	f.SettledAt = &settled
	b.order.Fulfillments = append(b.order.Fulfillments, f)
}

func (b *story) deliver() {
	b.change(time.Duration(22+b.chance.IntN(60)) * time.Hour)
	for _, f := range b.order.Fulfillments {
		arrived := b.now
		f.Status, f.DeliveredAt = orders.ParcelDelivered, &arrived
	}
	b.log(orders.EntryArrived, "A parcel has arrived.")
	b.log(orders.EntryDelivered, "All of the order has arrived.")
	b.order.Order.Sequence++
}

func (b *story) refund(amount money.Money) {
	b.change(time.Duration(30+b.chance.IntN(120)) * time.Hour)
	b.pay().refunded(amount, b.now)
	b.change(150 * time.Millisecond)
	b.log(orders.EntryRefunded, amount.String()+" were paid back.")
	if amount == b.order.Order.Total {
		b.log(orders.EntryOrderRefunded, "All of the order is paid back.")
	}
	b.order.Order.Sequence++
}

// review lets the customer rate what arrived.
func (b *story) review(customer users.NewAccount) {
	for i, l := range b.order.Lines {
		if !chance(b.chance, 55) {
			continue
		}
		// A product has a character, and people differ.
		character := 3.2 + source("character", b.products[i]).Float64()*1.6
		stars := min(max(int(character+b.chance.NormFloat64()*0.9+0.5), 1), 5)
		at := b.now.Add(time.Duration(12+b.chance.IntN(100)) * time.Hour).Truncate(time.Millisecond)
		text := pick(b.chance, reviewTexts[stars-1])
		b.order.Reviews = append(b.order.Reviews, &products.Review{
			ID: newID(at, "review", b.number, i), ProductID: l.ProductID, AuthorID: customer.ID, AuthorName: customer.DisplayName,
			Rating: stars, Title: text.title, Body: text.body, CreatedAt: at,
		})
	}
}

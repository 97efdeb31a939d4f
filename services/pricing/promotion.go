package pricing

import (
	"slices"

	"github.com/techmart/techmart/services/money"
)

// offer is what a set of promotions comes to.
type offer struct {
	applied  []Applied
	left     []int64     // of each line
	shipping money.Money // taken off what sending costs
}

// rest gives what is left of all lines.
func (o offer) rest(c money.Currency) money.Money { return money.New(sum(o.left), c) }

// best finds what takes most off: all promotions that go together, or one that goes alone; the former where both
// take off the same, the earlier of several alone. It notes the others as rejected.
func (t Terms) best(q *Quote, promotions []Promotion) offer {
	var (
		together []Promotion
		sets     [][]Promotion
	)
	for _, p := range promotions {
		switch {
		case p.MinSubtotal.Amount > 0 && (p.MinSubtotal.Currency != t.Currency || q.Subtotal.Amount < p.MinSubtotal.Amount):
			q.Rejected = append(q.Rejected, Rejected{p, BelowMinimum})
		case p.Kind == Amount && p.Amount.Currency != t.Currency:
			q.Rejected = append(q.Rejected, Rejected{p, NoEffect})
		case p.Combinable:
			together = append(together, p)
		default:
			sets = append(sets, []Promotion{p})
		}
	}
	sets = append([][]Promotion{together}, sets...)
	var (
		offers = make([]offer, len(sets))
		chosen int
	)
	for i, set := range sets {
		offers[i] = t.apply(q, set)
		if benefit(offers[i], q) > benefit(offers[chosen], q) {
			chosen = i
		}
	}
	for i, set := range sets {
		for _, p := range set {
			took := slices.ContainsFunc(offers[i].applied, func(a Applied) bool { return a.ID == p.ID })
			switch {
			case !took:
				q.Rejected = append(q.Rejected, Rejected{p, NoEffect})
			case i != chosen:
				q.Rejected = append(q.Rejected, Rejected{p, NotCombined})
			}
		}
	}
	return offers[chosen]
}

// benefit gives what a customer saves.
func benefit(o offer, q *Quote) int64 {
	return q.Subtotal.Amount - sum(o.left) + o.shipping.Amount
}

// apply takes promotions off one after the other, each of what those before it have left; shipping comes last.
func (t Terms) apply(q *Quote, promotions []Promotion) offer {
	o := offer{left: make([]int64, len(q.Lines))}
	for i, l := range q.Lines {
		o.left[i] = l.Total.Amount
	}
	for _, p := range promotions {
		if p.Kind != FreeShipping {
			o.take(p, t.Currency)
		}
	}
	o.shipping = money.New(0, t.Currency)
	for _, p := range promotions {
		if p.Kind == FreeShipping && o.shipping.Amount < q.ShippingFee.Amount {
			o.shipping = q.ShippingFee
			o.applied = append(o.applied, Applied{Promotion: p, Amount: o.shipping})
		}
	}
	return o
}

// take takes a promotion off the lines.
func (o *offer) take(p Promotion, c money.Currency) {
	all := o.rest(c)
	off := money.New(min(p.Amount.Amount, all.Amount), c)
	if p.Kind == Percentage {
		off = all.Share(int64(min(p.Rate, Whole)), int64(Whole))
	}
	if off.Amount <= 0 {
		return
	}
	a := Applied{Promotion: p, Amount: off, Lines: make([]money.Money, len(o.left))}
	for i, part := range Allocate(off.Amount, o.left) {
		a.Lines[i] = money.New(part, c)
		o.left[i] -= part
	}
	o.applied = append(o.applied, a)
}

func sum(list []int64) int64 {
	var n int64
	for _, v := range list {
		n += v
	}
	return n
}

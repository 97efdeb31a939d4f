package pricing

import (
	"cmp"
	"math/bits"
	"slices"
)

// Allocate divides a total among weights by the largest remainder: the parts add up to it, none is further than one
// unit from its exact share, a weight of 0 gets nothing, and no part is above its weight where the total is not above
// theirs. Neither the total nor a weight is negative. Where all weights are 0, nothing is divided.
func Allocate(total int64, weights []int64) []int64 {
	parts := make([]int64, len(weights))
	all := uint64(sum(weights))
	if total <= 0 || all == 0 {
		return parts
	}
	remainders := make([]uint64, len(weights))
	order := make([]int, len(weights))
	left := total
	for i, w := range weights {
		hi, lo := bits.Mul64(uint64(total), uint64(w))
		share, rest := bits.Div64(hi, lo, all) // w <= all, so the share fits
		parts[i], remainders[i], order[i] = int64(share), rest, i
		left -= parts[i]
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(remainders[b], remainders[a]) })
	for _, i := range order[:left] {
		parts[i]++
	}
	return parts
}

// Part gives what falls to the first n of quantity articles of an amount that is divided among them, so that what falls
// to all of them is the amount, and never less to more of them.
func Part(amount int64, n, quantity int) int64 {
	if n >= quantity {
		return amount
	}
	hi, lo := bits.Mul64(uint64(amount), uint64(n))
	part, _ := bits.Div64(hi, lo, uint64(quantity))
	return int64(part)
}

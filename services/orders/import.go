package orders

// Record is an order with all that belongs to it, for imports.
type Record struct {
	Order        *Order
	Lines        []*Line
	Fulfillments []*Fulfillment
	Entries      []Entry // of the timeline
	Token        string  // of a payment that was not tried yet
}

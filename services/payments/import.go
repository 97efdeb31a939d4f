package payments

// Record is a payment with all its transactions, for imports. The ledger and the sandbox's books follow from it.
type Record struct {
	Payment      *Payment
	Transactions []*Transaction // settled, oldest first
}

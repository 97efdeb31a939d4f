package app

import (
	"context"
	"errors"

	"github.com/techmart/techmart/gateway"
	"github.com/techmart/techmart/gateway/throttle"
	"github.com/techmart/techmart/platform/redis"
)

// budgets reads the budgets of all classes.
func (c Config) budgets() (gateway.Budgets, error) {
	var b gateway.Budgets
	var faults [4]error
	b.Anonymous, faults[0] = throttle.ParseClass("anonymous", c.BudgetAnonymous)
	b.Customer, faults[1] = throttle.ParseClass("customer", c.BudgetCustomer)
	b.Staff, faults[2] = throttle.ParseClass("staff", c.BudgetStaff)
	b.Client, faults[3] = throttle.ParseClass("client", c.BudgetClient)
	return b, errors.Join(faults[:]...)
}

func (c Config) checkBudgets(f faults) {
	for name, text := range map[string]string{
		"BUDGET_ANONYMOUS": c.BudgetAnonymous, "BUDGET_CUSTOMER": c.BudgetCustomer, "BUDGET_STAFF": c.BudgetStaff, "BUDGET_CLIENT": c.BudgetClient,
	} {
		class, err := throttle.ParseClass(name, text)
		f.check(err == nil, name+" is capacity/restore a second, such as 10000/100")
		f.check(err != nil || class.Capacity >= c.MaxCost, name+" has a capacity of MAX_COST or more: a dearer operation could never run")
	}
}

// budgetBank is the throttle's bank in Redis.
type budgetBank struct{ bank *redis.Bank }

func (b budgetBank) Settle(ctx context.Context, orders []throttle.Order) ([]throttle.Balance, error) {
	list := make([]redis.BankOrder, len(orders))
	for i, o := range orders {
		list[i] = redis.BankOrder{
			Key: o.Key, Capacity: o.Class.Capacity, Restore: o.Class.Restore,
			Unused: o.Unused, Change: o.Change, Need: o.Need, Chunk: o.Chunk,
		}
	}
	balances, err := b.bank.Settle(ctx, list)
	if err != nil {
		return nil, err
	}
	out := make([]throttle.Balance, len(balances))
	for i, balance := range balances {
		out[i] = throttle.Balance(balance)
	}
	return out, nil
}

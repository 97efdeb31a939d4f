package app

import "github.com/techmart/techmart/gateway"

// DemoPassword opens the demo accounts, which exist where demo data was seeded: in development.
const DemoPassword = "techmart-demo-2026"

// DemoAccounts are one account of each role.
func DemoAccounts() []gateway.Account {
	list := []gateway.Account{
		{Role: "customer", Email: "ada@techmart.example"},
		{Role: "support", Email: "support@techmart.example"},
		{Role: "catalog manager", Email: "catalog@techmart.example"},
		{Role: "administrator", Email: "admin@techmart.example"},
	}
	for i := range list {
		list[i].Password = DemoPassword
	}
	return list
}

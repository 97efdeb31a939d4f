package main

import (
	"fmt"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/graph/federation"
)

type schemaCommand struct {
	Subgraph []string `placeholder:"PART,..." help:"Print these parts of the graph alone: users, products, orders, payments, notifications."`
}

// Run prints what a process that serves the parts gives to a federated graph.
func (s *schemaCommand) Run(p *program) error {
	parts, err := federation.Parse(s.Subgraph)
	if err != nil {
		return err
	}
	g, err := app.Subgraph(parts...)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(p.out, g.SDL())
	return err
}

// Command manifest writes what genqlient has exported as a persisted-query manifest, which
// `techmart documents publish` takes.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// manifest is Apollo's format.
type manifest struct {
	Format     string      `json:"format"`
	Version    int         `json:"version"`
	Operations []operation `json:"operations"`
}

type operation struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
	Body string `json:"body"`
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: manifest EXPORTED MANIFEST")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "manifest:", err)
		os.Exit(1)
	}
}

func write(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	var exported struct {
		Operations []struct{ OperationName, Query string }
	}
	if err := json.Unmarshal(text, &exported); err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	m := manifest{Format: "apollo-persisted-query-manifest", Version: 1}
	for _, o := range exported.Operations {
		kind, _, _ := strings.Cut(strings.TrimSpace(o.Query), " ")
		sum := sha256.Sum256([]byte(o.Query))
		m.Operations = append(m.Operations, operation{hex.EncodeToString(sum[:]), o.OperationName, kind, o.Query})
	}
	out, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(to, append(out, '\n'), 0o644)
}

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/techmart/techmart/services/users"
)

// guessable are the names of texts that name a thing as an id does. A secret that opens something is none of them:
// who has it may.
var guessable = []string{"number", "search", "after", "before", "token", "cartToken", "query"}

// guesses are the slots that take an id, or what names a thing as an id does.
func guesses(schema *ast.Schema) []slot {
	return slices.DeleteFunc(slots(schema), func(s slot) bool {
		return s.kind != "ID" && !(s.kind == "String" && slices.Contains(guessable, s.last()))
	})
}

// Whatever a customer has, its id gives nothing to others: put into any argument of the schema, right or wrong for it, it
// is answered as an id that nothing has.
func TestGuessedIDs(t *testing.T) {
	t.Parallel()
	s := setup(t, unthrottled)
	ada, bob, helper := s.as(users.Customer), s.as(users.Customer), s.as(users.Support)
	adas := s.own(ada, helper)
	bobs := s.own(bob, helper)
	adas["orderLine"] = ada.order(adas["order"]).Lines[0].ID
	nothing := unknown(adas)
	nothing["orderLine"] = noLine
	p := s.unique(50)
	before, bobBefore := ada.shows(everything, nil), bob.shows(everything, nil)

	schema := loadSchema(t)
	strangers := map[string]struct {
		c    *client
		form form
	}{
		"another customer":  {bob, form{schema, validInputs(bobs, p), filled}},
		"a catalog manager": {s.as(users.CatalogManager), form{schema, validInputs(nothing, p), filled}},
		"nobody":            {s.anonymous(), form{schema, validInputs(nothing, p), filled}},
	}
	kinds := slices.Sorted(maps.Keys(adas))
	tried := 0
	for _, at := range guesses(schema) {
		for who, stranger := range strangers {
			for _, kind := range kinds {
				if kind == "review" && (at.name() == "Query.node(id)" || at.name() == "Query.nodes(ids)" || at.name() == "Mutation.reviewDelete(input.id)" && who == "a catalog manager") {
					continue // reviews are there for everybody to read, and for catalog managers to remove
				}
				operation, variables := stranger.form.fill(at, adas[kind])
				got := stranger.c.guess(at, operation, variables, adas)
				operation, variables = stranger.form.fill(at, nothing[kind])
				if want := stranger.c.guess(at, operation, variables, nothing); got != want {
					t.Errorf("%s, %s, with the %s of somebody else: it answers\n  %s\nand for what is not there\n  %s", at.name(), who, kind, got, want)
				}
				tried++
			}
		}
	}
	t.Logf("%d guesses", tried)
	if after := ada.shows(everything, nil); after != before {
		t.Errorf("what is the customer's has changed from\n%s\nto\n%s", before, after)
	}
	if after := bob.shows(everything, nil); after != bobBefore {
		t.Errorf("what is the other customer's has changed from\n%s\nto\n%s", bobBefore, after)
	}
}

// guess runs an operation, and tells what comes of it with every id replaced by its kind.
func (c *client) guess(at slot, operation string, variables vars, ids belongings) string {
	c.s.t.Helper()
	if at.root == ast.Subscription {
		stream := c.serverSentEvents(operation, variables)
		defer stream.cancel()
		f := stream.next()
		return anonymized(fmt.Sprintf("%s %+v", f.Data, f.Errors), ids)
	}
	a := c.do(operation, variables)
	errs, err := json.Marshal(a.Errors)
	if err != nil {
		c.s.t.Fatal(err)
	}
	return anonymized(fmt.Sprintf("%d %s %s", a.Status, a.Data, errs), ids)
}

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/graph/model"
	"github.com/techmart/techmart/services/products"
	"github.com/techmart/techmart/services/users"
)

// inProduction eases nothing as development does. Its mails go nowhere.
func inProduction(c *app.Config) {
	c.Mode, c.SMTPURL, c.SecondFactorKeys = app.Production, "smtp://127.0.0.1:1", users.GenerateKey()
}

// unthrottled widens the limits of attempts: all of them come from one address.
func unthrottled(c *app.Config) {
	const many = 1_000_000
	c.SignInFailures, c.SignInAccountFailures, c.SignInNetworkFailures = many, many, many
	c.AccountRequests, c.AccountNetworkRequests = many, many
}

// A slot is one place of the schema that takes a value: an argument, or a field of an input object however deep.
type slot struct {
	root ast.Operation
	path []*pathHop // fields from the root to the one with the argument
	args []string   // the argument, and the input fields within it
	kind string     // the scalar or enum
}

// name is such as "Mutation.orderCancel(input.id)".
func (s slot) name() string {
	last := s.path[len(s.path)-1]
	return fmt.Sprintf("%s.%s(%s)", last.parent, last.field.Name, strings.Join(s.args, "."))
}

// last is the argument's or input field's own name.
func (s slot) last() string { return s.args[len(s.args)-1] }

// slots finds every place of the schema that takes a value, each reached by the shortest way from its root.
func slots(schema *ast.Schema) []slot {
	type place struct {
		root ast.Operation
		def  *ast.Definition
		path []*pathHop
	}
	var found []slot
	seen := map[string]bool{}
	queue := []place{{ast.Query, schema.Query, nil}, {ast.Mutation, schema.Mutation, nil}, {ast.Subscription, schema.Subscription, nil}}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		if seen[at.def.Name] {
			continue
		}
		seen[at.def.Name] = true
		for _, f := range at.def.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			hop := &pathHop{parent: at.def.Name, field: f}
			path := append(slices.Clone(at.path), hop)
			for _, a := range f.Arguments {
				for _, leaf := range leaves(schema, a.Type.Name(), []string{a.Name}, nil) {
					leaf.root, leaf.path = at.root, path
					found = append(found, leaf)
				}
			}
			if def := schema.Types[f.Type.Name()]; def.Kind == ast.Object && at.root == ast.Query {
				queue = append(queue, place{at.root, def, path})
			}
		}
	}
	return found
}

// leaves finds the scalars and enums of an argument.
func leaves(schema *ast.Schema, kind string, args, within []string) []slot {
	def := schema.Types[kind]
	if def.Kind != ast.InputObject {
		return []slot{{args: args, kind: kind}}
	}
	if slices.Contains(within, kind) {
		return nil
	}
	var found []slot
	for _, f := range def.Fields {
		found = append(found, leaves(schema, f.Type.Name(), append(slices.Clone(args), f.Name), append(slices.Clone(within), kind))...)
	}
	return found
}

// A form fills operations: with a value for one slot, and with valid ones wherever else one is needed.
type form struct {
	schema *ast.Schema
	valid  func(place, kind string) any // place is "OrderCancelInput.id" or "Query.order.id"; kind a scalar
	whole  []string                     // places that are filled though they might be left out
}

// fill writes the operation that puts a value into a slot.
func (f form) fill(s slot, value any) (operation string, variables vars) {
	variables = make(vars)
	var declared []string
	var b strings.Builder
	for i, hop := range s.path {
		var given []string
		for _, a := range hop.field.Arguments {
			place := hop.parent + "." + hop.field.Name + "." + a.Name
			var rest []string
			on := i == len(s.path)-1 && a.Name == s.args[0]
			if on {
				rest = s.args[1:]
			} else if !(a.Type.NonNull && a.DefaultValue == nil) && !slices.Contains(f.whole, place) {
				continue
			}
			name := fmt.Sprintf("v%d", len(declared))
			declared = append(declared, "$"+name+": "+a.Type.String())
			variables[name] = f.value(place, a.Type, on, rest, value)
			given = append(given, a.Name+": $"+name)
		}
		b.WriteString("{ " + hop.field.Name)
		if len(given) > 0 {
			b.WriteString("(" + strings.Join(given, ", ") + ")")
		}
		b.WriteString(" ")
	}
	if def := f.schema.Types[s.path[len(s.path)-1].field.Type.Name()]; def.IsCompositeType() {
		b.WriteString(strings.ReplaceAll(selection(f.schema, def, nil, 1), "userErrors { __typename }", "userErrors { code message field }"))
	}
	b.WriteString(strings.Repeat(" }", len(s.path)))
	operation = string(s.root)
	if len(declared) > 0 {
		operation += "(" + strings.Join(declared, ", ") + ")"
	}
	return operation + " " + b.String(), variables
}

// value gives an argument's value: on says that the slot lies within, at rest.
func (f form) value(place string, t *ast.Type, on bool, rest []string, value any) any {
	if t.Elem != nil {
		return []any{f.value(place, t.Elem, on, rest, value)}
	}
	def := f.schema.Types[t.Name()]
	switch {
	case def.Kind == ast.InputObject:
		object := make(vars)
		for _, field := range def.Fields {
			inner := def.Name + "." + field.Name
			switch {
			case on && len(rest) > 0 && rest[0] == field.Name:
				object[field.Name] = f.value(inner, field.Type, true, rest[1:], value)
			case field.Type.NonNull && field.DefaultValue == nil, slices.Contains(f.whole, inner) && !(on && slices.Contains(rest, field.Name+"Id")):
				object[field.Name] = f.value(inner, field.Type, false, nil, nil)
			}
		}
		return object
	case on:
		return value
	case def.Kind == ast.Enum:
		return def.EnumValues[0].Name
	}
	return f.valid(place, t.Name())
}

// filled are the places that an operation needs to get far, though the schema lets them out.
var filled = []string{"OrderPlaceInput.shippingAddress", "Query.order.id", "Query.product.id", "Query.category.id", "Query.productVariant.id"}

// validInputs gives valid values for a customer, by what they have: ids are theirs, or the shop's.
func validInputs(own belongings, p stocked) func(place, kind string) any {
	ids := map[string]any{
		"variantId": p.variantID, "productId": p.productID, "locationId": model.ID(model.PrefixLocation, products.Locations[0].ID),
		"orderId": own["order"], "paymentId": own["payment"], "userId": own["user"], "lineId": own["cartLine"], "lineIds": own["cartLine"],
		"Query.node.id": p.productID, "Query.nodes.ids": p.productID, "Query.product.id": p.productID, "Query.productVariant.id": p.variantID,
		"Query.order.id": own["order"], "Query.payment.id": own["payment"], "Query.user.id": own["user"], "Query.category.id": own["category"],
		"OrderCancelInput.id": own["order"], "AddressUpdateInput.id": own["address"], "AddressDeleteInput.id": own["address"],
		"ReturnApproveInput.id": own["return"], "ReturnRejectInput.id": own["return"], "ReturnCancelInput.id": own["return"],
		"ReturnReceiveInput.id": own["return"], "ReturnRefundInput.id": own["return"],
		"ReviewDeleteInput.id": own["review"], "ProductUpdateInput.id": p.productID, "ProductArchiveInput.id": p.productID,
	}
	texts := map[string]any{
		"password": password, "currentPassword": password, "newPassword": password + "-new", "paymentToken": "tok_visa",
		"key": "screen_size", "postalCode": "10115", "cartToken": own["cartToken"],
	}
	return func(place, kind string) any {
		name := place[strings.LastIndex(place, ".")+1:]
		for _, known := range []map[string]any{ids, texts} {
			for _, key := range []string{place, name} {
				if v := known[key]; v != nil && v != "" {
					return v
				}
			}
		}
		switch kind {
		case "ID":
			return model.ID(model.PrefixProduct, uuid.New())
		case "Int", "Float":
			return 1
		case "Boolean":
			return true
		case "Decimal":
			return "1.00"
		case "CurrencyCode":
			return "EUR"
		case "CountryCode":
			return "DE"
		case "EmailAddress":
			return uuid.NewString() + "@example.com"
		case "DateTime":
			return time.Now().UTC().Format(time.RFC3339)
		case "URL":
			return "https://shop.example/" + uuid.NewString()
		}
		return "w-" + uuid.NewString()
	}
}

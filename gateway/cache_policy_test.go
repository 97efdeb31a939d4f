package gateway

import (
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/techmart/techmart/graph/generated"
)

// policyIn gives the policy of a document, as Cache-Control.
func policyIn(t *testing.T, schema *ast.Schema, query string) string {
	t.Helper()
	doc, errs := gqlparser.LoadQueryWithRules(schema, query, rules.NewDefaultRules())
	if errs != nil {
		t.Fatalf("%v: %s", errs, query)
	}
	return policyOf(schema, &graphql.OperationContext{Doc: doc, Operation: doc.Operations[0]}).header()
}

func TestPolicyOfTheCatalogue(t *testing.T) {
	t.Parallel()
	schema := generated.NewExecutableSchema(generated.Config{}).Schema()
	for query, want := range map[string]string{
		`{ product(slug: "x") { title priceRange { min { amount } } rating { average } media { url } options { values } attributes { value } } }`: "public, max-age=60",
		`{ product(slug: "x") { title available } }`:                                                  "public, max-age=10",
		`{ product(slug: "x") { variants { sku price { amount } selectedOptions { value } } } }`:      "public, max-age=60",
		`{ product(slug: "x") { variants { quantityAvailable } } }`:                                   "public, max-age=10",
		`{ product(slug: "x") { variants { inventoryLevels { onHand } } } }`:                          "no-store",
		`{ product(slug: "x") { reviews { nodes { body } pageInfo { endCursor } totalCount } } }`:     "public, max-age=60",
		`{ products { edges { cursor node { title category { name } } } pageInfo { hasNextPage } } }`: "public, max-age=60",
		`{ search(query: "x") { products { nodes { title } } facets { values { value } } } }`:         "public, max-age=30",
		`{ searchSuggestions(prefix: "x") }`:                                                          "public, max-age=300",
		`{ category(slug: "x") { name ancestors { name } children { name } } }`:                       "public, max-age=300",
		`{ category(slug: "x") { products { nodes { title relatedProducts { title } } } } }`:          "public, max-age=60",
		`{ locations { name } }`:                                             "no-store",
		`{ me { displayName } }`:                                             "no-store",
		`{ node(id: "x") { ... on Product { title } } }`:                     "no-store",
		`{ categories { name } ... on Query @skip(if: true) { me { id } } }`: "no-store",
		`query { ...A } fragment A on Query { categories { ...B } } fragment B on Category { name parent { name } }`: "public, max-age=300",
	} {
		if got := policyIn(t, schema, query); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", query, got, want)
		}
	}
}

func TestPolicyRules(t *testing.T) {
	t.Parallel()
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: `
		directive @cacheControl(maxAge: Int, scope: CacheControlScope, inheritMaxAge: Boolean) on FIELD_DEFINITION | OBJECT | INTERFACE | UNION
		directive @authenticated on FIELD_DEFINITION | OBJECT
		enum CacheControlScope { PUBLIC PRIVATE }
		type Query {
			plain: String
			hinted: String @cacheControl(maxAge: 9)
			inherits: String @cacheControl(inheritMaxAge: true)
			thing: Thing
			longer: Thing @cacheControl(maxAge: 50)
			mine: Thing @cacheControl(maxAge: 50, scope: PRIVATE)
			scoped: Thing @cacheControl(scope: PRIVATE)
			either: Either @cacheControl(maxAge: 40)
			guarded: String @cacheControl(maxAge: 40) @authenticated
			secret: Secret @cacheControl(maxAge: 40)
		}
		type Thing @cacheControl(maxAge: 20) { leaf: Int bare: Bare bound: Bare @cacheControl(inheritMaxAge: true) short: Int @cacheControl(maxAge: 3) zero: Int @cacheControl(maxAge: 0) }
		type Bare { leaf: Int }
		type Secret @authenticated @cacheControl(maxAge: 40) { leaf: Int }
		union Either = Thing | Bare
	`})
	for query, want := range map[string]string{
		`{ plain }`:                            "no-store", // a root field without a hint
		`{ hinted }`:                           "public, max-age=9",
		`{ inherits }`:                         "no-store",            // there is nothing above a root field
		`{ thing { leaf } }`:                   "public, max-age=20",  // of its type
		`{ longer { leaf } }`:                  "public, max-age=50",  // a field's own hint counts more
		`{ longer { leaf } hinted }`:           "public, max-age=9",   // the strictest of all
		`{ longer { bare { leaf } } }`:         "no-store",            // an object without a hint
		`{ longer { bound { leaf } } }`:        "public, max-age=50",  // unless it is told to inherit
		`{ longer { short } }`:                 "public, max-age=3",   // a leaf with a hint
		`{ longer { zero } }`:                  "no-store",            // of 0
		`{ mine { leaf } hinted }`:             "private, max-age=9",  // one private part makes all private
		`{ scoped { leaf } }`:                  "private, max-age=20", // a scope alone leaves the type's age
		`{ either { ... on Thing { leaf } } }`: "public, max-age=40",
		`{ guarded }`:                          "no-store",
		`{ secret { leaf } }`:                  "no-store",
	} {
		if got := policyIn(t, schema, query); got != want {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
	}
}

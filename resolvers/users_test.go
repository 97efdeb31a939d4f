package resolvers

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/transport"

	"github.com/techmart/techmart/dataloaders"
	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/graph/generated"
	"github.com/techmart/techmart/platform/postgres"
	"github.com/techmart/techmart/services/page"
	"github.com/techmart/techmart/services/users"
	userspostgres "github.com/techmart/techmart/services/users/postgres"
	"github.com/techmart/techmart/services/viewer"
)

const usersPassword = "a quiet long winter"

// usersGraph serves the fields of the accounts, to whoever's access token is given.
type usersGraph struct {
	t       *testing.T
	service *users.Service
	server  http.Handler
}

func newUsersGraph(t *testing.T) *usersGraph {
	t.Helper()
	pool, err := postgres.Open(t.Context(), postgres.Config{URL: stacktest.Postgres(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if err := postgres.Migrate(t.Context(), pool, os.DirFS("../migrations/users"), userspostgres.Schema); err != nil {
		t.Fatal(err)
	}
	keys, err := users.NewKeySet(users.KeyConfig{Keys: users.GenerateKey(), Issuer: "techmart", Audience: "techmart"})
	if err != nil {
		t.Fatal(err)
	}
	service, err := users.New(users.Deps{
		Store: userspostgres.New(pool), Passwords: users.NewHasher(users.HasherConfig{MemoryKiB: 64, Iterations: 1}), Keys: keys,
		Log: slog.New(slog.DiscardHandler), Config: users.Config{AnswerFloor: -1},
	})
	if err != nil {
		t.Fatal(err)
	}
	resolver := &Resolver{Users: service, Cursors: page.NewCursors([]byte("0123456789abcdef0123456789abcdef"))}
	server := handler.New(generated.NewExecutableSchema(generated.Config{Resolvers: resolver, Directives: Directives()}))
	server.AddTransport(transport.POST{})
	server.AroundResponses(func(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
		return next(dataloaders.NewContext(ctx, dataloaders.New(dataloaders.Services{Users: service})))
	})
	return &usersGraph{t: t, service: service, server: server}
}

func (g *usersGraph) account(email string, roles ...users.Role) {
	g.t.Helper()
	if _, err := g.service.CreateAccount(g.t.Context(), users.NewAccount{Email: email, DisplayName: "Ada", Password: usersPassword, Roles: roles}); err != nil {
		g.t.Fatal(err)
	}
}

// ask runs a document for the viewer of the access token and gives its data and the messages of its errors.
func (g *usersGraph) ask(token, document string, variables map[string]any) (map[string]any, []string) {
	g.t.Helper()
	ctx := g.t.Context()
	if token != "" {
		v, err := g.service.Authenticate(ctx, token)
		if err != nil {
			g.t.Fatal(err)
		}
		ctx = viewer.NewContext(ctx, v)
	}
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		g.t.Fatal(err)
	}
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, "/graphql", strings.NewReader(string(body)))
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	g.server.ServeHTTP(recorder, request)
	var answer struct {
		Data   map[string]any
		Errors []struct{ Message string }
	}
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
		g.t.Fatalf("%v: %s", err, recorder.Body)
	}
	var messages []string
	for _, e := range answer.Errors {
		messages = append(messages, e.Message)
	}
	return answer.Data, messages
}

// must is ask without errors. It gives the value at the path of the data, dots between the names.
func (g *usersGraph) must(token, document string, variables map[string]any, path string) any {
	g.t.Helper()
	data, messages := g.ask(token, document, variables)
	if len(messages) > 0 {
		g.t.Fatalf("%s: %v", document, messages)
	}
	var at any = data
	for name := range strings.SplitSeq(path, ".") {
		object, ok := at.(map[string]any)
		if !ok {
			g.t.Fatalf("%s: no %s in %v", document, path, data)
		}
		at = object[name]
	}
	return at
}

// signIn gives the payload of sessionCreate and its access token.
func (g *usersGraph) signIn(email string) (map[string]any, string) {
	g.t.Helper()
	payload := g.must("", `mutation($email: EmailAddress!, $password: String!) { sessionCreate(input: {email: $email, password: $password}) {
  tokens { accessToken refreshToken accessTokenExpiresAt refreshTokenExpiresAt } user { id email emailVerified roles displayName version } userErrors { code message } } }`,
		map[string]any{"email": email, "password": usersPassword}, "sessionCreate").(map[string]any)
	tokens, ok := payload["tokens"].(map[string]any)
	if !ok {
		g.t.Fatalf("sessionCreate gives %v", payload)
	}
	return payload, tokens["accessToken"].(string)
}

func asJSON(v any) string {
	raw, _ := json.Marshal(v)
	return string(raw)
}

func TestUsersSignUpAndIn(t *testing.T) {
	t.Parallel()
	g := newUsersGraph(t)
	register := `mutation($email: EmailAddress!, $password: String!) { userRegister(input: {email: $email, password: $password, displayName: "Ada"}) { accepted userErrors { code field } } }`
	for range 2 {
		if got := asJSON(g.must("", register, map[string]any{"email": "ada@example.com", "password": usersPassword}, "userRegister")); got != `{"accepted":true,"userErrors":[]}` {
			t.Errorf("userRegister gives %s", got)
		}
	}
	got := asJSON(g.must("", register, map[string]any{"email": "ada", "password": "short"}, "userRegister"))
	if want := `{"accepted":false,"userErrors":[{"code":"INVALID","field":["input","email"]},{"code":"TOO_SHORT","field":["input","password"]}]}`; got != want {
		t.Errorf("userRegister gives %s, want %s", got, want)
	}
	for _, field := range []string{"userRequestEmailVerification", "userRequestPasswordReset"} {
		if got := g.must("", `mutation { `+field+`(input: {email: "nobody@example.com"}) { accepted } }`, nil, field+".accepted"); got != true {
			t.Errorf("%s gives %v", field, got)
		}
	}
	for document, path := range map[string]string{
		`mutation { userVerifyEmail(input: {token: "x"}) { user { id } userErrors { code } } }`:                                           "userVerifyEmail",
		`mutation { userResetPassword(input: {token: "x", newPassword: "a louder shorter summer"}) { user { id } userErrors { code } } }`: "userResetPassword",
	} {
		if got := asJSON(g.must("", document, nil, path)); got != `{"user":null,"userErrors":[{"code":"INVALID_TOKEN"}]}` {
			t.Errorf("%s gives %s", path, got)
		}
	}
	if got := g.must("", `{ me { id } }`, nil, "me"); got != nil {
		t.Errorf("an anonymous viewer is %v", got)
	}

	payload, token := g.signIn("ada@example.com")
	user := payload["user"].(map[string]any)
	if asJSON(user["roles"]) != `["CUSTOMER"]` || user["email"] != "ada@example.com" || user["emailVerified"] != false {
		t.Errorf("signed in as %v", user)
	}
	me := g.must(token, `{ me { id sessions { id isCurrent } addresses { id } } }`, nil, "me").(map[string]any)
	sessions := me["sessions"].([]any)
	if me["id"] != user["id"] || len(sessions) != 1 || sessions[0].(map[string]any)["isCurrent"] != true {
		t.Errorf("me is %v", me)
	}
	refresh := `mutation($token: String!) { sessionRefresh(input: {refreshToken: $token}) { tokens { refreshToken } userErrors { code field } } }`
	variables := map[string]any{"token": payload["tokens"].(map[string]any)["refreshToken"]}
	if got := g.must("", refresh, variables, "sessionRefresh.tokens"); got == nil {
		t.Error("sessionRefresh gives no tokens")
	}
	if got := asJSON(g.must("", refresh, variables, "sessionRefresh")); got != `{"tokens":null,"userErrors":[{"code":"INVALID_TOKEN","field":["input","refreshToken"]}]}` {
		t.Errorf("a used refresh token gives %s", got)
	}
	got = asJSON(g.must("", `mutation { sessionCreate(input: {email: "ada@example.com", password: "wrong"}) { tokens { accessToken } user { id } userErrors { code field } } }`, nil, "sessionCreate"))
	if want := `{"tokens":null,"user":null,"userErrors":[{"code":"INVALID_CREDENTIALS","field":null}]}`; got != want {
		t.Errorf("a wrong password gives %s, want %s", got, want)
	}
}

func TestUsersOwnAccount(t *testing.T) {
	t.Parallel()
	g := newUsersGraph(t)
	g.account("ada@example.com")
	_, token := g.signIn("ada@example.com")

	got := asJSON(g.must(token, `mutation { userUpdate(input: {displayName: "Ada King", expectedVersion: 7}) { user { id } userErrors { code field ... on ConflictError { currentVersion } } } }`, nil, "userUpdate"))
	if want := `{"user":null,"userErrors":[{"code":"CONFLICT","currentVersion":1,"field":["input","expectedVersion"]}]}`; got != want {
		t.Errorf("userUpdate gives %s, want %s", got, want)
	}
	if got := g.must(token, `mutation { userUpdate(input: {displayName: "Ada King", expectedVersion: 1}) { user { displayName } } }`, nil, "userUpdate.user.displayName"); got != "Ada King" {
		t.Errorf("userUpdate gives %v", got)
	}

	address := `{recipient: "Ada", line1: "12 St James's Square", postalCode: "SW1Y 4JH", city: "London", countryCode: "GB", phone: "+44 20 7946 0000"}`
	addressID := g.must(token, `mutation { addressCreate(input: {address: `+address+`}) { address { id isDefault } } }`, nil, "addressCreate.address.id").(string)
	got = asJSON(g.must(token, `mutation($id: ID!) { addressUpdate(input: {id: $id, address: {recipient: "", line1: "x", postalCode: "1", city: "c", countryCode: "DE"}}) { address { id } userErrors { code field } } }`,
		map[string]any{"id": addressID}, "addressUpdate"))
	if want := `{"address":null,"userErrors":[{"code":"REQUIRED","field":["input","address","recipient"]}]}`; got != want {
		t.Errorf("addressUpdate gives %s, want %s", got, want)
	}
	got = asJSON(g.must(token, `mutation($id: ID!) { addressUpdate(input: {id: $id, address: `+address+`, isDefault: true}) { address { line2 phone isDefault } } }`,
		map[string]any{"id": addressID}, "addressUpdate.address"))
	if want := `{"isDefault":true,"line2":null,"phone":"+442079460000"}`; got != want {
		t.Errorf("addressUpdate gives %s, want %s", got, want)
	}
	if got := asJSON(g.must(token, `{ me { addresses { id isDefault } } }`, nil, "me.addresses")); got != `[{"id":"`+addressID+`","isDefault":true}]` {
		t.Errorf("addresses %s", got)
	}
	for _, id := range []string{addressID, "addr_nonsense"} {
		got := asJSON(g.must(token, `mutation($id: ID!) { addressDelete(input: {id: $id}) { deletedAddressId userErrors { code field } } }`, map[string]any{"id": id}, "addressDelete"))
		want := `{"deletedAddressId":"` + addressID + `","userErrors":[]}`
		if id != addressID {
			want = `{"deletedAddressId":null,"userErrors":[{"code":"NOT_FOUND","field":["input","id"]}]}`
		}
		if got != want {
			t.Errorf("addressDelete gives %s, want %s", got, want)
		}
	}

	changed := g.must(token, `mutation($old: String!) { userChangePassword(input: {currentPassword: $old, newPassword: "a louder shorter summer"}) { user { version } userErrors { code } } }`,
		map[string]any{"old": usersPassword}, "userChangePassword.user")
	if changed == nil {
		t.Error("userChangePassword gives no account")
	}
	got = asJSON(g.must(token, `mutation { sessionRevoke(input: {sessionId: "sess_x"}) { revokedSessionId userErrors { code } } }`, nil, "sessionRevoke"))
	if want := `{"revokedSessionId":null,"userErrors":[{"code":"NOT_FOUND"}]}`; got != want {
		t.Errorf("sessionRevoke gives %s, want %s", got, want)
	}
	if got := g.must(token, `mutation { sessionRevokeAll(input: {keepCurrent: true}) { revokedCount } }`, nil, "sessionRevokeAll.revokedCount"); got != 0.0 {
		t.Errorf("sessionRevokeAll gives %v", got)
	}
	if got, _ := g.must(token, `mutation { sessionRevoke(input: {}) { revokedSessionId } }`, nil, "sessionRevoke.revokedSessionId").(string); !strings.HasPrefix(got, "sess_") {
		t.Errorf("sessionRevoke gives %q", got)
	}
	if _, err := g.service.Authenticate(t.Context(), token); err == nil {
		t.Error("the access token of an ended session is good")
	}
}

func TestUsersForStaff(t *testing.T) {
	t.Parallel()
	g := newUsersGraph(t)
	for _, email := range []string{"ada@example.com", "bob@example.com", "eve@example.com"} {
		g.account(email)
	}
	g.account("admin@example.com", users.Admin)
	_, admin := g.signIn("admin@example.com")
	_, ada := g.signIn("ada@example.com")

	list := `query($after: String, $where: UserWhere) { users(first: 2, after: $after, where: $where, sortBy: {field: EMAIL, direction: ASC}) {
  totalCount nodes { id email sessions { id } addresses { id } } edges { cursor } pageInfo { hasNextPage hasPreviousPage endCursor } } }`
	first := g.must(admin, list, nil, "users").(map[string]any)
	info := first["pageInfo"].(map[string]any)
	if first["totalCount"] != 4.0 || len(first["nodes"].([]any)) != 2 || info["hasNextPage"] != true || info["hasPreviousPage"] != false {
		t.Errorf("first page %v", first)
	}
	second := g.must(admin, list, map[string]any{"after": info["endCursor"]}, "users").(map[string]any)
	nodes := second["nodes"].([]any)
	if len(nodes) != 2 || nodes[0].(map[string]any)["email"] != "bob@example.com" || second["pageInfo"].(map[string]any)["hasNextPage"] != false {
		t.Errorf("second page %v", second)
	}
	if _, messages := g.ask(admin, list, map[string]any{"after": info["endCursor"], "where": map[string]any{"search": "a"}}); len(messages) != 1 {
		t.Errorf("a cursor of another filter: %v", messages)
	}
	where := map[string]any{"search": "EVE", "role": "CUSTOMER", "createdAt": map[string]any{"gte": "2020-01-01T00:00:00Z", "lt": "2120-01-01T00:00:00Z"}}
	if got := g.must(admin, list, map[string]any{"where": where}, "users.totalCount"); got != 1.0 {
		t.Errorf("accounts with everything asked for: %v, want 1", got)
	}
	if got := g.must(admin, `{ users(last: 1) { nodes { email } } }`, nil, "users.nodes"); asJSON(got) != `[{"email":"ada@example.com"}]` {
		t.Errorf("the oldest account: %v", got)
	}

	bob := nodes[0].(map[string]any)["id"]
	lookUp := `query($id: ID!) { user(id: $id) { email } node(id: $id) { id } }`
	if got, messages := g.ask(admin, lookUp, map[string]any{"id": bob}); asJSON(got) != `{"node":{"id":"`+bob.(string)+`"},"user":{"email":"bob@example.com"}}` {
		t.Errorf("staff see %v, %v", asJSON(got), messages)
	}
	for _, id := range []any{bob, "user_nonsense"} {
		if got, messages := g.ask(ada, lookUp, map[string]any{"id": id}); asJSON(got) != `{"node":null,"user":null}` || len(messages) != 0 {
			t.Errorf("another customer sees %v, %v", asJSON(got), messages)
		}
	}
	for token, who := range map[string]string{ada: "a customer", "": "an anonymous viewer"} {
		if _, messages := g.ask(token, `{ users { totalCount } }`, nil); len(messages) != 1 {
			t.Errorf("%s lists accounts: %v", who, messages)
		}
		if _, messages := g.ask(token, `mutation($id: ID!) { userSetRoles(input: {userId: $id, roles: [ADMIN]}) { user { id } } }`, map[string]any{"id": bob}); len(messages) != 1 {
			t.Errorf("%s sets roles: %v", who, messages)
		}
	}
	setRoles := `mutation($id: ID!) { userSetRoles(input: {userId: $id, roles: [SUPPORT]}) { user { roles } userErrors { code field } } }`
	if got := asJSON(g.must(admin, setRoles, map[string]any{"id": bob}, "userSetRoles")); got != `{"user":{"roles":["CUSTOMER","SUPPORT"]},"userErrors":[]}` {
		t.Errorf("userSetRoles gives %s", got)
	}
	if got := asJSON(g.must(admin, setRoles, map[string]any{"id": "x"}, "userSetRoles")); got != `{"user":null,"userErrors":[{"code":"NOT_FOUND","field":["input","userId"]}]}` {
		t.Errorf("userSetRoles of nobody gives %s", got)
	}
}

func TestUsersNodes(t *testing.T) {
	t.Parallel()
	g := newUsersGraph(t)
	g.account("ada@example.com")
	g.account("eve@example.com")
	_, ada := g.signIn("ada@example.com")
	_, eve := g.signIn("eve@example.com")
	addressID := g.must(ada, `mutation { addressCreate(input: {address: {recipient: "Ada", line1: "x", postalCode: "1", city: "c", countryCode: "DE"}}) { address { id } } }`, nil, "addressCreate.address.id")
	sessions := g.must(ada, `{ me { sessions { id } } }`, nil, "me.sessions").([]any)
	ids := []any{addressID, sessions[0].(map[string]any)["id"], g.must(ada, `{ me { id } }`, nil, "me.id")}
	nodes := `query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }`
	want := asJSON([]any{
		map[string]any{"__typename": "Address", "id": ids[0]}, map[string]any{"__typename": "Session", "id": ids[1]}, map[string]any{"__typename": "User", "id": ids[2]}})
	if got := asJSON(g.must(ada, nodes, map[string]any{"ids": ids}, "nodes")); got != want {
		t.Errorf("own things: %s, want %s", got, want)
	}
	for _, token := range []string{eve, ""} {
		if got := asJSON(g.must(token, nodes, map[string]any{"ids": ids}, "nodes")); got != `[null,null,null]` {
			t.Errorf("somebody else's things: %s", got)
		}
	}
}

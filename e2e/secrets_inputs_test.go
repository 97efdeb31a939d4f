package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	coderws "github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/techmart/techmart/services/clients"
	"github.com/techmart/techmart/services/viewer"
)

// shaped gives a mark the form that a slot takes, so that it gets far, and some that make trouble.
func shaped(s slot, mark string) []any {
	switch s.kind {
	case "EmailAddress":
		return []any{mark + "@example.com", mark + " <" + mark + "@example.com>"}
	case "URL":
		return []any{"https://" + mark + ".example/" + mark, "javascript:" + mark}
	case "String":
		return []any{mark, mark + "\x00" + mark, strings.Repeat(mark, 7000), `"'` + mark + `\`, " " + mark + "\n\t"}
	case "ID":
		return []any{mark, "prod_" + mark}
	}
	return []any{mark} // a word where a number or one of a few words is wanted
}

// fillEverySlot sends a mark through each argument and input field of the schema, by a variable.
func (p *program) fillEverySlot(m *marks, who string, c *client, own belongings, stock stocked) {
	p.t.Helper()
	schema := loadSchema(p.t)
	f := form{schema, validInputs(own, stock), filled}
	for _, s := range slots(schema) {
		mark := m.mark(who + ": " + s.name())
		for _, value := range shaped(s, mark) {
			operation, variables := f.fill(s, value)
			if s.root == ast.Subscription {
				stream := c.at(p.shop).serverSentEvents(operation, variables)
				if f := stream.next(); f.code() == "INTERNAL" {
					p.t.Errorf("%s with %q answers INTERNAL", s.name(), value)
				}
				stream.cancel()
				continue
			}
			if a := c.do(operation, variables); a.code() == "INTERNAL" || a.Status >= http.StatusInternalServerError {
				p.t.Errorf("%s, %s with %.40q answers %d %+v", who, s.name(), value, a.Status, a.Errors)
			}
		}
	}
}

// everyFlow lets secrets go all the way: an account, its passwords, its tokens, its cart.
func (p *program) everyFlow(m *marks, stock stocked) {
	p.t.Helper()
	email := m.mark("the address of an account") + "@example.com"
	first, second := m.mark("the password of an account"), m.mark("the new password of an account")
	nobody := p.anonymous()
	nobody.change("userRegister", "UserRegisterInput", vars{"email": email, "password": first + "-Battery-1", "displayName": m.mark("the name of an account")})
	nobody.try("sessionCreate", "SessionCreateInput", vars{"email": email, "password": m.mark("a wrong password")})
	c := p.signIn(email, first+"-Battery-1")
	m.secret("an access token (authorization)", c.token)
	var out struct {
		SessionCreate, SessionRefresh struct {
			Tokens struct{ AccessToken, RefreshToken string }
		}
		CartLinesAdd struct{ Cart struct{ Token string } }
	}
	nobody.must(&out, `mutation($input: SessionCreateInput!) { sessionCreate(input: $input) { tokens { accessToken refreshToken } } }`,
		vars{"input": vars{"email": email, "password": first + "-Battery-1"}})
	m.secret("a refreshToken", out.SessionCreate.Tokens.RefreshToken)
	refresh := vars{"refreshToken": out.SessionCreate.Tokens.RefreshToken}
	nobody.must(&out, `mutation($input: SessionRefreshInput!) { sessionRefresh(input: $input) { tokens { accessToken refreshToken } } }`, vars{"input": refresh})
	m.secret("an access token (authorization)", out.SessionRefresh.Tokens.AccessToken)
	m.secret("a refreshToken", out.SessionRefresh.Tokens.RefreshToken)
	nobody.try("sessionRefresh", "SessionRefreshInput", refresh) // the second use: the session ends
	nobody.must(&out, `mutation($input: CartLinesAddInput!) { cartLinesAdd(input: $input) { cart { token } } }`,
		vars{"input": vars{"lines": []vars{{"variantId": stock.variantID}}}})
	m.secret("the token of a cart", out.CartLinesAdd.Cart.Token)
	c.change("cartMerge", "CartMergeInput", vars{"cartToken": out.CartLinesAdd.Cart.Token})
	var factor struct {
		SecondFactorEnroll struct{ Secret, URI string }
	}
	c.must(&factor, `mutation($input: SecondFactorEnrollInput!) { secondFactorEnroll(input: $input) { secret uri } }`, vars{"input": vars{"password": first + "-Battery-1"}})
	m.secret("the secret of a second factor (password)", factor.SecondFactorEnroll.Secret)
	_, key, err := p.Services.Clients.Create(viewer.NewContext(p.t.Context(), viewer.System), "shop-app", clients.Open, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	m.secret("an apiKey", key)
	for _, body := range []string{`{"query":"{ me { id } }"}`, `{"query":"{ nothing }"}`, `{"documentId":"none"}`} {
		p.send(p.request(http.MethodPost, "/graphql", body, "X-Api-Key", key))
	}
	address := vars{"recipient": m.mark("the recipient"), "line1": m.mark("the street"), "postalCode": "10115", "city": m.mark("the city"), "countryCode": "DE"}
	c.change("orderPlace", "OrderPlaceInput", vars{"paymentToken": "tok_visa", "shippingAddress": address})
	c.change("userChangePassword", "UserChangePasswordInput", vars{"currentPassword": first + "-Battery-1", "newPassword": second + "-Battery-1"})
	nobody.change("userRequestPasswordReset", "UserRequestPasswordResetInput", vars{"email": email})
	nobody.try("userRegister", "UserRegisterInput", vars{"email": email, "password": first + "-Battery-2", "displayName": "Eve"})
	// The same words stand in the text of the operation, not in variables.
	for _, operation := range []string{
		`mutation { sessionCreate(input: {email: "` + email + `", password: "` + second + `-Battery-1"}) { user { id } } }`,
		`mutation { userChangePassword(input: {currentPassword: "` + second + `", newPassword: "` + first + `"}) { user { id } } }`,
		`{ user(id: "` + m.mark("an id in the text") + `") { id } order(number: "` + m.mark("a number in the text") + `") { id } search(query: "` + m.mark("a query in the text") + `") { correctedQuery } }`,
	} {
		c.do(operation, nil)
	}
}

// request is a request of the graph with this body.
func (p *program) request(method, path, body string, headers ...string) *http.Request {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header[headers[i]] = []string{headers[i+1]}
	}
	return req
}

// everyHeader sends marks in headers, addresses and cookies.
func (p *program) everyHeader(m *marks, c *client) {
	p.t.Helper()
	const good = `{"query":"{ me { id } }"}`
	for _, name := range []string{
		"Authorization", "Proxy-Authorization", "Cookie", "X-Api-Key", "User-Agent", "Referer", "Origin", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "X-Real-Ip", "Via",
		"Idempotency-Key", "X-Request-Id", "X-Correlation-Id", "Traceparent", "Tracestate", "Baggage", "X-Apollo-Operation-Name", "Apollo-Require-Preflight", "Apollographql-Client-Name",
		"Apollographql-Client-Version", "Graphql-Client-Name", "X-Graphql-Event-Stream-Token", "Accept", "Accept-Language", "Accept-Encoding", "Content-Language", "If-None-Match", "If-Match", "From", "Last-Event-Id",
		"Sec-Websocket-Protocol", "Access-Control-Request-Headers", "X-Csrf-Token", "X-Anything",
	} {
		mark := m.mark("header " + name)
		for _, body := range []string{good, `{"query":"{ nothing }"}`, `{"query":`} {
			p.send(p.request(http.MethodPost, "/graphql", body, name, mark))
			p.send(p.request(http.MethodPost, "/graphql", body, "Authorization", "Bearer "+c.token, name, mark))
		}
		p.send(p.request(http.MethodGet, "/graphql?query=%7Bme%7Bid%7D%7D", "", name, mark))
		p.send(p.request(http.MethodOptions, "/graphql", "", name, mark))
	}
	for _, value := range []string{"Bearer ", "Basic ", "bearer eyJhbGciOiJub25lIn0.", "Digest username="} {
		p.send(p.request(http.MethodPost, "/graphql", good, "Authorization", value+m.mark("header Authorization")))
	}
	for _, value := range []string{"text/", "application/json; charset=", "multipart/form-data; boundary=", "application/x-www-form-urlencoded; x="} {
		p.send(p.request(http.MethodPost, "/graphql", good, "Content-Type", value+m.mark("header Content-Type")))
	}
	for _, path := range []string{"/", "/graphql/", "/dev/", "/media/", "/healthz/", "/.well-known/"} {
		mark := m.mark("the address")
		p.send(p.request(http.MethodGet, path+mark+"?"+mark+"="+mark+"#"+mark, ""))
	}
	for _, name := range []string{"query", "variables", "operationName", "extensions", "documentId", "token", "operationId", "access_token", "anything"} {
		mark := m.mark("query string, " + name)
		for _, value := range []string{mark, `{"` + mark + `":"` + mark + `"}`, `{"persistedQuery":{"version":1,"sha256Hash":"` + mark + `"}}`, "{" + mark + "}", "%zz" + mark + ";"} {
			query := url.Values{name: {value}, "x": {"y"}}
			if name != "query" {
				query.Set("query", "{ me { id } }")
			}
			for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
				p.send(p.request(method, "/graphql?"+query.Encode(), "", "Apollo-Require-Preflight", "1"))
			}
		}
	}
	p.send(p.request(strings.ToUpper(m.mark("the method")), "/graphql", ""))
	foreign := p.request(http.MethodPost, "/graphql", good)
	foreign.Host = m.mark("the host") + ".example"
	p.send(foreign)
}

// everyDocument sends marks in the parts of a body.
func (p *program) everyDocument(m *marks, c *client) {
	p.t.Helper()
	do := func(body map[string]any) {
		text, err := json.Marshal(body)
		if err != nil {
			p.t.Fatal(err)
		}
		for _, token := range []string{"", "Bearer " + c.token} {
			req := p.request(http.MethodPost, "/graphql", string(text))
			if token != "" {
				req.Header.Set("Authorization", token)
			}
			if status, answer := p.send(req); status >= http.StatusInternalServerError || strings.Contains(answer, `"INTERNAL"`) {
				p.t.Errorf("%s answers %d %s", text, status, answer)
			}
		}
	}
	word := m.mark
	for _, query := range []string{
		"{ me { id } } # " + word("a comment"), "{ " + word("an alias") + ": me { id } }", "{ " + word("an unknown field") + " }", "{ me { id " + word("an unknown field") + " } }",
		"{ me(" + word("an unknown argument") + ": 1) { id } }", `{ product(slug: "` + word("an argument") + `") { id } }`, `{ product(slug: ` + word("an argument that is an enum") + `) { id } }`,
		"query($" + word("a variable's name") + ": String) { me { id } }", "{ product(slug: $" + word("a variable that is not there") + ") { id } }", "query($a: " + word("a type") + ") { me { id } }",
		"{ me { ..." + word("a fragment that is not there") + " } }", "{ me { ... on " + word("a type") + " { id } } }", "fragment " + word("a fragment's name") + " on User { id } { me { id } }",
		"{ me @" + word("a directive") + " { id } }", `{ me @include(if: "` + word("an argument of a directive") + `") { id } }`, `{ me { id } } "` + word("a text that does not end"), word("a word"), "{ " + word("an alias of something that fails") + `: orders(after: "x") { nodes { id } } }`,
		"{ me { id } } \x00" + word("after what cannot be read"), `"""` + word("a block text") + `""" { me { id } }`,
	} {
		do(map[string]any{"query": query})
	}
	do(map[string]any{"query": "query " + word("the operation's name") + " { me { id } }"})
	do(map[string]any{"query": "query A { me { id } }", "operationName": word("a name that no operation has")})
	for _, name := range []string{"id", "documentId", "doc_id", "hash", "documentID"} {
		do(map[string]any{name: word("body, " + name)})
		do(map[string]any{name: "sha256:" + word("body, "+name), "query": "{ me { id } }"})
	}
	do(map[string]any{"query": "query($a: Int, $b: ProductWhere) { me { id } products(where: $b, first: $a) { nodes { id } } }", "variables": vars{"a": word("a variable of another type"), "b": vars{word("a key of an input"): word("a value of an unknown key")}}})
	do(map[string]any{"query": "{ me { id } }", "variables": vars{word("a variable nobody wants"): word("a value nobody wants")}})
	do(map[string]any{"query": "{ me { id } }", "extensions": vars{"persistedQuery": vars{"version": 1, "sha256Hash": word("a hash")}, "x": word("an extension"), "operationId": word("an operation's id")}})
	do(map[string]any{"query": "{ me { id } }", word("a key of the body"): word("a value of the body")})
	for _, body := range []string{`{"query":"` + word("broken JSON"), `{"query":"{ me { id } }"} ` + word("after the body"), `["` + word("a batch") + `"]`, word("no JSON"), `{"query":"` + word("a broken letter") + "\xff\"}", `{"query":{"a":"` + word("an object as query") + `"}}`} {
		p.send(p.request(http.MethodPost, "/graphql", body))
		p.send(p.request(http.MethodPost, "/graphql", body, "Accept", "text/event-stream"))
	}
}

// everyMessage sends marks over WebSockets.
func (p *program) everyMessage(m *marks, c *client) {
	p.t.Helper()
	talk := func(messages ...string) {
		ctx, cancel := context.WithTimeout(p.t.Context(), patience)
		defer cancel()
		conn := p.dial(ctx)
		defer conn.CloseNow() //nolint:errcheck // whatever became of it
		for _, text := range messages {
			if conn.Write(ctx, coderws.MessageText, []byte(text)) != nil {
				return // it was closed
			}
		}
		for {
			var answer wsMessage
			if err := wsjson.Read(ctx, conn, &answer); err != nil || answer.Type == "complete" || answer.Type == "error" || answer.Type == "pong" {
				return
			}
		}
	}
	hello := `{"type":"connection_init","payload":{"authorization":"Bearer ` + c.token + `"}}`
	for _, key := range []string{"authorization", "Authorization", "accessToken", "apiKey", "anything"} {
		mark := m.mark("connection_init, " + key + " (authorization)")
		talk(`{"type":"connection_init","payload":{"`+key+`":"`+mark+`"}}`, `{"type":"ping"}`)
		talk(`{"type":"connection_init","payload":{"`+key+`":"Bearer `+mark+`"}}`, `{"type":"ping"}`)
		talk(`{"type":"connection_init","payload":{"`+key+`":{"a":"`+mark+`"}}}`, `{"type":"ping"}`)
		talk(hello, `{"type":"ping","payload":{"`+key+`":"Bearer `+mark+`"}}`)
	}
	talk(`{"type":"connection_init","payload":"` + m.mark("connection_init's payload") + `"}`)
	talk(`{"type":"` + m.mark("a type of message") + `"}`)
	talk(m.mark("a message that is no JSON"))
	for _, payload := range []string{
		`{"query":"{ me { id } }","operationName":"` + m.mark("an operation's name over WebSocket") + `"}`, `{"query":"{ ` + m.mark("an unknown field over WebSocket") + ` }"}`,
		`{"query":"subscription($id: ID!) { stockChanged(variantId: $id) { id } }","variables":{"id":"` + m.mark("a variable over WebSocket") + `"}}`,
		`{"query":"{ me { id } }","extensions":{"x":"` + m.mark("an extension over WebSocket") + `"}}`, `"` + m.mark("a subscribe without a query") + `"`,
	} {
		talk(hello, `{"type":"subscribe","id":"`+m.mark("an operation's id over WebSocket")+`","payload":`+payload+`}`)
	}
}

package techmart

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/Khan/genqlient/graphql"
)

// Defaults and bounds of a client.
const (
	defaultAttempts = 4
	defaultTimeout  = 30 * time.Second
	firstPause      = 200 * time.Millisecond
	maxPause        = 30 * time.Second
	maxAnswer       = 32 << 20
)

// Options say how a client calls. The zero value calls as anybody may.
type Options struct {
	// APIKey is that of the program: `techmart clients create`.
	APIKey string
	// Token gives the access token of an account; none where it gives "". It is asked before each attempt,
	// so that it can renew what has expired.
	Token func(context.Context) (string, error)
	// Trusted sends the ids of the documents in manifest.json, instead of their text: for API clients in the
	// modes prefer and only, whose manifest is published.
	Trusted bool
	// Attempts is how often a call is made at most; 4 where it is 0.
	Attempts int
	// HTTP makes the requests; a client with a timeout of 30 seconds where it is nil.
	HTTP *http.Client
}

// Client calls the graph, and calls again where that is safe: after the time that the server asks for, or
// else after growing pauses. It may be used by many goroutines.
type Client struct {
	endpoint string
	options  Options
}

// New makes a client of the graph at an address, such as https://shop.example/graphql.
func New(endpoint string, o Options) *Client {
	if o.Attempts <= 0 {
		o.Attempts = defaultAttempts
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{Timeout: defaultTimeout}
	}
	return &Client{endpoint: endpoint, options: o}
}

type idempotencyKey struct{}

// WithIdempotencyKey names the intent of the mutations that are called with the context: two with the same key
// and input do one thing. Without it each call has a key of its own, which its repetitions share; a program that
// may be restarted in the middle keeps its own.
func WithIdempotencyKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, idempotencyKey{}, key)
}

// MakeRequest makes one call. It is what the generated functions use.
func (c *Client) MakeRequest(ctx context.Context, req *graphql.Request, resp *graphql.Response) error {
	body, err := json.Marshal(c.payload(req))
	if err != nil {
		return fmt.Errorf("techmart: %w", err)
	}
	key, _ := ctx.Value(idempotencyKey{}).(string)
	mutation := strings.HasPrefix(strings.TrimSpace(req.Query), "mutation")
	if mutation && key == "" {
		key = rand.Text()
	}
	repeatable := !mutation || keyed(req.Variables)
	for attempt := 1; ; attempt++ {
		again, pause, err := c.try(ctx, body, key, mutation, repeatable, resp)
		if !again || attempt == c.options.Attempts || pause > maxPause {
			return err
		}
		if pause == 0 {
			pause = backoff(attempt)
		}
		wait := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			wait.Stop()
			return context.Cause(ctx)
		case <-wait.C:
		}
	}
}

// try makes one attempt. It tells whether another one may help and do no harm, and after how long; 0 where
// nobody says.
func (c *Client) try(ctx context.Context, body []byte, key string, mutation, repeatable bool, resp *graphql.Response) (again bool, pause time.Duration, err error) {
	a, err := c.attempt(ctx, body, key, mutation)
	if err != nil {
		return repeatable && ctx.Err() == nil, 0, err
	}
	pause, err = a.read(resp)
	var refused *Error
	switch {
	case errors.As(err, &refused):
		return refused.again(repeatable), refused.RetryAfter, err
	case err != nil:
		return false, 0, err
	}
	return pause > 0 && repeatable, pause, nil
}

// backoff is a random pause that grows with the attempts.
func backoff(attempt int) time.Duration {
	longest := min(firstPause<<attempt, maxPause)
	return longest/2 + mathrand.N(longest/2)
}

// again tells whether the same call may be made once more. What was refused before it ran may always.
func (e *Error) again(repeatable bool) bool {
	switch e.Code {
	case "THROTTLED", "CONNECTION_LIMIT_EXCEEDED":
		return true
	case "UNAVAILABLE", "TIMEOUT":
		return repeatable
	case "":
		return repeatable && (e.Status == http.StatusTooManyRequests || e.Status >= http.StatusInternalServerError)
	}
	return false
}

// keyed tells whether the input of a mutation takes an idempotency key: then it does no harm twice.
func keyed(variables any) bool {
	v := reflect.Indirect(reflect.ValueOf(variables))
	if v.Kind() != reflect.Struct {
		return false
	}
	input := v.FieldByName("Input")
	if !input.IsValid() {
		return false
	}
	input = reflect.Indirect(input)
	return input.Kind() == reflect.Struct && input.FieldByName("IdempotencyKey").IsValid()
}

func (c *Client) payload(req *graphql.Request) map[string]any {
	payload := map[string]any{"operationName": req.OpName}
	if req.Variables != nil {
		payload["variables"] = req.Variables
	}
	if c.options.Trusted {
		payload["documentId"] = documentID(req.Query)
	} else {
		payload["query"] = req.Query
	}
	return payload
}

// documentID is the id of a document in the manifest.
func documentID(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// answer is what came back of an attempt.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (c *Client) attempt(ctx context.Context, body []byte, key string, mutation bool) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("techmart: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/graphql-response+json, application/json")
	if c.options.APIKey != "" {
		req.Header.Set("X-API-Key", c.options.APIKey)
	}
	if mutation {
		req.Header.Set("Idempotency-Key", key)
	}
	if c.options.Token != nil {
		token, err := c.options.Token(ctx)
		if err != nil {
			return nil, fmt.Errorf("techmart: the access token: %w", err)
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
	}
	resp, err := c.options.HTTP.Do(req)
	if err != nil {
		return nil, fmt.Errorf("techmart: %w", err)
	}
	defer resp.Body.Close() // it is read to its end
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("techmart: %w", err)
	}
	return &answer{resp.StatusCode, resp.Header, text}, nil
}

// read takes the data out of an answer. The pause is above 0 where a mutation with the same key is still being
// worked on.
func (a *answer) read(resp *graphql.Response) (pause time.Duration, err error) {
	var got struct {
		Data   json.RawMessage
		Errors []struct {
			Message    string
			Extensions struct {
				Code       string
				RetryAfter int
			}
		}
	}
	e := &Error{Status: a.status, RequestID: a.header.Get("X-Request-Id")}
	if err := json.Unmarshal(a.body, &got); err != nil {
		e.Message = "the answer is not one of the graph"
		e.RetryAfter = seconds(a.header.Get("Retry-After"))
		return 0, e
	}
	if len(got.Data) > 0 && string(got.Data) != "null" {
		if err := json.Unmarshal(got.Data, resp.Data); err != nil {
			return 0, fmt.Errorf("techmart: the answer does not fit this version of the client: %w", err)
		}
	}
	if len(got.Errors) > 0 {
		first := got.Errors[0]
		e.Code, e.Message = first.Extensions.Code, first.Message
		e.RetryAfter = max(time.Duration(first.Extensions.RetryAfter)*time.Second, seconds(a.header.Get("Retry-After")))
		return 0, e
	}
	return inFlight(got.Data), nil
}

// inFlight gives how long to wait where a payload says IN_FLIGHT.
func inFlight(data json.RawMessage) time.Duration {
	var payloads map[string]struct{ UserErrors []UserError }
	if json.Unmarshal(data, &payloads) != nil {
		return 0 // it is no mutation's
	}
	for _, p := range payloads {
		for _, e := range p.UserErrors {
			if e.Code == "IN_FLIGHT" && e.RetryAfter != nil {
				return max(time.Duration(*e.RetryAfter)*time.Second, firstPause)
			}
		}
	}
	return 0
}

func seconds(text string) time.Duration {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 1<<20 {
		return 0
	}
	return time.Duration(n) * time.Second
}

// StaticToken always gives the same access token.
func StaticToken(token string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return token, nil }
}

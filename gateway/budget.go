package gateway

import (
	"context"
	"math"
	"net/netip"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/techmart/techmart/gateway/throttle"
	"github.com/techmart/techmart/graph/request"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/viewer"
)

// Budgets are the budgets of cost of each kind of client. One without a capacity is what a stranger
// has by default.
type Budgets struct {
	Anonymous throttle.Class // for each address
	Customer  throttle.Class // for each account
	Staff     throttle.Class // for each account with scopes
	Client    throttle.Class // for each API client with scopes, where no account asks
}

// withDefaults gives every class a name and a capacity.
func (b Budgets) withDefaults() Budgets {
	for class, name := range map[*throttle.Class]string{&b.Anonymous: "anonymous", &b.Customer: "customer", &b.Staff: "staff", &b.Client: "client"} {
		if class.Capacity <= 0 || class.Restore <= 0 {
			class.Capacity, class.Restore = 10_000, 100
		}
		class.Name = name
	}
	return b
}

// of gives the bucket of a viewer: the account's, else that of the API client with scopes, else the address's.
func (b Budgets) of(v viewer.Viewer, address string) (key string, class throttle.Class) {
	switch {
	case v.UserID != uuid.Nil && len(v.Scopes) > 0:
		return "staff:" + v.UserID.String(), b.Staff
	case v.UserID != uuid.Nil:
		return "customer:" + v.UserID.String(), b.Customer
	case v.ClientID != uuid.Nil && len(v.Scopes) == 0: // its key is in a page or an app: those who use it are strangers
		return "client:" + v.ClientID.String() + ":" + bucketAddress(address), b.Anonymous
	case v.ClientID != uuid.Nil:
		return "client:" + v.ClientID.String(), b.Client
	}
	return "anonymous:" + bucketAddress(address), b.Anonymous
}

// bucketAddress gives whom an address stands for: of IPv6 the /64, as that is what one customer of a
// provider has.
func bucketAddress(address string) string {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return "unknown"
	}
	if addr = addr.Unmap().WithZone(""); addr.Is6() {
		if prefix, err := addr.Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return addr.String()
}

// What is charged beside estimates.
const (
	leastCharge    = 1  // for any operation
	refusedCharge  = 10 // for a document that is refused: reading it was work, and may be guessing
	unknownPersist = 1  // for a hash that is not known: clients may try hashes first
)

// charge is what an operation has taken from its budget.
type charge struct {
	key       string
	class     throttle.Class
	requested int // the estimate
	taken     int // of it not settled yet
	refused   bool
	status    throttle.Status
	settled   bool // the first response has been
}

// costExtension is extensions.cost of a response.
type costExtension struct {
	Requested int            `json:"requestedQueryCost"`
	Actual    *int           `json:"actualQueryCost"` // null where nothing was run
	Throttle  throttleStatus `json:"throttleStatus"`
}

type throttleStatus struct {
	Maximum   int `json:"maximumAvailable"`
	Available int `json:"currentlyAvailable"`
	Restore   int `json:"restoreRate"` // each second
}

func shownStatus(s throttle.Status) throttleStatus {
	return throttleStatus{Maximum: s.Class.Capacity, Available: s.Available, Restore: s.Class.Restore}
}

// costLimit refuses an operation that costs too much at once or for its client's budget, charges the
// others, gives back what they did not need, and shows it.
type costLimit struct {
	extension
	g *Gateway
}

const costKey = "Cost"

// ExtensionName names the extension.
func (costLimit) ExtensionName() string { return costKey }

// MutateOperationContext estimates the operation and charges it. It is the last that can refuse one.
func (c costLimit) MutateOperationContext(ctx context.Context, op *graphql.OperationContext) *gqlerror.Error {
	limit := c.g.config.Limits.Cost
	n := c.g.cost.Estimate(op.Doc, op.Operation, op.Variables)
	recordOf(ctx).note(func(rec *recorded) { rec.cost = n })
	c.g.metrics.cost.Observe(float64(n))
	if n > limit {
		err := coded(codeCost, "The operation costs %d; at most %d is allowed. Ask for fewer items or fewer nested lists.", n, limit)
		err.Extensions["requestedQueryCost"], err.Extensions["maximumQueryCost"] = n, limit
		return err
	}
	if err := c.g.cost.Check(op.Doc, op.Operation, op.Variables); err != nil {
		return coded(codeValidation, "%s", err)
	}
	key, class := c.g.bucketOf(ctx)
	paid := &charge{key: key, class: class, requested: n, taken: max(n, leastCharge)}
	op.Stats.SetExtension(costKey, paid)
	status, retryAfter, ok := c.g.budgets.Take(ctx, key, class, paid.taken)
	paid.status = status
	if !ok {
		paid.refused = true
		return throttled(ctx, status, retryAfter)
	}
	rateOf(ctx).note(status, 0)
	return nil
}

// bucketOf gives the bucket of whoever asks.
func (g *Gateway) bucketOf(ctx context.Context) (string, throttle.Class) {
	return g.config.Budgets.of(viewer.FromContext(ctx), request.FromContext(ctx).IPAddress)
}

// throttled is the refusal of an operation for which the budget does not suffice.
func throttled(ctx context.Context, s throttle.Status, retryAfter time.Duration) *gqlerror.Error {
	rateOf(ctx).note(s, retryAfter)
	err := coded(string(errs.Throttled), "The budget is used up: %d of %d are left, and %d come back each second.", s.Available, s.Class.Capacity, s.Class.Restore)
	err.Extensions["retryAfter"] = seconds(retryAfter)
	return err
}

// seconds rounds up to whole seconds, at least one.
func seconds(d time.Duration) int { return max(1, int(math.Ceil(d.Seconds()))) }

// InterceptResponse settles what was charged with what the response has cost, and adds
// extensions.cost. The start of a subscription pays for its first event; each further one is
// charged, and never refused. An operation with deferred parts pays the estimate.
func (c costLimit) InterceptResponse(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	resp := next(ctx)
	if resp == nil || !graphql.HasOperationContext(ctx) {
		return resp
	}
	op := graphql.GetOperationContext(ctx)
	paid, ok := op.Stats.GetExtension(costKey).(*charge)
	if !ok || paid.settled && (op.Operation == nil || op.Operation.Operation != ast.Subscription) {
		return resp
	}
	shown := costExtension{Requested: paid.requested}
	switch {
	case paid.refused:
	default:
		actual := paid.requested // deferred parts and errors leave out of the data what was done for it
		if resp.HasNext == nil && len(resp.Errors) == 0 {
			actual = c.g.cost.Actual(op.Doc, op.Operation, op.Variables, resp.Data)
		}
		shown.Actual = &actual
		if due := max(actual, leastCharge); paid.settled {
			paid.status = c.g.budgets.Charge(paid.key, paid.class, due)
		} else {
			paid.status = c.g.budgets.Give(paid.key, paid.class, paid.taken-due)
		}
		rateOf(ctx).note(paid.status, 0)
	}
	paid.settled = true
	shown.Throttle = shownStatus(paid.status)
	if resp.Extensions == nil {
		resp.Extensions = make(map[string]any, 1)
	}
	resp.Extensions["cost"] = shown
	return resp
}

// meteredExecutor charges for documents that are refused too, and reads none for a client that has
// nothing left.
type meteredExecutor struct {
	graphql.GraphExecutor
	g *Gateway
}

// CreateOperationContext makes an operation ready to run, or says why it is not run.
func (m meteredExecutor) CreateOperationContext(ctx context.Context, params *graphql.RawParams) (*graphql.OperationContext, gqlerror.List) {
	key, class := m.g.bucketOf(ctx)
	if s, retryAfter, empty := m.g.budgets.Exhausted(key, class); empty {
		op := new(graphql.OperationContext)
		op.Stats.SetExtension(costKey, &charge{key: key, class: class, refused: true, status: s})
		return op, gqlerror.List{throttled(ctx, s, retryAfter)}
	}
	op, faults := m.GraphExecutor.CreateOperationContext(ctx, params)
	if len(faults) > 0 {
		due := refusedCharge
		switch faults[0].Extensions["code"] {
		case string(errs.Throttled): // nothing was taken, and nothing is
			return op, faults
		case codeNotPersisted:
			due = unknownPersist
		}
		rateOf(ctx).note(m.g.budgets.Charge(key, class, due), 0)
	}
	return op, faults
}

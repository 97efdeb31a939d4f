package gateway

import (
	"context"
	"errors"
	"time"
)

// lastMoments are those before an operation's deadline in which whatever gives up does so for it:
// drivers stop a little earlier when they know that no answer can come in time.
const lastMoments = 100 * time.Millisecond

// outOfTime tells whether a failure is that of an operation that has used up its time.
func outOfTime(ctx context.Context, err error) bool {
	deadline, bounded := ctx.Deadline()
	var timed interface{ Timeout() bool }
	return bounded && time.Until(deadline) < lastMoments &&
		(errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timed) && timed.Timeout())
}

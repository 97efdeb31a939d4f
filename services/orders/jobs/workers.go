package jobs

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/techmart/techmart/platform/telemetry"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/orders"
	"github.com/techmart/techmart/services/viewer"
)

// settler drives the saga of an order.
type settler struct {
	river.WorkerDefaults[settleArgs]
	service *orders.Service
}

// Work implements river.Worker. The last attempt gives a step up that still fails, and undoes the others.
func (w *settler) Work(ctx context.Context, job *river.Job[settleArgs]) error {
	ctx = telemetry.WithPart(viewer.NewContext(ctx, viewer.System), telemetry.PartSaga)
	return verdict(w.service.Settle(ctx, job.Args.OrderID, job.Attempt >= job.MaxAttempts))
}

// shipper settles a parcel.
type shipper struct {
	river.WorkerDefaults[shipArgs]
	service *orders.Service
}

// Work implements river.Worker.
func (w *shipper) Work(ctx context.Context, job *river.Job[shipArgs]) error {
	ctx = telemetry.WithPart(viewer.NewContext(ctx, viewer.System), telemetry.PartSaga)
	return verdict(w.service.SettleParcel(ctx, job.Args.OrderID, job.Args.FulfillmentID))
}

// returner settles a return.
type returner struct {
	river.WorkerDefaults[returnArgs]
	service *orders.Service
}

// Work implements river.Worker.
func (w *returner) Work(ctx context.Context, job *river.Job[returnArgs]) error {
	ctx = telemetry.WithPart(viewer.NewContext(ctx, viewer.System), telemetry.PartSaga)
	return verdict(w.service.SettleReturn(ctx, job.Args.OrderID, job.Args.ReturnID))
}

// verdict tells River what to do: nothing more for what is gone, later for what another job works on.
func verdict(err error) error {
	// The order's own absence, not that of something a step asked for.
	if e, ok := err.(*errs.Error); ok && e.Code == errs.NotFound {
		return river.JobCancel(err)
	}
	if errors.Is(err, orders.ErrBusy) {
		return river.JobSnooze(busyWait)
	}
	return err
}

type sweepArgs struct{}

// Kind implements river.JobArgs.
func (sweepArgs) Kind() string { return "orders.sweep" }

// sweeper takes up orders and parcels whose jobs were lost.
type sweeper struct {
	river.WorkerDefaults[sweepArgs]
	service *orders.Service
	idle    time.Duration
}

// Work implements river.Worker.
func (w *sweeper) Work(ctx context.Context, _ *river.Job[sweepArgs]) error {
	ctx = telemetry.WithPart(ctx, telemetry.PartUpkeep)
	_, err := w.service.Sweep(viewer.NewContext(ctx, viewer.System), w.idle)
	return err
}

type purgeArgs struct{}

// Kind implements river.JobArgs.
func (purgeArgs) Kind() string { return "orders.purge" }

// purger removes what nobody needs any more.
type purger struct {
	river.WorkerDefaults[purgeArgs]
	service *orders.Service
}

// Work implements river.Worker.
func (w *purger) Work(ctx context.Context, _ *river.Job[purgeArgs]) error {
	ctx = telemetry.WithPart(ctx, telemetry.PartUpkeep)
	_, err := w.service.Purge(viewer.NewContext(ctx, viewer.System))
	return err
}

// backoff doubles the wait after each attempt, up to a bound, and spreads it.
type backoff struct{}

// NextRetry implements river.ClientRetryPolicy.
func (*backoff) NextRetry(job *rivertype.JobRow) time.Time {
	wait := firstBackoff
	for range len(job.Errors) {
		wait = min(wait*2, lastBackoff)
	}
	return time.Now().UTC().Add(wait/2 + rand.N(wait))
}

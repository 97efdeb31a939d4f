package orders

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/services/errs"
)

// ErrBusy is what Settle answers while another execution owns the order: try again later.
var ErrBusy = errors.New("orders: another execution owns the order")

// Settle drives the saga of an order as far as it goes. last says that it will not be called again soon for a step
// that fails, which is then given up where that is possible. It may be called any number of
// times, also at the same time: it fails with ErrBusy while another execution owns the order, and with
// NOT_FOUND.
func (s *Service) Settle(ctx context.Context, id uuid.UUID, last bool) error {
	owner, err := uuid.NewV7()
	if err != nil {
		return err
	}
	deadline := time.Now().Add(s.config.ClaimTime) // by the machine's own, monotonic clock
	d, err := s.store.Claim(ctx, id, owner, s.config.ClaimTime)
	if errors.Is(err, ErrClaimed) {
		return ErrBusy
	}
	if err != nil {
		return err
	}
	order, lines := d.Order, d.Lines
	claimed, err := s.drive(ctx, d, owner, deadline, last)
	if claimed {
		err = errors.Join(err, s.unclaim(ctx, id, owner))
	}
	return errors.Join(err, s.completeCart(ctx, order, lines))
}

// drive does the steps of an order that owner has claimed until the deadline. It reports whether the claim is still there.
func (s *Service) drive(ctx context.Context, d *Draft, owner uuid.UUID, deadline time.Time, last bool) (claimed bool, err error) {
	for {
		step := NextStep(d.Order)
		if step == StepNone {
			return true, nil
		}
		if time.Until(deadline) < s.stepTime() {
			return s.leave(ctx, d, fmt.Errorf("orders: the time for order %s is over before step %s", d.Order.ID, step))
		}
		d.begin(s.now())
		if err := s.step(ctx, d, step, last); err != nil {
			return s.leave(ctx, d, err)
		}
		if step == StepReserve && d.Order.Stage == StageAuthorize {
			continue // saved with what the authorization comes to: whoever begins anew may reserve again
		}
		d.Unclaim = d.Order.Stage.Settled()
		err := s.store.Save(ctx, d)
		switch {
		case err == nil && d.Unclaim:
			return false, nil
		case err != nil && !errors.Is(err, ErrStale):
			return true, err
		}
		// Cancelled meanwhile, or simply saved: go on from what is stored now.
		if d, err = s.next(ctx, d, owner, time.Until(deadline), err == nil); err != nil {
			return true, err
		}
	}
}

// leave saves how far an order came before a step that failed, and ends the claim with it.
func (s *Service) leave(ctx context.Context, d *Draft, failure error) (claimed bool, err error) {
	if !d.Changed {
		return true, failure
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
	defer cancel()
	d.Unclaim = true
	if err := s.store.Save(ctx, d); err != nil {
		if errors.Is(err, ErrStale) {
			err = nil // it was cancelled meanwhile, and is gone on with from there
		}
		return true, errors.Join(failure, err)
	}
	return false, failure
}

// leaveTime bounds the end of an execution, which goes on when its context has ended.
const leaveTime = 5 * time.Second

// stepTime bounds one step, so that none is under way when the claim ends.
func (s *Service) stepTime() time.Duration { return s.config.ClaimTime / 3 }

// next gives the draft to go on with: the saved one, or the order read anew.
func (s *Service) next(ctx context.Context, d *Draft, owner uuid.UUID, lasts time.Duration, saved bool) (*Draft, error) {
	if saved {
		return NewDraft(d.Order, d.Lines, nil, d.Token), nil
	}
	return s.store.Claim(ctx, d.Order.ID, owner, lasts)
}

// step asks for a step and records its outcome in the draft.
func (s *Service) step(ctx context.Context, d *Draft, step Step, last bool) error {
	call, cancel := context.WithTimeout(ctx, s.stepTime())
	defer cancel()
	err := s.ask(call, d, step)
	switch judge(step, err) {
	case done:
		return d.advance(step)
	case refused:
		return d.refuse(step, err)
	}
	err = fmt.Errorf("orders: %s order %s: %w", step, d.Order.ID, err)
	if ctx.Err() != nil || !last || s.now().Sub(d.Order.PlacedAt) < s.config.Patience {
		return err
	}
	given, abandonErr := d.abandon(step)
	if !given {
		return err
	}
	s.log.WarnContext(ctx, "gave a step of an order up", "order", d.Order.ID, "step", string(step), "error", err)
	return abandonErr
}

// ask does a step. Every one of them is idempotent under the order's id.
func (s *Service) ask(ctx context.Context, d *Draft, step Step) error {
	o := d.Order
	if o.Total.IsZero() && step != StepReserve && step != StepRelease {
		return nil // nothing to pay
	}
	switch step {
	case StepReserve:
		if err := s.inventory.Reserve(ctx, o.ID, o.CartID, articles(d.Lines)); err != nil || len(o.Discounts) == 0 {
			return err
		}
		return s.promotions.Redeem(ctx, o.ID, o.CustomerID, promotionsOf(o))
	case StepAuthorize:
		return s.payments.Authorize(ctx, o.ID, o.CustomerID, o.Total, d.Token)
	case StepCapture:
		return s.payments.Capture(ctx, o.ID, o.ID.String(), o.Total)
	case StepVoid:
		held, err := s.payments.Void(ctx, o.ID)
		d.held = held
		return err
	case StepRefund:
		return s.payments.RefundAll(ctx, o.ID, o.Reason)
	case StepRelease:
		if err := s.inventory.Release(ctx, o.ID); err != nil || len(o.Discounts) == 0 {
			return err
		}
		return s.promotions.Release(ctx, o.ID)
	}
	return fmt.Errorf("orders: unknown step %q", step)
}

// articles gives what is ordered.
func articles(lines []*Line) []StockLine {
	list := make([]StockLine, len(lines))
	for i, l := range lines {
		list[i] = StockLine{VariantID: l.VariantID, Quantity: l.Quantity}
	}
	return list
}

// completeCart closes the cart of an order. The saga does it again, as Place may not have come to it.
func (s *Service) completeCart(ctx context.Context, o *Order, lines []*Line) error {
	if err := s.carts.Complete(ctx, o.CartID, o.ID, articles(lines)); err != nil && errs.CodeOf(err) != errs.NotFound {
		return fmt.Errorf("orders: complete the cart of order %s: %w", o.ID, err)
	}
	return nil
}

// unclaim gives an order back, also when ctx has ended.
func (s *Service) unclaim(ctx context.Context, id, owner uuid.UUID) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
	defer cancel()
	return s.store.Unclaim(ctx, id, owner)
}

// SettleParcel lowers the stock by what is in a parcel, and captures its share of the payment. It may be called any
// number of times.
func (s *Service) SettleParcel(ctx context.Context, orderID, fulfillmentID uuid.UUID) error {
	parcels, err := s.store.Fulfillments(ctx, []uuid.UUID{orderID}, Audience{Everybody: true})
	if err != nil {
		return err
	}
	var parcel *Fulfillment
	for _, f := range parcels[orderID] {
		if f.ID == fulfillmentID {
			parcel = f
		}
	}
	if parcel == nil {
		return errs.New(errs.NotFound, "There is no such parcel.")
	}
	if parcel.SettledAt != nil {
		return nil
	}
	lines, err := s.store.Lines(ctx, []uuid.UUID{orderID}, Audience{Everybody: true})
	if err != nil {
		return err
	}
	call, cancel := context.WithTimeout(ctx, s.stepTime())
	defer cancel()
	if err := s.inventory.Fulfill(call, orderID, parcel.ID, stockOf(parcel, lines[orderID])); err != nil {
		return fmt.Errorf("orders: lower the stock for parcel %s: %w", parcel.ID, err)
	}
	short := false
	if !parcel.Capture.IsZero() {
		err := s.payments.Capture(call, orderID, parcel.ID.String(), parcel.Capture)
		if short = judge(StepCapture, err) == refused; err != nil && !short {
			return fmt.Errorf("orders: capture the share of parcel %s: %w", parcel.ID, err)
		}
	}
	_, err = s.store.Update(ctx, orderID, nil, func(d *Draft) error {
		d.begin(s.now())
		return d.settleParcel(fulfillmentID, short)
	})
	return err
}

// settleParcel records that a parcel's stock is lowered and its share captured, once.
func (d *Draft) settleParcel(id uuid.UUID, short bool) error {
	for _, f := range d.Fulfillments {
		if f.ID != id || f.SettledAt != nil {
			continue
		}
		d.Settled = append(d.Settled, id)
		d.touch()
		switch {
		case short:
			return d.log(EntryCaptureShort, "The share of the parcel could not be captured: the payment was captured or given up before.")
		case !f.Capture.IsZero():
			return d.log(EntryCaptured, "A payment of "+f.Capture.String()+" was captured.")
		}
	}
	return nil
}

func stockOf(f *Fulfillment, lines []*Line) []StockLine {
	variants := make(map[uuid.UUID]uuid.UUID, len(lines))
	for _, l := range lines {
		variants[l.ID] = l.VariantID
	}
	stock := make([]StockLine, len(f.Lines))
	for i, l := range f.Lines {
		stock[i] = StockLine{VariantID: variants[l.LineID], Quantity: l.Quantity}
	}
	return stock
}

// Sweep enqueues jobs for orders, parcels and returns that have not moved for a while: their jobs may be lost, or have given
// up. It gives the number of jobs.
func (s *Service) Sweep(ctx context.Context, idle time.Duration) (int, error) {
	const limit = 500
	stuck, err := s.store.Stuck(ctx, s.now().Add(-idle), limit)
	if err != nil {
		return 0, err
	}
	returns, err := s.store.StuckReturns(ctx, s.now().Add(-idle), limit)
	if err != nil {
		return 0, err
	}
	jobs := append(stuck.Parcels, returns...)
	for i := range jobs {
		jobs[i].Cause = causeSweep
	}
	for _, id := range stuck.Orders {
		jobs = append(jobs, Job{Kind: JobSettle, OrderID: id, Cause: causeSweep})
	}
	if len(jobs) > 0 {
		s.log.InfoContext(ctx, "taking up orders that have not moved", "jobs", len(jobs))
	}
	return len(jobs), s.store.Enqueue(ctx, jobs)
}

// Purge removes idempotency keys and notes of consumed events that nobody needs any more.
func (s *Service) Purge(ctx context.Context) (int, error) {
	const (
		keep  = 30 * 24 * time.Hour
		batch = 5000
	)
	total := 0
	for {
		n, err := s.store.Purge(ctx, s.now().Add(-keep), batch)
		total += n
		if err != nil || n < batch {
			return total, err
		}
	}
}

// Causes of the jobs that drive a saga.
const (
	causePlaced    = "placed"
	causeCancelled = "cancelled"
	causeRefunded  = "refunded"
	causeSweep     = "sweep"
)

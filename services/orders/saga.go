package orders

import (
	"strings"

	"github.com/techmart/techmart/services/errs"
)

// Step is something that the saga asks of another domain. Each may be repeated.
type Step string

// The steps.
const (
	StepReserve   Step = "reserve"
	StepAuthorize Step = "authorize"
	StepCapture   Step = "capture"
	StepVoid      Step = "void"
	StepRefund    Step = "refund"
	StepRelease   Step = "release"
	StepNone      Step = ""
)

// NextStep decides what is to be done for an order. The order's stage was stored before, so it is the
// intent: whoever finds it does the step, again if need be.
func NextStep(o *Order) Step {
	switch o.Stage {
	case StageReserve:
		return StepReserve
	case StageAuthorize:
		return StepAuthorize
	case StageCapture:
		return StepCapture
	case StageVoid:
		return StepVoid
	case StageRefund:
		return StepRefund
	case StageRelease:
		return StepRelease
	}
	return StepNone
}

// outcome is how a step ended.
type outcome int

const (
	done    outcome = iota
	refused         // for good, by the other domain
	retry           // not known, or not possible at the moment
)

// judge reads the outcome of a step from its error.
func judge(step Step, err error) outcome {
	if err == nil {
		return done
	}
	expected := errs.All(err)
	if expected == nil {
		return retry
	}
	has := func(codes ...errs.Code) bool {
		for _, code := range codes {
			if errs.Is(err, code) {
				return true
			}
		}
		return false
	}
	switch {
	case step == StepReserve && has(CodeInsufficientStock, CodePromotionUnavailable, errs.NotFound),
		step == StepAuthorize && has(CodePaymentDeclined),
		step == StepCapture && has(CodeAmountExceeded, errs.InvalidState, errs.NotFound),
		step == StepVoid && has(errs.InvalidState):
		return refused
	case (step == StepVoid || step == StepRefund || step == StepRelease) && has(errs.NotFound):
		return done // there is nothing to undo
	}
	return retry
}

// advance records that a step was done, and decides the next stage.
func (d *Draft) advance(step Step) error {
	o := d.Order
	switch step {
	case StepReserve:
		o.Stage = StageAuthorize
		return d.log(EntryReserved, "The stock is reserved.")
	case StepAuthorize:
		o.Stage, d.Token = StageDone, ""
		if o.CaptureNow {
			o.Stage = StageCapture
		}
		if err := d.log(EntryAuthorized, "The payment is authorized."); err != nil {
			return err
		}
		return d.become(Confirmed, EntryConfirmed, "The order is confirmed.", EventConfirmed)
	case StepCapture:
		o.Stage = StageDone
		if o.Status == Cancelled {
			o.Stage = StageRefund
		}
		return d.log(EntryCaptured, "The payment of "+o.Total.String()+" was captured.")
	case StepVoid:
		if err := d.unexpected(); err != nil {
			return err
		}
		o.Stage, d.Token = StageRelease, ""
		return d.log(EntryVoided, "The payment was given up; nothing is charged.")
	case StepRefund:
		o.Stage = StageRelease
		return d.log(EntryReturned, "The payment is being paid back.")
	case StepRelease:
		o.Stage, d.Token = StageUndone, ""
		if err := d.log(EntryReleased, "The stock is given back."); err != nil {
			return err
		}
		if o.Status == Pending {
			return d.become(Failed, EntryFailed, o.Reason, EventFailed)
		}
	}
	return nil
}

// refuse records that a step was refused for good, and turns back.
func (d *Draft) refuse(step Step, cause error) error {
	o := d.Order
	switch step {
	case StepReserve:
		o.Stage = StageRelease // what was refused now was not there before, either: no payment is authorized
		if errs.Is(cause, CodePromotionUnavailable) {
			d.blame(ReasonPromotionUnavailable, "A discount was used up before the order could be confirmed. Nothing is charged; please order again.")
			return d.log(EntryUsedUp, "A discount was used up.")
		}
		d.blame(ReasonInsufficientStock, "An article went out of stock before the order could be confirmed.")
		return d.log(EntryShort, "There is not enough stock.")
	case StepAuthorize:
		o.Stage, d.Token = StageRelease, ""
		d.blame(ReasonPaymentDeclined, declineReason(cause))
		return d.log(EntryDeclined, declineReason(cause))
	case StepCapture:
		// Staff captured, voided or refunded by hand before: the order goes on.
		o.Stage = StageDone
		if o.Status == Cancelled {
			o.Stage = StageRefund
		}
		return d.log(EntryCaptureShort, "The payment could not be captured: it was captured or given up before.")
	case StepVoid:
		d.held = true // more than that: it was captured
		if err := d.unexpected(); err != nil {
			return err
		}
		o.Stage, d.Token = StageRefund, ""
		d.touch()
	}
	return nil
}

// abandon turns back from a forward step whose outcome could not be learned for too long. It reports false for a step
// that has to be tried until it succeeds.
func (d *Draft) abandon(step Step) (bool, error) {
	o := d.Order
	switch step {
	case StepReserve:
		o.Stage = StageVoid // an execution that was lost may have come further
		d.blame(ReasonStockUnavailable, "The stock could not be reserved. Please order again.")
		return true, d.log(EntryGaveUp, "The stock could not be reserved in time.")
	case StepAuthorize:
		o.Stage = StageVoid
		d.blame(ReasonPaymentUnavailable, "The payment provider did not answer. Nothing is charged; please order again.")
		return true, d.log(EntryGaveUp, "The payment could not be authorized in time.")
	}
	return false, nil
}

// blame keeps why the order comes to nothing; the first reason stands.
func (d *Draft) blame(code, reason string) {
	if d.Order.ReasonCode == "" {
		d.Order.ReasonCode, d.Order.Reason = code, reason
	}
}

// declineReason gives what the provider lets the customer know.
func declineReason(err error) string {
	for _, e := range errs.All(err) {
		if m := strings.TrimSpace(e.Message); e.Code == CodePaymentDeclined && m != "" {
			return m
		}
	}
	return "The payment was declined."
}

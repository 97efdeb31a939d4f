package notifications

import (
	"context"
	"log/slog"
	"strings"
	"time"
)

// consumer names this domain where events are counted.
const consumer = "notifications"

const (
	lateEvents   = 10 * time.Second   // how long an event may come behind its successor
	receiptsKept = 7 * 24 * time.Hour // of events that have a successor
	receiptBatch = 1000
)

// Receipt says that an event has come.
type Receipt struct {
	Subject  string
	Sequence int64 // 0 for an event that is not counted
	First    int64 // the subject's first event that is looked for
	At       time.Time
}

// Gap is an event whose predecessor has not come.
type Gap struct {
	Subject  string
	Sequence int64
}

// orderPlaced is the first event of every order, of which nobody is told. It is not looked for.
const orderPlaced = "orders.placed"

func (e Event) receipt(now time.Time) Receipt {
	r := Receipt{Subject: e.Subject, Sequence: e.Sequence, First: 1, At: now}
	if strings.HasPrefix(e.Type, "orders.") {
		r.First = 2
	}
	return r
}

// skip notes an event that nobody is told of, so that its number is not missed.
func (s *Service) skip(ctx context.Context, e Event) error {
	if e.Type == orderPlaced || e.Sequence == 0 {
		return nil
	}
	return s.store.Receive(ctx, e.receipt(s.now()))
}

// ReportGaps tells of events that have not come though a later one of their subject did, and that was a while ago: by the log
// and a metric. It gives how many there were.
func (s *Service) ReportGaps(ctx context.Context) (int, error) {
	now := s.now()
	gaps, err := s.store.Gaps(ctx, now.Add(-lateEvents), now, receiptBatch)
	for _, g := range gaps {
		s.metrics.EventMissed(consumer)
		s.log.ErrorContext(ctx, "notifications: an event has not come, somebody may not have been told of something",
			slog.String("subject", g.Subject), slog.Int64("sequence", g.Sequence-1))
	}
	return len(gaps), err
}

// PurgeReceipts forgets which events came long ago, and gives how many it forgot.
func (s *Service) PurgeReceipts(ctx context.Context) (int, error) {
	return s.store.PurgeReceipts(ctx, s.now().Add(-receiptsKept), receiptBatch)
}

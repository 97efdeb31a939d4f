package errs_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/techmart/techmart/services/errs"
)

func TestAllGathersWhatMayBeShown(t *testing.T) {
	t.Parallel()
	var c errs.Collector
	if c.Err() != nil {
		t.Fatal("no fault is no error")
	}
	c.Add(errs.Required, "Enter a name.", "name")
	c.Addf([]string{"lines", "0", "quantity"}, errs.OutOfRange, "At most %d.", 999)
	c.Merge(nil)
	c.Merge(errs.New(errs.NotFound, "There is no such thing."))
	all := errs.All(fmt.Errorf("placing: %w", c.Err()))
	if len(all) != 3 || all[1].Error() != "OUT_OF_RANGE: lines.0.quantity: At most 999." {
		t.Fatalf("gathered %v", all)
	}
	if !errs.Is(c.Err(), errs.NotFound) || errs.Is(c.Err(), errs.Taken) {
		t.Error("Is does not look at every fault")
	}
}

func TestInternalErrorsStayInternal(t *testing.T) {
	t.Parallel()
	for _, err := range []error{io.EOF, errors.Join(errs.New(errs.Invalid, "x"), io.EOF), fmt.Errorf("a: %w", io.EOF)} {
		if all := errs.All(err); all != nil {
			t.Errorf("%v may be shown as %v", err, all)
		}
	}
	if errs.All(nil) != nil || errs.CodeOf(nil) != "" || errs.CodeOf(io.EOF) != "" {
		t.Error("no error has a code")
	}
}

func TestErrorCarriesCodeDataAndCause(t *testing.T) {
	t.Parallel()
	base := errs.Newf(errs.Conflict, "It is version %d now.", 4)
	e := base.With("currentVersion", 4)
	e.Cause = io.ErrUnexpectedEOF
	if base.Data != nil || e.Data["currentVersion"] != 4 {
		t.Errorf("With changed the original: %v %v", base.Data, e.Data)
	}
	if !errors.Is(e, io.ErrUnexpectedEOF) || !errors.Is(e, errs.New(errs.Conflict, "")) || errors.Is(e, errs.New(errs.Taken, "")) {
		t.Error("errors.Is does not see code and cause")
	}
	if e.Error() != "CONFLICT: It is version 4 now." {
		t.Errorf("the cause leaks: %s", e.Error())
	}
}

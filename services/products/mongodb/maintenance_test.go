package mongodb_test

import (
	"context"
	"testing"
	"time"

	"github.com/techmart/techmart/devstack/stacktest"
	platform "github.com/techmart/techmart/platform/mongodb"
	"github.com/techmart/techmart/services/products/mongodb"
)

// The client's deadline is for answers to people. The index of a large catalogue takes longer.
func TestMaintenanceDoesNotEndAtTheDeadlineOfAnswers(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	db, disconnect, err := platform.Open(ctx, platform.Config{URL: stacktest.MongoDB(t), Timeout: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = disconnect(context.Background()) })
	store := mongodb.New(db)
	hurried := context.WithoutCancel(ctx)
	if _, err := store.Held(hurried, nil); err == nil {
		t.Fatal("an answer is not bounded: nothing is shown here")
	}
	if err := store.EnsureIndexes(hurried); err != nil {
		t.Error(err)
	}
	if err := store.RebuildWords(hurried); err != nil {
		t.Error(err)
	}
	resume, err := store.SuspendIndexes(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, build := range resume {
		if err := build(hurried); err != nil {
			t.Error(err)
		}
	}
}

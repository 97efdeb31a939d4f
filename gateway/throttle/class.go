package throttle

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Class is the budget of one kind of client: a bucket of Capacity that fills again by Restore each
// second.
type Class struct {
	Name     string // in keys, metrics and headers: lower-case letters
	Capacity int
	Restore  int // each second
}

// maxBudget bounds capacity and restore rate, so that sums stay exact.
const maxBudget = 1_000_000_000_000

// ParseClass reads a class from capacity/restore: 10000/100.
func ParseClass(name, text string) (Class, error) {
	capacity, restore, ok := strings.Cut(text, "/")
	c := Class{Name: name}
	var errCapacity, errRestore error
	c.Capacity, errCapacity = strconv.Atoi(strings.TrimSpace(capacity))
	c.Restore, errRestore = strconv.Atoi(strings.TrimSpace(restore))
	if !ok || errCapacity != nil || errRestore != nil || c.Capacity <= 0 || c.Restore <= 0 || max(c.Capacity, c.Restore) > maxBudget {
		return Class{}, fmt.Errorf("throttle: the budget of %s is capacity/restore, two whole numbers above 0", name)
	}
	return c, nil
}

// Full is how long an empty bucket takes to fill.
func (c Class) Full() time.Duration {
	return time.Duration(float64(c.Capacity) / float64(c.Restore) * float64(time.Second))
}

// wait is how long it takes until n more are there: some time in any case.
func (c Class) wait(n float64) time.Duration {
	return max(time.Millisecond, time.Duration(n/float64(c.Restore)*float64(time.Second)))
}

// chunk is how much a process draws beside what it needs.
func (c Class) chunk() float64 { return float64(c.Capacity / chunkPart) }

package seed

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// However long a batch takes, there is news.
func TestDuring(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		at, broken := Progress{Step: "products", Done: 2000, Total: 210_000}, errors.New("broken")
		begin, last, told := time.Now(), time.Now(), 0
		l := &loader{report: func(p Progress) {
			if p != at || time.Since(last) > patience {
				t.Errorf("told of %+v after %v", p, time.Since(last))
			}
			last = time.Now()
			told++
		}}
		slow := make(chan struct{})
		time.AfterFunc(9*time.Second, func() { close(slow) })
		err := l.during(at, func() error {
			<-slow
			return broken
		})
		if !errors.Is(err, broken) || told != 4 || time.Since(begin) != 9*time.Second {
			t.Errorf("told %d times in %v: %v", told, time.Since(begin), err)
		}
	})
}

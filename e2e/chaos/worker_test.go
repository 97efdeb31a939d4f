// Package chaos kills, cuts and slows the parts of the program and its servers, and then has every store
// audited.
package chaos

import (
	"bufio"
	"cmp"
	"context"
	"flag"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/techmart/techmart/app"
	"github.com/techmart/techmart/platform/telemetry"
)

var (
	seed       = flag.Uint64("chaos.seed", 0, "repeats what a run drew by chance; 0 draws anew")
	exhaustive = flag.Bool("chaos.exhaustive", false, "kill at every call of every path, not at some")
	lasts      = flag.Duration("chaos.for", 0, "how long load runs under faults of the network and deaths of servers; 0 for a few seconds")
	soak       = flag.Duration("chaos.soak", 0, "how long the soak runs, at the highest rate that meets -chaos.p95; 0 for some seconds at a low one")
	pace       = flag.Duration("chaos.p95", 50*time.Millisecond, "what 95 % of orderPlace may take in a soak")
)

// These make the test binary a worker, or a server of requests.
const asWorker, asServer = "chaos-worker", "chaos-server"

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && (os.Args[1] == asWorker || os.Args[1] == asServer) {
		if err := work(os.Args[1], os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	zerolog.SetGlobalLevel(zerolog.Disabled) // toxiproxy traces each piece of data
	os.Exit(m.Run())
}

// work is the child: a worker of the shop in its environment whose clock is ahead, or a server, which says "at" and its
// address. It says "ready" once it idles. "arm N" makes it kill itself, as SIGKILL does, at its Nth call to a server from then; "count" makes
// it say how many it made since. Where first is not 0, it is armed from its start.
func work(as, ahead, first string) error {
	by, err := time.ParseDuration(ahead)
	if err != nil {
		return err
	}
	at, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return err
	}
	c, err := app.Load(os.Environ())
	if err != nil {
		return err
	}
	var left, armed, last atomic.Int64
	left.Store(cmp.Or(at, math.MaxInt64))
	armed.Store(at)
	a, err := app.New(context.Background(), c, app.Options{
		Clock: func() time.Time { return time.Now().Add(by) },
		Called: func(telemetry.Backend, string) {
			last.Store(time.Now().UnixNano())
			if left.Add(-1) == 0 {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		},
	})
	if err != nil {
		return err
	}
	go idle(&last)
	go func() {
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			word, arg, _ := strings.Cut(in.Text(), " ")
			switch word {
			case "arm":
				n, _ := strconv.ParseInt(arg, 10, 64) // the parent's own number
				armed.Store(n)
				left.Store(n)
				fmt.Println("armed")
			case "count":
				fmt.Println("count", armed.Load()-left.Load())
			}
		}
		os.Exit(0) // the parent is gone
	}()
	parts := app.Parts{Worker: as == asWorker}
	if as == asServer {
		if parts.API, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return err
		}
		fmt.Println("at", parts.API.Addr())
	}
	return a.Run(context.Background(), parts)
}

// idle says "ready" when no call was made for a while, or when there are always some.
func idle(last *atomic.Int64) {
	const quiet, patience = 120 * time.Millisecond, 1500 * time.Millisecond
	began := time.Now()
	for tick := range time.Tick(10 * time.Millisecond) {
		if since := tick.Sub(time.Unix(0, last.Load())); since > quiet || tick.Sub(began) > patience {
			fmt.Println("ready")
			return
		}
	}
}

// worker is the child as its parent sees it.
type worker struct {
	s     *shop
	cmd   *exec.Cmd
	said  chan string
	tell  func(string)
	ended chan struct{}
}

// worker starts one whose clock is ahead, and waits until it idles; or one that dies at its nth call, and does not wait.
func (s *shop) worker(ahead time.Duration, n int) *worker {
	s.t.Helper()
	w := s.child(asWorker, ahead, n)
	if n == 0 {
		w.hear("ready")
	}
	return w
}

// server starts one that answers requests, waits until it idles, and gives its address.
func (s *shop) server() (w *worker, url string) {
	s.t.Helper()
	w = s.child(asServer, 0, 0)
	_, at, _ := strings.Cut(w.hear("at"), " ")
	w.hear("ready")
	return w, "http://" + at
}

// child starts the test binary as another process of the shop.
func (s *shop) child(as string, ahead time.Duration, n int) *worker {
	s.t.Helper()
	program, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	w := &worker{s: s, cmd: exec.Command(program, as, ahead.String(), strconv.Itoa(n)), said: make(chan string, 16), ended: make(chan struct{})}
	w.cmd.Env = append(s.direct.environ(), "PATH="+os.Getenv("PATH"))
	if dir := os.Getenv("GOCOVERDIR"); dir != "" {
		w.cmd.Env = append(w.cmd.Env, "GOCOVERDIR="+dir)
	}
	w.cmd.Stderr = log{s.t}
	in, err := w.cmd.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	w.tell = func(line string) { _, _ = fmt.Fprintln(in, line) } // a dead one is noticed elsewhere
	go func() {
		defer close(w.ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			w.said <- lines.Text()
		}
		_ = w.cmd.Wait() // it was killed
	}()
	s.t.Cleanup(w.kill)
	return w
}

// log writes what the child says of errors into the test's log.
type log struct{ t *testing.T }

// Write logs one line.
func (l log) Write(b []byte) (int, error) {
	if testing.Verbose() {
		l.t.Log(strings.TrimSpace(string(b)))
	}
	return len(b), nil
}

// hear waits for the child to say something that begins so, and gives it. It is "" for one that has died.
func (w *worker) hear(begin string) string {
	w.s.t.Helper()
	timeout := time.After(time.Minute)
	for {
		select {
		case line := <-w.said:
			if strings.HasPrefix(line, begin) {
				return line
			}
		case <-w.ended:
			return ""
		case <-timeout:
			w.s.t.Fatalf("the worker does not say %q", begin)
		}
	}
}

// arm makes the worker die at its nth call from now.
func (w *worker) arm(n int) {
	w.tell("arm " + strconv.Itoa(n))
	w.hear("armed")
}

// count gives the calls since it was armed.
func (w *worker) count() int {
	w.tell("count")
	_, n, _ := strings.Cut(w.hear("count"), " ")
	calls, _ := strconv.Atoi(n) // the child's own number
	return calls
}

// died tells whether the worker has ended.
func (w *worker) died() bool {
	select {
	case <-w.ended:
		return true
	default:
		return false
	}
}

// kill ends the worker by SIGKILL.
func (w *worker) kill() {
	_ = w.cmd.Process.Kill() // it may be dead
	<-w.ended
}

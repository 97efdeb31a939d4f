// Command bench measures the shop under load, beside two limits taken in the same run: a
// hand-written handler that answers the same JSON from one query, and pgbench inserting an order's rows.
//
// It starts private servers with demo data, the API and a worker as processes of their own, and
// loads them over loopback. Every run is bounded in time and in count. What does not depend on the
// machine, the calls to the servers behind each request, is checked: too many fail the command.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/techmart/techmart/devstack"
)

// The demo accounts that the seed makes.
const (
	demoCustomer = "ada@techmart.example"
	demoStaff    = "admin@techmart.example"
	demoPassword = "techmart-demo-2026"
)

func main() {
	var o settings
	flag.DurationVar(&o.duration, "duration", 5*time.Second, "how long each scenario runs at each concurrency; at most a minute")
	flag.IntVar(&o.scale, "scale", 1, "how large the demo data is")
	flag.StringVar(&o.concurrency, "concurrency", "1,16,64", "how many requests at once, separated by commas; each at most 256")
	flag.StringVar(&o.only, "only", "", "only scenarios whose name contains this")
	flag.StringVar(&o.profile, "profile", "", "file for a CPU profile of the edge")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := bench(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type settings struct {
	duration    time.Duration
	scale       int
	concurrency string
	only        string
	profile     string
}

// levels reads the concurrencies.
func (o settings) levels() ([]int, error) {
	var levels []int
	for text := range strings.SplitSeq(o.concurrency, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 1 || n > 256 {
			return nil, fmt.Errorf("-concurrency %s: numbers from 1 to 256, separated by commas", o.concurrency)
		}
		levels = append(levels, n)
	}
	return levels, nil
}

func bench(ctx context.Context, o settings) error {
	levels, err := o.levels()
	if err != nil {
		return err
	}
	if o.duration <= 0 || o.duration > time.Minute {
		return errors.New("-duration: more than nothing, at most a minute")
	}
	dir, err := os.MkdirTemp("", "techmart-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	say := func(line string) { fmt.Fprintln(os.Stderr, "  "+line) }
	stack, err := devstack.Start(ctx, devstack.Options{Dir: filepath.Join(dir, "stack"), Progress: say, RequireReal: true, Temporary: true})
	if err != nil {
		return err
	}
	defer func() { _ = stack.Close(context.WithoutCancel(ctx)) }()
	s, err := newServers(ctx, dir, stack, o.scale, say)
	if err != nil {
		return err
	}
	defer s.stop()
	failed := false
	if strings.Contains(checkoutName, o.only) {
		if failed, err = countOrders(ctx, s, stack.PostgresURL); err != nil {
			return fmt.Errorf("counting what an order costs: %w", err)
		}
	}
	if err := s.start(ctx, "serve", "worker"); err != nil {
		return err
	}
	if strings.Contains("edge", o.only) {
		tooDear, err := measureEdge(ctx, s.env, o.profile)
		if err != nil {
			return err
		}
		failed = failed || tooDear
		if o.only == "edge" {
			return tooMuch(failed)
		}
	}
	c := newClient(s.base)
	shop, err := prepare(ctx, c, levels)
	if err != nil {
		return fmt.Errorf("preparing: %w", err)
	}
	limits, err := startLimits(ctx, stack, c)
	if err != nil {
		return fmt.Errorf("preparing the hand-written handlers: %w", err)
	}
	defer limits.close()

	failed = countCalls(ctx, c, shop, o.only) || failed
	fmt.Printf("\n%-28s %4s %11s %9s %9s %9s %8s\n", "scenario", "conc", "requests", "p50", "p95", "p99", "count")
	for _, level := range levels {
		for _, sc := range append(scenarios(c, shop), limits.scenarios()...) {
			if !strings.Contains(sc.name, o.only) {
				continue
			}
			r := run(ctx, sc.name, level, o.duration, sc.most, func(ctx context.Context, worker, call int) (int, error) {
				a, err := sc.do(ctx, worker, call)
				return a.bytes, err
			})
			if ctx.Err() != nil {
				return ctx.Err()
			}
			fmt.Println(r)
			if r.failed > 0 {
				failed = true
				fmt.Printf("  %d failed, the first with: %v\n", r.failed, r.firstError)
			}
		}
		if strings.Contains(checkoutName, o.only) {
			r := c.loadOrders(ctx, s, shop, level, o.duration)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			fmt.Println(r)
			failed = failed || r.failed > 0
		}
		if err := limits.pgbench(ctx, s, level, o.duration); err != nil {
			return err
		}
		fmt.Printf("%-28s %4s %s\n", "memory of API and worker", "", s.memory())
	}
	return tooMuch(failed)
}

func tooMuch(failed bool) error {
	if failed {
		return errors.New("some requests failed, or needed more calls or time than they may; see above")
	}
	return nil
}

// countCalls prints the calls to the servers behind one warm request of each scenario, and tells whether one has too many.
func countCalls(ctx context.Context, c *client, s shop, only string) (failed bool) {
	fmt.Printf("\n%-28s %6s %8s  %s\n", "calls a request, warm", "most", "bytes", "calls")
	for _, sc := range scenarios(c, s) {
		if sc.calls == 0 || !strings.Contains(sc.name, only) {
			continue
		}
		var a answer
		for n := range 3 {
			var err error
			if a, err = sc.do(ctx, 0, n); err != nil {
				fmt.Printf("%-28s %v\n", sc.name, err)
				return true
			}
		}
		verdict := ""
		if total(a.calls) > sc.calls {
			failed, verdict = true, "  TOO MANY"
		}
		fmt.Printf("%-28s %6d %8d  %s%s\n", sc.name, sc.calls, a.bytes, a.calls, verdict)
	}
	return failed
}

// total adds up the numbers of "postgres=2 mongodb=1"; a text it cannot read counts as too many.
func total(calls string) int {
	if calls == "" {
		return 1 << 20
	}
	sum := 0
	for part := range strings.FieldsSeq(calls) {
		_, text, _ := strings.Cut(part, "=")
		n, err := strconv.Atoi(text)
		if err != nil {
			return 1 << 20
		}
		sum += n
	}
	return sum
}

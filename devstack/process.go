package devstack

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// watch runs a server until it ends or the standard input does.
//
//go:embed watch.sh
var watchScript string

const (
	// startTimeout bounds the start of one server, downloads left aside.
	startTimeout = 60 * time.Second
	// stopTimeout is how long a server may take to stop before it is killed.
	stopTimeout = 15 * time.Second
	// abandonTimeout is stopTimeout for a server that has not come up yet. Some
	// do not listen until they have, and none has anything to lose.
	abandonTimeout = time.Second
)

// command is a server to be run.
type command struct {
	name   string   // of the log file
	signal string   // asks the server to stop in an orderly way
	env    []string // beside PATH and the locale
	dir    string
	args   []string
	asRoot bool // keep root, for what the ordinary user cannot reach
}

// pollInterval is the pause between two looks at a server or a lock.
const pollInterval = 25 * time.Millisecond

// process is a running server.
type process struct {
	cmd  *exec.Cmd
	pipe io.Closer // closing it stops the server
	done chan struct{}
	log  string
}

func (p *place) run(c command) (*process, error) {
	logs, err := p.dir("log")
	if err != nil {
		return nil, err
	}
	out, err := os.Create(filepath.Join(logs, c.name+".log"))
	if err != nil {
		return nil, err
	}
	defer out.Close()
	if err := p.own(out.Name()); err != nil {
		return nil, err
	}
	cmd := exec.Command("/bin/sh", append([]string{"-c", watchScript, "watch", c.signal}, c.args...)...)
	cmd.Dir = c.dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin", "LC_ALL=C", "TMPDIR=" + p.runtime, "HOME=" + c.dir}, c.env...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.ExtraFiles = []*os.File{p.lock}
	// A group of its own: Ctrl-C in a terminal reaches only this process,
	// which then stops the servers in an orderly way.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if p.account != nil && !c.asRoot {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(p.account.uid), Gid: uint32(p.account.gid)}
	}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	pr := &process{cmd: cmd, pipe: pipe, done: make(chan struct{}), log: out.Name()}
	go func() {
		_ = cmd.Wait() // why it ended is in its log
		close(pr.done)
	}()
	return pr, nil
}

// stop asks the server to stop, and kills it when ctx ends or it takes too long.
func (pr *process) stop(ctx context.Context) error {
	_ = pr.pipe.Close() // already closed when the server ended by itself
	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()
	select {
	case <-pr.done:
		return nil
	case <-timer.C:
	case <-ctx.Done():
	}
	err := syscall.Kill(-pr.cmd.Process.Pid, syscall.SIGKILL)
	<-pr.done
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

// kill ends the server and its watcher by SIGKILL, as the machine's end would.
func (pr *process) kill() {
	_ = syscall.Kill(-pr.cmd.Process.Pid, syscall.SIGKILL) // it may have ended
	<-pr.done
	_ = pr.pipe.Close() // of a process that is gone
}

// await calls check until it succeeds. It fails when the server ends, the time
// is up or ctx ends; the server is stopped then.
func (pr *process) await(ctx context.Context, check func(context.Context) error) error {
	began := time.Now()
	var last error
	for {
		once, cancel := context.WithTimeout(ctx, 2*time.Second)
		last = check(once)
		cancel()
		if last == nil {
			return nil
		}
		var failure error
		select {
		case <-pr.done:
			failure = pr.explain(errors.New("the server ended while starting"))
		case <-ctx.Done():
			failure = ctx.Err()
		case <-time.After(pollInterval):
			if time.Since(began) > startTimeout {
				failure = pr.explain(fmt.Errorf("the server did not answer within %s: %w", startTimeout, last))
			}
		}
		if failure != nil {
			hasty, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonTimeout)
			defer cancel()
			return errors.Join(failure, pr.stop(hasty))
		}
	}
}

var causes = []struct {
	pattern *regexp.Regexp
	advice  string
}{
	{regexp.MustCompile(`(?i)no space left on device|disk full|ENOSPC`), "the disk is full: free some space"},
	{regexp.MustCompile(`(?i)address already in use|eaddrinuse|port .*in use`), "its port was taken meanwhile: start again"},
	{regexp.MustCompile(`(?i)incompatible with (this )?server|incompatible version`), "the data was made by another version of the server: run `make reset`, or install that version"},
	{regexp.MustCompile(`(?i)permission denied|EACCES`), "the server's user may not read or write one of its files: check who owns the data directory"},
	{regexp.MustCompile(`(?i)cannot allocate memory|out of memory`), "there is not enough memory: stop something else"},
}

// explain adds the likely cause, the end of the log and where the rest is.
func (pr *process) explain(err error) error {
	b, _ := os.ReadFile(pr.log)
	return explain(err, string(b), pr.log)
}

func explain(err error, output, log string) error {
	for _, c := range causes {
		if c.pattern.MatchString(output) {
			return fmt.Errorf("%w: %s (see %s)", err, c.advice, log)
		}
	}
	lines := strings.Split(strings.TrimSpace(output), "\n")
	return fmt.Errorf("%w: %q (see %s)", err, strings.Join(lines[max(0, len(lines)-3):], " | "), log)
}

// output runs a short command as the servers' user and returns what it printed;
// an error quotes it.
func (p *place) output(ctx context.Context, dir string, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if p.account != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(p.account.uid), Gid: uint32(p.account.gid)}
	}
	return capture(ctx, cmd)
}

func capture(ctx context.Context, cmd *exec.Cmd) (string, error) {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", explain(fmt.Errorf("%s failed: %w", filepath.Base(cmd.Path), err), out.String(), "above")
	}
	return out.String(), nil
}

// freePorts returns n different TCP ports of 127.0.0.1 that are free now.
func freePorts(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("no free port: %w", err)
		}
		defer l.Close() // all are held until the last is known
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

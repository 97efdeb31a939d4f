package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/techmart/techmart/devstack"
)

// servers are the processes under load.
type servers struct {
	base      string // http://127.0.0.1:port
	env       []string
	command   func(args ...string) *exec.Cmd
	processes []*exec.Cmd
}

// newServers builds the program and fills the stores.
func newServers(ctx context.Context, dir string, stack *devstack.Stack, scale int, say func(string)) (*servers, error) {
	binary := filepath.Join(dir, "techmart")
	say("building techmart")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/techmart").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building: %w\n%s", err, out)
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	mail, err := startMail(ctx)
	if err != nil {
		return nil, err
	}
	env := append(os.Environ(),
		"TECHMART_MODE=production",
		"TECHMART_SMTP_URL=smtp://"+mail,
		"TECHMART_SECOND_FACTOR_KEYS="+secret(),
		"TECHMART_SHOW_BACKEND_CALLS=true",
		"TECHMART_HTTP_ADDR="+addr,
		"TECHMART_POSTGRES_URL="+stack.PostgresURL,
		"TECHMART_MONGODB_URL="+stack.MongoURL,
		"TECHMART_REDIS_URL="+stack.RedisURL,
		"TECHMART_RABBITMQ_URL="+stack.RabbitURL,
		"TECHMART_LOG_LEVEL=warn",
		"TECHMART_BUDGET_ANONYMOUS=1000000000/1000000", // on, but wide: all load comes from one address
		"TECHMART_BUDGET_CUSTOMER=1000000000/1000000",
		"TECHMART_BUDGET_STAFF=1000000000/1000000",
		"TECHMART_CURSOR_SECRET="+secret(),
		"TECHMART_TOKEN_KEYS="+secret(),
	)
	command := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, binary, args...)
		cmd.Env, cmd.Dir, cmd.Stderr = env, dir, os.Stderr
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		cmd.WaitDelay = 20 * time.Second
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
		return cmd
	}
	for _, step := range [][]string{{"migrate"}, {"seed", "--scale", strconv.Itoa(scale)}} {
		say("techmart " + strings.Join(step, " "))
		cmd := command(step...)
		cmd.Env = append(cmd.Environ(), "TECHMART_MODE=development") // demo accounts are for nothing else
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("techmart %s: %w", step[0], err)
		}
	}
	return &servers{base: "http://" + addr, env: env, command: command}, nil
}

// start starts processes of the program, one for each line of arguments, and waits until the API is ready.
func (s *servers) start(ctx context.Context, lines ...string) error {
	for _, line := range lines {
		cmd := s.command(strings.Fields(line)...)
		if err := cmd.Start(); err != nil {
			return err
		}
		s.processes = append(s.processes, cmd)
	}
	return s.await(ctx)
}

// await waits until the API says that it is ready.
func (s *servers) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+"/readyz", nil)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return errors.New("the API was not ready within a minute")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// stop ends the processes and waits for them.
func (s *servers) stop() {
	for _, cmd := range s.processes {
		_ = cmd.Process.Signal(syscall.SIGTERM)
	}
	for _, cmd := range s.processes {
		_ = cmd.Wait()
	}
	s.processes = nil
}

// memory gives the resident set of each process.
func (s *servers) memory() string {
	var parts []string
	for _, cmd := range s.processes {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(status)) {
			if text, ok := strings.CutPrefix(line, "VmRSS:"); ok {
				kib, _ := strconv.Atoi(strings.Fields(text)[0])
				parts = append(parts, fmt.Sprintf("%s %d MiB", cmd.Args[1], kib/1024))
			}
		}
	}
	return strings.Join(parts, ", ")
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}

func secret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	return base64.StdEncoding.EncodeToString(b)
}

package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/techmart/techmart/devstack"
)

// TestMain lets the test binary be the command, in a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv("BE_TESTSTACK") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

const patience = time.Minute

// command prepares the command in a fresh module directory, without the
// servers that the environment may name.
func command(t *testing.T, args ...string) (cmd *exec.Cmd, dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} { // within reach of the servers' user
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module fresh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(os.Args[0], args...)
	cmd.Dir = dir
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "TECHMART_TEST_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "BE_TESTSTACK=1")
	return cmd, dir
}

func TestRunPassesServersAndExitCode(t *testing.T) {
	t.Parallel()
	cmd, dir := command(t, "run", "--", "sh", "-c", "env | grep -c '^TECHMART_TEST_.*=.*://'; exit 3")
	out, err := cmd.Output()
	if strings.TrimSpace(string(out)) != "4" || cmd.ProcessState.ExitCode() != 3 {
		t.Errorf("printed %q and ended with %v", out, err)
	}
	if devstack.Running(filepath.Join(dir, ".data", "test", "own-1")) {
		t.Error("servers were left running")
	}
}

func TestWrongArguments(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"run"}, {"run", "--"}, {"down"}} {
		cmd, _ := command(t, args...)
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "usage:") {
			t.Errorf("%v: %v, %s", args, err, out)
		}
	}
}

// However it ends, nothing of it stays behind.
func TestUpLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	for name, signals := range map[string][]syscall.Signal{
		"Ctrl-C":       {syscall.SIGINT},
		"Ctrl-C twice": {syscall.SIGINT, syscall.SIGINT},
		"terminated":   {syscall.SIGTERM},
		"killed":       {syscall.SIGKILL},
	} {
		t.Run(name, func(t *testing.T) { // one after the other: each starts four servers
			cmd, dir := command(t, "up")
			progress, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			up := false
			for lines := bufio.NewScanner(progress); !up && lines.Scan(); {
				up = strings.HasPrefix(lines.Text(), "up;")
				t.Log(lines.Text())
			}
			testDir := filepath.Join(dir, ".data", "test")
			if _, ok, err := devstack.Shared(testDir); !up || !ok || err != nil {
				t.Errorf("up: %v, shared: %v, %v", up, ok, err)
			}
			if len(processesIn(t, testDir)) < 4 {
				t.Error("the servers were not found")
			}
			for _, s := range signals {
				_ = cmd.Process.Signal(s) // the second may find it gone
			}
			_ = cmd.Wait() // an error is what a signal makes of it
			ticker := time.NewTicker(50 * time.Millisecond)
			defer ticker.Stop()
			deadline := time.After(patience)
			for devstack.Running(devstack.SharedDir(testDir)) || len(processesIn(t, testDir)) > 0 {
				select {
				case <-ticker.C:
				case <-deadline:
					t.Fatalf("still running: %v", processesIn(t, testDir))
				}
			}
			if _, ok, err := devstack.Shared(testDir); ok || err != nil {
				t.Errorf("it is still shared: %v, %v", ok, err)
			}
			data := devstack.SharedDir(testDir)
			if where, err := os.ReadFile(filepath.Join(data, "location")); err == nil {
				data = strings.TrimSpace(string(where))
			}
			if _, err := os.Stat(filepath.Join(data, "postgres")); len(signals) == 1 && signals[0] != syscall.SIGKILL && !os.IsNotExist(err) {
				t.Errorf("the data of PostgreSQL are still in %s: %v", data, err)
			}
		})
	}
}

// processesIn lists the processes that work in dir or name it.
func processesIn(t *testing.T, dir string) (found []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		cwd, _ := os.Readlink(filepath.Join("/proc", e.Name(), "cwd"))
		line, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if strings.HasPrefix(cwd, dir) || strings.Contains(string(line), dir) {
			found = append(found, e.Name()+" "+strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

// Command teststack starts real servers for tests.
//
//	teststack run -- go test ./...   start a throw-away stack, run the command, stop
//	teststack up                     start the shared test stack; Ctrl-C stops it
//	teststack reset DIR              delete the data of the stack in DIR
//
// Tests find the servers by package stacktest. run starts nothing when the
// environment names the servers already.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/techmart/techmart/devstack"
)

const usage = "usage: teststack run -- command [argument ...] | teststack up | teststack reset DIR"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends this process at once; the servers follow it
	err := teststack(ctx, os.Args[1:])
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		os.Exit(max(exit.ExitCode(), 1))
	case err != nil:
		fmt.Fprintln(os.Stderr, "teststack:", err)
		os.Exit(1)
	}
}

func teststack(ctx context.Context, args []string) error {
	switch {
	case len(args) > 2 && args[0] == "run" && args[1] == "--":
		return run(ctx, args[2:])
	case len(args) == 1 && args[0] == "up":
		return up(ctx)
	case len(args) == 2 && args[0] == "reset":
		if err := devstack.Reset(args[1]); err != nil {
			return err
		}
		say("deleted the data in " + args[1])
		return nil
	}
	return errors.New(usage)
}

func run(ctx context.Context, args []string) error {
	urls, complete := devstack.FromTestEnv()
	if !complete {
		dir, err := devstack.TestDir()
		if err != nil {
			return err
		}
		stack, err := devstack.StartForTest(ctx, dir, say)
		if err != nil {
			return err
		}
		defer closeStack(stack)
		urls = stack.URLs()
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), urls.TestEnv()...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	return cmd.Run()
}

func up(ctx context.Context) error {
	dir, err := devstack.TestDir()
	if err != nil {
		return err
	}
	stack, err := devstack.Start(ctx, devstack.Options{
		Dir: devstack.SharedDir(dir), Progress: say, RequireReal: true, Ephemeral: true,
	})
	if err != nil {
		return err
	}
	defer closeStack(stack)
	remove, err := stack.Share(dir)
	if err != nil {
		return err
	}
	for _, variable := range stack.URLs().TestEnv() {
		fmt.Println(variable)
	}
	say("up; Ctrl-C stops it")
	<-ctx.Done()
	return remove()
}

func closeStack(stack *devstack.Stack) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := stack.Close(ctx); err != nil {
		say("stopping: " + err.Error())
	}
}

func say(line string) { fmt.Fprintln(os.Stderr, line) }

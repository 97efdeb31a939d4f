package devstack

import (
	"context"
	"fmt"
	"time"
)

// running is a component's server.
type running struct {
	component
	server *server
}

// crashRetry is the pause between attempts to start a server that was killed: PostgreSQL refuses until
// the last process of the killed one is gone.
const crashRetry = 200 * time.Millisecond

// Crash kills the server of a component ("PostgreSQL", "MongoDB", "Redis", "RabbitMQ") by SIGKILL and, once
// the time given has passed, starts it again on its data. It gives its address, which may be another one. It is not to be
// called at the same time as Close or another Crash of the component.
func (s *Stack) Crash(ctx context.Context, name string, away time.Duration) (string, error) {
	r := s.running[name]
	if r == nil || r.server.kill == nil {
		return "", fmt.Errorf("devstack: no server of %s was started", name)
	}
	r.server.kill()
	timer := time.NewTimer(away)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-timer.C:
		}
		again, err := r.start(ctx, s.place, func(format string, args ...any) { s.say(name+": "+format, args...) })
		if err == nil {
			r.server, *r.url = again, again.url
			return again.url, nil
		}
		if ctx.Err() != nil {
			return "", err
		}
		timer.Reset(crashRetry)
	}
}

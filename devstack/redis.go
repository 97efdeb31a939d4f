package devstack

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/alicebob/miniredis/v2"
	goredis "github.com/redis/go-redis/v9"
)

func startRedis(ctx context.Context, p *place, say sayFunc) (*server, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		if p.opts.RequireReal {
			return nil, errors.New("redis-server was not found: install it (apt-get install redis-server)")
		}
		return p.standInRedis(say)
	}
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	data, err := p.dir("redis")
	if err != nil {
		return nil, err
	}
	appendOnly := "yes"
	if p.opts.Ephemeral {
		appendOnly = "no"
	}
	conf := filepath.Join(p.runtime, "redis.conf")
	err = p.file(conf, fmt.Sprintf("bind 127.0.0.1\nport %d\nrequirepass %s\ndir %q\nappendonly %s\nsave \"\"\ndaemonize no\n",
		ports[0], p.password, data, appendOnly))
	if err != nil {
		return nil, err
	}
	pr, err := p.run(command{name: "redis", signal: "TERM", dir: data, args: []string{program, conf}})
	if err != nil {
		return nil, err
	}
	url := fmt.Sprintf("redis://:%s@127.0.0.1:%d/0", p.password, ports[0])
	opts, err := goredis.ParseURL(url)
	if err != nil {
		return nil, errors.Join(err, pr.stop(ctx))
	}
	opts.MaxRetries = -1
	client := goredis.NewClient(opts)
	defer client.Close()
	var info string
	err = pr.await(ctx, func(ctx context.Context) (err error) {
		info, err = client.InfoMap(ctx, "server").Item("Server", "redis_version"), client.Ping(ctx).Err()
		return err
	})
	if err != nil {
		return nil, err
	}
	return &server{url: url, what: strings.TrimSpace("Redis " + info), close: pr.stop, kill: pr.kill}, nil
}

func (p *place) standInRedis(say sayFunc) (*server, error) {
	say("redis-server was not found, using one inside this process")
	m := miniredis.NewMiniRedis()
	m.RequireAuth(p.password)
	if err := m.Start(); err != nil {
		return nil, fmt.Errorf("cannot start the stand-in: %w", err)
	}
	return &server{
		url:   fmt.Sprintf("redis://:%s@%s/0", p.password, m.Addr()),
		what:  "miniredis, in this process, data is not kept",
		close: func(context.Context) error { m.Close(); return nil },
	}, nil
}

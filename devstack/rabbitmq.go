package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	amqp "github.com/rabbitmq/amqp091-go"
)

// rabbitPrograms are tried in order: what Debian has in PATH insists on running
// as root or rabbitmq.
var rabbitPrograms = []string{"/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server"}

// rabbitScript runs a port mapper of its own beside the server, which would
// otherwise start one that stays behind.
const rabbitScript = `epmd -port "$ERL_EPMD_PORT" -address 127.0.0.1 & exec "$0"`

func startRabbitMQ(ctx context.Context, p *place, say sayFunc) (*server, error) {
	program, ok := findProgram(rabbitPrograms)
	if !ok {
		if p.opts.RequireReal {
			return nil, errors.New("rabbitmq-server was not found: install it (apt-get install rabbitmq-server)")
		}
		say("rabbitmq-server was not found, using a broker inside this process")
		return &server{url: "memory:", what: "in this process, messages are not kept",
			close: func(context.Context) error { return nil }}, nil
	}
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	data, err := p.dir("rabbitmq")
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(p.runtime, "rabbitmq.conf")
	err = p.file(conf, fmt.Sprintf(`listeners.tcp.default = 127.0.0.1:%d
default_user = techmart
default_pass = %s
disk_free_limit.absolute = 100MB
vm_memory_high_watermark.absolute = 1GB
log.console = true
log.console.level = info
log.file = false
cluster_partition_handling = ignore
`, ports[0], p.password))
	if err != nil {
		return nil, err
	}
	for name, content := range map[string]string{"enabled_plugins": "[].\n", "env.conf": "", "advanced.config": "[].\n"} {
		if err := p.file(filepath.Join(p.runtime, name), content); err != nil {
			return nil, err
		}
	}
	env := []string{
		"RABBITMQ_NODENAME=techmart@localhost",
		"RABBITMQ_BASE=" + data,
		"RABBITMQ_MNESIA_BASE=" + data,
		"RABBITMQ_MNESIA_DIR=" + filepath.Join(data, "data"),
		"RABBITMQ_LOG_BASE=" + data,
		"RABBITMQ_LOGS=-",
		"RABBITMQ_PID_FILE=" + filepath.Join(p.runtime, "rabbitmq.pid"),
		"RABBITMQ_CONF_ENV_FILE=" + filepath.Join(p.runtime, "env.conf"),
		"RABBITMQ_CONFIG_FILE=" + conf,
		"RABBITMQ_CONFIG_FILES=" + filepath.Join(p.runtime, "none"),
		"RABBITMQ_ADVANCED_CONFIG_FILE=" + filepath.Join(p.runtime, "advanced.config"),
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + filepath.Join(p.runtime, "enabled_plugins"),
		"RABBITMQ_GENERATED_CONFIG_DIR=" + filepath.Join(data, "config"),
		fmt.Sprintf("RABBITMQ_DIST_PORT=%d", ports[1]),
		fmt.Sprintf("ERL_EPMD_PORT=%d", ports[2]),
		"ERL_EPMD_ADDRESS=127.0.0.1",
		"RABBITMQ_ALLOW_INPUT=1", // no shell process between the watcher and the server
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=+S 2:2 +sbwt none -noinput",
		"ERL_CRASH_DUMP=/dev/null",
	}
	pr, err := p.run(command{name: "rabbitmq", signal: "TERM", env: env, dir: data,
		args: []string{"/bin/sh", "-c", rabbitScript, program}})
	if err != nil {
		return nil, err
	}
	url := fmt.Sprintf("amqp://techmart:%s@127.0.0.1:%d/", p.password, ports[0])
	var version string
	err = pr.await(ctx, func(context.Context) error {
		conn, err := amqp.Dial(url)
		if err != nil {
			return err
		}
		version, _ = conn.Properties["version"].(string)
		return conn.Close()
	})
	if err != nil {
		return nil, err
	}
	return &server{url: url, what: "RabbitMQ " + version, close: pr.stop, kill: pr.kill}, nil
}

func findProgram(names []string) (string, bool) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, true
		}
		if info, err := os.Stat(name); err == nil && info.Mode().Perm()&0o111 != 0 {
			return name, true
		}
	}
	return "", false
}

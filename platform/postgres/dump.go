package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Dump writes the schemas of a database to a file with pg_dump, as they are at one moment, while
// others go on reading and writing. It needs PostgreSQL's own tools, at least of the server's version.
func Dump(ctx context.Context, url, file string, schemas []string) error {
	args := []string{"--format=custom", "--no-owner", "--no-privileges", "--file=" + file}
	for _, s := range schemas {
		args = append(args, "--schema="+s)
	}
	return tool(ctx, "pg_dump", url, args...)
}

// Restore reads a file that Dump wrote into a database that has none of its schemas, in one transaction.
func Restore(ctx context.Context, url, file string) error {
	name, err := database(url)
	if err != nil {
		return err
	}
	return tool(ctx, "pg_restore", url, "--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges", "--dbname="+name, file)
}

func database(address string) (string, error) {
	c, err := pgx.ParseConfig(address)
	if err != nil {
		return "", errors.New("postgres: the URL cannot be read") // the error of pgx quotes it
	}
	return c.Database, nil
}

// tool runs one of PostgreSQL's programs on a database. The password goes by the environment, as
// everybody on the machine may read arguments.
func tool(ctx context.Context, name, address string, args ...string) error {
	path, err := find(name)
	if err != nil {
		return err
	}
	c, err := pgx.ParseConfig(address)
	if err != nil {
		return errors.New("postgres: the URL cannot be read")
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "PGHOST="+c.Host, "PGPORT="+strconv.Itoa(int(c.Port)), "PGUSER="+c.User, "PGPASSWORD="+c.Password,
		"PGDATABASE="+c.Database, "PGAPPNAME=techmart "+name)
	if u, err := url.Parse(address); err == nil {
		for parameter, variable := range map[string]string{"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY"} {
			if v := u.Query().Get(parameter); v != "" {
				cmd.Env = append(cmd.Env, variable+"="+v)
			}
		}
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(said.String()))
	}
	return nil
}

// find gives the path of one of PostgreSQL's programs: that of PATH, else Debian's newest.
func find(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	paths, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name) // the pattern is right
	if len(paths) == 0 {
		return "", fmt.Errorf("%s was not found: install PostgreSQL's client programs (Debian: postgresql-client), and put them into PATH", name)
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.Split(path, "/")[4]) // 0 for what is no version
		return n
	}
	return slices.MaxFunc(paths, func(a, b string) int { return version(a) - version(b) }), nil
}

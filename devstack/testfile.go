package devstack

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// The environment variables that name the servers for tests.
const (
	TestPostgresEnv = "TECHMART_TEST_POSTGRES_URL"
	TestMongoDBEnv  = "TECHMART_TEST_MONGODB_URL"
	TestRedisEnv    = "TECHMART_TEST_REDIS_URL"
	TestRabbitMQEnv = "TECHMART_TEST_RABBITMQ_URL"
)

// URLs are the addresses of a stack, as TestDir/stack.json holds them while a
// shared test stack is up.
type URLs struct {
	Postgres string `json:"postgres"`
	MongoDB  string `json:"mongodb"`
	Redis    string `json:"redis"`
	RabbitMQ string `json:"rabbitmq"`
}

// URLs returns the addresses of the stack.
func (s *Stack) URLs() URLs {
	return URLs{Postgres: s.PostgresURL, MongoDB: s.MongoURL, Redis: s.RedisURL, RabbitMQ: s.RabbitURL}
}

// TestEnv returns the addresses as environment variables for tests.
func (u URLs) TestEnv() []string {
	return []string{
		TestPostgresEnv + "=" + u.Postgres, TestMongoDBEnv + "=" + u.MongoDB,
		TestRedisEnv + "=" + u.Redis, TestRabbitMQEnv + "=" + u.RabbitMQ,
	}
}

// FromTestEnv returns the addresses that the environment names, and whether it
// names all four.
func FromTestEnv() (u URLs, complete bool) {
	u = URLs{os.Getenv(TestPostgresEnv), os.Getenv(TestMongoDBEnv), os.Getenv(TestRedisEnv), os.Getenv(TestRabbitMQEnv)}
	return u, u.Postgres != "" && u.MongoDB != "" && u.Redis != "" && u.RabbitMQ != ""
}

// TestDir returns .data/test of the module that holds the working directory.
func TestDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, ".data", "test"), nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("the working directory is not inside of a Go module")
		}
		dir = filepath.Dir(dir)
	}
}

// SharedDir is where the shared test stack keeps its data.
func SharedDir(testDir string) string { return filepath.Join(testDir, "shared") }

func sharedFile(testDir string) string { return filepath.Join(testDir, "stack.json") }

// Share writes the stack's addresses for others to find, and returns what takes
// them away again.
func (s *Stack) Share(testDir string) (remove func() error, err error) {
	b, err := json.MarshalIndent(s.URLs(), "", "  ")
	if err != nil {
		return nil, err
	}
	name := sharedFile(testDir)
	if err := os.WriteFile(name+".new", append(b, '\n'), 0o600); err != nil {
		return nil, err
	}
	return func() error { return os.Remove(name) }, os.Rename(name+".new", name)
}

// Shared returns the addresses of the shared test stack; ok is false when none
// is up.
func Shared(testDir string) (u URLs, ok bool, err error) {
	b, err := os.ReadFile(sharedFile(testDir))
	if errors.Is(err, fs.ErrNotExist) || (err == nil && !Running(SharedDir(testDir))) {
		return URLs{}, false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &u)
	}
	return u, err == nil, err
}

// Running tells whether a stack is running in dir.
func Running(dir string) bool {
	for _, root := range roots(dir) {
		f, err := os.Open(filepath.Join(root, "lock"))
		if err != nil {
			continue
		}
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
		f.Close()
		if err != nil {
			return true
		}
	}
	return false
}

// StartForTest starts a throw-away stack of real servers in the first of
// testDir's numbered directories that is not in use.
func StartForTest(ctx context.Context, testDir string, progress func(string)) (*Stack, error) {
	for n := 1; ; n++ {
		s, err := Start(ctx, Options{Dir: filepath.Join(testDir, "own-"+strconv.Itoa(n)),
			Progress: progress, RequireReal: true, Ephemeral: true, ifFree: true})
		if !errors.Is(err, errInUse) {
			return s, err
		}
	}
}

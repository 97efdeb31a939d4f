package devstack_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"
	goredis "github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/techmart/techmart/devstack"
)

// directory returns one that only the present user can reach. Its data is
// deleted, wherever it is, at the end of the test.
func directory(t *testing.T) string {
	t.Helper()
	private := filepath.Join(t.TempDir(), "private")
	if err := os.Mkdir(private, 0o700); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(private, "data")
	t.Cleanup(func() {
		if err := devstack.Reset(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func start(t *testing.T, o devstack.Options) *devstack.Stack {
	t.Helper()
	o.Progress = func(line string) { t.Log(line) }
	s, err := devstack.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t *testing.T, s *devstack.Stack) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

// clients of all four servers.
type clients struct {
	pg     *pgx.Conn
	mongo  *mongo.Collection
	redis  *goredis.Client
	rabbit *amqp.Channel
}

func connect(t *testing.T, s *devstack.Stack) (c clients, disconnect func()) {
	t.Helper()
	ctx := context.Background()
	fatal := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	c.pg, err = pgx.Connect(ctx, s.PostgresURL)
	fatal(err)
	client, err := mongo.Connect(options.Client().ApplyURI(devstack.MongoDatabaseURL(s.MongoURL, "kept")))
	fatal(err)
	c.mongo = client.Database("kept").Collection("things")
	opts, err := goredis.ParseURL(s.RedisURL)
	fatal(err)
	c.redis = goredis.NewClient(opts)
	conn, err := amqp.Dial(s.RabbitURL)
	fatal(err)
	c.rabbit, err = conn.Channel()
	fatal(err)
	return c, func() {
		t.Helper()
		fatal(c.pg.Close(ctx))
		fatal(client.Disconnect(ctx))
		fatal(c.redis.Close())
		fatal(conn.Close())
	}
}

// Data outlives a stack, in a directory that the servers' user cannot reach
// when the test runs as root.
func TestDataIsKept(t *testing.T) {
	t.Parallel()
	dir := directory(t)
	ctx := t.Context()
	o := devstack.Options{Dir: dir, RequireReal: true}
	s := start(t, o)
	c, disconnect := connect(t, s)
	if _, err := c.pg.Exec(ctx, `CREATE TABLE thing AS SELECT 42 AS n`); err != nil {
		t.Fatal(err)
	}
	var fsync string
	if err := c.pg.QueryRow(ctx, `SHOW fsync`).Scan(&fsync); err != nil || fsync != "on" {
		t.Errorf("fsync is %s, %v", fsync, err)
	}
	if _, err := c.mongo.InsertOne(ctx, bson.M{"_id": "x", "n": 42}); err != nil {
		t.Fatal(err)
	}
	if err := c.redis.Set(ctx, "n", 42, 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := c.rabbit.Confirm(false); err != nil {
		t.Fatal(err)
	}
	if _, err := c.rabbit.QueueDeclare("kept", true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
		t.Fatal(err)
	}
	confirm, err := c.rabbit.PublishWithDeferredConfirm("", "kept", true, false, amqp.Publishing{Body: []byte("42"), DeliveryMode: amqp.Persistent})
	if err != nil || !confirm.Wait() {
		t.Fatalf("not confirmed: %v", err)
	}
	disconnect()

	if !devstack.Running(dir) {
		t.Error("it is said not to be running")
	}
	if err := devstack.Reset(dir); err == nil {
		t.Error("the data of a running stack was deleted")
	}
	second, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	if _, err := devstack.Start(second, o); err == nil || !strings.Contains(err.Error(), "another stack is running") {
		t.Errorf("a second stack in the directory: %v", err)
	}

	stop(t, s)
	if devstack.Running(dir) {
		t.Error("something of it is still running")
	}
	s = start(t, o)
	c, disconnect = connect(t, s)
	defer disconnect()
	var n int
	if err := c.pg.QueryRow(ctx, `SELECT n FROM thing`).Scan(&n); err != nil || n != 42 {
		t.Errorf("PostgreSQL: %d, %v", n, err)
	}
	if err := c.mongo.FindOne(ctx, bson.M{"_id": "x", "n": 42}).Err(); err != nil {
		t.Errorf("MongoDB: %v", err)
	}
	if got, err := c.redis.Get(ctx, "n").Int(); err != nil || got != 42 {
		t.Errorf("Redis: %d, %v", got, err)
	}
	if d, ok, err := c.rabbit.Get("kept", true); err != nil || !ok || string(d.Body) != "42" {
		t.Errorf("RabbitMQ: %v, %v", ok, err)
	}
}

func TestEnvironmentWins(t *testing.T) {
	for _, name := range []string{"POSTGRES", "MONGODB", "REDIS", "RABBITMQ"} {
		t.Setenv("TECHMART_"+name+"_URL", "url of "+name)
	}
	s := start(t, devstack.Options{Dir: directory(t)})
	want := devstack.URLs{Postgres: "url of POSTGRES", MongoDB: "url of MONGODB", Redis: "url of REDIS", RabbitMQ: "url of RABBITMQ"}
	if s.URLs() != want {
		t.Errorf("URLs %+v", s.URLs())
	}
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	if _, err := devstack.Start(t.Context(), devstack.Options{}); err == nil {
		t.Error("no directory was accepted")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := devstack.Start(t.Context(), devstack.Options{Dir: filepath.Join(file, "sub")}); err == nil {
		t.Error("a file was accepted as a directory")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := directory(t)
	if _, err := devstack.Start(ctx, devstack.Options{Dir: dir, RequireReal: true}); err == nil {
		t.Error("started with an ended context")
	}
	if devstack.Running(dir) {
		t.Error("a failed start left something running")
	}
}

func TestMongoDatabaseURL(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"mongodb://%2Ftmp%2Fx.sock/?directConnection=true": "mongodb://%2Ftmp%2Fx.sock/db?directConnection=true",
		"mongodb://host:27017":                             "mongodb://host:27017/db",
		"mongodb://a,b/old?w=1":                            "mongodb://a,b/db?w=1",
	} {
		if got := devstack.MongoDatabaseURL(base, "db"); got != want {
			t.Errorf("%s: %s, want %s", base, got, want)
		}
	}
}

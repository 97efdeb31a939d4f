// Package outbox is a transactional outbox over PostgreSQL: an event is written
// in the transaction that made it true, and a relay publishes it afterwards, at
// least once, in order for each subject.
//
// A domain keeps its events in <schema>.outbox; DDL gives the table. The
// writers of one subject must be serialized, which they are when each locks the
// row of the aggregate that the subject names, so that the order of positions
// is the order of commits.
package outbox

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/techmart/techmart/platform/postgres"
)

// Shards is the number of independent streams of one outbox. Events of one
// subject are all in one shard; relays share the shards, each is held by one
// process at a time.
const Shards = 16

//go:embed outbox.sql
var ddl string

// DDL returns the SQL that creates the outbox table of schema, to be copied
// into the domain's migration.
func DDL(schema string) string { return strings.ReplaceAll(ddl, "{{schema}}", schema) }

// Event is something that happened to one subject. Its JSON form is a
// CloudEvents 1.0 event in structured mode, with the extension attribute
// "sequence".
type Event struct {
	// ID is unique; consumers drop an ID that they have seen. UUIDv7 keeps the
	// table's index compact.
	ID uuid.UUID
	// Type says what happened, such as "orders.order.placed".
	Type string
	// Source is the domain that says so, such as "/techmart/orders".
	Source string
	// Subject is the identifier of what it happened to.
	Subject string
	// Sequence counts the subject's events from 1.
	Sequence int64
	// Time is when it happened.
	Time time.Time
	// Data is the JSON value that describes it.
	Data json.RawMessage
}

const specVersion = "1.0"

type cloudEvent struct {
	SpecVersion string          `json:"specversion"`
	ID          uuid.UUID       `json:"id"`
	Type        string          `json:"type"`
	Source      string          `json:"source"`
	Subject     string          `json:"subject,omitempty"`
	Sequence    int64           `json:"sequence"`
	Time        time.Time       `json:"time"`
	ContentType string          `json:"datacontenttype"`
	Data        json.RawMessage `json:"data"`
}

// ContentType is the media type of an event's JSON form.
const ContentType = "application/cloudevents+json"

// MarshalJSON encodes the event as CloudEvents JSON.
func (e Event) MarshalJSON() ([]byte, error) {
	return json.Marshal(cloudEvent{
		SpecVersion: specVersion, ID: e.ID, Type: e.Type, Source: e.Source, Subject: e.Subject,
		Sequence: e.Sequence, Time: e.Time.UTC(), ContentType: "application/json", Data: e.Data,
	})
}

// UnmarshalJSON decodes CloudEvents JSON of version 1.0.
func (e *Event) UnmarshalJSON(b []byte) error {
	var c cloudEvent
	if err := json.Unmarshal(b, &c); err != nil {
		return err
	}
	if c.SpecVersion != specVersion {
		return fmt.Errorf("outbox: CloudEvents version %q is not %s", c.SpecVersion, specVersion)
	}
	*e = Event{ID: c.ID, Type: c.Type, Source: c.Source, Subject: c.Subject,
		Sequence: c.Sequence, Time: c.Time, Data: c.Data}
	return nil
}

func (e Event) validate() error {
	switch {
	case e.ID == uuid.Nil:
		return errors.New("outbox: event without an ID")
	case e.Type == "":
		return errors.New("outbox: event without a type")
	case e.Subject == "":
		return fmt.Errorf("outbox: %s event without a subject", e.Type)
	case e.Time.IsZero():
		return fmt.Errorf("outbox: %s event without a time", e.Type)
	case !json.Valid(e.Data):
		return fmt.Errorf("outbox: %s event whose data is not JSON", e.Type)
	}
	return nil
}

// shard maps a subject to its stream, for good: changing it reorders events.
func shard(subject string) int16 {
	h := fnv.New32a()
	h.Write([]byte(subject))
	return int16(h.Sum32() % Shards)
}

// channel is what writers notify and relays listen to.
func channel(schema string) string { return schema + ".outbox" }

// Write adds the events to the outbox of schema and wakes the relay when tx
// commits, in one statement. It does nothing without events.
func Write(ctx context.Context, tx pgx.Tx, schema string, events ...Event) error {
	if len(events) == 0 {
		return nil
	}
	sql, args, err := insert(schema, events)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, sql, args...); err != nil {
		return fmt.Errorf("outbox: write to %s: %w", schema, err)
	}
	return nil
}

// Queue adds the statement that Write runs to a batch, which must be sent in
// the transaction that makes the events true.
func Queue(batch *pgx.Batch, schema string, events ...Event) error {
	if len(events) == 0 {
		return nil
	}
	sql, args, err := insert(schema, events)
	if err != nil {
		return err
	}
	batch.Queue(sql, args...)
	return nil
}

// insert writes events and wakes the relay. PostgreSQL runs the data-modifying WITH whether or not the
// outer query reads it, and sends equal notifications of a transaction once.
func insert(schema string, events []Event) (string, []any, error) {
	sql, args, err := Insertion(schema, 1, "true", events...)
	return `WITH written AS (` + sql + `) ` + Notification(schema), args, err
}

// Insertion gives an INSERT for the WITH of another statement, whose arguments from the number first on are args.
// It writes those events e that meet the condition, such as "e.subject IN (SELECT id::text FROM changed)".
// The order given is kept, as identity values are handed out row by row.
func Insertion(schema string, first int, condition string, events ...Event) (sql string, args []any, err error) {
	n := len(events)
	ids, times := make([]uuid.UUID, n), make([]time.Time, n)
	types, sources, subjects, data := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	sequences, shards := make([]int64, n), make([]int16, n)
	for i, e := range events {
		if err := e.validate(); err != nil {
			return "", nil, err
		}
		ids[i], types[i], sources[i], subjects[i] = e.ID, e.Type, e.Source, e.Subject
		sequences[i], times[i], data[i], shards[i] = e.Sequence, e.Time, string(e.Data), shard(e.Subject)
	}
	sql = `INSERT INTO ` + table(schema) + ` (id, type, source, subject, sequence, time, data, shard)
  SELECT id, type, source, subject, sequence, time, data::jsonb, shard
  FROM ` + postgres.Unnest(first, "uuid text text text bigint timestamptz text smallint") + `
       WITH ORDINALITY AS e(id, type, source, subject, sequence, time, data, shard, n)
  WHERE ` + condition + ` ORDER BY n`
	return sql, []any{ids, types, sources, subjects, sequences, times, data, shards}, nil
}

// Notification gives the SELECT that wakes the relay.
func Notification(schema string) string { return `SELECT pg_notify('` + channel(schema) + `', '')` }

func table(schema string) string { return pgx.Identifier{schema, "outbox"}.Sanitize() }

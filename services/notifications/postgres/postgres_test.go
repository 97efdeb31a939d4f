package postgres_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/techmart/techmart/devstack/stacktest"
	"github.com/techmart/techmart/services/errs"
	"github.com/techmart/techmart/services/notifications"
	"github.com/techmart/techmart/services/notifications/mailbox"
	"github.com/techmart/techmart/services/notifications/notificationstest"
	"github.com/techmart/techmart/services/notifications/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) notifications.Store {
		store, _ := notificationstest.Open(t, stacktest.Postgres(t))
		return store
	})
}

// What is requested stands in the outbox in the same transaction, once for each event.
func TestOutbox(t *testing.T) {
	t.Parallel()
	store, pool := notificationstest.Open(t, stacktest.Postgres(t))
	d := storetest.NewDelivery(uuid.Must(uuid.NewV7()), time.Now())
	for range 2 {
		if _, err := store.Accept(t.Context(), d, storetest.NewNotification(d)); err != nil {
			t.Fatal(err)
		}
	}
	var kind, subject, data string
	if err := pool.QueryRow(t.Context(), `SELECT type, subject, data FROM notifications.outbox`).Scan(&kind, &subject, &data); err != nil {
		t.Fatal(err)
	}
	if kind != notifications.EmailRequested || subject != d.ID.String() || data != fmt.Sprintf(`{"deliveryId": "%s"}`, d.ID) {
		t.Errorf("the outbox has %s of %s: %s", kind, subject, data)
	}
	var rows int
	if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM notifications.outbox`).Scan(&rows); err != nil || rows != 1 {
		t.Errorf("%d rows in the outbox, %v; want 1", rows, err)
	}
}

func TestMailbox(t *testing.T) {
	t.Parallel()
	store, _ := notificationstest.Open(t, stacktest.Postgres(t))
	var mails []*mailbox.Mail
	for i := range 5 {
		m := &mailbox.Mail{ID: uuid.Must(uuid.NewV7()), MessageID: fmt.Sprint(i), From: "shop@techmart.example", To: "ada@example.com",
			Subject: fmt.Sprint("Mail ", i), Text: "text", HTML: "<p>html</p>",
			ReceivedAt: time.Date(2026, 3, 1, 9, 30, i, 0, time.UTC)}
		mails = append(mails, m)
		if err := store.KeepMail(t.Context(), m, 3); err != nil {
			t.Fatal(err)
		}
	}
	list, err := store.Mails(t.Context(), 10)
	if err != nil || len(list) != 3 || list[0].Subject != "Mail 4" || list[2].Subject != "Mail 2" || list[0].Text != "" {
		t.Fatalf("%d mails, %v; want the newest 3, without texts", len(list), err)
	}
	got, err := store.Mail(t.Context(), mails[4].ID)
	if err != nil || *got != *mails[4] {
		t.Errorf("read back %+v, %v", got, err)
	}
	if _, err := store.Mail(t.Context(), mails[0].ID); errs.CodeOf(err) != errs.NotFound {
		t.Errorf("a mail that was forgotten: %v", err)
	}
}

// Every list is read from an index that gives its order, however large its table.
func TestListsReadIndexes(t *testing.T) {
	t.Parallel()
	_, pool := notificationstest.Open(t, stacktest.Postgres(t))
	_, err := pool.Exec(t.Context(), `
INSERT INTO notifications.deliveries (id, event_id, user_id, kind, channel, recipient, status, payload, created_at, updated_at, sent_at)
SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'WELCOME', 'EMAIL', 'a@b.c',
       CASE WHEN n % 50 = 0 THEN 'DEAD' ELSE 'SENT' END, NULL, now() - n * interval '1 s', now(), CASE WHEN n % 50 = 0 THEN NULL ELSE now() END
FROM generate_series(1, 5000) AS n;
INSERT INTO notifications.notifications (id, event_id, user_id, kind, title, body, read_at, created_at)
SELECT gen_random_uuid(), gen_random_uuid(), ('019a0000-0000-7000-8000-0000000000' || to_char(n % 50 + 10, 'FM00'))::uuid, 'WELCOME', 't', 'b',
       CASE WHEN n % 3 > 0 THEN now() END, now() - n * interval '1 s'
FROM generate_series(1, 5000) AS n;
ANALYZE notifications.deliveries, notifications.notifications;`)
	if err != nil {
		t.Fatal(err)
	}
	const user = `'019a0000-0000-7000-8000-000000000010'::uuid`
	for name, sql := range map[string]string{
		"all deliveries":       `SELECT * FROM notifications.deliveries WHERE (created_at, id) < (now(), gen_random_uuid()) ORDER BY created_at DESC, id DESC LIMIT 21`,
		"deliveries by status": `SELECT d.* FROM unnest('{SENT,DEAD}'::text[]) AS w(s) CROSS JOIN LATERAL (SELECT * FROM notifications.deliveries WHERE status = s ORDER BY created_at DESC, id DESC LIMIT 21) AS d`,
		"an inbox":             `SELECT n.* FROM unnest(ARRAY[` + user + `]) AS w(u) CROSS JOIN LATERAL (SELECT * FROM notifications.notifications WHERE user_id = u ORDER BY created_at DESC, id DESC LIMIT 21) AS n`,
		"what is unread":       `SELECT n.* FROM unnest(ARRAY[` + user + `]) AS w(u) CROSS JOIN LATERAL (SELECT * FROM notifications.notifications WHERE user_id = u AND read_at IS NULL ORDER BY created_at DESC, id DESC LIMIT 21) AS n`,
		"unread counts":        `SELECT user_id, count(*) FROM notifications.notifications WHERE user_id = ANY(ARRAY[` + user + `]) AND read_at IS NULL GROUP BY user_id`,
		"stale deliveries":     `SELECT id FROM notifications.deliveries WHERE status = 'PENDING' AND updated_at < now() ORDER BY updated_at LIMIT 500`,
	} {
		rows, err := pool.Query(t.Context(), `EXPLAIN `+sql)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var plan strings.Builder
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				t.Fatal(err)
			}
			plan.WriteString(line + "\n")
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(plan.String(), "Seq Scan") {
			t.Errorf("%s is read in full:\n%s", name, plan.String())
		}
	}
}

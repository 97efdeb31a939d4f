-- +goose Up
-- Inbox entries: at most one for each event.
CREATE TABLE notifications.notifications (
    id         uuid        PRIMARY KEY,
    event_id   uuid        NOT NULL UNIQUE,
    user_id    uuid        NOT NULL,
    kind       text        NOT NULL CHECK (kind IN ('WELCOME', 'PASSWORD_CHANGED', 'ACCOUNT_EXISTS', 'ORDER_CONFIRMED', 'ORDER_FAILED',
                                                    'ORDER_CANCELLED', 'PAYMENT_FAILED', 'ORDER_SHIPPED', 'ORDER_DELIVERED', 'ORDER_REFUNDED')),
    title      text        NOT NULL CHECK (title <> ''),
    body       text        NOT NULL CHECK (body <> ''),
    order_id   uuid,
    read_at    timestamptz,
    created_at timestamptz NOT NULL
);
CREATE INDEX notifications_inbox ON notifications.notifications (user_id, created_at DESC, id DESC);
CREATE INDEX notifications_unread ON notifications.notifications (user_id, created_at DESC, id DESC) WHERE read_at IS NULL;

-- E-mails: at most one for each event. The payload holds secret tokens and goes once it is sent.
CREATE TABLE notifications.deliveries (
    id             uuid        PRIMARY KEY,
    event_id       uuid        NOT NULL,
    user_id        uuid        NOT NULL,
    kind           text        NOT NULL CHECK (kind IN ('WELCOME', 'EMAIL_VERIFICATION', 'PASSWORD_RESET', 'PASSWORD_CHANGED', 'ACCOUNT_EXISTS',
                                                        'ORDER_CONFIRMED', 'ORDER_FAILED', 'ORDER_CANCELLED', 'PAYMENT_FAILED',
                                                        'ORDER_SHIPPED', 'ORDER_DELIVERED', 'ORDER_REFUNDED')),
    channel        text        NOT NULL CHECK (channel IN ('EMAIL', 'IN_APP')),
    recipient      text        NOT NULL CHECK (recipient <> ''),
    status         text        NOT NULL CHECK (status IN ('PENDING', 'SENT', 'DEAD')),
    attempts       integer     NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    last_error     text        NOT NULL DEFAULT '' CHECK (octet_length(last_error) <= 500),
    payload        jsonb,
    claimed_until  timestamptz,
    handed_over_at timestamptz,
    unknown        boolean     NOT NULL DEFAULT false,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    sent_at        timestamptz,
    CONSTRAINT deliveries_event UNIQUE (event_id, channel),
    CONSTRAINT deliveries_sent CHECK ((status = 'SENT') = (sent_at IS NOT NULL)),
    CONSTRAINT deliveries_payload CHECK (CASE status WHEN 'PENDING' THEN payload IS NOT NULL WHEN 'SENT' THEN payload IS NULL ELSE true END),
    CONSTRAINT deliveries_claim CHECK (handed_over_at IS NULL OR claimed_until IS NOT NULL),
    CONSTRAINT deliveries_idle CHECK (status = 'PENDING' OR claimed_until IS NULL),
    CONSTRAINT deliveries_unknown CHECK (NOT unknown OR status = 'DEAD')
);
CREATE INDEX deliveries_newest ON notifications.deliveries (created_at DESC, id DESC);
CREATE INDEX deliveries_status ON notifications.deliveries (status, created_at DESC, id DESC);
CREATE INDEX deliveries_stale ON notifications.deliveries (updated_at) WHERE status = 'PENDING';

-- E-mails kept instead of sent, in development.
CREATE TABLE notifications.mailbox (
    id          uuid        PRIMARY KEY,
    message_id  text        NOT NULL,
    sender      text        NOT NULL,
    recipient   text        NOT NULL,
    subject     text        NOT NULL,
    body_text   text        NOT NULL,
    body_html   text        NOT NULL,
    received_at timestamptz NOT NULL
);
CREATE INDEX mailbox_newest ON notifications.mailbox (received_at DESC, id DESC);

-- The transactional outbox (platform/outbox/outbox.sql).
CREATE TABLE notifications.outbox (
    position bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id       uuid        NOT NULL UNIQUE,
    type     text        NOT NULL,
    source   text        NOT NULL,
    subject  text        NOT NULL,
    sequence bigint      NOT NULL,
    time     timestamptz NOT NULL,
    data     jsonb       NOT NULL,
    shard    smallint    NOT NULL CHECK (shard BETWEEN 0 AND 15)
);
-- The relay reads one shard at a time, in position order.
CREATE INDEX outbox_shard_position ON notifications.outbox (shard, position);

-- +goose Down
DROP TABLE notifications.outbox;
DROP TABLE notifications.mailbox;
DROP TABLE notifications.deliveries;
DROP TABLE notifications.notifications;

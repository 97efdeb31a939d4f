-- +goose Up

-- Where integrators want to be told of events. An endpoint is owned by an account or by an API client, and is given what its
-- owner may read.
CREATE TABLE webhooks.endpoints (
    id             uuid        PRIMARY KEY,
    owner_user     uuid,
    owner_client   uuid,
    url            text        NOT NULL CHECK (octet_length(url) BETWEEN 1 AND 2048),
    description    text        NOT NULL,
    event_types    text[]      NOT NULL CHECK (cardinality(event_types) > 0),
    selection      text        NOT NULL, -- a GraphQL document; empty for the default payload
    api_version    text        NOT NULL CHECK (api_version <> ''),
    status         text        NOT NULL CHECK (status IN ('ENABLED', 'PAUSED', 'DISABLED')),
    reason         text        NOT NULL CHECK (reason IN ('', 'FAILING', 'GONE', 'BY_REQUEST', 'OWNER')),
    failures       integer     NOT NULL CHECK (failures >= 0), -- in a row
    failing_since  timestamptz,
    paused_at      timestamptz,
    probe_at       timestamptz, -- when the next try of a paused one is due
    disabled_at    timestamptz,
    news           text        NOT NULL CHECK (news IN ('', 'PAUSED', 'RESUMED', 'DISABLED')), -- what its owner is still to be told
    news_count     bigint      NOT NULL CHECK (news_count >= 0), -- of all times
    notices        bigint      NOT NULL DEFAULT 0 CHECK (notices >= 0), -- that were written to the outbox
    version        integer     NOT NULL CHECK (version > 0),
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    CONSTRAINT endpoints_owner CHECK (num_nonnulls(owner_user, owner_client) = 1),
    CONSTRAINT endpoints_failing CHECK ((failures > 0) = (failing_since IS NOT NULL)),
    CONSTRAINT endpoints_paused CHECK ((status = 'PAUSED') = (paused_at IS NOT NULL AND probe_at IS NOT NULL)),
    CONSTRAINT endpoints_disabled CHECK ((status = 'DISABLED') = (disabled_at IS NOT NULL) AND (status = 'DISABLED') = (reason <> ''))
) WITH (fillfactor = 80);
-- The lists of staff and of an API client.
CREATE INDEX endpoints_created ON webhooks.endpoints (created_at, id);
CREATE INDEX endpoints_client ON webhooks.endpoints (owner_client, created_at, id) WHERE owner_client IS NOT NULL;
CREATE INDEX endpoints_account ON webhooks.endpoints (owner_user) WHERE owner_user IS NOT NULL;
-- Whom an event is for.
CREATE INDEX endpoints_events ON webhooks.endpoints USING gin (event_types) WHERE status <> 'DISABLED';
-- What owners are still to be told.
CREATE INDEX endpoints_news ON webhooks.endpoints (id) WHERE news <> '';

-- What payloads are signed with, sealed. Two overlap while a receiver changes over.
CREATE TABLE webhooks.secrets (
    id          uuid        PRIMARY KEY,
    endpoint_id uuid        NOT NULL REFERENCES webhooks.endpoints ON DELETE CASCADE,
    sealed      bytea       NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz -- null for never
);
CREATE INDEX secrets_endpoint ON webhooks.secrets (endpoint_id, created_at, id);

-- Events that were taken in, each once.
CREATE TABLE webhooks.inbox (
    event_id    uuid        PRIMARY KEY,
    received_at timestamptz NOT NULL
);
CREATE INDEX inbox_received ON webhooks.inbox (received_at);

-- One for each event and endpoint.
CREATE TABLE webhooks.deliveries (
    id              uuid        PRIMARY KEY,
    position        bigint      GENERATED ALWAYS AS IDENTITY, -- the order in which they go out
    endpoint_id     uuid        NOT NULL REFERENCES webhooks.endpoints ON DELETE CASCADE,
    event_id        uuid        NOT NULL,
    event_type      text        NOT NULL,
    subject_id      uuid        NOT NULL,
    sequence        bigint      NOT NULL, -- counts the subject's events
    occurred_at     timestamptz NOT NULL,
    status          text        NOT NULL CHECK (status IN ('PENDING', 'DELIVERED', 'FAILED')),
    attempts        integer     NOT NULL CHECK (attempts >= 0), -- of all times
    failures        integer     NOT NULL CHECK (failures >= 0), -- of this round: a redelivery begins a new one
    next_attempt_at timestamptz,
    claimed_until   timestamptz, -- while an attempt is under way
    created_at      timestamptz NOT NULL,
    finished_at     timestamptz,
    CONSTRAINT deliveries_event UNIQUE (event_id, endpoint_id),
    CONSTRAINT deliveries_pending CHECK ((status = 'PENDING') = (next_attempt_at IS NOT NULL) AND (status = 'PENDING') = (finished_at IS NULL)),
    CONSTRAINT deliveries_claim CHECK (status = 'PENDING' OR claimed_until IS NULL)
) WITH (fillfactor = 80);
-- What is to go out, in order, and what of the same subject goes first.
CREATE INDEX deliveries_due ON webhooks.deliveries (endpoint_id, position) WHERE status = 'PENDING';
CREATE INDEX deliveries_subject ON webhooks.deliveries (endpoint_id, subject_id, sequence) WHERE status = 'PENDING';
CREATE INDEX deliveries_claimed ON webhooks.deliveries (endpoint_id) WHERE claimed_until IS NOT NULL;
CREATE INDEX deliveries_overdue ON webhooks.deliveries (next_attempt_at) WHERE status = 'PENDING';
-- The log of an endpoint.
CREATE INDEX deliveries_log ON webhooks.deliveries (endpoint_id, created_at, id);
CREATE INDEX deliveries_log_status ON webhooks.deliveries (endpoint_id, status, created_at, id);
CREATE INDEX deliveries_finished ON webhooks.deliveries (finished_at) WHERE finished_at IS NOT NULL;

-- How each attempt went. Payloads are not kept: they are made anew, with the rights that the owner has then.
CREATE TABLE webhooks.attempts (
    delivery_id uuid        NOT NULL REFERENCES webhooks.deliveries ON DELETE CASCADE,
    number      integer     NOT NULL CHECK (number > 0),
    started_at  timestamptz NOT NULL,
    duration_ms integer     NOT NULL CHECK (duration_ms >= 0),
    outcome     text        NOT NULL CHECK (outcome IN ('SUCCEEDED', 'REFUSED', 'TIMEOUT', 'UNREACHABLE', 'BLOCKED', 'NOT_SENT')),
    status      integer     NOT NULL, -- of the response; 0 for none
    error       text        NOT NULL CHECK (octet_length(error) <= 500),
    excerpt     text        NOT NULL CHECK (octet_length(excerpt) <= 1024), -- of the response
    PRIMARY KEY (delivery_id, number)
);

-- Takes an idempotency key for the rest of the transaction, or fails at once while another one has it. The lock ends with
-- the connection, so that a process that is killed keeps no key.
-- +goose StatementBegin
CREATE FUNCTION webhooks.take_key(owner text, operation text, key text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended(concat_ws(chr(31), 'webhooks', owner, operation, key), 0)) THEN
        RAISE EXCEPTION 'the idempotency key is being worked on' USING ERRCODE = 'TM002';
    END IF;
END
$$;
-- +goose StatementEnd

CREATE TABLE webhooks.idempotency_keys (
    owner        uuid        NOT NULL,
    operation    text        NOT NULL,
    key          text        NOT NULL,
    request_hash bytea       NOT NULL,
    result_id    uuid        NOT NULL,
    created_at   timestamptz NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (owner, operation, key)
);
CREATE INDEX idempotency_keys_created ON webhooks.idempotency_keys (created_at);

-- The transactional outbox (platform/outbox/outbox.sql).
CREATE TABLE webhooks.outbox (
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
CREATE INDEX outbox_shard_position ON webhooks.outbox (shard, position);

-- +goose Down
DROP TABLE webhooks.outbox;
DROP TABLE webhooks.idempotency_keys;
DROP FUNCTION webhooks.take_key(text, text, text);
DROP TABLE webhooks.attempts;
DROP TABLE webhooks.deliveries;
DROP TABLE webhooks.inbox;
DROP TABLE webhooks.secrets;
DROP TABLE webhooks.endpoints;

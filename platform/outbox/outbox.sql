-- The transactional outbox of one domain. Copy this into the domain's first
-- migration with {{schema}} replaced by the domain's schema.
CREATE TABLE {{schema}}.outbox (
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
CREATE INDEX outbox_shard_position ON {{schema}}.outbox (shard, position);

-- +goose Up

-- A cart belongs to an account, or to whoever knows the token whose SHA-256 it keeps.
CREATE TABLE carts.carts (
    id         uuid        PRIMARY KEY,
    user_id    uuid,
    token_hash bytea       CONSTRAINT carts_token UNIQUE CHECK (octet_length(token_hash) = 32),
    status     text        NOT NULL DEFAULT 'OPEN' CHECK (status IN ('OPEN', 'MERGED', 'ORDERED')),
    merged_by  uuid,
    order_id   uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    expires_at timestamptz,
    CONSTRAINT carts_owner CHECK ((user_id IS NULL) <> (token_hash IS NULL)),
    CONSTRAINT carts_expiry CHECK ((token_hash IS NULL) = (expires_at IS NULL)),
    CONSTRAINT carts_merged CHECK ((status = 'MERGED') = (merged_by IS NOT NULL)),
    CONSTRAINT carts_ordered CHECK ((status = 'ORDERED') = (order_id IS NOT NULL))
);
-- An account has one open cart.
CREATE UNIQUE INDEX carts_user_open ON carts.carts (user_id) WHERE status = 'OPEN';
-- The purge reads these.
CREATE INDEX carts_expires ON carts.carts (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX carts_closed ON carts.carts (updated_at) WHERE status <> 'OPEN';

-- Lines in the order they were put in, with the price of one that was last shown.
CREATE TABLE carts.lines (
    id         uuid    PRIMARY KEY,
    cart_id    uuid    NOT NULL REFERENCES carts.carts ON DELETE CASCADE,
    position   bigint  GENERATED ALWAYS AS IDENTITY,
    variant_id uuid    NOT NULL,
    quantity   integer NOT NULL CHECK (quantity BETWEEN 1 AND 999),
    seen       bigint  NOT NULL,
    currency   text    NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT lines_variant UNIQUE (cart_id, variant_id)
);

CREATE TABLE carts.idempotency_keys (
    owner        text        NOT NULL,
    operation    text        NOT NULL,
    key          text        NOT NULL,
    request_hash bytea       NOT NULL,
    result_id    uuid        NOT NULL,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (owner, operation, key)
);
CREATE INDEX idempotency_keys_created ON carts.idempotency_keys (created_at);

-- +goose Down
DROP TABLE carts.idempotency_keys;
DROP TABLE carts.lines;
DROP TABLE carts.carts;

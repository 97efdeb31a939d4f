-- +goose Up

CREATE SEQUENCE orders.numbers AS bigint START 1 CACHE 1;

-- Orders. Amounts are minor units of the order's currency. An order's saga is at its stage, and owned
-- by whoever claimed it until claimed_until.
CREATE TABLE orders.orders (
    id            uuid        PRIMARY KEY,
    number        text        COLLATE "C" NOT NULL CONSTRAINT orders_number UNIQUE,
    customer_id   uuid        NOT NULL,
    cart_id       uuid        CONSTRAINT orders_cart UNIQUE, -- one cart is ordered once
    email         text        NOT NULL,
    display_name  text        NOT NULL,
    status        text        NOT NULL CHECK (status IN ('PENDING', 'CONFIRMED', 'PARTIALLY_FULFILLED', 'FULFILLED',
                                                         'DELIVERED', 'CANCELLED', 'FAILED', 'REFUNDED')),
    reason_code   text        NOT NULL DEFAULT '',
    reason        text        NOT NULL DEFAULT '',
    currency      text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    subtotal      bigint      NOT NULL CHECK (subtotal >= 0),
    shipping      bigint      NOT NULL CHECK (shipping >= 0),
    tax           bigint      NOT NULL CHECK (tax BETWEEN 0 AND total),
    total         bigint      NOT NULL,
    address       jsonb       NOT NULL,
    payment_token text        NOT NULL DEFAULT '', -- the provider's token, until the payment is authorized or refused
    stage         text        NOT NULL CHECK (stage IN ('RESERVE', 'AUTHORIZE', 'CAPTURE', 'DONE', 'VOID', 'REFUND', 'RELEASE', 'UNDONE')),
    capture_now   boolean     NOT NULL,
    claimed_by    uuid,
    claimed_until timestamptz,
    placed_at     timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    version       integer     NOT NULL CHECK (version > 0),
    sequence      bigint      NOT NULL,
    CONSTRAINT orders_total CHECK (total = subtotal + shipping),
    CONSTRAINT orders_token CHECK (payment_token = '' OR stage IN ('RESERVE', 'AUTHORIZE', 'VOID', 'RELEASE'))
) WITH (fillfactor = 80);
-- The staff's lists, by each sort, and the most used filter.
CREATE INDEX orders_placed ON orders.orders (placed_at, id);
CREATE INDEX orders_updated ON orders.orders (updated_at, id);
CREATE INDEX orders_total ON orders.orders (total, id);
CREATE INDEX orders_status_placed ON orders.orders (status, placed_at, id);
-- A customer's history.
CREATE INDEX orders_customer_placed ON orders.orders (customer_id, placed_at, id);
-- Search by the beginning of the e-mail address; that by number uses orders_number.
CREATE INDEX orders_email ON orders.orders (lower(email) COLLATE "C");
-- Sagas that are under way, for the sweeper.
CREATE INDEX orders_unsettled ON orders.orders (updated_at, id) WHERE stage NOT IN ('DONE', 'UNDONE');

CREATE TABLE orders.lines (
    id            uuid    PRIMARY KEY,
    order_id      uuid    NOT NULL REFERENCES orders.orders ON DELETE CASCADE,
    position      integer NOT NULL,
    variant_id    uuid    NOT NULL,
    product_id    uuid    NOT NULL,
    sku           text    NOT NULL,
    title         text    NOT NULL,
    variant_title text    NOT NULL,
    quantity      integer NOT NULL CHECK (quantity > 0),
    fulfilled     integer NOT NULL DEFAULT 0 CHECK (fulfilled BETWEEN 0 AND quantity),
    unit_price    bigint  NOT NULL CHECK (unit_price >= 0),
    total         bigint  NOT NULL CHECK (total = unit_price * quantity),
    CONSTRAINT lines_position UNIQUE (order_id, position)
);

CREATE TABLE orders.fulfillments (
    id              uuid        PRIMARY KEY,
    order_id        uuid        NOT NULL REFERENCES orders.orders ON DELETE CASCADE,
    position        integer     NOT NULL,
    status          text        NOT NULL CHECK (status IN ('SHIPPED', 'DELIVERED')),
    carrier         text        NOT NULL DEFAULT '',
    tracking_number text        NOT NULL DEFAULT '',
    tracking_url    text        NOT NULL DEFAULT '',
    capture         bigint      NOT NULL CHECK (capture >= 0), -- its share of the payment
    created_at      timestamptz NOT NULL,
    delivered_at    timestamptz,
    settled_at      timestamptz, -- when stock was lowered and the share captured
    CONSTRAINT fulfillments_position UNIQUE (order_id, position),
    CONSTRAINT fulfillments_delivered CHECK ((status = 'DELIVERED') = (delivered_at IS NOT NULL))
);
CREATE INDEX fulfillments_unsettled ON orders.fulfillments (created_at, id) WHERE settled_at IS NULL;

CREATE TABLE orders.fulfillment_lines (
    fulfillment_id uuid    NOT NULL REFERENCES orders.fulfillments ON DELETE CASCADE,
    line_id        uuid    NOT NULL REFERENCES orders.lines,
    position       integer NOT NULL,
    quantity       integer NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (fulfillment_id, line_id)
);
CREATE INDEX fulfillment_lines_line ON orders.fulfillment_lines (line_id);

-- All that happened to an order; positions grow with its version.
CREATE TABLE orders.timeline (
    order_id   uuid        NOT NULL REFERENCES orders.orders ON DELETE CASCADE,
    position   bigint      NOT NULL,
    id         uuid        NOT NULL,
    type       text        NOT NULL,
    message    text        NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (order_id, position)
);

CREATE TABLE orders.idempotency_keys (
    owner        uuid        NOT NULL,
    operation    text        NOT NULL,
    key          text        NOT NULL,
    request_hash bytea       NOT NULL,
    result_id    uuid        NOT NULL,
    created_at   timestamptz NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (owner, operation, key)
);
CREATE INDEX idempotency_keys_created ON orders.idempotency_keys (created_at);

-- Events of other domains that were consumed, so that a repeat is dropped.
CREATE TABLE orders.consumed_events (
    id          uuid        CONSTRAINT consumed_events_pkey PRIMARY KEY,
    consumed_at timestamptz NOT NULL
);
CREATE INDEX consumed_events_consumed ON orders.consumed_events (consumed_at);

CREATE TABLE orders.outbox (
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
CREATE INDEX outbox_shard_position ON orders.outbox (shard, position);

-- Ends the transaction when a conditional change found nothing to change.
-- +goose StatementBegin
CREATE FUNCTION orders.require(changed bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF changed = 0 THEN
        RAISE EXCEPTION 'the order has changed since it was read' USING ERRCODE = 'TM001';
    END IF;
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION orders.require(bigint);
DROP TABLE orders.outbox;
DROP TABLE orders.consumed_events;
DROP TABLE orders.idempotency_keys;
DROP TABLE orders.timeline;
DROP TABLE orders.fulfillment_lines;
DROP TABLE orders.fulfillments;
DROP TABLE orders.lines;
DROP TABLE orders.orders;
DROP SEQUENCE orders.numbers;

-- +goose Up

-- What makes orders cheaper. Amounts are minor units of the currency, rates hundredths of a percent.
CREATE TABLE promotions.promotions (
    id            uuid        PRIMARY KEY,
    code          text        COLLATE "C" CONSTRAINT promotions_code UNIQUE CHECK (code ~ '^[A-Z0-9][A-Z0-9_-]{2,39}$'), -- null where none is needed
    title         text        NOT NULL CHECK (title <> ''),
    kind          text        NOT NULL CHECK (kind IN ('PERCENTAGE', 'AMOUNT', 'FREE_SHIPPING')),
    rate          integer     NOT NULL CHECK (CASE WHEN kind = 'PERCENTAGE' THEN rate BETWEEN 1 AND 10000 ELSE rate = 0 END),
    amount        bigint      NOT NULL CHECK (CASE WHEN kind = 'AMOUNT' THEN amount > 0 ELSE amount = 0 END),
    min_subtotal  bigint      NOT NULL CHECK (min_subtotal >= 0),
    currency      text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    combinable    boolean     NOT NULL,
    enabled       boolean     NOT NULL,
    starts_at     timestamptz NOT NULL,
    ends_at       timestamptz CHECK (ends_at > starts_at),
    max_uses      integer     CHECK (max_uses > 0),     -- null for no bound
    customer_uses integer     CHECK (customer_uses > 0), -- of one customer; null for no bound
    uses          integer     NOT NULL DEFAULT 0 CHECK (uses >= 0),
    version       integer     NOT NULL CHECK (version > 0),
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL
) WITH (fillfactor = 80);
-- The staff's list.
CREATE INDEX promotions_created ON promotions.promotions (created_at, id);
-- What every cart is offered.
CREATE INDEX promotions_automatic ON promotions.promotions (created_at, id) WHERE code IS NULL AND enabled;

-- Uses, under the order's id: reserved when the order is settled, given back when it comes to nothing.
CREATE TABLE promotions.redemptions (
    order_id     uuid        NOT NULL,
    promotion_id uuid        NOT NULL REFERENCES promotions.promotions,
    customer_id  uuid        NOT NULL,
    redeemed_at  timestamptz NOT NULL,
    released_at  timestamptz,
    PRIMARY KEY (order_id, promotion_id)
);
-- How often a customer has used one.
CREATE INDEX redemptions_customer ON promotions.redemptions (promotion_id, customer_id) WHERE released_at IS NULL;

-- +goose Down
DROP TABLE promotions.redemptions;
DROP TABLE promotions.promotions;

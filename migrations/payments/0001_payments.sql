-- +goose Up

-- One payment per order; what the provider holds, took and paid back, in minor units.
CREATE TABLE payments.payments (
    id             uuid        PRIMARY KEY,
    order_id       uuid        NOT NULL CONSTRAINT payments_order UNIQUE,
    customer_id    uuid        NOT NULL,
    provider       text        NOT NULL CHECK (provider <> ''),
    status         text        NOT NULL CHECK (status IN ('PENDING', 'AUTHORIZED', 'PARTIALLY_CAPTURED', 'CAPTURED',
                                                          'PARTIALLY_REFUNDED', 'REFUNDED', 'VOIDED', 'DECLINED')),
    currency       text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    amount         bigint      NOT NULL CHECK (amount > 0),
    authorized     bigint      NOT NULL,
    captured       bigint      NOT NULL,
    refunded       bigint      NOT NULL,
    closed         boolean     NOT NULL DEFAULT false,
    token          text, -- the provider's token, until the authorization is settled; never a card number
    reference      text,
    decline_code   text,
    decline_reason text,
    sequence       bigint      NOT NULL DEFAULT 0,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    CONSTRAINT payments_amounts CHECK (0 <= refunded AND refunded <= captured AND captured <= authorized AND authorized <= amount)
);
-- Lists are newest first: all of them, and those of a status.
CREATE INDEX payments_created ON payments.payments (created_at, id);
CREATE INDEX payments_status_created ON payments.payments (status, created_at, id);

-- What was asked of the provider. The id is the provider's idempotency key.
CREATE TABLE payments.transactions (
    id                 uuid        PRIMARY KEY,
    payment_id         uuid        NOT NULL REFERENCES payments.payments,
    kind               text        NOT NULL CHECK (kind IN ('AUTHORIZE', 'CAPTURE', 'VOID', 'REFUND')),
    status             text        NOT NULL CHECK (status IN ('PENDING', 'SUCCEEDED', 'FAILED')),
    currency           text        NOT NULL,
    amount             bigint      NOT NULL CHECK (amount > 0),
    reason             text,
    provider_reference text,
    error_code         text,
    error_message      text,
    attempts           integer     NOT NULL DEFAULT 0,
    leased_until       timestamptz,
    created_at         timestamptz NOT NULL,
    settled_at         timestamptz,
    CONSTRAINT transactions_settled CHECK ((status = 'PENDING') = (settled_at IS NULL))
);
CREATE INDEX transactions_payment ON payments.transactions (payment_id, created_at, id);
CREATE INDEX transactions_unsettled ON payments.transactions (attempts, created_at, id) WHERE status = 'PENDING';
CREATE INDEX transactions_open ON payments.transactions (payment_id, created_at, id) WHERE status = 'PENDING';
CREATE UNIQUE INDEX transactions_authorize ON payments.transactions (payment_id) WHERE kind = 'AUTHORIZE';
CREATE UNIQUE INDEX transactions_void ON payments.transactions (payment_id) WHERE kind = 'VOID' AND status <> 'FAILED';

-- The double-entry ledger: each capture and refund posts as much debit as credit. An authorization
-- moves no money and is not in it.
CREATE TABLE payments.ledger_entries (
    id             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transaction_id uuid        NOT NULL REFERENCES payments.transactions,
    account        text        NOT NULL CHECK (account IN ('provider_clearing', 'sales', 'refunds')),
    direction      text        NOT NULL CHECK (direction IN ('DEBIT', 'CREDIT')),
    amount         bigint      NOT NULL CHECK (amount > 0),
    currency       text        NOT NULL,
    created_at     timestamptz NOT NULL
);
CREATE INDEX ledger_entries_transaction ON payments.ledger_entries (transaction_id) INCLUDE (currency, direction, amount);

-- What accounts hold: debits less credits. Spread over shards, so that payments which are settled at
-- the same time seldom wait for each other.
CREATE TABLE payments.ledger_balances (
    account  text     NOT NULL,
    currency text     NOT NULL,
    shard    smallint NOT NULL CHECK (shard BETWEEN 0 AND 15),
    balance  numeric  NOT NULL,
    PRIMARY KEY (account, currency, shard)
);

-- +goose StatementBegin
CREATE FUNCTION payments.ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: % refused', TG_OP USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ledger_append_only';
END $$;
-- +goose StatementEnd
CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE ON payments.ledger_entries
    FOR EACH ROW EXECUTE FUNCTION payments.ledger_refuse_change();
CREATE TRIGGER ledger_no_truncate BEFORE TRUNCATE ON payments.ledger_entries
    FOR EACH STATEMENT EXECUTE FUNCTION payments.ledger_refuse_change();

-- +goose StatementBegin
CREATE FUNCTION payments.ledger_check_balance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM payments.ledger_entries
        WHERE transaction_id = NEW.transaction_id
        GROUP BY currency
        HAVING sum(CASE direction WHEN 'DEBIT' THEN amount ELSE -amount END) <> 0
    ) THEN
        RAISE EXCEPTION 'ledger entries of transaction % do not balance', NEW.transaction_id USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_balanced';
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE CONSTRAINT TRIGGER ledger_balanced AFTER INSERT ON payments.ledger_entries
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments.ledger_check_balance();

-- Rows are added up in one order, so that two statements never wait for each other in a circle.
-- +goose StatementBegin
CREATE FUNCTION payments.ledger_add_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO payments.ledger_balances AS b (account, currency, shard, balance)
    SELECT account, currency, hashtext(transaction_id::text) & 15, sum(CASE direction WHEN 'DEBIT' THEN amount ELSE -amount END)
    FROM added
    GROUP BY 1, 2, 3
    ORDER BY 1, 2, 3
    ON CONFLICT (account, currency, shard) DO UPDATE SET balance = b.balance + EXCLUDED.balance;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER ledger_balances AFTER INSERT ON payments.ledger_entries
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION payments.ledger_add_up();

-- What an idempotency key was used for.
CREATE TABLE payments.idempotency_keys (
    owner        uuid        NOT NULL,
    operation    text        NOT NULL,
    key          text        NOT NULL,
    request_hash bytea       NOT NULL,
    result_id    uuid        NOT NULL REFERENCES payments.transactions,
    created_at   timestamptz NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (owner, operation, key)
);
CREATE INDEX idempotency_keys_created ON payments.idempotency_keys (created_at);

-- The books of the sandbox provider, which stands in for a real one: a call by its idempotency key.
CREATE TABLE payments.sandbox_charges (
    key               text    PRIMARY KEY,
    kind            text        NOT NULL,
    authorization_key text      REFERENCES payments.sandbox_charges,
    token           text        NOT NULL,
    currency        text        NOT NULL,
    amount          bigint      NOT NULL,
    attempts        integer     NOT NULL,
    done            boolean     NOT NULL,
    approved        boolean     NOT NULL,
    reference       text        NOT NULL,
    code            text        NOT NULL,
    message         text        NOT NULL,
    captured        bigint      NOT NULL DEFAULT 0,
    refunded        bigint      NOT NULL DEFAULT 0,
    voided          boolean     NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX sandbox_charges_reference ON payments.sandbox_charges (reference) WHERE reference <> '';

-- The transactional outbox.
CREATE TABLE payments.outbox (
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
CREATE INDEX outbox_shard_position ON payments.outbox (shard, position);

-- +goose Down
DROP TABLE payments.outbox;
DROP TABLE payments.sandbox_charges;
DROP TABLE payments.idempotency_keys;
DROP TABLE payments.ledger_balances;
DROP TABLE payments.ledger_entries;
DROP FUNCTION payments.ledger_add_up();
DROP FUNCTION payments.ledger_check_balance();
DROP FUNCTION payments.ledger_refuse_change();
DROP TABLE payments.transactions;
DROP TABLE payments.payments;

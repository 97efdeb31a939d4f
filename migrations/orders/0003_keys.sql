-- +goose Up

-- Takes an idempotency key for the rest of the transaction, or fails at once while another one has it. The lock ends with
-- the connection, so that a process that is killed keeps no key.
-- +goose StatementBegin
CREATE FUNCTION orders.take_key(owner text, operation text, key text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended(concat_ws(chr(31), 'orders', owner, operation, key), 0)) THEN
        RAISE EXCEPTION 'the idempotency key is being worked on' USING ERRCODE = 'TM002';
    END IF;
END
$$;
-- +goose StatementEnd

-- Keys of calls that are under way in more than one transaction: each is its holder's until it is answered, or the lease
-- ends. A server that crashes empties the table; who answers first is decided by idempotency_keys all the same.
CREATE UNLOGGED TABLE orders.claims (
    owner        uuid        NOT NULL,
    operation    text        NOT NULL,
    key          text        NOT NULL,
    request_hash bytea       NOT NULL,
    holder       uuid        NOT NULL,
    until        timestamptz NOT NULL,
    PRIMARY KEY (owner, operation, key)
);

-- +goose Down
DROP TABLE orders.claims;
DROP FUNCTION orders.take_key(text, text, text);

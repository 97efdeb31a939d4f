-- +goose Up

-- Takes an idempotency key for the rest of the transaction, or fails at once while another one has it. The lock ends with
-- the connection, so that a process that is killed keeps no key.
-- +goose StatementBegin
CREATE FUNCTION promotions.take_key(owner text, operation text, key text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended(concat_ws(chr(31), 'promotions', owner, operation, key), 0)) THEN
        RAISE EXCEPTION 'the idempotency key is being worked on' USING ERRCODE = 'TM002';
    END IF;
END
$$;
-- +goose StatementEnd

CREATE TABLE promotions.idempotency_keys (
    owner        uuid        NOT NULL,
    operation    text        NOT NULL,
    key          text        NOT NULL,
    request_hash bytea       NOT NULL,
    result_id    uuid        NOT NULL,
    created_at   timestamptz NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (owner, operation, key)
);
CREATE INDEX idempotency_keys_created ON promotions.idempotency_keys (created_at);

-- +goose Down
DROP TABLE promotions.idempotency_keys;
DROP FUNCTION promotions.take_key(text, text, text);

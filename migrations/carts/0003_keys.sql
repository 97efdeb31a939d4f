-- +goose Up

-- Takes an idempotency key for the rest of the transaction, or fails at once while another one has it. The lock ends with
-- the connection, so that a process that is killed keeps no key.
-- +goose StatementBegin
CREATE FUNCTION carts.take_key(owner text, operation text, key text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended(concat_ws(chr(31), 'carts', owner, operation, key), 0)) THEN
        RAISE EXCEPTION 'the idempotency key is being worked on' USING ERRCODE = 'TM002';
    END IF;
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION carts.take_key(text, text, text);

-- +goose Up
ALTER TABLE users.accounts
    -- Sealed by the program: what reads the database learns no secret. Set, with second_factor_at null,
    -- while the owner has not yet proven to hold it.
    ADD COLUMN second_factor_secret  bytea,
    ADD COLUMN second_factor_at      timestamptz,
    -- The time step of the last code that was taken: none before it, nor itself, is taken again.
    ADD COLUMN second_factor_step    bigint  NOT NULL DEFAULT 0,
    -- SHA-256 digests of the recovery codes that are left.
    ADD COLUMN recovery_codes        bytea[] NOT NULL DEFAULT '{}',
    -- The network that proved the e-mail address by the last reset of the password; empty for none.
    ADD COLUMN reset_network         text    NOT NULL DEFAULT '',
    ADD CONSTRAINT accounts_second_factor CHECK (second_factor_at IS NULL OR second_factor_secret IS NOT NULL),
    ADD CONSTRAINT accounts_recovery_codes CHECK (cardinality(recovery_codes) = 0 OR second_factor_at IS NOT NULL);

ALTER TABLE users.tokens DROP CONSTRAINT tokens_purpose_check;
-- A challenge is held by whoever gave the right password, and is worth a session with a code.
ALTER TABLE users.tokens ADD CONSTRAINT tokens_purpose_check CHECK (purpose IN ('VERIFY_EMAIL', 'RESET_PASSWORD', 'CHALLENGE'));

-- Attempts are counted in Redis, by account and by network.
DROP TABLE users.sign_in_attempts;

-- +goose Down
CREATE TABLE users.sign_in_attempts (
    email_digest bytea PRIMARY KEY CHECK (octet_length(email_digest) = 32),
    failures     integer     NOT NULL CHECK (failures >= 0),
    retry_at     timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL
);
CREATE INDEX sign_in_attempts_updated_at ON users.sign_in_attempts (updated_at);

DELETE FROM users.tokens WHERE purpose = 'CHALLENGE';
ALTER TABLE users.tokens DROP CONSTRAINT tokens_purpose_check;
ALTER TABLE users.tokens ADD CONSTRAINT tokens_purpose_check CHECK (purpose IN ('VERIFY_EMAIL', 'RESET_PASSWORD'));

ALTER TABLE users.accounts
    DROP COLUMN reset_network,
    DROP COLUMN recovery_codes,
    DROP COLUMN second_factor_step,
    DROP COLUMN second_factor_at,
    DROP COLUMN second_factor_secret;

-- +goose Up
CREATE TABLE users.accounts (
    id                uuid PRIMARY KEY,
    -- Compared byte by byte, so that one index serves equality, prefixes and order. The program
    -- lower-cases it, so that the result does not depend on the server's locale.
    email             text COLLATE "C" NOT NULL CONSTRAINT accounts_email_key UNIQUE
                      CHECK (email = lower(email) AND char_length(email) BETWEEN 3 AND 254),
    email_verified_at timestamptz,
    display_name      text        NOT NULL CHECK (char_length(display_name) BETWEEN 1 AND 100),
    -- display_name in lower case, for searching.
    name_key          text COLLATE "C" NOT NULL,
    password_hash     text        NOT NULL,
    roles             text[]      NOT NULL CHECK (roles <@ ARRAY['CUSTOMER', 'SUPPORT', 'CATALOG_MANAGER', 'ADMIN'] AND 'CUSTOMER' = ANY (roles)),
    -- Messages to the address that an anonymous visitor asked for, and since when they are counted.
    mails_since       timestamptz NOT NULL,
    mails             integer     NOT NULL CHECK (mails >= 0),
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    version           integer     NOT NULL CHECK (version >= 1),
    -- Number of the last event of the account.
    event_sequence    bigint      NOT NULL DEFAULT 0
);
CREATE INDEX accounts_created_at ON users.accounts (created_at, id);
CREATE INDEX accounts_name_key ON users.accounts (name_key);
CREATE INDEX accounts_roles ON users.accounts USING gin (roles);

-- Tokens sent by e-mail; only their SHA-256 digests are kept. A used one is deleted.
CREATE TABLE users.tokens (
    digest     bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    account_id uuid        NOT NULL REFERENCES users.accounts ON DELETE CASCADE,
    purpose    text        NOT NULL CHECK (purpose IN ('VERIFY_EMAIL', 'RESET_PASSWORD')),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at > created_at)
);
CREATE INDEX tokens_account ON users.tokens (account_id, purpose);
CREATE INDEX tokens_expires_at ON users.tokens (expires_at);

-- Failed sign-ins by address, whether or not it has an account.
CREATE TABLE users.sign_in_attempts (
    email_digest bytea PRIMARY KEY CHECK (octet_length(email_digest) = 32),
    failures     integer     NOT NULL CHECK (failures >= 0),
    retry_at     timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL
);
CREATE INDEX sign_in_attempts_updated_at ON users.sign_in_attempts (updated_at);

CREATE TABLE users.sessions (
    id           uuid PRIMARY KEY,
    account_id   uuid        NOT NULL REFERENCES users.accounts ON DELETE CASCADE,
    user_agent   text        NOT NULL,
    ip_address   text        NOT NULL,
    created_at   timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    revoked_at   timestamptz
);
CREATE INDEX sessions_account ON users.sessions (account_id, created_at DESC, id DESC);
CREATE INDEX sessions_revoked_at ON users.sessions (revoked_at) WHERE revoked_at IS NOT NULL;
CREATE INDEX sessions_expires_at ON users.sessions (expires_at);

-- All generations of a session's refresh token: used ones are kept while the session lives, so that
-- the second use of one is seen.
CREATE TABLE users.refresh_tokens (
    digest     bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    session_id uuid        NOT NULL REFERENCES users.sessions ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX refresh_tokens_session ON users.refresh_tokens (session_id);
CREATE INDEX refresh_tokens_expires_at ON users.refresh_tokens (expires_at);
-- One generation at most is good.
CREATE UNIQUE INDEX refresh_tokens_current ON users.refresh_tokens (session_id) WHERE used_at IS NULL;

CREATE TABLE users.addresses (
    id           uuid PRIMARY KEY,
    account_id   uuid        NOT NULL REFERENCES users.accounts ON DELETE CASCADE,
    recipient    text        NOT NULL CHECK (char_length(recipient) BETWEEN 1 AND 100),
    line1        text        NOT NULL CHECK (char_length(line1) BETWEEN 1 AND 200),
    line2        text        NOT NULL CHECK (char_length(line2) <= 200),
    postal_code  text        NOT NULL CHECK (char_length(postal_code) BETWEEN 1 AND 20),
    city         text        NOT NULL CHECK (char_length(city) BETWEEN 1 AND 100),
    region       text        NOT NULL CHECK (char_length(region) <= 100),
    country_code text        NOT NULL CHECK (country_code ~ '^[A-Z]{2}$'),
    phone        text        NOT NULL CHECK (char_length(phone) <= 16),
    is_default   boolean     NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL
);
CREATE INDEX addresses_account ON users.addresses (account_id, is_default DESC, id);
CREATE UNIQUE INDEX addresses_default ON users.addresses (account_id) WHERE is_default;

CREATE TABLE users.outbox (
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
CREATE INDEX outbox_shard_position ON users.outbox (shard, position);

-- +goose Down
DROP TABLE users.outbox;
DROP TABLE users.addresses;
DROP TABLE users.refresh_tokens;
DROP TABLE users.sessions;
DROP TABLE users.sign_in_attempts;
DROP TABLE users.tokens;
DROP TABLE users.accounts;

-- +goose Up

-- The sandbox's books have to be compared with the ledger by period, as those of a real provider.
ALTER TABLE payments.sandbox_charges ADD COLUMN created_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX sandbox_charges_authorizations ON payments.sandbox_charges (created_at, key) WHERE kind = 'AUTHORIZE' AND approved;

-- A provider's notices and statements name payments by its own reference.
CREATE UNIQUE INDEX payments_reference ON payments.payments (provider, reference) WHERE reference IS NOT NULL;

-- Notices of providers that were dealt with: each may come more than once.
CREATE TABLE payments.notices (
    provider    text        NOT NULL,
    id          text        NOT NULL,
    type        text        NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (provider, id)
);
CREATE INDEX notices_received ON payments.notices (received_at);

-- +goose Down
DROP TABLE payments.notices;
DROP INDEX payments.payments_reference;
DROP INDEX payments.sandbox_charges_authorizations;
ALTER TABLE payments.sandbox_charges DROP COLUMN created_at;

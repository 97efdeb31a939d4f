-- +goose Up

-- Which events have come, by what they are about: numbers that are left out are noticed. The newest of each subject stays.
CREATE TABLE notifications.received (
    subject     text        COLLATE "C" NOT NULL,
    sequence    bigint      NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (subject, sequence)
);
CREATE INDEX received_at ON notifications.received (received_at);

-- Events before which one had not come. Either it comes late, or the gap is reported.
CREATE TABLE notifications.gaps (
    subject     text        COLLATE "C" NOT NULL,
    sequence    bigint      NOT NULL, -- of the event behind the gap
    noticed_at  timestamptz NOT NULL,
    reported_at timestamptz,
    PRIMARY KEY (subject, sequence)
);
CREATE INDEX gaps_open ON notifications.gaps (noticed_at) WHERE reported_at IS NULL;

-- +goose Down
DROP TABLE notifications.gaps;
DROP TABLE notifications.received;

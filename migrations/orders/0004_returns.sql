-- +goose Up

-- How many articles of a line returns take up. It is kept by the trigger below: whoever writes a return, by whatever
-- way and however many at once, no more can come back than was sent.
ALTER TABLE orders.lines
    ADD COLUMN returned integer NOT NULL DEFAULT 0,
    ADD CONSTRAINT lines_returned CHECK (returned BETWEEN 0 AND fulfilled);

-- Parts of orders that customers send back. Amounts are minor units of the order's currency.
CREATE TABLE orders.returns (
    id           uuid        PRIMARY KEY,
    order_id     uuid        NOT NULL REFERENCES orders.orders ON DELETE CASCADE,
    position     integer     NOT NULL CHECK (position > 0), -- among the order's returns
    status       text        NOT NULL CHECK (status IN ('REQUESTED', 'APPROVED', 'REJECTED', 'RECEIVED', 'REFUNDED', 'CANCELLED')),
    note         text        NOT NULL DEFAULT '', -- the customer's
    reason       text        NOT NULL DEFAULT '', -- why it was rejected
    instructions text        NOT NULL DEFAULT '', -- where to send it
    refund       bigint      NOT NULL DEFAULT 0 CHECK (refund >= 0),
    problem      text        NOT NULL DEFAULT '', -- why it could not be paid back
    attempt      integer     NOT NULL DEFAULT 0, -- refunds that the payment provider refused
    settlement   text        NOT NULL DEFAULT '', -- how staff paid it back otherwise
    requested_at timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    received_at  timestamptz,
    restocked_at timestamptz,
    CONSTRAINT returns_position UNIQUE (order_id, position),
    CONSTRAINT returns_received CHECK ((status IN ('RECEIVED', 'REFUNDED')) = (received_at IS NOT NULL)),
    CONSTRAINT returns_refund CHECK (refund = 0 OR received_at IS NOT NULL)
);
-- The staff's lists, by each sort, and the most used filters.
CREATE INDEX returns_requested ON orders.returns (requested_at, id);
CREATE INDEX returns_updated ON orders.returns (updated_at, id);
CREATE INDEX returns_status_requested ON orders.returns (status, requested_at, id);
CREATE INDEX returns_status_updated ON orders.returns (status, updated_at, id);
-- Refunds that staff has to look at, and those that are under way, for the sweeper.
CREATE INDEX returns_problem ON orders.returns (requested_at, id) WHERE status = 'RECEIVED' AND problem <> '';
CREATE INDEX returns_unsettled ON orders.returns (updated_at, id) WHERE status = 'RECEIVED' AND problem = '';

CREATE TABLE orders.return_lines (
    return_id   uuid    NOT NULL REFERENCES orders.returns ON DELETE CASCADE,
    line_id     uuid    NOT NULL REFERENCES orders.lines,
    position    integer NOT NULL,
    quantity    integer NOT NULL CHECK (quantity > 0),
    reason      text    NOT NULL CHECK (reason IN ('DEFECTIVE', 'DAMAGED', 'WRONG_ITEM', 'NOT_AS_DESCRIBED', 'CHANGED_MIND', 'OTHER')),
    received    integer NOT NULL DEFAULT 0,
    restock     integer NOT NULL DEFAULT 0, -- of the received ones
    location_id uuid,                       -- where they go back into stock
    refund      bigint  NOT NULL DEFAULT 0 CHECK (refund >= 0),
    held        integer NOT NULL,           -- what the return takes up of the line now
    PRIMARY KEY (return_id, line_id),
    CONSTRAINT return_lines_received CHECK (received BETWEEN 0 AND quantity),
    CONSTRAINT return_lines_restock CHECK (restock BETWEEN 0 AND received AND (restock > 0) = (location_id IS NOT NULL)),
    CONSTRAINT return_lines_held CHECK (held BETWEEN 0 AND quantity)
);
CREATE INDEX return_lines_line ON orders.return_lines (line_id);

-- +goose StatementBegin
CREATE FUNCTION orders.count_returned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE orders.lines SET returned = returned + NEW.held - CASE WHEN TG_OP = 'UPDATE' THEN OLD.held ELSE 0 END WHERE id = NEW.line_id;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER return_lines_counted AFTER INSERT OR UPDATE OF held ON orders.return_lines FOR EACH ROW EXECUTE FUNCTION orders.count_returned();

-- +goose Down
DROP TABLE orders.return_lines;
DROP FUNCTION orders.count_returned();
DROP TABLE orders.returns;
ALTER TABLE orders.lines DROP CONSTRAINT lines_returned, DROP COLUMN returned;

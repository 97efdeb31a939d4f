-- +goose Up

-- What was taken off, how it is sent, and the tax by rate. Discounts and taxes are lists of what was applied, as it was then.
ALTER TABLE orders.orders
    ADD COLUMN discount        bigint NOT NULL DEFAULT 0 CHECK (discount BETWEEN 0 AND subtotal),
    ADD COLUMN shipping_method text   NOT NULL DEFAULT '',
    ADD COLUMN shipping_title  text   NOT NULL DEFAULT '',
    ADD COLUMN discounts       jsonb  NOT NULL DEFAULT '[]',
    ADD COLUMN taxes           jsonb  NOT NULL DEFAULT '[]',
    DROP CONSTRAINT orders_total,
    ADD CONSTRAINT orders_total CHECK (total = subtotal - discount + shipping);
ALTER TABLE orders.lines
    ADD COLUMN discount bigint NOT NULL DEFAULT 0 CHECK (discount BETWEEN 0 AND total),
    ADD COLUMN tax      bigint NOT NULL DEFAULT 0 CHECK (tax >= 0);

-- +goose Down
ALTER TABLE orders.lines DROP COLUMN discount, DROP COLUMN tax;
ALTER TABLE orders.orders
    DROP CONSTRAINT orders_total,
    DROP COLUMN discount, DROP COLUMN shipping_method, DROP COLUMN shipping_title, DROP COLUMN discounts, DROP COLUMN taxes;
ALTER TABLE orders.orders ADD CONSTRAINT orders_total CHECK (total = subtotal + shipping) NOT VALID;

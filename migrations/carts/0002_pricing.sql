-- +goose Up

-- Codes of promotions as they were entered, and how and where the cart is to be sent as far as that is chosen.
ALTER TABLE carts.carts
    ADD COLUMN codes           text[] NOT NULL DEFAULT '{}' CHECK (cardinality(codes) <= 5),
    ADD COLUMN shipping_method text   NOT NULL DEFAULT '',
    ADD COLUMN country         text   NOT NULL DEFAULT '' CHECK (country ~ '^([A-Z]{2})?$');

-- +goose Down
ALTER TABLE carts.carts DROP COLUMN codes, DROP COLUMN shipping_method, DROP COLUMN country;

-- +goose Up

-- An attempt changes no column of an index until its outcome is known: there is room for it beside the row.
ALTER TABLE notifications.deliveries SET (fillfactor = 75);

-- +goose Down
ALTER TABLE notifications.deliveries RESET (fillfactor);

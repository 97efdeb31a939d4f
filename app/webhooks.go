package app

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/techmart/techmart/services/payments"
	"github.com/techmart/techmart/services/viewer"
)

// webhook takes the notices of a payment provider. It answers 200 once a notice is dealt with, 400 for
// one that does not come from the provider, and 503 for one that is to be sent again.
func webhook(read func(*http.Request) (payments.Notice, error), service *payments.Service, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := viewer.NewContext(r.Context(), viewer.System)
		notice, err := read(r)
		if err == nil {
			err = service.Notified(ctx, notice)
		}
		status := http.StatusOK
		switch {
		case errors.Is(err, payments.ErrNotGenuine):
			status = http.StatusBadRequest
		case err != nil && !errors.Is(ctx.Err(), context.Canceled):
			log.ErrorContext(ctx, "a notice of the payment provider was not dealt with", "notice", notice.ID, "type", notice.Type, "error", err)
			status = http.StatusServiceUnavailable
		}
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
	})
}

// Package telemetry sets up what an operator sees of the process: structured
// logs, Prometheus metrics, and counts of the calls made to each backend, both
// per request and process-wide.
package telemetry

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// LogConfig says how the process logs. The zero value logs JSON at level info.
type LogConfig struct {
	// Level is the least level shown: debug, info, warn or error.
	Level string
	// Format is json (default), one object per line, or text, for people.
	Format string
}

// NewLogger returns a logger that writes to w in UTC. It fails on a level or
// format it does not know.
func NewLogger(w io.Writer, c LogConfig) (*slog.Logger, error) {
	var level slog.Level
	if c.Level != "" {
		if err := level.UnmarshalText([]byte(c.Level)); err != nil {
			return nil, fmt.Errorf("telemetry: log level %q is not one of debug, info, warn, error", c.Level)
		}
	}
	opts := &slog.HandlerOptions{Level: level, ReplaceAttr: utc}
	switch strings.ToLower(c.Format) {
	case "", "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	}
	return nil, fmt.Errorf("telemetry: log format %q is not json or text", c.Format)
}

func utc(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime {
		a.Value = slog.TimeValue(a.Value.Time().UTC())
	}
	return a
}

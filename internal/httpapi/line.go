package httpapi

import (
	"context"
	"log/slog"
	"net/netip"
	"time"
)

// line is what the log says of one request: all of it bounded, none of it a query string or a credential.
type line struct {
	level                    slog.Level
	method, route, operation string // of small, fixed sets
	status                   int
	took                     time.Duration
	bytes                    int64
	caller, callerID         string
	workspace                string
	requestID                string
	client                   netip.Addr
	cause                    error
	stack                    []byte
}

// write logs it, the one line of its request.
func (a *api) write(ctx context.Context, l *line) {
	if !a.Logger.Enabled(ctx, l.level) {
		return
	}
	remote := ""
	if l.client.IsValid() {
		remote = l.client.String()
	}
	attrs := append(make([]slog.Attr, 0, 13),
		slog.String("method", l.method), slog.String("route", l.route), slog.String("operation", l.operation),
		slog.Int("status", l.status), slog.Float64("duration_ms", float64(l.took.Microseconds())/1000), slog.Int64("bytes", l.bytes),
		slog.String("caller", l.caller), slog.String("caller_id", l.callerID), slog.String("workspace", l.workspace),
		slog.String("request_id", l.requestID), slog.String("remote", remote),
	)
	if l.cause != nil {
		attrs = append(attrs, slog.String("error", l.cause.Error()))
	}
	if l.stack != nil {
		attrs = append(attrs, slog.String("stack", string(l.stack)))
	}
	a.Logger.LogAttrs(ctx, l.level, "request", attrs...)
}

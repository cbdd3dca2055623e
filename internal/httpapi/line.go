package httpapi

import (
	"context"
	"log/slog"
	"net/netip"
	"strconv"
	"time"
)

// line is the log's line of one request: all of it bounded, none of it a query string or a credential.
type line struct {
	level                    slog.Level
	standsFor                int    // as many requests; more than 1 where this one was drawn
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
	attrs := append(
		make([]slog.Attr, 0, 14),
		slog.String("method", l.method),
		slog.String("route", l.route),
		slog.String("operation", l.operation),
		slog.Int(
			"status", l.status,
		),
		slog.Float64("duration_ms", float64(l.took.Microseconds())/1000),
		slog.Int64("bytes", l.bytes),
		slog.String("caller", l.caller),
		slog.String("caller_id", l.callerID),
		slog.String("workspace", l.workspace),
		slog.String("request_id", l.requestID),
		slog.String("remote", remote),
	)
	if l.standsFor > 1 {
		attrs = append(attrs, slog.Int("one_in", l.standsFor))
	}
	if l.cause != nil {
		attrs = append(attrs, slog.String("error", l.cause.Error()))
	}
	if l.stack != nil {
		attrs = append(attrs, slog.String("stack", string(l.stack)))
	}
	a.Logger.LogAttrs(ctx, l.level, "request", attrs...)
}

// writeQuickly is write for a line of which every text is plain: it came through a reader that took nothing else.
func (a *api) writeQuickly(l *line, at time.Time, into []byte) []byte {
	if l.cause != nil {
		l.level = slog.LevelError
	}
	if a.Lines == nil || l.level != slog.LevelInfo {
		a.write(context.Background(), l)
		return into
	}
	if !a.Logger.Enabled(context.Background(), l.level) {
		return into
	}
	b := l.appendJSON(into[:0], at)
	_, _ = a.Lines.Write(b)
	return b
}

// appendJSON writes the line as slog's JSON does, without its handling of texts that need an escape.
func (l *line) appendJSON(b []byte, at time.Time) []byte {
	b = at.AppendFormat(append(b, `{"time":"`...), time.RFC3339Nano)
	b = append(append(b, `","level":"INFO","msg":"request","method":"`...), l.method...)
	b = append(append(b, `","route":"`...), l.route...)
	b = append(append(b, `","operation":"`...), l.operation...)
	b = strconv.AppendInt(append(b, `","status":`...), int64(l.status), 10)
	b = strconv.AppendFloat(append(b, `,"duration_ms":`...), float64(l.took.Microseconds())/1000, 'f', -1, 64)
	b = strconv.AppendInt(append(b, `,"bytes":`...), l.bytes, 10)
	b = append(append(b, `,"caller":"`...), l.caller...)
	b = append(append(b, `","caller_id":"`...), l.callerID...)
	b = append(append(b, `","workspace":"`...), l.workspace...)
	b = append(append(b, `","request_id":"`...), l.requestID...)
	b = append(b, `","remote":"`...)
	if l.client.IsValid() {
		b = l.client.AppendTo(b)
	}
	b = append(b, '"')
	if l.standsFor > 1 {
		b = strconv.AppendInt(append(b, `,"one_in":`...), int64(l.standsFor), 10)
	}
	return append(b, "}\n"...)
}

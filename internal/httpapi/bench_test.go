package httpapi_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/keyward/keyward/internal/httpapi"
)

// BenchmarkVerify costs one verification from request to answer, without a network: as it is, without its line of log,
// and on the long way.
func BenchmarkVerify(b *testing.B) {
	quiet := func(c *httpapi.Config) { c.Logger, c.Lines = slog.New(slog.DiscardHandler), nil }
	loud := func(c *httpapi.Config) {
		c.Logger, c.Lines = slog.New(slog.NewJSONHandler(io.Discard, nil)), io.Discard
	}
	for _, c := range []struct {
		name string
		log  func(*httpapi.Config)
		way  edit
	}{{"logged", loud, func(*http.Request) {}}, {"quiet", quiet, func(*http.Request) {}}, {"long", loud, theLongWay}} {
		b.Run(c.name, func(b *testing.B) {
			h := open(b, c.log)
			_, value := h.key(h.workspace(), `,"permissions":["calls:read","calls:write"]`)
			body := []byte(`{"key":"` + value + `","permissions":["calls:read"]}`)
			r := httptest.NewRequest("POST", "/api/v2/api-keys/verify", bytes.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", "Bearer "+h.root)
			c.way(r)
			reader := bytes.NewReader(body)
			r.Body = io.NopCloser(reader)
			w := &sink{h: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				reader.Reset(body)
				r.Body = io.NopCloser(reader)
				h.handler.ServeHTTP(w, r)
			}
			if w.status != http.StatusOK {
				b.Fatal(w.status)
			}
		})
	}
}

// BenchmarkVerifyBatch costs a batch of a hundred different keys.
func BenchmarkVerifyBatch(b *testing.B) {
	h := open(b, func(c *httpapi.Config) {
		c.Logger, c.Lines = slog.New(slog.NewJSONHandler(io.Discard, nil)), io.Discard
	})
	ws := h.workspace()
	body := []byte(`{"items":[`)
	for i := range 100 {
		_, value := h.key(ws, `,"permissions":["calls:read","calls:write"]`)
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, `{"key":"`+value+`","permissions":["calls:read"]}`...)
	}
	body = append(body, "]}"...)
	r := httptest.NewRequest("POST", "/api/v2/api-keys/verify-batch", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+h.root)
	reader, w := bytes.NewReader(body), &sink{h: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		reader.Reset(body)
		r.Body = io.NopCloser(reader)
		h.handler.ServeHTTP(w, r)
	}
	if w.status != http.StatusOK {
		b.Fatal(w.status)
	}
}

package httpapi_test

import (
	"log/slog"
	"testing"

	"github.com/keyward/keyward/internal/httpapi"
)

// BenchmarkVerify costs one verification of a key that holds everything, from request to answer, without a network.
func BenchmarkVerify(b *testing.B) {
	h := open(b, func(c *httpapi.Config) { c.Logger = slog.New(slog.DiscardHandler) })
	_, value := h.key(h.workspace(), "")
	body := `{"key":"` + value + `","permissions":["calls:read"]}`
	b.ReportAllocs()
	for b.Loop() {
		h.do("POST", "/api/v2/api-keys/verify", h.root, body).want(200)
	}
}

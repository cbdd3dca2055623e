package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/server"
)

// A body is announced and never sent: the refusal comes all the same, so nothing of it is waited for, or kept.
func TestALargeBodyIsNotReadForACredentialThatIsNoneT105(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	cfg.DataAddr = "127.0.0.1:0"
	s, _ := start(t, cfg, server.Options{})
	const verify, batch = "/api/v2/api-keys/verify", "/api/v2/api-keys/verify-batch"
	for _, c := range []struct {
		url, on, extra string
		length, want   int
	}{
		{s.URL(), "POST " + batch, "", 1 << 20, 401},
		{s.DataURL(), "POST " + batch, "", 1 << 20, 401},
		{s.URL(), "POST " + batch, "X-Odd: a\tb\r\n", 1 << 20, 401}, // net/http's
		{s.DataURL(), "POST " + batch, "X-Odd: a\tb\r\n", 1 << 20, 401},
		{s.URL(), "POST " + verify, "", 1 << 20, 401},
		{s.URL(), "PUT /api/v2/api-keys", "", 1 << 20, 401},
		{s.URL(), "POST /api/v2/oauth2/introspect", "", 1 << 20, 401},
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(c.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = fmt.Fprintf(
			conn,
			"%s HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n"+
				"{\"keys\":[\"%s",
			c.on,
			c.length,
			c.extra,
			strings.Repeat("a", 6<<10),
		)
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s on %s with %q: %v: the body is waited for", c.on, c.url, c.extra, err)
			continue
		}
		answer.Body.Close()
		if answer.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", c.on, answer.StatusCode, c.want)
		}
	}
	for _, c := range []struct{ path, media, body string }{
		{"/api/v2/sessions", "application/json", `{"code":"` + strings.Repeat("x", 9<<10) + `"}`},
		{"/api/v2/oauth2/introspect", "application/x-www-form-urlencoded", "token=" + strings.Repeat("x", 9<<10)},
		{"/api/v2/oauth2/revoke", "application/x-www-form-urlencoded", "token=" + strings.Repeat("x", 9<<10)},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", c.media)
		r.Header.Set("Authorization", "Bearer "+s.Minted().Reveal())
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(string(body), "8 KiB") {
			t.Errorf("%s with 9 KiB: %d %s", c.path, answer.StatusCode, body)
		}
	}
}

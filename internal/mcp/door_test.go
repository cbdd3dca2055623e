package mcp_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/mcp"
)

// A session's name is good with the credential that began it alone, and the door is for our own pages and names.
func TestT78TheDoorIsBoundToCredentialOriginAndName(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(mcp.NewDoorTo(mcp.DoorConfig{
		API:       http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{}`) }),
		PublicURL: "https://keys.example.com", Logger: slog.New(slog.DiscardHandler),
	}, fixtures()))
	t.Cleanup(server.Close)
	ask := func(token, host, origin, session string) (int, string) {
		r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, server.URL+mcp.Path, strings.NewReader(
			`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`))
		must(t, err)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		r.Header.Set("Authorization", "Bearer "+token)
		for name, value := range map[string]string{"Origin": origin, "Mcp-Session-Id": session} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		if host != "" {
			r.Host = host
		}
		answer, err := http.DefaultClient.Do(r)
		must(t, err)
		defer answer.Body.Close()
		return answer.StatusCode, answer.Header.Get("Mcp-Session-Id")
	}
	status, session := ask("one", "", "", "")
	if status != http.StatusOK || session == "" {
		t.Fatalf("begun: %d, session %q", status, session)
	}
	for name, c := range map[string]struct {
		token, host, origin, session string
		want                         int
	}{
		"its own session":          {"one", "", "", session, 200},
		"another credential":       {"two", "", "", session, 404},
		"our origin and name":      {"one", "keys.example.com", "https://keys.example.com", "", 200},
		"another origin":           {"one", "", "https://evil.example", "", 403},
		"a name bound to loopback": {"one", "evil.example", "", "", 403},
	} {
		if got, _ := ask(c.token, c.host, c.origin, c.session); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

package recipes_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward"
)

const page = "https://app.example.com"

// A page of another origin: its preflight request has no key, and its script reads why a request was refused.
func TestAPageOfAnotherOriginAsksAndReadsItsRefusals(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house, name string) {
		ask := []string{"Origin: " + page, "Access-Control-Request-Method: GET"}
		h.want("the API answers the preflight", h.send("OPTIONS", "/v1/pages/1", ask...), 200)

		answered := h.want("the gateway answers the preflight", h.send("OPTIONS", "/v1/panes/1", ask...), 204)
		for field, want := range map[string]string{"Access-Control-Allow-Origin": page, "Access-Control-Allow-Methods": "GET",
			"Access-Control-Allow-Headers": "Authorization, X-Trace", "Access-Control-Max-Age": "60", "Vary": "Origin"} {
			if got := answered.header.Values(field); len(got) != 1 || got[0] != want {
				t.Errorf("preflight: %s is %q, want %q", field, got, want)
			}
		}
		for what, lines := range map[string][]string{
			"of a stranger's page":        {"Origin: https://evil.example", "Access-Control-Request-Method: GET"},
			"for a method without a rule": {"Origin: " + page, "Access-Control-Request-Method: DELETE"},
			"without its method":          {"Origin: " + page},
			"with another method aside":   append([]string{"X-HTTP-Method-Override: DELETE"}, ask...),
			"with two origins":            append([]string{"Origin: https://evil.example"}, ask...),
		} {
			for _, uri := range []string{"/v1/pages/1", "/v1/panes/1", "/v1/calls/42"} {
				a := h.send("OPTIONS", uri, lines...)
				if got := h.api.take(); len(got) != 0 || a.status < 400 || a.header.Get("Access-Control-Allow-Methods") != "" {
					t.Errorf("a preflight %s to %s: %d %v; the API got %v", what, uri, a.status, a.header, got)
				}
			}
		}

		for status, key := range map[int]string{401: "X-None: x", 429: "X-API-Key: " + h.spent()} {
			a := h.want("a refusal to a page", h.get("/v1/panes/1", "Origin: "+page, key), status)
			exposed := a.header.Get("Access-Control-Expose-Headers")
			if a.header.Get("Access-Control-Allow-Origin") != page || !strings.Contains(exposed, "Retry-After") ||
				a.header.Get("Access-Control-Allow-Methods") != "" {
				t.Errorf("%d: %v", status, a.header)
			}
			a = h.want("a refusal to a stranger's page", h.get("/v1/panes/1", "Origin: https://evil.example", key), status)
			if a.header.Get("Access-Control-Allow-Origin") != "" || a.header.Get("Access-Control-Expose-Headers") != "" {
				t.Errorf("%d to a stranger's page: %v", status, a.header)
			}
			a = h.want("a refusal to no page", h.get("/v1/panes/1", key), status)
			if a.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%d to no page: %v", status, a.header)
			}
		}
		if a := h.want("what passes is the API's", h.get("/v1/panes/1", "Origin: "+page, h.bearer()), 200); a.header.Get(
			"Access-Control-Allow-Origin",
		) != "" {
			t.Errorf("what passes: %v", a.header)
		}
	})
}

// spent makes a key whose limit is spent.
func (h *house) spent() string {
	h.t.Helper()
	value, _ := h.mint(func(q *keyward.CreateKeyRequest) {
		q.RateLimit = keyward.Set(keyward.Limits{RequestsPerMinute: keyward.Set(1)})
	})
	h.want("the one request of a limit", h.get("/v1/calls/42", "X-API-Key: "+value), 200)
	return value
}

// Some servers take the method from a header: the API must act on the method that was judged.
func TestNoHeaderReplacesTheMethod(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house, _ string) {
		for _, name := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override",
			"x-http-method-override"} {
			a := h.get("/v1/calls/42", h.bearer(), name+": DELETE")
			for _, got := range h.api.take() {
				if got.header.Get(name) != "" {
					t.Errorf("%s (%d): the API got %v", name, a.status, got)
				}
			}
		}
	})
}

// A WebSocket is a GET whose connection goes on both ways.
func TestAWebSocketPasses(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house, _ string) {
		upgrade := "GET /v1/sockets/1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
		c := h.dial()
		if res := exchange(t, c, upgrade+"\r\n"); res.StatusCode != 401 {
			t.Errorf("without a key: %d", res.StatusCode)
		}
		c = h.dial()
		reader := bufio.NewReader(c)
		if _, err := io.WriteString(c, upgrade+h.bearer()+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(reader, nil)
		if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("the upgrade: %v, %v", res, err)
		}
		for _, word := range []string{"ping\n", "pong\n"} {
			if _, err := io.WriteString(c, word); err != nil {
				t.Fatal(err)
			}
			if got, err := reader.ReadString('\n'); got != word || err != nil {
				t.Fatalf("sent %q, got %q, %v", word, got, err)
			}
		}
	})
}

// Events of a stream arrive while the stream goes on.
func TestAStreamOfEventsIsNotHeldBack(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house, _ string) {
		c := h.dial()
		res := exchange(t, c, "GET /v1/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n"+h.bearer()+"\r\n\r\n")
		if res.StatusCode != 200 {
			t.Fatalf("%d", res.StatusCode)
		}
		events := bufio.NewReader(res.Body)
		for _, want := range []string{"data: first\n", "\n", "data: second\n"} {
			if line, err := events.ReadString('\n'); err != nil || line != want {
				t.Fatalf("while the stream is open: %q, %v, want %q", line, err, want)
			}
		}
	})
}

func (h *house) dial() net.Conn {
	h.t.Helper()
	c, err := net.Dial("tcp", h.proxy)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}

func exchange(t *testing.T, c net.Conn, request string) *http.Response {
	t.Helper()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: http.MethodGet})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

package followers_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
)

// doors are those of a follower, by name. Each gives the status of HTTP and the text of its answer to one key.
func (p *process) doors(token, envoy string) map[string]func(key string) (int, string) {
	base, transport := "http://"+p.addr, &http.Transport{}
	if strings.HasPrefix(p.addr, "/") {
		base = "http://localhost"
		var d net.Dialer
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", p.addr)
		}
	}
	p.t.Cleanup(transport.CloseIdleConnections)
	ask := func(method, path, bearer, kind, body string) (int, string) {
		r, err := http.NewRequestWithContext(p.t.Context(), method, base+path, strings.NewReader(body))
		check(p.t, err)
		r.Header.Set("Authorization", "Bearer "+bearer)
		if kind != "" {
			r.Header.Set("Content-Type", kind)
		}
		resp, err := (&http.Client{Transport: transport}).Do(r)
		check(p.t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		check(p.t, err)
		return resp.StatusCode, string(text)
	}
	all := map[string]func(key string) (int, string){
		"verify": func(key string) (int, string) {
			return ask(http.MethodPost, "/api/v2/api-keys/verify", token, "application/json", `{"key":"`+key+`"}`)
		},
		"verify-batch": func(key string) (int, string) {
			return ask(http.MethodPost, "/api/v2/api-keys/verify-batch", token, "application/json",
				`{"items":[{"key":"`+key+`"}]}`)
		},
		"introspect": func(key string) (int, string) {
			form := url.Values{"token": {key}}.Encode()
			return ask(http.MethodPost, "/api/v2/oauth2/introspect", token, "application/x-www-form-urlencoded", form)
		},
		"/check": func(key string) (int, string) { return ask(http.MethodGet, "/check", key, "", "") },
	}
	if envoy != "" {
		all["ext_authz"] = func(key string) (int, string) { return askEnvoy(p.t, envoy, key) }
	}
	return all
}

// askEnvoy asks as Envoy does.
func askEnvoy(t testing.TB, addr, key string) (int, string) {
	t.Helper()
	wire, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(t, err)
	defer wire.Close()
	r, err := authv3.NewAuthorizationClient(wire).Check(t.Context(),
		&authv3.CheckRequest{Attributes: &authv3.AttributeContext{
			Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
				SocketAddress: &corev3.SocketAddress{Address: "203.0.113.9"}}}},
			Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
				Method: "GET", Path: "/v1/calls", Host: "api.example", Scheme: "https", Protocol: "HTTP/2",
				Headers: map[string]string{":path": "/v1/calls", ":method": "GET", "authorization": "Bearer " + key},
			}},
		}})
	switch {
	case err != nil:
		return http.StatusServiceUnavailable, err.Error() // Envoy lets no request through then
	case r.GetDeniedResponse() != nil:
		return int(r.GetDeniedResponse().GetStatus().GetCode()), r.GetDeniedResponse().GetBody()
	}
	return http.StatusOK, ""
}

// admits tells whether an answer lets a request through.
func admits(door string, status int, text string) bool {
	switch door {
	case "verify", "verify-batch":
		return status == http.StatusOK && strings.Contains(text, `"code":"VALID"`)
	case "introspect":
		var answer struct{ Active bool }
		return status == http.StatusOK && json.Unmarshal([]byte(text), &answer) == nil && answer.Active
	}
	return status/100 == 2
}

// A key that is taken back, one whose limit is spent, and every key at a follower that is fenced: each door refuses,
// over TCP and on a unix socket. The core has PostgreSQL and Redis.
func TestEveryDoorOfAFollowerRefusesWhatItHasTo(t *testing.T) {
	t.Parallel()
	redis := rig.StartRedis(t)
	c := startCore(t, pgtest.Database(t), limit, "KEYWARD_REDIS_URL=redis://"+redis.Addr)
	token := c.service().Key.Reveal()
	link := rig.NewLink(t, c.addr)
	dir, err := os.MkdirTemp("", "keyward-socket-") // a path of a socket is short
	check(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	envoy := net.JoinHostPort("127.0.0.1", strconv.Itoa(rig.FreePort(t)))
	c.followerEnv = []string{"KEYWARD_GRPC_ADDR=" + envoy}
	tcp := c.follow(link.Addr, token)
	c.followerEnv = nil
	socket := c.followAt(filepath.Join(dir, "k"), link.Addr, token).ready()

	id, taken := c.key()
	_, good := c.key()
	spent := c.limited(c.ws, 3, 0)
	for _, p := range []*process{tcp, socket} {
		for _, value := range []string{taken, good} {
			p.eventually(value, keyward.VerdictValid, "a new key")
		}
	}
	doors := map[string]map[string]func(string) (int, string){
		"TCP": tcp.doors(token, envoy), "the socket": socket.doors(token, ""),
	}
	each := func(what, value string, want func(door string, status int, text string) error) {
		t.Helper()
		for place, all := range doors {
			for door, ask := range all {
				status, text := ask(value)
				if err := want(door, status, text); err != nil {
					t.Errorf("%s, %s, %s: %v: %d %s", what, place, door, err, status, text)
				}
			}
		}
	}
	refuses := func(statuses ...int) func(string, int, string) error {
		return func(door string, status int, text string) error {
			if admits(door, status, text) {
				return errors.New("it admits")
			}
			if strings.HasPrefix(door, "verify") || door == "introspect" { // the verdict is in the body
				statuses = append(statuses, http.StatusOK)
			}
			for _, s := range statuses {
				if s == status {
					return nil
				}
			}
			return fmt.Errorf("want one of %d", statuses)
		}
	}
	each("a good key", good, func(door string, status int, text string) error {
		if !admits(door, status, text) {
			return errors.New("it refuses")
		}
		return nil
	})
	c.disable(id, keyward.WaitAll())
	each("a key that was taken back", taken, refuses(http.StatusUnauthorized, http.StatusForbidden))
	for range 200 { // until the limit is spent
		tcp.says(spent)
	}
	if code := socket.says(spent); code == keyward.VerdictRateLimited {
		each("a key whose limit is spent", spent, refuses(http.StatusTooManyRequests))
	} else {
		t.Errorf("the limit is spent at one follower, and the other says %q", code)
	}
	link.Cut()
	for _, p := range []*process{tcp, socket} {
		rig.WaitFor(t, "a follower to be fenced", func() error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if p.client.Ready(ctx) == nil {
				return errors.New("it is ready")
			}
			return nil
		})
	}
	each("a follower that is fenced", good, func(door string, status int, text string) error {
		if status != http.StatusServiceUnavailable {
			return errors.New("want 503")
		}
		return nil
	})
}

package server_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/keyward/keyward/internal/accesslog"
	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/internal/server"
)

// dataPlane is a server with every door at which a platform asks, and a key of it.
type dataPlane struct {
	*testing.T
	s     *server.Server
	log   *rig.Output
	stop  func() error
	envoy authv3.AuthorizationClient
	root  string
	key   string
}

func openDataPlane(t *testing.T, mode accesslog.Mode) *dataPlane {
	t.Helper()
	cfg := settings(t)
	cfg.DataAddr, cfg.GRPCAddr, cfg.AccessLog = "127.0.0.1:0", "127.0.0.1:0", mode
	d := &dataPlane{T: t, log: &rig.Output{}}
	d.s, d.stop = start(t, cfg, server.Options{Log: d.log})
	d.root = d.s.Minted().Reveal()
	wire, err := grpc.NewClient(d.s.GRPCAddr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = wire.Close() })
	d.envoy = authv3.NewAuthorizationClient(wire)
	ws := d.made(
		"/api/v2/workspaces", `{"name":"Acme","owner":{"userId":"ada","email":"ada@example.org"}}`, "workspace", "id",
	)
	d.key = d.made(
		"/api/v2/api-keys", `{"workspaceId":"`+ws+`","userId":"ada","name":"n","permissions":["calls:read"]}`, "key",
	)
	return d
}

// ask sends one request and gives the status and the body.
func (d *dataPlane) ask(method, url, token, media, body string) (int, []byte) {
	d.Helper()
	r, err := http.NewRequestWithContext(d.Context(), method, url, strings.NewReader(body))
	if err != nil {
		d.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		d.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		d.Fatal(err)
	}
	return answer.StatusCode, text
}

func (d *dataPlane) made(path, body string, at ...string) string {
	d.Helper()
	status, text := d.ask("POST", d.s.URL()+path, d.root, "application/json", body)
	var found any
	if err := json.Unmarshal(text, &found); err != nil || status != http.StatusCreated {
		d.Fatalf("%d %s: %v", status, text, err)
	}
	for _, name := range append([]string{"data", "result"}, at...) {
		in, _ := found.(map[string]any)
		found = in[name]
	}
	return found.(string)
}

func (d *dataPlane) check(key string, extensions map[string]string) {
	d.Helper()
	_, err := d.envoy.Check(
		context.Background(),
		&authv3.CheckRequest{Attributes: &authv3.AttributeContext{ContextExtensions: extensions,
			Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
				SocketAddress: &corev3.SocketAddress{Address: "203.0.113.9"}}}},
			Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{Method: "GET", Path: "/",
				Headers: map[string]string{"authorization": "Bearer " + key}}}}},
	)
	if err != nil {
		d.Fatal(err)
	}
}

// asks are one request of each kind at each door, by their outcome. Each name is an operation and, after a slash, a
// remark.
func (d *dataPlane) asks() (good, refused, failed map[string]func()) {
	const media = "application/json"
	post := func(url, path, token, media, body string) func() {
		return func() { d.ask("POST", url+path, token, media, body) }
	}
	good, refused, failed = map[string]func(){}, map[string]func(){}, map[string]func(){}
	const one, many, introspect = "/api/v2/api-keys/verify", "/api/v2/api-keys/verify-batch", "/api/v2/oauth2/introspect"
	stranger := d.key[:len(d.key)-1] + "~"
	escaped := `\u00` + "6b" + d.key[1:] // an escape goes the long way
	for door, url := range map[string]string{"main": d.s.URL(), "data": d.s.DataURL()} {
		good["verifyApiKey/quick "+door] = post(url, one, d.root, media, `{"key":"`+d.key+`"}`)
		good["verifyApiKey/long "+door] = post(url, one, d.root, media, `{"key":"`+escaped+`"}`)
		good["verifyApiKeys/quick "+door] = post(url, many, d.root, media, `{"items":[{"key":"`+d.key+`"}]}`)
		good["verifyApiKeys/long "+door] = post(url, many, d.root, media, `{"items":[{"key":"`+escaped+`"}]}`)
		good["checkRequest/quick "+door] = func() { d.ask("GET", url+"/check", d.key, "", "") }
		good["checkRequest/long "+door] = func() { d.ask("POST", url+"/check", d.key, "", "x") }
		refused["verifyApiKey/quick "+door] = post(url, one, d.root, media, `{"key":"`+stranger+`"}`)
		refused["checkRequest/quick "+door] = func() { d.ask("GET", url+"/check", stranger, "", "") }
		refused["checkRequest/long "+door] = func() { d.ask("POST", url+"/check", stranger, "", "x") }
		failed["verifyApiKey/body "+door] = post(url, one, d.root, media, `{"key":1}`)
		failed["verifyApiKey/caller "+door] = post(url, one, d.key, media, `{"key":"x"}`)
		failed["verifyApiKeys/body "+door] = post(url, many, d.root, media, `{}`)
		failed["checkRequest/quick "+door] = func() { d.ask("GET", url+"/check?permission=no:such", d.key, "", "") }
		failed["checkRequest/long "+door] = func() { d.ask("POST", url+"/check?permission=no:such", d.key, "", "x") }
	}
	good["introspectToken"] = post(d.s.URL(), introspect, d.root, "application/x-www-form-urlencoded", "token="+d.key)
	failed["introspectToken"] = post(d.s.URL(), introspect, d.root, media, "{}")
	good["checkEnvoy"] = func() { d.check(d.key, nil) }
	refused["checkEnvoy"] = func() { d.check(stranger, nil) }
	failed["checkEnvoy"] = func() { d.check(d.key, map[string]string{"permissions": "calls:read"}) }
	return good, refused, failed
}

// linesOf tells how many lines the log has of an operation of the data plane, and for how many requests they stand.
func (d *dataPlane) linesOf() (lines, requests map[string]int) {
	d.Helper()
	lines, requests = map[string]int{}, map[string]int{}
	for text := range strings.Lines(d.log.String()) {
		var line struct {
			Msg, Level, Operation string
			OneIn                 int `json:"one_in"`
		}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			d.Fatalf("%v in %q", err, text)
		}
		if line.Msg == "request" {
			lines[line.Operation]++
			requests[line.Operation] += max(line.OneIn, 1)
		}
	}
	return lines, requests
}

func TestTheAccessLogKeepsItsModeAtEveryDoor(t *testing.T) {
	t.Parallel()
	for mode, want := range map[accesslog.Mode]struct{ good, refused, failed int }{
		accesslog.Off: {}, accesslog.Errors: {0, 0, 1}, accesslog.All: {1, 1, 1},
	} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			d := openDataPlane(t, mode)
			expected := map[string]int{"createWorkspace": 1, "createApiKey": 1}
			note := func(kind map[string]func(), each int) {
				for name, ask := range kind {
					ask()
					operation, _, _ := strings.Cut(name, "/")
					expected[operation] += each
				}
			}
			good, refused, failed := d.asks()
			note(good, want.good)
			note(refused, want.refused)
			note(failed, want.failed)
			if err := d.stop(); err != nil {
				t.Fatal(err)
			}
			lines, _ := d.linesOf()
			for operation, n := range expected {
				if lines[operation] != n {
					t.Errorf("%d lines of %s, want %d", lines[operation], operation, n)
				}
			}
		})
	}
}

func TestASampledLineSaysForHowManyRequestsItStandsAtEveryDoor(t *testing.T) {
	t.Parallel()
	const n = 3000
	d := openDataPlane(t, accesslog.Sampled)
	good, _, failed := d.asks()
	asked := map[string]int{}
	for _, name := range []string{"verifyApiKey/quick main", "verifyApiKey/long data", "checkRequest/quick data",
		"checkEnvoy"} {
		operation, _, _ := strings.Cut(name, "/")
		for range n {
			good[name]()
		}
		asked[operation] += n
	}
	failed["verifyApiKeys/body main"]()
	if err := d.stop(); err != nil {
		t.Fatal(err)
	}
	lines, requests := d.linesOf()
	for operation, n := range asked {
		if got := requests[operation]; got < n/3 || got > 2*n || lines[operation] > n/5 {
			t.Errorf("%d lines of %s stand for %d requests of %d", lines[operation], operation, got, n)
		}
	}
	if lines["verifyApiKeys"] != 1 || requests["verifyApiKeys"] != 1 {
		t.Errorf("a failed request has %d lines for %d", lines["verifyApiKeys"], requests["verifyApiKeys"])
	}
}

package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/gateway/recipes"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/server"
)

func init() {
	children["gateway-keyward"] = keywardChild
	children["gateway-204"] = bareHTTP
	children["gateway-grpc"] = bareGRPC
}

const gatewayRoutes = "routes:\n  - {method: GET, path: '/v1/calls/{id}', permissions: [calls:read]}\n"

// askers is how many connections ask at once.
const askers = 32

// gatewayBench holds the check through a real nginx against the same nginx that asks a server which says yes to
// everything, and the gRPC check against a gRPC server that does.
func gatewayBench(ctx context.Context, l *lab) (r result, err error) {
	dir, err := l.folder("gateway")
	if err != nil {
		return r, err
	}
	house, err := openGateway(ctx, dir)
	defer house.close()
	if err != nil {
		return r, err
	}
	rate := func(at string) func() (float64, error) {
		return func() (float64, error) { return askHTTP(at, house.key, l.span) }
	}
	medians, ratios, err := l.rivals(rate(house.bareNginx), rate(house.nginx), rate(house.nginxData))
	if err != nil {
		return r, fmt.Errorf("nginx: %w", err)
	}
	r.figures = append(
		r.figures,
		figure{what: "requests through nginx that asks Keyward", unit: "req/s", value: medians[1], baseline: medians[0],
			against: "nginx that asks a bare 204 server", ratio: ratios[1], must: atLeast(0.80)},
		figure{
			what: "requests through nginx that asks Keyward's data listener", unit: "req/s", value: medians[2],
			baseline: medians[0], against: "nginx that asks a bare 204 server", ratio: ratios[2], must: atLeast(0.80),
		},
	)
	call := func(at string) func() (float64, error) {
		return func() (float64, error) { return askGRPC(ctx, at, house.key, l.span) }
	}
	if medians, ratios, err = l.rivals(call(house.bareGRPC), call(house.grpc)); err != nil {
		return r, fmt.Errorf("gRPC: %w", err)
	}
	r.figures = append(
		r.figures,
		figure{what: "checks for Envoy over gRPC", unit: "calls/s", value: medians[1], baseline: medians[0],
			against: "a gRPC server that says yes", ratio: ratios[1], must: atLeast(0.80)},
	)
	return r, nil
}

// gatewayHouse is all that is asked, each a process of its own.
type gatewayHouse struct {
	nginx, nginxData, bareNginx string // host:port
	grpc, bareGRPC              string
	key                         string
	stop                        []func()
}

func (h *gatewayHouse) close() {
	for _, stop := range h.stop {
		stop()
	}
}

func openGateway(ctx context.Context, dir string) (*gatewayHouse, error) {
	h := &gatewayHouse{}
	bare, err := h.helper(ctx, 1, "gateway-204")
	if err != nil {
		return h, err
	}
	kw, err := h.helper(ctx, 4, "gateway-keyward", dir)
	if err != nil {
		return h, err
	}
	call, err := h.helper(ctx, 1, "gateway-grpc")
	if err != nil {
		return h, err
	}
	h.key, h.grpc, h.bareGRPC = kw[3], kw[2], call[0]
	for _, one := range []struct {
		to    *string
		asked string
	}{{&h.bareNginx, bare[0]}, {&h.nginx, kw[0]}, {&h.nginxData, kw[1]}} {
		if *one.to, err = h.nginxFor(ctx, dir, one.asked, bare[0]); err != nil {
			return h, err
		}
	}
	return h, nil
}

// helper starts this program as one of its helpers and reads n words that it says once it is ready.
func (h *gatewayHouse) helper(ctx context.Context, n int, args ...string) ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := exec.CommandContext(ctx, self, append([]string{childWord}, args...)...)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	h.stop = append(h.stop, func() { _ = c.Process.Kill(); _ = c.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	words := strings.Fields(line)
	if err != nil || len(words) != n {
		return nil, fmt.Errorf("helper %s said %q: %w", args[0], line, errors.Join(err))
	}
	return words, nil
}

// nginxFor starts nginx with the recipe, asking one address, in front of another.
func (h *gatewayHouse) nginxFor(ctx context.Context, base, asked, api string) (string, error) {
	dir, err := os.MkdirTemp(base, "nginx-")
	if err != nil {
		return "", err
	}
	listen, err := freeAddress()
	if err != nil {
		return "", err
	}
	text, err := recipes.Fill(
		"nginx.conf", recipes.Values{Keyward: asked, GRPC: "127.0.0.1:1", Listen: listen, Backend: api, Dir: dir},
	)
	if err != nil {
		return "", err
	}
	local := "http {\n    access_log off;\n"
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		local += fmt.Sprintf("    %s_temp_path %s/%s;\n", kind, dir, kind)
	}
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(strings.Replace(text, "http {\n", local, 1)), 0o600); err != nil {
		return "", err
	}
	global := "daemon off; pid " + dir + "/pid;"
	if os.Getuid() == 0 {
		global += " user root;"
	}
	c := exec.CommandContext(ctx, "nginx", "-p", dir, "-c", path, "-e", filepath.Join(dir, "error.log"), "-g", global)
	if err := c.Start(); err != nil {
		return "", fmt.Errorf("nginx (scripts/test-packages.txt): %w", err)
	}
	h.stop = append(h.stop, func() { _ = c.Process.Signal(os.Interrupt); _ = c.Wait() })
	for range 500 {
		if conn, err := net.Dial("tcp", listen); err == nil {
			return listen, conn.Close()
		}
		time.Sleep(10 * time.Millisecond)
	}
	return "", errors.New("nginx does not listen")
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// askHTTP asks on many connections for a span and answers requests per second.
func askHTTP(at, key string, span time.Duration) (float64, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: askers}}
	defer client.CloseIdleConnections()
	return rateOf(span, func() error {
		r, err := http.NewRequest(http.MethodGet, "http://"+at+"/v1/calls/42", http.NoBody)
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+key)
		res, err := client.Do(r)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, res.Body)
		if res.StatusCode >= 300 {
			return fmt.Errorf("status %d", res.StatusCode)
		}
		return errors.Join(err, res.Body.Close())
	})
}

func askGRPC(ctx context.Context, at, key string, span time.Duration) (float64, error) {
	wire, err := grpc.NewClient(at, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return 0, err
	}
	defer wire.Close()
	question := &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
			SocketAddress: &corev3.SocketAddress{Address: "203.0.113.9"}}}},
		Request: &authv3.AttributeContext_Request{
			Http: &authv3.AttributeContext_HttpRequest{Method: "GET", Path: "/v1/calls/42",
				Host: "api.example", Scheme: "https", Protocol: "HTTP/2",
				Headers: map[string]string{":path": "/v1/calls/42", ":method": "GET",
					":authority": "api.example", "authorization": "Bearer " + key, "user-agent": "bench", "accept": "*/*",
					"x-request-id": "1"}},
		},
	}}
	if r, err := authv3.NewAuthorizationClient(wire).Check(ctx, question); err != nil || r.GetDeniedResponse() != nil {
		return 0, fmt.Errorf("denied: %v, %w", r, err)
	}
	sent, err := proto.Marshal(question)
	if err != nil {
		return 0, err
	}
	return rateOf(span, func() error {
		var got []byte
		return wire.Invoke(ctx, authv3.Authorization_Check_FullMethodName, &sent, &got, grpc.ForceCodec(asBytes{}))
	})
}

// asBytes keeps the asking side from reading and writing messages: both servers share the machine with it, and Envoy is
// no Go program.
type asBytes struct{}

func (asBytes) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (asBytes) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = data
	return nil
}

func (asBytes) Name() string { return "proto" }

// rateOf does something on many goroutines for a span and answers how often per second.
func rateOf(span time.Duration, do func() error) (float64, error) {
	var done atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	start := time.Now()
	for range askers {
		wg.Go(func() {
			for first := true; first || time.Since(start) < span; first = false {
				if err := do(); err != nil {
					failed.Store(&err)
					return
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	if p := failed.Load(); p != nil {
		return 0, *p
	}
	return float64(done.Load()) / time.Since(start).Seconds(), nil
}

// keywardChild is a whole server, and says where it is and which key may read calls.
func keywardChild(args []string) error {
	ctx := context.Background()
	table := filepath.Join(args[0], "routes.yaml")
	if err := os.WriteFile(table, []byte(gatewayRoutes), 0o600); err != nil {
		return err
	}
	data, err := freeAddress()
	if err != nil {
		return err
	}
	format, err := keyfmt.NewFormat(keyfmt.DefaultPrefix)
	if err != nil {
		return err
	}
	root, err := format.Mint(rand.Reader, keyfmt.Service)
	if err != nil {
		return err
	}
	cfg := config.Default()
	cfg.Addr, cfg.DataAddr, cfg.GRPCAddr, cfg.Database, cfg.Routes, cfg.RootKey = "127.0.0.1:0", data, "127.0.0.1:0",
		filepath.Join(args[0], "keyward.db"), table, root
	cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	s, err := server.New(ctx, cfg, server.Options{})
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- s.Run(ctx) }()
	key, err := gatewayKey(ctx, s.URL(), root.Reveal())
	if err != nil {
		return err
	}
	fmt.Println(strings.TrimPrefix(s.URL(), "http://"), data, s.GRPCAddr(), key)
	return <-failed
}

func gatewayKey(ctx context.Context, url, root string) (string, error) {
	c, err := keyward.New(url, keyward.WithToken(root))
	if err != nil {
		return "", err
	}
	w, err := c.CreateWorkspace(
		ctx, keyward.CreateWorkspaceRequest{Name: "bench", Owner: &keyward.Owner{UserID: "u-1", Email: "u-1@example.org"}},
	)
	if err != nil {
		return "", err
	}
	k, err := c.CreateKey(
		ctx,
		keyward.CreateKeyRequest{
			WorkspaceID: w.ID, UserID: "u-1", Name: "bench", Permissions: keyward.Permissions("calls:read"),
		},
	)
	return k.Key.Reveal(), err
}

// bareHTTP says 204 to everything.
func bareHTTP([]string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return http.Serve(
		l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }),
	)
}

type yes struct {
	authv3.UnimplementedAuthorizationServer
}

func (yes) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	return &authv3.CheckResponse{}, nil
}

// bareGRPC says yes to everything.
func bareGRPC([]string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := grpc.NewServer()
	authv3.RegisterAuthorizationServer(s, yes{})
	fmt.Println(l.Addr())
	return s.Serve(l)
}

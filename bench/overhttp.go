//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/keyfmt"
)

// pinned is a command that runs on one processor, if there are two: servers on the first, clients on the second.
func pinned(cpu int, name string, args ...string) *exec.Cmd {
	if runtime.NumCPU() < 2 {
		return exec.Command(name, args...)
	}
	return exec.Command("taskset", append([]string{"-c", strconv.Itoa(cpu), name}, args...)...)
}

// process is a server under measurement.
type process struct {
	cmd  *exec.Cmd
	addr string
}

func (p *process) stop() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// cpu is the processor time that it took so far, in seconds (proc(5), in ticks of 10 ms).
func (p *process) cpu() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, err := strconv.ParseFloat(fields[11], 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100, err
}

// hostOf is the host and the port in the URL of an address.
func hostOf(addr string) string {
	if strings.HasPrefix(addr, socketWord) {
		return "localhost"
	}
	return addr
}

// clientTo makes a client with connections of its own to one address.
func clientTo(addr string) *http.Client {
	network, to := "tcp", addr
	if path, ok := strings.CutPrefix(addr, socketWord); ok {
		network, to = "unix", path
	}
	var d net.Dialer
	return &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: conns,
		DialContext: func(ctx context.Context, _,
			_ string) (net.Conn, error) {
			return d.DialContext(ctx, network, to)
		},
	}}
}

// begin starts a server and waits until it is ready.
func begin(cmd *exec.Cmd, addr string) (*process, error) {
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd, addr}
	client := clientTo(addr)
	defer client.CloseIdleConnections()
	for range 12_000 { // ten million keys take their time
		answer, err := client.Get("http://" + hostOf(addr) + "/readyz")
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return p, nil
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.stop()
	return nil, fmt.Errorf("%s does not answer", addr)
}

// site is the product in a process of its own, and the requests to it.
type site struct {
	*process
	binary  string
	data    string // the data plane's address
	root    string
	live    string // a key with both limits
	reader  string // a key that may read keys
	ws, key string // ids: the workspace, and a key in it
}

// openSite builds and starts the product on the first processor; its log goes to a file, as in production. more are
// settings.
func (l *lab) openSite(more ...string) (*site, error) {
	return l.openSiteBy(func(binary string) *exec.Cmd { return pinned(0, binary, "serve") }, more...)
}

// openSiteBy is openSite with another command that starts the program.
func (l *lab) openSiteBy(serve func(binary string) *exec.Cmd, more ...string) (*site, error) {
	dir, err := os.MkdirTemp(l.base, "http-")
	if err != nil {
		return nil, err
	}
	binary, err := l.program()
	if err != nil {
		return nil, err
	}
	format, err := keyfmt.NewFormat(keyfmt.DefaultPrefix)
	if err != nil {
		return nil, err
	}
	root, err := format.Mint(rand.Reader, keyfmt.Service)
	if err != nil {
		return nil, err
	}
	s := &site{root: root.Reveal(), binary: binary}
	main, err := freePort()
	if err != nil {
		return nil, err
	}
	if s.data, err = freePort(); err != nil {
		return nil, err
	}
	cmd := serve(binary)
	cmd.Env = append(
		os.Environ(), "KEYWARD_ADDR="+main, "KEYWARD_DATA_ADDR="+s.data, "KEYWARD_ROOT_KEY="+s.root,
		"KEYWARD_LOG_FORMAT=json", "KEYWARD_DATABASE_URL=sqlite:"+filepath.Join(dir, "keyward.db"),
	)
	cmd.Env = append(cmd.Env, more...)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if s.process, err = begin(cmd, main); err != nil {
		return nil, err
	}
	if err := s.furnish(); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// furnish makes the keys that are asked about: one to verify, with a demand met and both limits, and one that looks at
// itself.
func (s *site) furnish() error {
	var err error
	if s.ws, err = s.post("/api/v2/workspaces", `{"name":"bench","owner":{"userId":"u-1","email":"u-1@example.org"}}`,
		"workspace", "id"); err != nil {
		return err
	}
	make := func(more string, at ...string) (string, error) {
		return s.post(
			"/api/v2/api-keys",
			`{"workspaceId":"`+s.ws+`","userId":"u-1","name":"bench","permissions":["calls:read","calls:write"]`+more+`}`,
			at...)
	}
	if s.key, err = make("", "apiKey", "id"); err != nil {
		return err
	}
	if s.live, err = make(`,"rateLimit":{"requestsPerMinute":1000000000,"requestsPerDay":1000000000}`, "key"); err != nil {
		return err
	}
	s.reader, err = s.post(
		"/api/v2/api-keys", `{"workspaceId":"`+s.ws+`","userId":"u-1","name":"reader","permissions":["api-keys:read"]}`,
		"key",
	)
	return err
}

// post asks the product for something and digs a text out of the result.
func (s *site) post(path, body string, at ...string) (string, error) {
	return s.ask(http.MethodPost, path, body, at...)
}

// ask is post with any method.
func (s *site) ask(method, path, body string, at ...string) (string, error) {
	r, err := http.NewRequest(method, "http://"+s.addr+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header.Set("Authorization", "Bearer "+s.root)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", err
	}
	var found any
	if err := json.Unmarshal(text, &found); err != nil {
		return "", err
	}
	for _, name := range append([]string{"data", "result"}, at...) {
		in, _ := found.(map[string]any)
		found = in[name]
	}
	value, ok := found.(string)
	if !ok {
		return "", fmt.Errorf("%s: %s", path, text)
	}
	return value, nil
}

// request is one as it goes over the wire.
func request(method, path, token, body string) string {
	head := method + " " + path + " HTTP/1.1\r\nHost: keyward\r\nAuthorization: Bearer " + token + "\r\n"
	if body == "" {
		return head + "\r\n"
	}
	return head + "Content-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

// verification asks about the key that has limits.
func (s *site) verification() string {
	return request("POST", "/api/v2/api-keys/verify", s.root, `{"key":"`+s.live+`","permissions":["calls:read"]}`)
}

// fire has a load generator on the other processor ask for a while.
func (l *lab) fire(addr, request, want string, conns int) (load, error) {
	self, err := os.Executable()
	if err != nil {
		return load{}, err
	}
	words, err := json.Marshal(order{addr, conns, l.span, request, want})
	if err != nil {
		return load{}, err
	}
	cmd := pinned(1, self, childWord, "load")
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(words), &out, l.log
	if err := cmd.Run(); err != nil {
		return load{}, fmt.Errorf("load: %w", err)
	}
	var r load
	return r, json.Unmarshal(out.Bytes(), &r)
}

const conns = 32

// overHTTP holds the product's answers against a bare net/http server that reads the same body and writes as many
// bytes.
func overHTTP(_ context.Context, l *lab) (result, error) {
	s, err := l.openSite()
	if err != nil {
		return result{}, err
	}
	defer s.stop()
	one := `{"key":"` + s.live + `","permissions":["calls:read"]}`
	const batch = 100
	many := `{"items":[` + one + strings.Repeat(","+one, batch-1) + `]}`
	r := result{}
	a, err := l.against(s, "verify", s.verification(), `"code":"VALID"`, &r)
	if err != nil {
		return r, err
	}
	b, err := l.against(
		s, "verify-batch of 100", request("POST", "/api/v2/api-keys/verify-batch", s.root, many), `"code":"VALID"`, &r,
	)
	if err != nil {
		return r, err
	}
	for i, door := range []string{"default listener", "data plane"} {
		r.figures = append(
			r.figures,
			figure{
				what: "verify-batch of 100, per key, " + door, unit: "µs", value: 1e6 / (b[i+1] * batch), baseline: 1e6 / a[i+1],
				against: "a single verify", must: atMost(0.1),
			},
		)
	}
	_, err = l.against(s, "read one key", request("GET", "/api/v2/api-keys/"+s.key, s.reader, ""), `"success":true`, &r)
	r.plots = []plot{bars("verify", "Verifications per second over HTTP, the server on one core", "requests/s",
		bar{"bare net/http", a[0]}, bar{"default listener", a[1]}, bar{"data plane", a[2]})}
	return r, err
}

// door is the address of a request, and the text in every answer.
type door struct {
	server     *process
	addr, want string
}

// knock has the load generator ask at a door, and also returns the processor time of a request there, in
// microseconds.
func (l *lab) knock(d door, request string) (load, float64, error) {
	before, err := d.server.cpu()
	if err != nil {
		return load{}, 0, err
	}
	found, err := l.fire(d.addr, request, d.want, conns)
	if err != nil {
		return load{}, 0, err
	}
	after, err := d.server.cpu()
	return found, 1e6 * max(after-before, 0.001) / (found.Rate * l.span.Seconds()), err
}

// against measures one request on the bare server, the default listener and the data plane, in turns, and answers the
// three rates.
func (l *lab) against(s *site, what, request, want string, r *result) ([]float64, error) {
	n, err := s.answerSize(request)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	addr, err := freePort()
	if err != nil {
		return nil, err
	}
	bare, err := begin(pinned(0, self, childWord, "bare", addr, strconv.Itoa(n)), addr)
	if err != nil {
		return nil, err
	}
	defer bare.stop()
	doors := []door{{bare, bare.addr, "x"}, {s.process, s.addr, want}}
	if strings.HasPrefix(what, "verify") { // the data plane has nothing else
		doors = append(doors, door{s.process, s.data, want})
	}
	tails, costs := make([][]float64, len(doors)), make([][]float64, len(doors))
	rivals := make([]func() (float64, error), len(doors))
	for i, d := range doors {
		rivals[i] = func() (float64, error) {
			found, cost, err := l.knock(d, request)
			tails[i], costs[i] = append(tails[i], found.P99), append(costs[i], cost)
			return found.Rate, err
		}
	}
	rates, ratios, err := l.rivals(rivals...)
	if err != nil {
		return nil, err
	}
	musts := []bound{{}, atLeast(0.7), atLeast(1.2)}
	aims := []bound{{}, atLeast(1.65), atLeast(1.65)}
	for i, door := range []string{"", "default listener", "data plane"}[:len(doors)] {
		if i == 0 {
			continue
		}
		f := figure{
			what: what + ", " + door, unit: "requests/s", value: rates[i], baseline: rates[0], against: "bare net/http",
			ratio: ratios[i],
		}
		cost := figure{
			what: what + ", processor time, " + door, unit: "µs", value: median(costs[i]), baseline: median(costs[0]),
			against: "bare net/http",
		}
		tail := figure{
			what: what + ", p99, " + door, unit: "µs", value: median(tails[i]), baseline: median(tails[0]),
			against: "bare net/http",
		}
		if what == "verify" {
			f.must, f.aim, tail.must = musts[i], aims[i], atMost(1.5)
		}
		r.figures = append(r.figures, f, tail, cost)
	}
	return rates, nil
}

// answerSize asks once and measures the body.
func (s *site) answerSize(request string) (int, error) {
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		return 0, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, err
	}
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode/100 != 2 {
		err = fmt.Errorf("%s: %s", answer.Status, body)
	}
	return len(body), err
}

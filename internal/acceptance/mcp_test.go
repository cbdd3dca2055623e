package acceptance_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// agents are a server with /mcp, a workspace with an admin, and everything that tools have answered.
type agents struct {
	*testing.T
	p           *process
	ws          string
	ada, viewer string // values of keys
	adaID       string
	session     string // token of ada's, signed in

	mu       sync.Mutex
	answered []string
}

func (a *agents) note(text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answered = append(a.answered, text)
}

// listening keeps all that comes over HTTP, and sends the credential.
type listeningTo struct {
	a     *agents
	token string
}

func (l listeningTo) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+l.token)
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	l.a.note(fmt.Sprint(answer.Header) + string(body))
	answer.Body = io.NopCloser(strings.NewReader(string(body)))
	return answer, err
}

func beginAgents(t *testing.T) *agents {
	t.Helper()
	p := &process{root: mintedRoot(t), dir: t.TempDir()}
	p.database = "sqlite:" + filepath.Join(p.dir, "keyward.db")
	a := &agents{T: t, p: p.again(t, "KEYWARD_MCP=write")}
	a.ws = a.api("POST", "/workspaces",
		`{"name":"Acme","owner":{"userId":"ana","email":"ana@acme.test"}}`)["workspace"].(map[string]any)["id"].(string)
	roles := map[string]string{}
	for _, r := range a.api("GET", "/workspaces/"+a.ws+"/roles", "")["roles"].([]any) {
		roles[r.(map[string]any)["name"].(string)] = r.(map[string]any)["id"].(string)
	}
	key := func(user, role string) (value, id string) {
		a.api("PUT", "/workspaces/"+a.ws+"/members/"+user, `{"email":"x@acme.test","roleId":"`+roles[role]+`"}`)
		made := a.api("POST", "/api-keys", `{"workspaceId":"`+a.ws+`","userId":"`+user+`","name":"agent of `+user+`"}`)
		return made["key"].(string), made["apiKey"].(map[string]any)["id"].(string)
	}
	a.ada, a.adaID = key("ada", "Admin")
	a.viewer, _ = key("vic", "Viewer")
	a.session = a.signIn("ada")
	return a
}

func (a *agents) api(method, path, body string) map[string]any {
	a.Helper()
	return a.p.result(a.T, method, "/api/v2"+path, "", body)
}

func (a *agents) signIn(user string) string {
	a.Helper()
	link := a.api("POST", "/sign-in-links",
		`{"workspaceId":"`+a.ws+`","userId":"`+user+`"}`)["signInLink"].(map[string]any)
	return a.api("POST", "/sessions", `{"code":"`+link["code"].(string)+`"}`)["token"].(string)
}

// page opens a page as a browser does, signed in or not.
func (a *agents) page(method, address, session string) (int, string) {
	a.Helper()
	u, err := url.Parse(address)
	must(a.T, err)
	r, err := http.NewRequestWithContext(context.Background(), method, a.p.url+u.Path, http.NoBody)
	must(a.T, err)
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if session != "" {
		r.AddCookie(&http.Cookie{Name: "__Host-keyward", Value: session})
	}
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := c.Do(r)
	must(a.T, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	must(a.T, err)
	return answer.StatusCode, string(body)
}

// overHTTP connects the SDK's own client.
func (a *agents) overHTTP(token string) *sdk.ClientSession {
	a.Helper()
	c := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil)
	s, err := c.Connect(context.Background(), &sdk.StreamableClientTransport{
		Endpoint: a.p.url + "/mcp", HTTPClient: &http.Client{Transport: listeningTo{a, token}}, MaxRetries: -1,
	}, nil)
	must(a.T, err)
	a.Cleanup(func() { _ = s.Close() })
	return s
}

// hearing keeps what a process writes.
type hearing struct {
	a *agents
	io.Reader
}

func (h hearing) Read(b []byte) (int, error) {
	n, err := h.Reader.Read(b)
	h.a.note(string(b[:n]))
	return n, err
}

func (hearing) Close() error { return nil }

// overStdio starts the command as an agent does.
func (a *agents) overStdio(args ...string) *sdk.ClientSession {
	a.Helper()
	c := exec.Command(binary, append([]string{"mcp"}, args...)...)
	c.Env = a.p.environment("KEYWARD_URL="+a.p.url, "KEYWARD_TOKEN="+a.ada)
	in, err := c.StdinPipe()
	must(a.T, err)
	out, err := c.StdoutPipe()
	must(a.T, err)
	c.Stderr = a.p.output
	must(a.T, c.Start())
	s, err := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil).Connect(
		context.Background(), &sdk.IOTransport{Reader: hearing{a, out}, Writer: in}, nil,
	)
	must(a.T, err)
	a.Cleanup(func() {
		_ = in.Close()
		if err := c.Wait(); err != nil {
			a.Errorf("keyward mcp ended with %v", err)
		}
		_ = s.Close()
	})
	return s
}

// call calls a tool that has to succeed, and gives its structured answer.
func (a *agents) call(s *sdk.ClientSession, tool string, in map[string]any) map[string]any {
	a.Helper()
	out, err := s.CallTool(context.Background(), &sdk.CallToolParams{Name: tool, Arguments: in})
	must(a.T, err)
	if out.IsError {
		a.Fatalf("%s: %s", tool, out.Content[0].(*sdk.TextContent).Text)
	}
	got, ok := out.StructuredContent.(map[string]any)
	if !ok {
		a.Fatalf("%s has no structured answer: %v", tool, out.StructuredContent)
	}
	return got
}

// refused calls a tool that has to be refused, and gives the text.
func (a *agents) refused(s *sdk.ClientSession, tool string, in map[string]any) string {
	a.Helper()
	out, err := s.CallTool(context.Background(), &sdk.CallToolParams{Name: tool, Arguments: in})
	if err != nil {
		return err.Error()
	}
	if !out.IsError {
		a.Errorf("%s with %v is not refused: %v", tool, in, out.StructuredContent)
		return ""
	}
	return out.Content[0].(*sdk.TextContent).Text
}

// everyTool calls each tool that reads, and gives how many it called.
func (a *agents) everyTool(s *sdk.ClientSession) {
	a.Helper()
	keys := a.call(s, "list_keys", map[string]any{"limit": 1})
	if len(keys["keys"].([]any)) != 1 || keys["hasNext"] != true {
		a.Errorf("a page of one: %v", keys)
	}
	next := a.call(s, "list_keys", map[string]any{"limit": 1, "cursor": keys["nextCursor"]})
	if next["keys"].([]any)[0].(map[string]any)["id"] == keys["keys"].([]any)[0].(map[string]any)["id"] {
		a.Error("the second page is the first")
	}
	got := a.call(s, "get_key", map[string]any{"id": a.adaID})["key"].(map[string]any)
	if got["id"] != a.adaID || !strings.Contains(got["masked"].(string), "…") {
		a.Errorf("the key: %v", got)
	}
	x := a.call(s, "explain", map[string]any{"id": a.adaID, "permissions": []string{"calls:read"}})
	if x["verdict"] != "VALID" || len(x["steps"].([]any)) == 0 {
		a.Errorf("explained: %v", x)
	}
	a.call(s, "usage", map[string]any{"id": a.adaID, "granularity": "minute"})
	a.call(s, "usage", map[string]any{})
	a.call(s, "refusals", map[string]any{"id": a.adaID})
	a.call(s, "refusals", map[string]any{"limit": 5})
	log := a.call(s, "search_log", map[string]any{"eventType": "api_key.created", "limit": 2})
	if len(log["events"].([]any)) != 2 {
		a.Errorf("the log: %v", log)
	}
	if report := a.call(s, "hygiene_report", nil); !strings.Contains(fmt.Sprint(report), "endless") {
		a.Errorf("the report: %v", report)
	}
	for tool, in := range map[string]map[string]any{
		"get_key": {"id": "nothing"}, "list_keys": {"cursor": "none"},
		"explain": {"id": a.adaID, "permissions": []string{"no:such"}},
		"usage":   {"from": "yesterday"},
	} {
		if text := a.refused(s, tool, in); !strings.Contains(text, `"code":"`) {
			a.Errorf("%s: the refusal has no code: %s", tool, text)
		}
	}
	if text := a.refused(s, "usage", map[string]any{"from": "yesterday"}); !strings.Contains(text, `"field":"from"`) {
		a.Errorf("the field is not named: %s", text)
	}
	// A value in the place of a name comes back from nowhere, not even in a refusal.
	for _, tool := range []string{"get_key", "list_keys", "search_log", "explain", "usage", "refusals", "disable_key",
		a.ada} {
		a.refusedOrNot(s, tool, map[string]any{"id": a.ada, "search": a.ada, "cursor": a.ada, a.ada: a.ada})
	}
}

func (a *agents) refusedOrNot(s *sdk.ClientSession, tool string, in map[string]any) {
	_, _ = s.CallTool(context.Background(), &sdk.CallToolParams{Name: tool, Arguments: in})
}

// noValues holds everything that was answered against our own pattern of a key.
func (a *agents) noValues() {
	a.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	all := strings.Join(a.answered, "\n")
	if len(all) < 10_000 {
		a.Errorf("only %d bytes were heard", len(all))
	}
	for _, value := range wholeKeys(all) {
		a.Errorf("an answer holds a value: %s…", value[:12])
	}
	if strings.Contains(all, a.session) {
		a.Error("an answer holds the token of a session")
	}
}

func TestT78AnAgentOverHTTPSeesNoValueAndAMemberConfirms(t *testing.T) {
	t.Parallel()
	a := beginAgents(t)
	s := a.overHTTP(a.ada)
	list, err := s.ListTools(context.Background(), nil)
	must(t, err)
	if len(list.Tools) != 10 {
		t.Errorf("%d tools, want 10", len(list.Tools))
	}
	for _, one := range list.Tools {
		writes := one.Name == "create_key" || one.Name == "rotate_key" || one.Name == "disable_key"
		if one.Annotations == nil || one.Annotations.ReadOnlyHint == writes || one.Annotations.DestructiveHint == nil ||
			one.InputSchema == nil || one.OutputSchema == nil || one.Description == "" {
			t.Errorf("%s does not say what it is: %+v", one.Name, one.Annotations)
		}
	}
	a.everyTool(s)

	asked := a.call(s, "create_key", map[string]any{"name": "nightly", "permissions": []string{"calls:read"}})
	request := asked["request"].(map[string]any)
	if asked["key"] != nil || request["isActive"] != false || request["status"] != "pending" {
		t.Errorf("asked: %v", asked)
	}
	if got := a.call(s, "get_key", map[string]any{"id": request["keyId"]}); got["request"] == nil || got["key"] != nil {
		t.Errorf("before the confirmation: %v", got)
	}
	link := request["confirmUrl"].(string)
	for who, session := range map[string]string{"nobody": "", "a viewer": a.signIn("vic")} {
		for _, path := range []string{"", "/confirm", "/decline"} {
			method := "GET"
			if path != "" {
				method = "POST"
			}
			if status, body := a.page(method, link+path, session); status < 300 || strings.Contains(body, "nightly") ||
				wholeKeys(body) != nil {
				t.Errorf("%s opens the link%s: %d %s", who, path, status, body)
			}
		}
	}
	if status, body := a.page("GET", link, a.session); status != 200 || !strings.Contains(body, "nightly") ||
		wholeKeys(body) != nil {
		t.Errorf("the page of a member: %d %s", status, body)
	}
	status, body := a.page("POST", link+"/confirm", a.session)
	values := wholeKeys(body)
	if status != 201 || len(values) == 0 {
		t.Fatalf("confirmed: %d %s", status, body)
	}
	if code := a.p.verdict(t, values[0]); code != "VALID" {
		t.Errorf("the confirmed key is %s", code)
	}
	if status, body := a.page("POST", link+"/confirm", a.session); status != 409 || wholeKeys(body) != nil {
		t.Errorf("confirmed again: %d", status)
	}
	id := request["keyId"]
	if got := a.call(s, "get_key", map[string]any{"id": id})["key"].(map[string]any); got["isActive"] != true {
		t.Errorf("after the confirmation: %v", got)
	}
	asked = a.call(s, "rotate_key", map[string]any{"id": id, "overlapSeconds": 0})
	link = asked["request"].(map[string]any)["confirmUrl"].(string)
	if code := a.p.verdict(t, values[0]); code != "VALID" {
		t.Errorf("a request for a rotation made the key %s", code)
	}
	if status, _ := a.page("POST", link+"/decline", a.session); status != 303 {
		t.Errorf("declined: %d", status)
	}
	if got := a.call(s, "disable_key", map[string]any{"id": id})["key"].(map[string]any); got["isActive"] != false {
		t.Errorf("disabled: %v", got)
	}
	if code := a.p.verdict(t, values[0]); code != "DISABLED" {
		t.Errorf("the disabled key is %s", code)
	}
	if text := a.refused(a.overHTTP(a.viewer), "create_key",
		map[string]any{"name": "x", "permissions": []string{}}); !strings.Contains(text, "permission_denied") {
		t.Errorf("a viewer asks for a key: %s", text)
	}
	if text := a.refused(s, "create_key", map[string]any{"name": "x"}); !strings.Contains(text, "permissions") {
		t.Errorf("a key without permissions: %s", text)
	}
	a.noValues()
}

func TestT78AnAgentOverStdioReadsAloneUnlessItIsAllowed(t *testing.T) {
	t.Parallel()
	a := beginAgents(t)
	s := a.overStdio()
	list, err := s.ListTools(context.Background(), nil)
	must(t, err)
	if len(list.Tools) != 7 {
		t.Errorf("%d tools, want 7", len(list.Tools))
	}
	a.everyTool(s)
	for _, tool := range []string{"create_key", "rotate_key", "disable_key"} {
		if text := a.refused(s, tool, map[string]any{"id": a.adaID}); !strings.Contains(text, "--allow-write") {
			t.Errorf("%s: %s", tool, text)
		}
	}
	if code := a.p.verdict(t, a.ada); code != "VALID" {
		t.Errorf("after all that the key is %s", code)
	}

	dir := filepath.Join(t.TempDir(), "secrets")
	must(t, os.Mkdir(dir, 0o755))
	command := exec.Command(binary, "mcp", "--allow-write", "--secret-dir", dir)
	command.Env = a.p.environment("KEYWARD_URL="+a.p.url, "KEYWARD_TOKEN="+a.ada)
	if out, err := command.CombinedOutput(); err == nil || !strings.Contains(string(out), "chmod 700") {
		t.Errorf("a directory that others read: %v %s", err, out)
	}
	must(t, os.Chmod(dir, 0o700))
	s = a.overStdio("--allow-write", "--secret-dir", dir)
	made := a.call(s, "create_key", map[string]any{"name": "../../x Ä/y", "permissions": []string{"calls:read"}})
	first := a.inFile(dir, made)
	rotated := a.call(s, "rotate_key", map[string]any{"id": made["key"].(map[string]any)["id"], "overlapSeconds": 0})
	second := a.inFile(dir, rotated)
	if a.p.verdict(t, first) != "NOT_FOUND" || a.p.verdict(t, second) != "VALID" {
		t.Errorf("first %s, second %s", a.p.verdict(t, first), a.p.verdict(t, second))
	}
	a.refused(s, "create_key", map[string]any{"name": "more", "permissions": []string{"no:such"}})
	if files, err := os.ReadDir(dir); err != nil || len(files) != 2 {
		t.Errorf("%d files, %v: a refused call leaves none", len(files), err)
	}
	a.noValues()
}

// inFile reads the value that an answer says is in a file.
func (a *agents) inFile(dir string, made map[string]any) string {
	a.Helper()
	name := made["file"].(string)
	about, err := os.Stat(name)
	must(a.T, err)
	if filepath.Dir(name) != dir || about.Mode().Perm() != 0o600 || made["request"] != nil {
		a.Errorf("the file %s has the mode %v", name, about.Mode())
	}
	value, err := os.ReadFile(name)
	must(a.T, err)
	return strings.TrimSpace(string(value))
}

// ask sends one request to /mcp as a program without the SDK does.
func (a *agents) ask(method, body string, head map[string]string) (int, http.Header, string) {
	a.Helper()
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	r, err := http.NewRequestWithContext(ctx, method, a.p.url+"/mcp", strings.NewReader(body))
	must(a.T, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	for name, value := range head {
		if r.Header.Set(name, value); name == "Host" {
			r.Host = value
		}
	}
	answer, err := http.DefaultClient.Do(r)
	must(a.T, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		a.Error(err)
	}
	return answer.StatusCode, answer.Header, string(text)
}

const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`

func TestT78TheDoorOfAgentsIsBoundToTheCredential(t *testing.T) {
	t.Parallel()
	a := beginAgents(t)
	with := func(token string, more ...string) map[string]string {
		head := map[string]string{"Authorization": "Bearer " + token}
		for i := 0; i+1 < len(more); i += 2 {
			head[more[i]] = more[i+1]
		}
		return head
	}
	status, head, body := a.ask("POST", initialize, with(a.ada))
	session := head.Get("Mcp-Session-Id")
	if status != 200 || session == "" || !strings.Contains(body, `"name":"keyward"`) {
		t.Fatalf("begun: %d %v %s", status, head, body)
	}
	const ping = `{"jsonrpc":"2.0","id":2,"method":"ping"}`
	other := a.api("POST", "/service-keys", `{"name":"s","scopes":["manage"]}`)["key"].(string)
	large := `{"jsonrpc":"2.0","id":2,"method":"ping","params":{"_meta":{"x":"` + strings.Repeat("x", 1<<20) + `"}}}`
	for name, c := range map[string]struct {
		method, body string
		head         map[string]string
		want         int
	}{
		"its own session":               {"POST", ping, with(a.ada, "Mcp-Session-Id", session), 200},
		"no session":                    {"POST", ping, with(a.ada), 200},
		"another key in the session":    {"POST", ping, with(a.viewer, "Mcp-Session-Id", session), 404},
		"a service key in the session":  {"POST", ping, with(other, "Mcp-Session-Id", session), 404},
		"an invented session":           {"POST", ping, with(a.ada, "Mcp-Session-Id", "x"+session[1:]), 404},
		"no credential":                 {"POST", initialize, nil, 401},
		"an unknown credential":         {"POST", initialize, with(a.ada[:len(a.ada)-1] + "0"), 401},
		"a credential that is no token": {"POST", initialize, map[string]string{"Authorization": "Basic " + a.ada}, 401},
		"a service key":                 {"POST", initialize, with(other), 200},
		"another origin":                {"POST", initialize, with(a.ada, "Origin", "https://evil.example"), 403},
		"an opaque origin":              {"POST", initialize, with(a.ada, "Origin", "null"), 403},
		"a rebound name":                {"POST", initialize, with(a.ada, "Host", "evil.example"), 403},
		"our own origin":                {"POST", initialize, with(a.ada, "Origin", a.p.url), 200},
		"a body beyond the limit":       {"POST", large, with(a.ada), 413},
		"many messages in one":          {"POST", "[" + ping + "," + ping + "]", with(a.ada), 400},
		"another type":                  {"POST", ping, with(a.ada, "Content-Type", "text/plain"), 415},
		"a stream":                      {"GET", "", with(a.ada, "Mcp-Session-Id", session), 405},
		"the end of the session":        {"DELETE", "", with(a.ada, "Mcp-Session-Id", session), 204},
		"another's end of the session":  {"DELETE", "", with(a.viewer, "Mcp-Session-Id", session), 404},
	} {
		if got, _, body := a.ask(c.method, c.body, c.head); got != c.want {
			t.Errorf("%s: %d, want %d: %s", name, got, c.want, body)
		}
	}
	for range 150 { // more than what costs no limit may be asked for in a minute
		if got, _, body := a.ask("POST", ping, with(a.ada)); got != 200 {
			t.Fatalf("a message is refused: %d %s", got, body)
		}
	}
	a.api("PUT", "/api-keys", `{"apiKeys":[{"id":"`+a.adaID+`","isActive":false}]}`)
	if got, head, _ := a.ask("POST", ping, with(a.ada, "Mcp-Session-Id", session)); got != 401 ||
		head.Get("WWW-Authenticate") == "" {
		t.Errorf("a disabled key goes on in its session: %d", got)
	}
	off := &process{root: mintedRoot(t), dir: t.TempDir()}
	off.database = "sqlite:" + filepath.Join(off.dir, "keyward.db")
	a.p = off.again(t)
	if got, _, _ := a.ask("POST", initialize, with(off.root)); got != 404 {
		t.Errorf("without the setting: %d, want 404", got)
	}
}

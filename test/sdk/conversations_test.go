package sdk_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/conversation"
	"github.com/keyward/keyward/internal/rig"
)

const conversations = "../../api/conversations"

// publicURL is where browsers would reach the server.
const publicURL = "https://keys.example.com"

// exchange is one request of a conversation and its answer, as they went over the wire.
type exchange struct {
	from    string // the conversation and the request's name
	request conversation.Message
	status  int
	header  http.Header
	answer  string
}

// TestEveryClientReplaysTheConversations plays every conversation against the real server, and then each exchange once
// more against each client: the client's call must be the conversation's request, and its result must be the
// conversation's answer.
func TestEveryClientReplaysTheConversations(t *testing.T) {
	t.Parallel()
	document := readOperations(t)
	calls := document.calls(t, record(t))
	replayers := map[string]func(*testing.T, []call) []outcome{
		"Go":         replayInGo,
		"Python":     replayInPython,
		"TypeScript": replayInTypeScript,
	}
	for name, replay := range replayers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &scripted{document: document, calls: calls, requests: make([][]conversation.Message, len(calls))}
			server := httptest.NewServer(s)
			defer server.Close()
			mine := slices.Clone(calls)
			for i := range mine {
				mine[i].URL = fmt.Sprintf("%s/%d", server.URL, i)
			}
			s.judge(t, name, replay(t, mine))
		})
	}
}

// record plays the conversations against a server, and keeps the requests and the answers.
func record(t *testing.T) []exchange {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(conversations, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no conversations in %s: %v", conversations, err)
	}
	address, given := startTalkative(t)
	all := make([][]exchange, len(files))
	var wait sync.WaitGroup
	for i, file := range files {
		wait.Go(func() {
			name := strings.TrimSuffix(filepath.Base(file), ".txtar")
			steps, err := conversation.Load(conversations, name)
			if err != nil {
				t.Error(err)
				return
			}
			talk := conversation.Talk{Known: maps.Clone(given), PublicURL: publicURL, Now: time.Now}
			if all[i], err = play(address, name, &talk, steps); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	return slices.Concat(all...)
}

// startTalkative runs a server, and gives its address and the values that every conversation begins with.
func startTalkative(t *testing.T) (address string, given conversation.Values) {
	t.Helper()
	command, dir := binary(t), t.TempDir()
	root := strings.Fields(output(t, command, "rootkey"))
	address = fmt.Sprintf("http://127.0.0.1:%d", rig.FreePort(t))
	cmd := exec.Command(command, "serve")
	cmd.Dir = dir
	cmd.Env = append(
		os.Environ(), "KEYWARD_ADDR="+strings.TrimPrefix(address, "http://"),
		"KEYWARD_DATABASE_URL=sqlite:"+dir+"/keyward.db", "KEYWARD_ROOT_KEY="+root[len(root)-1],
		"KEYWARD_PUBLIC_URL="+publicURL,
	)
	rig.StartProcess(t, cmd, dir+"/log")
	client, err := keyward.New(address, keyward.WithToken(root[len(root)-1]))
	if err != nil {
		t.Fatal(err)
	}
	rig.WaitFor(t, "the server", func() error { return client.Ready(t.Context()) })
	given = conversation.Values{
		"root":     root[len(root)-1],
		"today":    time.Now().UTC().Format(time.DateOnly),
		"tomorrow": time.Now().UTC().Add(24 * time.Hour).Format(time.RFC3339),
		"nextYear": time.Now().UTC().AddDate(1, 0, 0).Format(time.RFC3339),
	}
	for name, scope := range map[string]keyward.Scope{"manager": keyward.ScopeManage, "verifier": keyward.ScopeVerify} {
		made, err := client.CreateServiceKey(
			t.Context(), keyward.CreateServiceKeyRequest{Name: name, Scopes: []keyward.Scope{scope}},
		)
		if err != nil {
			t.Fatal(err)
		}
		given[name] = made.Key.Reveal()
	}
	return address, given
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return string(out)
}

var unfollowed = &http.Client{
	Timeout:       time.Minute,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64},
}

// play goes through the steps. Whether the answers are right is the acceptance test's question; here the status says
// that the conversation went its way.
func play(address, name string, talk *conversation.Talk, steps []conversation.Step) ([]exchange, error) {
	var all []exchange
	for _, s := range steps {
		if s.Wait != 0 {
			time.Sleep(s.Wait)
			continue
		}
		m, err := talk.Message(s.Request)
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", name, s.Line, err)
		}
		request, err := http.NewRequest(m.Method, address+m.Target, strings.NewReader(m.Body))
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", name, s.Line, err)
		}
		request.Header = m.Header.Clone()
		response, err := unfollowed.Do(request)
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", name, s.Line, err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != s.Want.Status {
			return nil, fmt.Errorf(
				"%s, line %d: %d, want %d (%w): %s", name, s.Line, response.StatusCode, s.Want.Status, err, body,
			)
		}
		if want, err := talk.Known.Fill(s.Want.Body); err == nil && want != "" {
			talk.Known.MatchBody(response.Header.Get("Content-Type"), want, string(body))
		}
		all = append(all, exchange{name + ": " + s.Name, m, response.StatusCode, response.Header, string(body)})
	}
	return all, nil
}

// scripted is a server that gives to the call with the number that its path begins with the answer of the conversation.
type scripted struct {
	document *operations
	calls    []call

	mu       sync.Mutex
	requests [][]conversation.Message // by the call's number
}

func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	number, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	var i int
	if _, err := fmt.Sscan(number, &i); err != nil || i >= len(s.calls) {
		http.NotFound(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	target := "/" + rest
	if r.URL.RawQuery != "" {
		target += "?" + r.URL.RawQuery
	}
	s.mu.Lock()
	m := conversation.Message{Method: r.Method, Target: target, Header: r.Header, Body: string(body)}
	s.requests[i] = append(s.requests[i], m)
	s.mu.Unlock()
	e := s.calls[i].exchange
	for name, values := range e.header {
		if !slices.Contains([]string{"Content-Length", "Date", "Transfer-Encoding", "Connection"}, name) {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(e.status)
	_, _ = io.WriteString(w, e.answer)
}

// fewestReplayed is the least number of exchanges that each client must replay, so that a rule which leaves out too
// many is seen.
const fewestReplayed = 1400

// judge compares requests and results, and wants each operation of the document with an answer that is no refusal.
func (s *scripted) judge(t *testing.T, client string, outcomes []outcome) {
	t.Helper()
	if len(outcomes) != len(s.calls) {
		t.Fatalf("%d outcomes of %d calls", len(outcomes), len(s.calls))
	}
	if len(outcomes) < fewestReplayed {
		t.Errorf("%d exchanges were replayed, want at least %d", len(outcomes), fewestReplayed)
	}
	well := map[string]bool{}
	for i, o := range outcomes {
		c := &s.calls[i]
		if slices.Contains(unsayable, client+" "+c.exchange.from) {
			continue
		}
		if wrong := s.wrong(client, i, o); len(wrong) > 0 {
			t.Errorf(
				"%s (%s)\n%s\nthe conversation says %s %s %s\n%d %s\n", c.exchange.from, c.Operation,
				strings.Join(wrong, "\n"), c.exchange.request.Method, c.exchange.request.Target, c.exchange.request.Body,
				c.exchange.status, c.exchange.answer,
			)
			continue
		}
		well[c.Operation] = well[c.Operation] || c.exchange.status < 300
	}
	for _, o := range s.document.all {
		if !well[o.id] && !slices.Contains(notCalled, o.id) {
			t.Errorf("no conversation shows what %s gives for an answer of %s", client, o.id)
		}
	}
}

func (s *scripted) wrong(client string, i int, o outcome) []string {
	c := &s.calls[i]
	if o.Failed != "" {
		return []string{o.Failed}
	}
	if len(s.requests[i]) != 1 {
		return []string{fmt.Sprintf("%d requests came, want 1", len(s.requests[i]))}
	}
	wrong := s.document.sameRequest(c, s.requests[i][0])
	return append(wrong, sameOutcome(client, c, o)...)
}

// outcome is the result of a call, in a form that all clients have in common.
type outcome struct {
	Result   any      `json:"result"`   // by the names of the API, secrets revealed
	Done     bool     `json:"done"`     // the client gives nothing but that it went well
	Text     *string  `json:"text"`     // of a stream
	Error    *refused `json:"error"`    // a refusal
	Replayed string   `json:"replayed"` // the id of a key whose value is not told again
	Failed   string   `json:"failed"`   // anything else
}

// refused is a typed error.
type refused struct {
	Status     int              `json:"status"`
	Code       string           `json:"code"`
	Message    string           `json:"message"`
	Details    []keyward.Detail `json:"details"`
	RequestID  string           `json:"requestId"`
	RetryAfter float64          `json:"retryAfter"`
}

// silent names the operations of which a client gives nothing but that they went well.
var silent = []string{
	"revokeToken", "reportUses", "getHealth", "getReadiness", // of all clients
	"endSession", // of Go: the id is the one that was given
}

// leftOut names members of results that a client does not give, because it says the same otherwise.
var leftOut = map[string][]string{
	"Go createSignInLink":  {"path"}, // SignInLink.URL is the whole link
	"Go inviteMember":      {"path"}, // Invitation.URL is
	"Go resetSignIn":       {"path"},
	"Go listNodes":         {"followers"}, // ListFollowers gives them
	"Python listNodes":     {"followers"}, // followers does
	"TypeScript listNodes": {"followers"},
}

// unsayable names exchanges that one client has no word for.
var unsayable = []string{
	"Python remove-member: nor can one be named twice", // overrides are a mapping, in which a key stands once
}

func sameOutcome(client string, c *call, o outcome) []string {
	if c.exchange.status >= 300 {
		return sameRefusal(c, o)
	}
	if o.Error != nil {
		return []string{fmt.Sprintf("the client gives the error %+v", *o.Error)}
	}
	if slices.Contains(silent, c.Operation) && o.Done {
		return nil
	}
	if !strings.HasPrefix(c.exchange.header.Get("Content-Type"), "application/json") {
		if o.Text == nil || *o.Text != c.exchange.answer {
			return []string{fmt.Sprintf("the client gives another text: %v", o.Text)}
		}
		return nil
	}
	want := resultOf(c)
	for _, name := range leftOut[client+" "+c.Operation] {
		delete(object(want), name)
		for _, inner := range object(want) {
			delete(object(inner), name)
		}
	}
	if o.Replayed != "" {
		if object(want)["key"] != nil || object(object(want)["apiKey"])["id"] != o.Replayed {
			return []string{"the client says that the value is not told again"}
		}
		return nil
	}
	if whole := object(want); len(whole) == 1 {
		for name, inner := range whole {
			if _, wrapped := object(o.Result)[name]; !wrapped {
				want = inner
			}
		}
	}
	// A member that is null, and in Go any zero value, is as one that is not there.
	got, want := plainValue(o.Result, client == "Go"), plainValue(want, client == "Go")
	if a, b := asText(got), asText(want); a != b {
		return []string{"the client gives " + a + "\nwant             " + b}
	}
	return nil
}

func sameRefusal(c *call, o outcome) []string {
	if o.Error == nil {
		return []string{fmt.Sprintf("the client gives no error but %+v", o)}
	}
	var answer struct {
		Error       json.RawMessage `json:"error"`
		Description string          `json:"error_description"`
	}
	if err := json.Unmarshal([]byte(c.exchange.answer), &answer); err != nil {
		return []string{err.Error()}
	}
	want := refused{Status: c.exchange.status, RequestID: c.exchange.header.Get("X-Request-Id")}
	if json.Unmarshal(answer.Error, &want.Code) == nil {
		want.Message = answer.Description
	} else if err := json.Unmarshal(answer.Error, &want); err != nil {
		return []string{err.Error()}
	}
	_, _ = fmt.Sscan(c.exchange.header.Get("Retry-After"), &want.RetryAfter)
	if a, b := asText(*o.Error), asText(want); a != b {
		return []string{"the client gives the error " + a, "want                       " + b}
	}
	return nil
}

// resultOf takes the result out of an answer. A client masks the value within the object, which beside it is a Secret.
func resultOf(c *call) any {
	var answer any
	decoder := json.NewDecoder(strings.NewReader(c.exchange.answer))
	decoder.UseNumber()
	if err := decoder.Decode(&answer); err != nil {
		return err.Error()
	}
	if result, enveloped := object(object(answer)["data"])["result"]; enveloped {
		answer = result
	}
	if key := object(object(answer)["apiKey"]); key != nil {
		if value, _ := key["key"].(string); wholeKey.MatchString(value) {
			key["key"] = wholeKey.ReplaceAllString(value, "$1…$2")
		}
	}
	return answer
}

var wholeKey = regexp.MustCompile(`^(kw_[a-z]+_[0-9A-Za-z]{4})[0-9A-Za-z]{41}([0-9A-Za-z]{4})$`)

func object(v any) map[string]any { m, _ := v.(map[string]any); return m }

func asText(v any) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return err.Error()
	}
	return b.String()
}

// plainValue drops members that are null, and with zeros those that are empty, and writes times in one form.
func plainValue(v any, zeros bool) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, inner := range v {
			inner = plainValue(inner, zeros)
			if all, list := inner.([]any); list && name == "demanded" && len(all) > 0 {
				inner = map[string]any{"all": all} // the short form of a demand
			}
			if inner != nil && (!zeros || !isEmpty(inner)) {
				out[name] = inner
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plainValue(v[i], zeros)
		}
		return out
	case string:
		return oneTime(v)
	case json.Number:
		return v.String()
	case float64:
		return fmt.Sprint(v)
	}
	return v
}

func isEmpty(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return slices.Contains([]any{"", "0", false}, v)
}

// oneTime writes a time, or a day, in one form, and any other text as it is.
func oneTime(text string) string {
	for _, form := range []string{time.RFC3339Nano, time.DateOnly} {
		if at, err := time.Parse(form, text); err == nil {
			return at.UTC().Format("2006-01-02T15:04:05.000Z")
		}
	}
	return text
}

func queryOf(target string) (path string, query url.Values, err error) {
	u, err := url.Parse(target)
	if err != nil {
		return "", nil, err
	}
	query, err = url.ParseQuery(u.RawQuery)
	return u.Path, query, err
}

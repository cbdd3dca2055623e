package acceptance_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/conversation"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
)

const conversations = "../../api/conversations"

// house is a running server and the answers seen from it.
type house struct {
	*process
	document *document
	given    conversation.Values // what every conversation knows from the start

	mu   sync.Mutex
	keys map[string]bool            // every whole key that was seen
	seen map[string]map[string]bool // operation -> status -> it happened
	code map[string]bool            // every error code that was seen
}

func open(t *testing.T) *house {
	t.Helper()
	return enter(t, start(t))
}

func enter(t *testing.T, p *process) *house {
	t.Helper()
	h := &house{process: p, keys: map[string]bool{}, seen: map[string]map[string]bool{}, code: map[string]bool{}}
	h.document = readDocument(t, h.url)
	h.keys[h.root] = true
	now := time.Now().UTC()
	h.given = conversation.Values{
		"root":     h.root,
		"today":    time.Now().UTC().Format(time.DateOnly),
		"tomorrow": now.Add(24 * time.Hour).Format(time.RFC3339),
		"nextYear": now.AddDate(1, 0, 0).Format(time.RFC3339),
	}
	for name, scope := range map[string]string{"manager": "manage", "verifier": "verify"} {
		steps, err := conversation.Parse(
			fmt.Sprintf("-- make %s --\nPOST /api/v2/service-keys\nAuthorization: Bearer {root}\n\n"+
				`{"name": "%s", "scopes": ["%s"]}`+"\n-- > 201 --\n"+`{"data": {"result": {"key": "<key svc> $%s"}}}`, name, name,
				scope, name),
		)
		if err != nil {
			t.Fatal(err)
		}
		if err := (&talk{house: h, Talk: conversation.Talk{Known: h.given, Now: time.Now}}).all(steps); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// talk is one conversation that goes on.
type talk struct {
	*house
	conversation.Talk
	bodies map[string]string // what the answers were, by the request's name
}

func TestConversations(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(conversations, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no conversations in %s: %v", conversations, err)
	}
	h := open(t)
	h.replayAll(t, files)
	if t.Failed() {
		return
	}
	t.Run("cover every operation and every status that the document names", h.coverage)
	t.Run("T18 leave no piece of a key behind", h.canaries)
}

// TestConversationsOnPostgreSQL holds the other database to the same words.
func TestConversationsOnPostgreSQL(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(conversations, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no conversations in %s: %v", conversations, err)
	}
	h := enter(t, startOn(t, pgtest.Database(t), ""))
	h.replayAll(t, files)
	if t.Failed() {
		return
	}
	t.Run("cover every operation and every status that the document names", h.coverage)
	t.Run("T18 leave no piece of a key behind", h.dump)
}

func (h *house) replayAll(t *testing.T, files []string) {
	t.Run("replayed", func(t *testing.T) {
		for _, file := range files {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
				t.Parallel()
				h.replay(t, file)
			})
		}
	})
}

func (h *house) replay(t *testing.T, file string) {
	steps, err := conversation.Load(conversations, strings.TrimSuffix(filepath.Base(file), ".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	c := &talk{
		house: h, Talk: conversation.Talk{Known: maps.Clone(h.given), PublicURL: publicURL, Now: time.Now},
		bodies: map[string]string{},
	}
	if err := c.all(steps); err != nil {
		t.Error(err)
	}
}

// all goes through the steps and stops at the first that goes wrong, since the others build on it.
func (c *talk) all(steps []conversation.Step) error {
	for _, s := range steps {
		var err error
		switch {
		case s.Wait != 0:
			time.Sleep(s.Wait)
		default:
			err = c.exchange(s)
		}
		if err != nil {
			return fmt.Errorf("line %d, %s: %w", s.Line, s.Name, err)
		}
	}
	return nil
}

func (c *talk) exchange(s conversation.Step) error {
	e, err := c.send(s.Request)
	if err != nil {
		return err
	}
	wrong := c.check(e)
	if e.response.StatusCode != s.Want.Status {
		wrong = append(wrong, fmt.Sprintf("status %d, want %d", e.response.StatusCode, s.Want.Status))
	} else {
		wrong = append(wrong, c.compare(s, e)...)
	}
	if c.bodies != nil {
		c.bodies[s.Name] = anonymous(e)
	}
	if wrong == nil {
		return nil
	}
	return fmt.Errorf(
		"%s\n%s %s %s\n%d %s", strings.Join(wrong, "\n"), e.request.Method, e.request.URL.RequestURI(), clipped(e.sent),
		e.response.StatusCode, clipped(e.body),
	)
}

func clipped(b []byte) string {
	const most = 4000
	if len(b) > most {
		return string(b[:most]) + "…"
	}
	return string(b)
}

// send fills in the values and asks.
func (c *talk) send(r conversation.Request) (exchange, error) {
	m, err := c.Message(r)
	if err != nil {
		return exchange{}, err
	}
	return c.ask(context.Background(), m.Method, m.Target, m.Header, []byte(m.Body))
}

// ask sends one request as it is.
func (h *house) ask(ctx context.Context, method, target string, head http.Header, body []byte) (exchange, error) {
	request, err := http.NewRequestWithContext(ctx, method, h.url+target, bytes.NewReader(body))
	if err != nil {
		return exchange{}, err
	}
	request.Header = head
	response, err := plain.Do(request)
	if err != nil {
		return exchange{}, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	return exchange{request: request, sent: body, response: response, body: answer}, err
}

// plain follows no redirect, asks for no compression and goes through no proxy.
var plain = &http.Client{
	Timeout:       patience,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 32},
}

// check compares an answer with the laws and the document, and records the answer.
func (h *house) check(e exchange) []string {
	code, wrong := laws(e)
	operation, more := h.document.check(e)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, key := range append(wholeKeys(string(e.body)), likeASession.FindAllString(string(e.body), -1)...) {
		if !strings.Contains(key, "EXAMPLE") { // of the document
			h.keys[key] = true
		}
	}
	if code != "" {
		h.code[code] = true
	}
	if operation != "" {
		if h.seen[operation] == nil {
			h.seen[operation] = map[string]bool{}
		}
		h.seen[operation][fmt.Sprint(e.response.StatusCode)] = true
	}
	return append(wrong, more...)
}

// compare holds an answer against its expectation.
func (c *talk) compare(s conversation.Step, e exchange) []string {
	wrong := c.compareHeaders(s.Want.Headers, e.response.Header)
	if s.Want.Like != "" {
		other, known := c.bodies[s.Want.Like]
		if !known {
			return append(wrong, fmt.Sprintf("nothing was asked as %q", s.Want.Like))
		}
		if got := anonymous(e); got != other {
			wrong = append(wrong, fmt.Sprintf("want the same as for %q:\n%s\ngot\n%s", s.Want.Like, other, got))
		}
	}
	if s.Want.Body == "" {
		return wrong
	}
	want, err := c.Known.Fill(s.Want.Body)
	if err != nil {
		return append(wrong, err.Error())
	}
	return append(wrong, c.Known.MatchBody(e.response.Header.Get("Content-Type"), want, string(e.body))...)
}

func (c *talk) compareHeaders(want []conversation.Header, got http.Header) []string {
	var wrong []string
	for _, h := range want {
		value, err := c.Known.Fill(h.Value)
		if err != nil {
			return []string{err.Error()}
		}
		have := strings.Join(got.Values(h.Name), ", ")
		switch {
		case value == "<absent>" && have != "":
			wrong = append(wrong, fmt.Sprintf("%s: want none, got %q", h.Name, have))
		case value == "<absent>":
		case have == "":
			wrong = append(wrong, fmt.Sprintf("%s: want %q, got none", h.Name, value))
		default:
			wrong = append(wrong, c.Known.Match(h.Name, value, have)...)
		}
	}
	return wrong
}

// anonymous is an answer without the parts that differ in every answer: the request's id and the time.
func anonymous(e exchange) string {
	id := e.response.Header.Get("X-Request-Id")
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(e.response.Header)) {
		if name != "Date" && name != "X-Request-Id" {
			fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(e.response.Header[name], ", "))
		}
	}
	return b.String() + strings.ReplaceAll(string(e.body), id, "<id>")
}

// elsewhere are statuses that a sound server cannot be brought to by asking (the first two), one that comes before
// every operation alike (429), and those that the generated tests demand of every operation.
var elsewhere = []string{"500", "503", "429", "400", "401", "413", "415"}

// elsewhereOnly are statuses of single operations that need another set-up: metrics that have an address of their
// own, limits, which this server does not count, a browser with a session, and a route table that answers preflight
// requests.
var elsewhereOnly = []string{"getMetrics 404", "getFrontPage 200", "checkRequest 204"}

func (h *house) coverage(t *testing.T) {
	for _, o := range h.document.operations {
		for _, status := range o.statuses {
			if !slices.Contains(elsewhere, status) && !slices.Contains(elsewhereOnly, o.id+" "+status) && !h.seen[o.id][status] {
				t.Errorf("no conversation brings %s (%s %s) to answer %s", o.id, o.method, o.path, status)
			}
		}
	}
	for status, all := range codes {
		for _, code := range all {
			if status != 503 && !h.code[code] {
				t.Errorf("no conversation brings the error %s", code)
			}
		}
	}
}

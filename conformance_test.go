package keyward_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyward/keyward"
)

// fault is a case of the list that every client passes: see sdk/conformance/README.md.
type fault struct {
	Name string `json:"name"`
	Call struct {
		Operation string `json:"operation"`
		Args      struct {
			ID, Key, Name, UserID, WorkspaceID string
			Permissions                        []string
		} `json:"args"`
	} `json:"call"`
	Answers []faultAnswer `json:"answers"`
	Want    faultWant     `json:"want"`
}

type faultAnswer struct {
	Status    int               `json:"status"`
	Headers   map[string]string `json:"headers"`
	Body      json.RawMessage   `json:"body"`
	Text      *string           `json:"text"`
	Cut, Drop bool
	DelayMS   int `json:"delayMs"`
}

type faultWant struct {
	Requests   int            `json:"requests"`
	SameHeader string         `json:"sameHeader"`
	Result     map[string]any `json:"result"`
	Error      *string        `json:"error"`
	Status     int            `json:"status"`
	RetryAfter int            `json:"retryAfter"`
	Field      string         `json:"field"`
	Not        string         `json:"not"`
}

// faultServer gives scripted answers, one for each request, and keeps the headers of the requests.
type faultServer struct {
	mu      sync.Mutex
	answers []faultAnswer
	seen    []http.Header
}

func (s *faultServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	answer := faultAnswer{Status: 500, Text: new("no answer is left")}
	if len(s.seen) < len(s.answers) {
		answer = s.answers[len(s.seen)]
	}
	s.seen = append(s.seen, r.Header.Clone())
	s.mu.Unlock()
	if answer.DelayMS > 0 {
		select {
		case <-time.After(time.Duration(answer.DelayMS) * time.Millisecond):
		case <-r.Context().Done():
			return
		}
	}
	body := []byte(answer.Body)
	if answer.Text != nil {
		body = []byte(*answer.Text)
	}
	for name, value := range answer.Headers {
		w.Header().Set(name, value)
	}
	if answer.Cut {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)+10))
	}
	if !answer.Drop {
		w.WriteHeader(answer.Status)
		_, _ = w.Write(body)
		_ = http.NewResponseController(w).Flush()
	}
	if answer.Cut || answer.Drop {
		panic(http.ErrAbortHandler)
	}
}

// call makes the call of a case.
func (f *fault) call(ctx context.Context, c *keyward.Client) (any, error) {
	a := &f.Call.Args
	switch f.Call.Operation {
	case "getApiKey":
		return c.GetKey(ctx, a.ID)
	case "createApiKey":
		made, err := c.CreateKey(ctx, keyward.CreateKeyRequest{Name: a.Name, UserID: a.UserID})
		return made.APIKey, err
	case "verifyApiKey":
		return c.Verify(ctx, keyward.VerifyRequest{Key: a.Key})
	case "deleteApiKey":
		return c.DeleteKey(ctx, a.ID)
	case "rotateApiKey":
		made, err := c.RotateKey(ctx, a.ID, 0)
		return made.APIKey, err
	case "createRole":
		return c.CreateRole(ctx, a.WorkspaceID, keyward.CreateRoleRequest{Name: a.Name, Permissions: a.Permissions})
	}
	return nil, fmt.Errorf("the list has a call of %s, which this test does not know", f.Call.Operation)
}

func TestTheClientPassesTheListOfEveryClient(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("sdk/conformance/faults.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []fault
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) < 26 {
		t.Fatalf("the list has %d cases", len(all))
	}
	for _, f := range all {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			f.run(t)
		})
	}
}

const faultToken = "kw_svc_token"

func (f *fault) run(t *testing.T) {
	s := &faultServer{answers: f.Answers}
	server := httptest.NewServer(s)
	defer server.Close()
	client, err := keyward.New(server.URL, keyward.WithToken(faultToken), keyward.WithRetry(3),
		keyward.WithHTTPClient(&http.Client{Timeout: 300 * time.Millisecond, Transport: &http.Transport{}}))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	got, err := f.call(t.Context(), client)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.seen) != f.Want.Requests {
		t.Errorf("%d requests, want %d: %v", len(s.seen), f.Want.Requests, err)
	}
	if h := f.Want.SameHeader; h != "" && len(s.seen) > 1 &&
		(s.seen[0].Get(h) == "" || s.seen[0].Get(h) != s.seen[1].Get(h)) {
		t.Errorf("%s is %q and then %q", h, s.seen[0].Get(h), s.seen[1].Get(h))
	}
	if f.Want.Error != nil {
		f.Want.refused(t, err)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	shown, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(shown, &members); err != nil {
		t.Fatal(err)
	}
	for name, want := range f.Want.Result {
		if fmt.Sprint(members[name]) != fmt.Sprint(want) {
			t.Errorf("%s is %v, want %v", name, members[name], want)
		}
	}
}

// refused wants the error that every client gives in its own language.
func (w *faultWant) refused(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if strings.Contains(err.Error(), faultToken) || w.Not != "" && strings.Contains(err.Error(), w.Not) {
		t.Errorf("the error holds what it must not: %v", err)
	}
	var refused *keyward.Error
	is := errors.As(err, &refused)
	switch *w.Error {
	case "connection":
		var failed net.Error
		if is || !errors.As(err, &failed) && !strings.Contains(err.Error(), "EOF") {
			t.Errorf("want a failed connection, got %T: %v", err, err)
		}
		return
	case "protocol":
		if is && refused.Code != "" {
			t.Errorf("want an answer that is not understood, got %v", err)
		}
		return
	case "replayed":
		if replay := new(keyward.ReplayError); !errors.As(err, &replay) {
			t.Errorf("want a ReplayError, got %v", err)
		}
		return
	}
	if !is || string(refused.Code) != *w.Error || refused.Status != w.Status {
		t.Fatalf("want %q with %d, got %v", *w.Error, w.Status, err)
	}
	if w.RetryAfter > 0 && refused.RetryAfter != time.Duration(w.RetryAfter)*time.Second {
		t.Errorf("retry after %v", refused.RetryAfter)
	}
	if w.Field != "" && (len(refused.Details) == 0 || refused.Details[0].Field != w.Field) {
		t.Errorf("details %v", refused.Details)
	}
}

package keyhttp_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/verdict"
	"github.com/keyward/keyward/keyhttp"
)

// A service behind keyhttp and one behind a gateway refuse a key in the same words.
func TestARefusalIsThatOfTheServer(t *testing.T) {
	t.Parallel()
	for _, code := range verdict.Codes() {
		if code == verdict.Valid {
			continue
		}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, `{"success": true, "data": {"result": {"valid": false, "code": %q}}}`, code)
		}))
		t.Cleanup(server.Close)
		guard := keyhttp.New(client(t, server.URL, "token"))
		a := get(t, guard.Require(), "/", "X-API-Key", "kw_live_"+fmt.Sprintf("%049d", 7))
		want := code.Refusal()
		var details []keyward.Detail
		for _, d := range want.Details {
			details = append(details, keyward.Detail{Field: d.Field, Message: d.Message})
		}
		got := a.error()
		if a.Code != want.Code.Status() || got.Code != string(want.Code) || got.Message != want.Message {
			t.Errorf(
				"%s: %d %s %q, want %d %s %q", code, a.Code, got.Code, got.Message, want.Code.Status(), want.Code, want.Message,
			)
		}
		if d := cmp.Diff(append([]keyward.Detail{}, details...), got.Details); d != "" {
			t.Errorf("%s: %s", code, d)
		}
	}
}

// refusalCase is a case of the list of refusals that the guards of all clients give (sdk/conformance).
type refusalCase struct {
	Name    string
	Headers [][2]string
	Query   string
	Answer  *struct {
		Status  int
		Headers map[string]string
		Body    json.RawMessage
		Text    string
		Drop    bool
		DelayMS int `json:"delayMs"`
	}
	Want struct {
		Status int
		Error  struct {
			Code, Message string
			Details       []keyward.Detail
		}
		Headers map[string]*string
	}
}

// ServeHTTP gives the scripted answer to the guard's question.
func (c *refusalCase) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c.Answer == nil {
		return
	}
	select {
	case <-time.After(time.Duration(c.Answer.DelayMS) * time.Millisecond):
	case <-r.Context().Done():
	}
	if c.Answer.Drop {
		panic(http.ErrAbortHandler)
	}
	for name, value := range c.Answer.Headers {
		w.Header().Set(name, value)
	}
	w.WriteHeader(c.Answer.Status)
	_, _ = w.Write(append(c.Answer.Body, c.Answer.Text...))
}

// flat lists the headers of a request as get takes them.
func (c *refusalCase) flat() (headers []string) {
	for _, pair := range c.Headers {
		headers = append(headers, pair[0], pair[1])
	}
	return headers
}

func (c *refusalCase) judge(t *testing.T, a answer) {
	t.Helper()
	got := a.error()
	if a.Code != c.Want.Status || got.Code != c.Want.Error.Code || got.Message != c.Want.Error.Message {
		t.Errorf("%d %s %q, want %+v", a.Code, got.Code, got.Message, c.Want)
	}
	if d := cmp.Diff(c.Want.Error.Details, got.Details); d != "" {
		t.Errorf("details (-want +got):\n%s", d)
	}
}

func readRefusals(t *testing.T) (all []refusalCase) {
	t.Helper()
	text, err := os.ReadFile("../sdk/conformance/refusals.json")
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil || len(all) < 27 {
		t.Fatalf("%d cases: %v", len(all), err)
	}
	return all
}

func TestARefusalIsThatOfEveryGuard(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 4, 9, 31, 0, 0, time.UTC)
	for _, c := range readRefusals(t) {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(&c)
			t.Cleanup(server.Close)
			patience := time.Minute
			if c.Answer != nil && c.Answer.DelayMS > 0 {
				patience = 200 * time.Millisecond
			}
			guard := keyhttp.New(
				client(t, server.URL, "kw_svc_token", keyward.WithRetry(0)), keyhttp.WithEnvironment("live"),
				keyhttp.WithTimeout(patience), keyhttp.WithNow(func() time.Time { return now }),
				keyhttp.WithOnError(func(*http.Request, error) {}),
			)
			a := get(t, guard.Require("calls:read", "calls:write"), "/calls?"+c.Query, c.flat()...)
			c.judge(t, a)
			for name, want := range c.Want.Headers {
				if got := a.Header().Get(name); want == nil && got != "" || want != nil && got != *want {
					t.Errorf("%s is %q", name, got)
				}
			}
		})
	}
}

// What a guard refuses without a question, the server refuses in the same words where it is asked itself.
func TestARefusalWithoutAQuestionIsThatOfTheServer(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, c := range readRefusals(t) {
		if c.Answer != nil || c.Query != "" { // a gateway's question has a query of its own
			continue
		}
		r := httptest.NewRequest("GET", h.URL+"/check?permission=calls:read", nil)
		r.RequestURI = ""
		for _, pair := range c.Headers {
			r.Header.Add(pair[0], pair[1])
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		recorded := httptest.NewRecorder()
		recorded.Code = response.StatusCode
		for name, values := range response.Header {
			recorded.Header()[name] = values
		}
		_, _ = recorded.Body.ReadFrom(response.Body)
		_ = response.Body.Close()
		t.Run(c.Name, func(t *testing.T) { c.judge(t, answer{recorded, t}) })
	}
	http.DefaultClient.CloseIdleConnections()
}

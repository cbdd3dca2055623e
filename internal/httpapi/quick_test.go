package httpapi_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward/internal/httpapi"
)

// theLongWay spells the media type as the quick way does not know it; it means the same.
func theLongWay(r *http.Request) { r.Header.Set("Content-Type", `application/json;charset="utf-8"`) }

// questions are bodies of verify, right and wrong; each is also asked within a batch.
func questions(value string) []string {
	return []string{
		`{"key":"` + value + `"}`, `{"key":"` + value + `","permissions":["calls:read"],"cost":0,"ip":"203.0.113.9"}`,
		`{"key":"` + value + `","permissions":{"any":["calls:read","calls:write"],"all":[]}}`,
		` {"cost" : 1000 , "key" : "` + value + `"} `,
		`{"key":"` + value + `","permissions":["workspace:delete","calls:read"]}`, `{"key":"` + wellFormedKey + `"}`,
		`{"key":"x"}`, `{"key":""}`,
		`{"key":"\u0041"}`, `{"key":"é"}`, `{}`, ` `, `{"key":"x","key":"y"}`, `{"Key":"x"}`, `{"key":"x","cost":1.0}`,
		`{"key":"x","cost":1001}`, `{"key":"x","ip":"x"}`,
		`{"key":"x","permissions":["calls:fly"]}`, `{"key":"` + value + `","permissions":{"any":[]}}`, `{"key":"x"} x`,
		"{\"key\":\"\xff\"}", `{"key":null}`, `[]`,
		`{"key":"` + value + `","environment":"live"}`, `{"key":"` + value + `","environment":"test"}`,
		`{"key":"` + value + `","environment":"x"}`,
		`{"key":"` + value + `","workspaceId":"` + elsewhere + `"}`,
		`{"key":"` + value + `","workspaceId":["` + elsewhere + `"]}`, `{"key":"` + value + `","workspaceId":[]}`,
		`{"key":"` + strings.Repeat("a", 9000) + `"}`,
	}
}

var times = regexp.MustCompile(`"time":"[^"]*"|"duration_ms":[0-9.]*`)

// seen is all that there is to see of an answer.
type seen struct {
	Status int
	Header http.Header
	Body   string
	Log    map[string]any
	Line   string // without the times
	Told   []string
}

func TestTheQuickWayAndTheLongWayGiveTheSameAnswerLineAndFigures(t *testing.T) {
	t.Parallel()
	told := &counts{}
	h := open(t, func(c *httpapi.Config) { c.Observer = told })
	ws := h.workspace()
	_, value := h.key(ws, `,"permissions":["calls:read","calls:write"],"metadata":{"a":"ü <&>"}`)
	ask := func(path, token, body string, edits ...edit) seen {
		before, logged := len(told.seen), len(h.log.String())
		a := h.do(
			"POST",
			path,
			token,
			body,
			append([]edit{header("X-Request-Id", "same"), from("203.0.113.7:99")}, edits...)...)
		text := h.log.String()[logged:]
		if strings.Count(text, "\n") != 1 {
			t.Fatalf("not one line for one request: %s", text)
		}
		var line map[string]any
		must(t, json.Unmarshal([]byte(text), &line))
		text = times.ReplaceAllString(text, "")
		delete(line, "time")
		delete(line, "duration_ms")
		return seen{a.Code, a.Header(), a.Body.String(), line, text, slices.Clone(told.seen[before:])}
	}
	for _, token := range []string{h.root, value, wellFormedKey, "x", ""} {
		for _, q := range questions(value) {
			for path, body := range map[string]string{"/api/v2/api-keys/verify": q,
				"/api/v2/api-keys/verify-batch": `{"items":[{"key":"` + value + `"},` + q + `]}`} {
				quick, long := ask(path, token, body), ask(path, token, body, theLongWay)
				if diff := cmp.Diff(long, quick); diff != "" {
					t.Errorf("%s %.60q: %s", path, body, diff)
				}
			}
		}
	}
	for _, odd := range [][]edit{
		{header("X-Api-Key", "x")}, {header("X-Api-Key", h.root)}, {header("Authorization", "Bearer x")},
		{header("Content-Encoding", "gzip")},
		{header("X-Request-Id", "other")}, {func(r *http.Request) { r.Header.Set("Authorization", "bearer  "+h.root+" ") }},
		{header("Content-Type", "text/plain")},
	} {
		body := `{"key":"` + value + `"}`
		quick, long := ask(
			"/api/v2/api-keys/verify",
			h.root,
			body,
			odd...), ask(
			"/api/v2/api-keys/verify",
			h.root,
			body,
			append([]edit{theLongWay}, odd...)...)
		for _, s := range []*seen{&quick, &long} { // two ids given make one of our own
			delete(s.Header, "X-Request-Id")
			delete(s.Log, "request_id")
			s.Line = ""
			s.Body, _, _ = strings.Cut(s.Body, `"requestId"`)
		}
		if diff := cmp.Diff(long, quick); diff != "" {
			t.Errorf("%s", diff)
		}
	}
}

func TestABodyThatTheQuickWayLeavesIsReadFromItsBeginning(t *testing.T) {
	t.Parallel()
	h := open(t)
	for _, body := range []string{`{"key":"\u0041"}`, `{"key":"` + strings.Repeat("\\u0041", 1000) + `"}`} {
		r := httptest.NewRequest("POST", "/api/v2/api-keys/verify", io.NopCloser(iotestOneByte{strings.NewReader(body)}))
		r.ContentLength = int64(len(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+h.root)
		w := httptest.NewRecorder()
		h.handler.ServeHTTP(w, r)
		if a := (answer{w, t}).want(200); a.text("data.result.code") != "MALFORMED" {
			t.Error(a.Body)
		}
	}
}

// iotestOneByte gives a byte at a time.
type iotestOneByte struct{ r io.Reader }

func (o iotestOneByte) Read(b []byte) (int, error) { return o.r.Read(b[:min(1, len(b))]) }

// A body that ends before the length that was announced is one that could not be read, on both ways.
func TestABodyThatEndsEarlyIsRefused(t *testing.T) {
	t.Parallel()
	h := open(t)
	r := httptest.NewRequest("POST", "/api/v2/api-keys/verify", io.NopCloser(broken{}))
	r.ContentLength = 100
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+h.root)
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	answer{w, t}.refused(400, "invalid_request", "body")
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestTheQuickWayCostsFewAllocations(t *testing.T) {
	h := open(t, func(c *httpapi.Config) { c.Logger = slog.New(slog.DiscardHandler) })
	_, value := h.key(h.workspace(), "")
	body := []byte(`{"key":"` + value + `","permissions":["calls:read"]}`)
	r := httptest.NewRequest("POST", "/api/v2/api-keys/verify", http.NoBody)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+h.root)
	r.ContentLength = int64(len(body))
	reader := bytes.NewReader(body)
	r.Body = io.NopCloser(reader)
	w := &sink{h: http.Header{}}
	n := testing.AllocsPerRun(100, func() {
		reader.Reset(body)
		h.handler.ServeHTTP(w, r)
	})
	if n > 8 || w.status != 200 {
		t.Errorf("%v allocations, status %d", n, w.status)
	}
}

// sink is an answer without a reader.
type sink struct {
	h      http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.h }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }

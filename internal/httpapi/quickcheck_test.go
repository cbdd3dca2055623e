package httpapi_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward/internal/httpapi"
)

// spent matches the part of a limit that each check takes.
var spent = regexp.MustCompile(`;r=\d+`)

func TestACheckIsAnsweredTheSameOnTheQuickWayAndOnTheLong(t *testing.T) {
	t.Parallel()
	told := &counts{}
	h := open(t, trust("10.0.0.0/8"), func(c *httpapi.Config) { c.Observer = told })
	h.config.Logger = slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	h.handler = httpapi.New(h.config)
	ws := h.workspace()
	_, value := h.key(ws, `,"permissions":["calls:read"]`)
	_, limited := h.key(ws, `,"permissions":["calls:read"],"rateLimit":{"requestsPerMinute":1000,"requestsPerDay":5000}`)
	_, bound := h.key(ws, `,"permissions":[],"allowedIps":["203.0.113.0/24"]`)
	ask := func(query string, edits ...edit) seen {
		before, logged := len(told.seen), len(h.log.String())
		a := h.do(
			"GET",
			"/check"+query,
			"",
			"",
			append([]edit{header("X-Request-Id", "same"), from("10.1.2.3:99")}, edits...)...)
		text := h.log.String()[logged:]
		if strings.Count(text, "\n") != 1 {
			t.Fatalf("not one line for one request: %s", text)
		}
		var line map[string]any
		must(t, json.Unmarshal([]byte(text), &line))
		delete(line, "time")
		delete(line, "duration_ms")
		given := a.Header().Clone() // some values are everybody's
		for _, v := range given {
			v[0] = spent.ReplaceAllString(v[0], ";r=…")
		}
		return seen{Status: a.Code, Header: given, Body: a.Body.String(), Log: line, Told: slices.Clone(told.seen[before:])}
	}
	// A body of unknown length is not as usual.
	long := func(r *http.Request) { r.ContentLength = -1 }
	statuses := map[int]int{}
	for _, query := range []string{"", "?permission=calls:read", "?permission=calls:write",
		"?permission=calls:write&deny_status=403", "?deny_status=403", "?permision=x", "?key=" + value,
		"?deny_status=401", "?permission=calls%3Aread", "?permission=%zz", "?permission=nope:x", "?"} {
		for _, edits := range [][]edit{
			nil, {header("X-API-Key", value)}, {header("Authorization", "Bearer "+value)},
			{header("Authorization", "bearer  "+limited)}, {header("X-API-Key", wellFormedKey)},
			{header("X-API-Key", value), header("X-API-Key", value)},
			{header("X-API-Key", "x"), header("Authorization", "Bearer "+value)},
			{header("X-API-Key", bound), header("X-Forwarded-For", "203.0.113.9")},
			{header("X-API-Key", bound), header("X-Forwarded-For", "198.51.100.1")}, {header("X-API-Key", bound)},
			{header("X-API-Key", value), header("X-Forwarded-Method", "GET"), header("X-Forwarded-Uri", "/a//b")},
			{header("X-API-Key", value), header("X_Forwarded_Uri", "/")},
		} {
			quick, slow := ask(query, edits...), ask(query, append([]edit{long}, edits...)...)
			if diff := cmp.Diff(slow, quick); diff != "" {
				t.Errorf("%s: %s", query, diff)
			}
			statuses[quick.Status]++
		}
	}
	for _, status := range []int{200, 400, 401, 403} {
		if statuses[status] == 0 {
			t.Errorf("nothing was answered %d", status)
		}
	}
}

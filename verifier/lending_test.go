package verifier_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward"
)

// post asks an operation of the feed.
func (h *house) post(token, path, body string) (status int, answer string) {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.URL+"/api/v2/feed"+path,
		strings.NewReader(body))
	h.must(err)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	h.must(err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	h.must(err)
	return resp.StatusCode, string(text)
}

// numberAfter is the number that follows a text.
func numberAfter(answer, text string) string {
	_, rest, _ := strings.Cut(answer, text)
	return rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
}

// A follower is lent units of keys within the bounds of its service key, by the limits of the server, and gives back
// what it has.
func TestAFollowerIsLentNothingBeyondItsBounds(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	made, err := h.Client().CreateServiceKey(t.Context(), keyward.CreateServiceKeyRequest{
		Name: "bound", Scopes: []keyward.Scope{"follow"}, WorkspaceIDs: []string{h.workspace},
	})
	h.must(err)
	token := made.Key.Reveal()
	limited := func(r *keyward.CreateKeyRequest) {
		r.RateLimit = keyward.Set(keyward.Limits{RequestsPerMinute: keyward.Set(50), RequestsPerDay: keyward.Set(70)})
	}
	mine, mineValue := h.key(limited)
	other := h.Workspace(t, "Other", "eve")
	elsewhere, otherValue := h.key(func(r *keyward.CreateKeyRequest) {
		limited(r)
		r.WorkspaceID, r.UserID = other, "eve"
	})
	today := time.Now().UTC().Format(time.DateOnly)
	lease := func(number int, key, minute string) string {
		return fmt.Sprintf(`{"incarnation":"i","leases":[{"number":%d,"keyId":"%s","cost":1,"minute":%s}]}`, number, key,
			minute)
	}
	day := func(number int, id string, want, give int) string {
		return fmt.Sprintf(`{"incarnation":"i","number":%d,"claims":[{"accountId":"%s","day":"%s","want":%d,"giveBack":%d}]}`,
			number, id, today, want, give)
	}
	fresh, _ := h.key(limited)
	spent, spentValue := h.key(func(r *keyward.CreateKeyRequest) {
		limited(r)
		r.WorkspaceID, r.UserID = other, "eve"
	})
	_, err = h.client.Verify(t.Context(), keyward.VerifyRequest{Key: spentValue})
	h.must(err)
	first := ""
	for _, one := range []struct {
		what, path, body string
		status           int
		says             string
	}{
		{"more than the limit", "/leases", lease(1, mine, `{"want":500,"ahead":true}`), 200,
			`"granted":50,"lease":`},
		{"the same again", "/leases", lease(1, mine, `{"want":500,"ahead":true}`), 200, `"granted":50,"lease":FIRST,`},
		{"another question under its number", "/leases", lease(1, mine, `{"want":40,"ahead":true}`), 200,
			`"error":"conflict"`},
		{"a debt under its number", "/leases", lease(1, mine, `{"owed":[{"units":1}]}`), 200, `"error":"conflict"`},
		{"one more", "/leases", lease(2, mine, `{"want":1,"ahead":true}`), 200, `"granted":0`},
		{"a lease of nobody", "/leases", lease(3, mine, `{"giveBack":[{"lease":9,"units":50}]}`), 200, `"charged":50`},
		{"a part of it", "/leases", lease(4, mine, `{"giveBack":[{"lease":FIRST,"units":20}]}`), 200, `"charged":30`},
		{"more than the rest", "/leases", lease(5, mine, `{"giveBack":[{"lease":FIRST,"units":900}]}`), 200, `"charged":0`},
		{"units owed", "/leases", lease(6, mine, `{"owed":[{"secondsAgo":3,"units":7}]}`), 200, `"leases":[{"minute":{`},
		{"a look", "/leases", lease(7, mine, `{}`), 200, `"charged":7`},
		{"another workspace's key", "/leases", lease(8, elsewhere, `{"want":1}`), 200, `"error":"not_found"`},
		{"no key", "/leases", lease(9, "00000000-0000-7000-8000-000000000000", `{"want":1}`), 200, `"error":"not_found"`},
		{"both at once", "/leases", lease(10, mine, `{"want":1,"owed":[{"units":1}]}`), 400, "owed"},
		{"less than the cost", "/leases",
			`{"incarnation":"i","leases":[{"number":11,"keyId":"` + mine + `","cost":5,"minute":{"want":2}}]}`, 400, "want"},
		{"a number of none", "/leases", lease(0, mine, `{"want":1}`), 400, "number"},
		{"no incarnation", "/leases", `{"leases":[]}`, 400, "incarnation"},

		{"more than the day", "/days", day(1, mine, 500, 0), 200, `"granted":70,"reserved":70`},
		{"the same again", "/days", day(1, mine, 500, 0), 200, `"granted":70,"reserved":70`},
		{"another key's under its number", "/days", day(1, elsewhere, 500, 0), 409, "conflict"},
		{"back, more than it holds", "/days", day(2, mine, 0, 500), 200, `"granted":0,"reserved":0`},
		{"an old number", "/days", day(1, mine, 1, 0), 409, "conflict"},
		{"another workspace's", "/days", day(3, elsewhere, 5, 0), 200, `"granted":0`},
		{"another workspace", "/days", day(4, other, 5, 0), 200, `"granted":0`},
		{"another workspace's, of which some are used", "/days", day(5, spent, 5, 0), 200, `"granted":0,"reserved":0`},
		{"a day that is over", "/days", strings.Replace(day(6, fresh, 5, 5), today, "2020-02-02", 1), 200,
			`"granted":0,"reserved":0,"day":"` + today},
		{"tomorrow", "/days",
			`{"incarnation":"i","number":7,"claims":[{"accountId":"` + mine + `","day":"2999-01-01","want":1}]}`, 400, "clocks"},

		{"uses of both", "/usage", fmt.Sprintf(`{"incarnation":"i","number":1,"uses":[
			{"keyId":"%s","workspaceId":"%s","startMs":%d,"counts":{"VALID":3}},
			{"keyId":"%s","workspaceId":"%s","startMs":%d,"counts":{"VALID":3}}]}`, mine, h.workspace, time.Now().UnixMilli(),
			elsewhere, h.workspace, time.Now().UnixMilli()), 200, `"taken":true`},
		{"a code of none", "/usage", `{"incarnation":"i","number":2,"uses":[{"startMs":1,"counts":{"GOOD":3}}]}`, 400,
			"counts"},
		{"long ago", "/usage", `{"incarnation":"i","number":2,"uses":[{"startMs":60000,"counts":{"NOT_FOUND":3}}]}`, 400,
			"48 hours"},
	} {
		status, answer := h.post(token, one.path, strings.ReplaceAll(one.body, "FIRST", first))
		if first == "" {
			first = numberAfter(answer, `"lease":`)
		}
		one.says = strings.ReplaceAll(one.says, "FIRST", first)
		if status != one.status || !strings.Contains(answer, one.says) {
			t.Errorf("%s: %d %s, want %d and %s", one.what, status, answer, one.status, one.says)
		}
	}
	for _, path := range []string{"/leases", "/days", "/usage"} {
		_, weak := h.service("verify")
		if status, answer := h.post(weak, path, lease(1, mine, "{}")); status != http.StatusForbidden && status != 400 {
			t.Errorf("%s without the scope: %d %s", path, status, answer)
		}
	}
	for id, want := range map[string]int64{mine: 3, elsewhere: 0} {
		u, err := h.Client().KeyUsage(t.Context(), id, keyward.UsageOptions{})
		h.must(err)
		if u.Total != want {
			t.Errorf("%d uses of %s, want %d", u.Total, id, want)
		}
	}
	for value, want := range map[string]int{mineValue: 43, otherValue: 50} {
		got, err := h.client.Verify(t.Context(), keyward.VerifyRequest{Key: value, Cost: new(0)})
		h.must(err)
		if got.RateLimit.Minute.Remaining != want || got.RateLimit.Day.Remaining != 70 {
			t.Errorf("%d of the minute are left, want %d, and %d of the day", got.RateLimit.Minute.Remaining, want,
				got.RateLimit.Day.Remaining)
		}
	}
}

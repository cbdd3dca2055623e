package acceptance_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/conversation"
)

// metered is a key with a limit per day, and the account of its admissions.
type metered struct {
	value    string
	limit    int64
	admitted atomic.Int64 // by answers that came
	unknown  atomic.Int64 // of requests whose answers did not
}

// ask verifies the key at a cost and answers the code, "" where no answer came.
func (m *metered) ask(p *process, cost int64) string {
	body := fmt.Sprintf(`{"key":%q,"cost":%d}`, m.value, cost)
	r, err := http.NewRequest(http.MethodPost, p.url+"/api/v2/api-keys/verify", strings.NewReader(body))
	if err != nil {
		return ""
	}
	r.Header.Set("Authorization", "Bearer "+p.root)
	r.Header.Set("Content-Type", "application/json")
	resp, err := plain.Do(r)
	if err != nil {
		m.unknown.Add(cost)
		return ""
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		m.unknown.Add(cost)
		return ""
	case strings.Contains(string(answer), `"code":"VALID"`):
		m.admitted.Add(cost)
		return "VALID"
	case strings.Contains(string(answer), `"code":"QUOTA_EXCEEDED"`):
		return "QUOTA_EXCEEDED"
	}
	return string(answer)
}

// drain spends the rest.
func (m *metered) drain(t *testing.T, p *process) {
	for _, cost := range []int64{1000, 100, 10, 1} {
		for m.ask(p, cost) == "VALID" {
		}
	}
	if code := m.ask(p, 1); code != "QUOTA_EXCEEDED" {
		t.Errorf("in the end: %s", code)
	}
}

// TestT38KilledAgainAndAgainADayNeverAdmitsMore kills a server under load, with the account of its admissions kept
// outside. The number of rounds is KEYWARD_SOAK_KILLS; `make soak` sets hundreds.
func TestT38KilledAgainAndAgainADayNeverAdmitsMore(t *testing.T) {
	t.Parallel()
	rounds, _ := strconv.Atoi(os.Getenv("KEYWARD_SOAK_KILLS"))
	rounds = max(rounds, 5)
	p := start(t)
	keys := meteredKeys(t, p, "null", 300, 2000, int64(20_000*rounds))
	plan := int64(400 * rounds)
	shared := meteredKeys(t, p, fmt.Sprint(plan), 10*plan, 10*plan, 10*plan)
	for round := range rounds {
		if round > 0 {
			p = p.again(t, "KEYWARD_LOG_LEVEL=error")
		}
		load(p, append(slices.Clone(keys), shared...), time.Duration(50+37*(round%7))*time.Millisecond, func() { p.kill(t) })
	}
	p = p.again(t)
	midnight := time.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
	for _, k := range keys {
		k.drain(t, p)
		admitted, unknown := k.admitted.Load(), k.unknown.Load()
		lost := k.limit - admitted - unknown
		t.Logf(
			"limit %d: %d admitted, %d without an answer, %d forfeited by %d kills", k.limit, admitted, unknown, max(0, lost),
			rounds,
		)
		if time.Now().After(midnight) {
			return // another day's quota was spent as well
		}
		if admitted > k.limit {
			t.Errorf("%d were admitted, and the limit is %d", admitted, k.limit)
		}
		if most := int64(rounds) * max(1, k.limit/20); lost > most {
			t.Errorf("%d of %d were lost by %d kills, at most %d were to be", lost, k.limit, rounds, most)
		}
	}
	keptPlan(t, p, shared, plan, rounds, midnight)
}

// keptPlan holds the admissions of keys that share a day against its limit.
func keptPlan(t *testing.T, p *process, keys []*metered, limit int64, kills int, midnight time.Time) {
	t.Helper()
	var admitted, unknown int64
	for _, k := range keys {
		k.drain(t, p)
		admitted += k.admitted.Load()
		unknown += k.unknown.Load()
	}
	lost := limit - admitted - unknown
	t.Logf(
		"a plan of %d: %d admitted of three keys, %d without an answer, %d forfeited by %d kills", limit, admitted, unknown,
		max(0, lost), kills,
	)
	if time.Now().After(midnight) {
		return
	}
	if admitted > limit {
		t.Errorf("%d were admitted, and the plan's limit is %d", admitted, limit)
	}
	if most := int64(kills) * max(1, limit/20); lost > most {
		t.Errorf("%d of a plan of %d were lost by %d kills, at most %d were to be", lost, limit, kills, most)
	}
}

// load asks about the keys from many connections for a while, then ends the server under it.
func load(p *process, keys []*metered, length time.Duration, end func()) {
	var stop atomic.Bool
	var callers sync.WaitGroup
	for i := range 12 {
		callers.Go(func() {
			for n := i; !stop.Load(); n++ {
				if keys[n%len(keys)].ask(p, 1) == "" {
					return
				}
			}
		})
	}
	time.Sleep(length)
	end()
	stop.Store(true)
	callers.Wait()
}

// meteredKeys makes keys of a workspace of their own, whose plan allows so many requests a day, or "null".
func meteredKeys(t *testing.T, p *process, plan string, limits ...int64) (keys []*metered) {
	t.Helper()
	text := `-- make a workspace --
POST /api/v2/workspaces
Authorization: Bearer {root}

{"name": "W", "owner": {"userId": "ana", "email": "ana@acme.test"}}
-- > 201 --
{"data": {"result": {"workspace": {"id": "$ws"}}}}
-- with a plan --
PUT /api/v2/workspaces/{ws}/plan
Authorization: Bearer {root}

{"requestsPerDay": ` + plan + `}
-- > 200 --
`
	for i, limit := range limits {
		text += fmt.Sprintf(`-- make key %d --
POST /api/v2/api-keys
Authorization: Bearer {root}

{"name": "k", "userId": "ana", "workspaceId": "{ws}", "rateLimit": {"requestsPerDay": %d}}
-- > 201 --
{"data": {"result": {"key": "$key%d"}}}
`, i, limit, i)
	}
	steps, err := conversation.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	known := conversation.Values{"root": p.root}
	h := &house{
		process: p, document: readDocument(t, p.url), keys: map[string]bool{}, seen: map[string]map[string]bool{},
		code: map[string]bool{},
	}
	c := &talk{house: h, Talk: conversation.Talk{Known: known, Now: time.Now}, bodies: map[string]string{}}
	if err := c.all(steps); err != nil {
		t.Fatal(err)
	}
	for i, limit := range limits {
		keys = append(keys, &metered{value: known[fmt.Sprintf("key%d", i)], limit: limit})
	}
	return keys
}

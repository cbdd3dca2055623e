package httpapi_test

import (
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/httpapi"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/verify"
)

// unsure cannot tell of keys with a limit per day.
type unsure struct{}

func (unsure) Take(_ ratelimit.Subject, limits ratelimit.Limits, _ int64, _ *ratelimit.Status) ratelimit.Outcome {
	if limits.PerDay > 0 {
		return ratelimit.Unavailable
	}
	return ratelimit.Admitted
}

func (u unsure) Peek(
	who ratelimit.Subject, limits ratelimit.Limits, cost int64, s *ratelimit.Status,
) ratelimit.Outcome {
	return u.Take(who, limits, cost, s)
}

func TestABatchTellsWhatItKnowsThoughOneItemCannotBeJudged(t *testing.T) {
	t.Parallel()
	told := &counts{}
	h := open(t, func(c *httpapi.Config) { c.Observer = told })
	ws := h.workspace()
	_, free := h.key(ws, "")
	_, daily := h.key(ws, `,"rateLimit":{"requestsPerDay":5}`)
	digests, err := keyfmt.NewDigester("")
	must(t, err)
	h.config.Engine = verify.New(
		verify.Config{Replica: h.replica, Format: h.config.Format, Digests: digests, Now: h.now, Limiter: unsure{}},
	)
	h.handler = httpapi.New(h.config)
	body := `{"items":[{"key":"` + free + `"},{"key":"` + daily + `"},{"key":"x"},{"key":"` + free + `"}]}`
	for _, way := range [][]edit{nil, {theLongWay}} {
		told.seen = nil
		a := h.do("POST", "/api/v2/api-keys/verify-batch", h.root, body, way...).want(200)
		for i, code := range []string{"VALID", "UNAVAILABLE", "MALFORMED", "VALID"} {
			if got := a.text("data.result.results." + string(rune('0'+i)) + ".code"); got != code {
				t.Errorf("item %d is %s, want %s", i, got, code)
			}
		}
		if !strings.Contains(a.Body.String(), `{"valid":false,"code":"UNAVAILABLE"}`) {
			t.Error(a.Body)
		}
		if n := strings.Count(strings.Join(told.seen, " "), "UNAVAILABLE"); n != 1 {
			t.Errorf("the item was counted %d times: %q", n, told.seen)
		}
		h.do("POST", "/api/v2/api-keys/verify", h.root, `{"key":"`+daily+`"}`, way...).refused(503, "unavailable", "")
	}
}

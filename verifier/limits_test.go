package verifier_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/verifier"
)

// unruly is a link that sends questions about limits twice, and sends old ones again, and loses answers.
func unruly(t *testing.T, h *house) (url string, lost *atomic.Int64) {
	t.Helper()
	lost = new(atomic.Int64)
	to := newLink(t, h)
	var mu sync.Mutex
	type letter struct{ path, body, token string }
	var letters []letter
	send := func(l letter) (int, []byte) {
		r, err := http.NewRequest(http.MethodPost, h.URL+l.path, strings.NewReader(l.body))
		if err != nil {
			return 0, nil
		}
		r.Header.Set("Authorization", l.token)
		r.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0, nil
		}
		defer func() { _ = resp.Body.Close() }()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, text
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			to.Config.Handler.ServeHTTP(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		one := letter{r.URL.Path, string(body), r.Header.Get("Authorization")}
		mu.Lock()
		letters = append(letters, one)
		old := letters[rand.IntN(len(letters))]
		mu.Unlock()
		status, first := send(one)
		if again, second := send(one); status == http.StatusOK && (again != status || !sameAnswer(first, second)) {
			t.Errorf("%s: %d %s, and the second time %d %s", one.path, status, first, again, second)
		}
		send(old)
		if rand.IntN(4) == 0 {
			lost.Add(1)
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write(first)
	}))
	front.Config.ErrorLog = to.Config.ErrorLog
	t.Cleanup(front.Close)
	return front.URL, lost
}

// sameAnswer compares the grants: the number of sharers may be told anew, and time goes on.
func sameAnswer(a, b []byte) bool {
	cut := func(text []byte) []byte {
		text, _, _ = bytes.Cut(text, []byte(`"resetInMs"`))
		_, text, _ = bytes.Cut(text, []byte(`"leases"`))
		return text
	}
	return bytes.Equal(cut(a), cut(b))
}

// spent asks a key as often as each verifier can, until none has said VALID for a while, and counts.
func spent(t *testing.T, value string, all ...keyward.Verifier) (admitted int64) {
	t.Helper()
	var sum, quiet atomic.Int64
	var asking sync.WaitGroup
	for _, v := range all {
		for range 2 {
			asking.Go(func() {
				for quiet.Load() < 300 {
					got, err := v.Verify(t.Context(), keyward.VerifyRequest{Key: value})
					if err == nil && got.Valid {
						sum.Add(1)
						quiet.Store(0)
						continue
					}
					quiet.Add(1)
					time.Sleep(2 * time.Millisecond)
				}
			})
		}
	}
	asking.Wait()
	return sum.Load()
}

// One server and three verifiers in processes of their own, and a link on which questions come twice and answers get
// lost: a minute and a day are never exceeded by all together, and a day that is given back is there again.
func TestLimitsAreExactOverAServerAndItsVerifiers(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	const perMinute, perDay = 60, 400
	_, minute := h.key(func(r *keyward.CreateKeyRequest) {
		r.RateLimit = keyward.Set(keyward.Limits{RequestsPerMinute: keyward.Set(perMinute)})
	})
	_, day := h.key(func(r *keyward.CreateKeyRequest) {
		r.RateLimit = keyward.Set(keyward.Limits{RequestsPerDay: keyward.Set(perDay)})
	})
	front, lost := unruly(t, h)
	all := []keyward.Verifier{h.client}
	var own []*verifier.Verifier
	for range 3 {
		v := h.verifier(func(c *verifier.Config) { c.URL, c.RefuseWhileAway = front, true })
		all, own = append(all, v), append(own, v)
	}
	eventually(t, "the keys are in every copy", func() bool {
		for _, v := range own {
			if v.Stats().Keys < 2 {
				return false
			}
		}
		return true
	})
	began := time.Now()
	if n := spent(t, minute, all...); time.Since(began) > time.Minute {
		t.Logf("it took %s, which says nothing of a minute", time.Since(began))
	} else if n > perMinute || n < perMinute/3 {
		t.Errorf("%d were admitted in a minute of %d", n, perMinute)
	}
	admitted := spent(t, day, own[0], own[1])
	for _, v := range own {
		h.must(v.Close())
	}
	rest := spent(t, day, h.client)
	if sum := admitted + rest; sum > perDay || admitted < perDay/4 {
		t.Errorf("%d and then %d were admitted in a day of %d", admitted, rest, perDay)
	}
	if lost.Load() == 0 {
		t.Error("no answer was lost")
	}
	t.Logf("a day of %d: %d at verifiers, %d at the server; %d answers were lost", perDay, admitted, rest, lost.Load())
}

func TestADayThatIsGivenBackIsThereForOthers(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, value := h.key(func(r *keyward.CreateKeyRequest) {
		r.RateLimit = keyward.Set(keyward.Limits{RequestsPerDay: keyward.Set(100), RequestsPerMinute: keyward.Set(100)})
	})
	v := h.verifier(nil)
	eventually(t, "the key is in the copy", func() bool { return v.Stats().Keys == 1 })
	for range 10 {
		got, err := v.Verify(t.Context(), keyward.VerifyRequest{Key: value})
		if err != nil || !got.Valid || got.RateLimit == nil || got.RateLimit.Day == nil || got.RateLimit.Minute == nil {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	h.must(v.Close())
	look, err := h.client.Verify(t.Context(), keyward.VerifyRequest{Key: value, Cost: new(0)})
	h.must(err)
	if look.RateLimit.Day.Remaining != 90 || look.RateLimit.Minute.Remaining != 90 {
		t.Errorf("after ten of a hundred, %d of the day and %d of the minute are left", look.RateLimit.Day.Remaining,
			look.RateLimit.Minute.Remaining)
	}
}

// The limits that the keys of a workspace share are taken together with a key's own, or not at all.
func TestAPlanHoldsOverAServerAndItsVerifiers(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	const perMinute, perDay = 40, 90
	_, err := h.Client().PutPlan(t.Context(), h.workspace, keyward.Plan{
		RequestsPerMinute: new(int64(perMinute)), RequestsPerDay: new(int64(perDay)),
	})
	h.must(err)
	_, one := h.key(nil)
	_, two := h.key(func(r *keyward.CreateKeyRequest) {
		r.RateLimit = keyward.Set(keyward.Limits{RequestsPerMinute: keyward.Set(30)})
	})
	v, w := h.verifier(nil), h.verifier(nil)
	eventually(t, "the keys are in the copies", func() bool { return v.Stats().Keys == 2 && w.Stats().Keys == 2 })
	began := time.Now()
	n := spent(t, two, v, w)
	n += spent(t, one, v, w, h.client)
	if time.Since(began) < time.Minute && (n > perMinute || n < perMinute/2) {
		t.Errorf("%d were admitted in a minute of %d", n, perMinute)
	}
	got, err := v.Verify(t.Context(), keyward.VerifyRequest{Key: one})
	if err != nil || got.Code != keyward.VerdictRateLimited || got.RateLimit.WorkspaceMinute == nil {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestUsesAndRefusalsAreToldToTheServerOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	front, _ := unruly(t, h)
	v := h.verifier(func(c *verifier.Config) { c.URL = front })
	id, value := h.key(nil)
	h.says(v, value, keyward.VerdictValid)
	const good, bad = 30, 7
	for range good - 1 {
		if got, err := v.Verify(t.Context(), keyward.VerifyRequest{Key: value}); err != nil || !got.Valid {
			t.Fatal(got.Code, err)
		}
	}
	before := time.Now().Add(-time.Minute)
	for range bad {
		got, err := v.Verify(t.Context(), keyward.VerifyRequest{
			Key: value, Permissions: keyward.Demand{All: []string{"calls:write"}}, IP: "192.0.2.7",
		})
		if err != nil || got.Code != keyward.VerdictInsufficientPermissions {
			t.Fatal(got.Code, err)
		}
	}
	counts := func() (verified, denied int64) {
		u, err := h.Client().KeyUsage(t.Context(), id, keyward.UsageOptions{})
		h.must(err)
		for _, b := range u.Series {
			verified += b.Verified
			denied += b.Denied[keyward.VerdictInsufficientPermissions]
		}
		return verified, denied
	}
	eventually(t, "the uses are there", func() bool {
		verified, denied := counts()
		return verified >= good && denied >= bad
	})
	h.must(v.Close())
	if verified, denied := counts(); denied != bad || verified < good {
		t.Errorf("%d and %d are counted, of %d and %d", verified, denied, good, bad)
	}
	refused, err := h.Client().KeyRefusals(t.Context(), id, 100)
	h.must(err)
	if len(refused) != bad || refused[0].IP != "192.0.2.7" ||
		!strings.Contains(refused[0].Why, "calls:write") {
		t.Errorf("%d refusals: %+v", len(refused), refused)
	}
	k, err := h.Client().GetKey(t.Context(), id)
	h.must(err)
	if k.LastUsedAt == nil || k.LastUsedAt.Before(before) {
		t.Errorf("last used at %v", k.LastUsedAt)
	}
	if s := v.Stats(); s.Lost != 0 {
		t.Errorf("%+v", s)
	}
}

package keyward_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward"
)

// script is a transport that gives one answer after another, the last for ever, and notes when it was asked.
type script struct {
	answers []scripted
	start   time.Time
	at      []time.Duration
	bodies  []string
}

type scripted struct {
	status int
	header http.Header
	body   string
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	if len(s.at) == 0 {
		s.start = time.Now()
	}
	var sent []byte
	if r.Body != nil {
		var err error
		if sent, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	a := s.answers[min(len(s.at), len(s.answers)-1)]
	s.at = append(s.at, time.Since(s.start))
	s.bodies = append(s.bodies, string(sent))
	if a.header == nil {
		a.header = http.Header{}
	}
	return &http.Response{
		StatusCode: a.status, Header: a.header, Body: io.NopCloser(strings.NewReader(a.body)), Request: r,
	}, nil
}

func (s *script) client(t *testing.T, opts ...keyward.Option) *keyward.Client {
	return newClient(t, "http://keyward.test", append(opts, keyward.WithHTTPClient(&http.Client{Transport: s}))...)
}

func busy(status int, after string) scripted {
	return scripted{status: status, header: http.Header{"Retry-After": {after}}}
}

var done = scripted{
	status: 200, body: result(`{"valid":true,"code":"VALID","apiKeys":[],"deleted":[],"results":[],"key":"kw_live_x"}`),
}

func TestWhatCanBeRepeatedIsSentAgainAndNothingElse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		call func(context.Context, *keyward.Client) error
		sent int
	}{
		{"list", func(ctx ctx, c *keyward.Client) error {
			_, err := c.ListKeys(ctx, keyward.ListKeysOptions{})
			return err
		}, 3},
		{"verify", func(ctx ctx, c *keyward.Client) error {
			_, err := c.Verify(ctx, keyward.VerifyRequest{Key: "x"})
			return err
		}, 3},
		{"verify-batch", func(ctx ctx, c *keyward.Client) error { _, err := c.VerifyBatch(ctx, nil); return err }, 3},
		{"revoke", func(ctx ctx, c *keyward.Client) error { return c.RevokeToken(ctx, "x") }, 3},
		{"update", func(ctx ctx, c *keyward.Client) error { _, err := c.UpdateKeys(ctx, nil); return err }, 3},
		{"delete", func(ctx ctx, c *keyward.Client) error { _, err := c.DeleteKeys(ctx, []string{"a"}); return err }, 3},
		{"create with an idempotency key", func(ctx ctx, c *keyward.Client) error {
			_, err := c.CreateKey(ctx, keyward.CreateKeyRequest{IdempotencyKey: "once"})
			return err
		}, 3},
		{"create", func(ctx ctx, c *keyward.Client) error {
			_, err := c.CreateKey(ctx, keyward.CreateKeyRequest{})
			return err
		}, 3},
		{"import", func(ctx ctx, c *keyward.Client) error {
			_, err := c.ImportKeys(ctx, keyward.ImportKeysRequest{})
			return err
		}, 1},
		{"rotate with an idempotency key", func(ctx ctx, c *keyward.Client) error {
			_, err := c.RotateKeyOnce(ctx, "k", 0, "once")
			return err
		}, 3},
		{"rotate", func(ctx ctx, c *keyward.Client) error { _, err := c.RotateKey(ctx, "k", 0); return err }, 3},
		{"patch", func(ctx ctx, c *keyward.Client) error {
			_, err := c.UpdateWorkspace(ctx, "w", keyward.WorkspaceUpdate{})
			return err
		}, 1},
		{"health", func(ctx ctx, c *keyward.Client) error { return c.Health(ctx) }, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{answers: []scripted{busy(503, ""), busy(429, "1"), done}}
				err := test.call(t.Context(), s.client(t))
				if len(s.at) != test.sent || (err == nil) != (test.sent == 3) {
					t.Errorf("sent %d times, want %d; error %v", len(s.at), test.sent, err)
				}
				for _, body := range s.bodies {
					if body != s.bodies[0] {
						t.Errorf("the body was %q and then %q", s.bodies[0], body)
					}
				}
			})
		})
	}
}

func TestARetryWaitsAsLongAsItIsAskedToAndALittleByChance(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		date := http.Header{
			"Date":        {"Mon, 23 Nov 2026 12:00:00 GMT"},
			"Retry-After": {"Mon, 23 Nov 2026 12:00:30 GMT"},
		}
		s := &script{answers: []scripted{busy(429, "2"), {status: 503, header: date}, busy(503, "soon"), done}}
		if _, err := s.client(t).Verify(t.Context(), keyward.VerifyRequest{Key: "x"}); err != nil {
			t.Fatal(err)
		}
		want := []struct{ least, most time.Duration }{
			{2 * time.Second, 2*time.Second + 100*time.Millisecond},
			{30 * time.Second, 30*time.Second + 200*time.Millisecond},
			{0, 400 * time.Millisecond},
		}
		for i, w := range want {
			if got := s.at[i+1] - s.at[i]; got < w.least || got >= w.most {
				t.Errorf("wait %d was %v, want %v to %v", i, got, w.least, w.most)
			}
		}
	})
}

func TestRetriesEnd(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		answer  scripted
		retries int
		sent    int
	}{
		{"after as many as are allowed", busy(503, ""), 2, 3},
		{"before the first when none is allowed", busy(503, ""), 0, 1},
		{"when the server asks for longer than a minute", busy(429, "86400"), 3, 1},
		{"at a refusal that a repetition does not mend", scripted{status: 403}, 3, 1},
		{"where the outcome is not known", scripted{status: 503, body: `{"error":{"code":"outcome_unknown"}}`}, 3, 1},
		{"at a failure that leaves open what was done", scripted{status: 500}, 3, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{answers: []scripted{test.answer}}
				_, err := s.client(t, keyward.WithRetry(test.retries)).GetKey(t.Context(), "k")
				e, ok := errors.AsType[*keyward.Error](err)
				if !ok || e.Status != test.answer.status || len(s.at) != test.sent {
					t.Errorf("sent %d times, want %d; error %v", len(s.at), test.sent, err)
				}
			})
		})
	}
}

func TestAWaitEndsWithItsContextAndIsNotBegunInVain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{answers: []scripted{busy(429, "10")}}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		before := time.Now()
		_, err := s.client(t).GetKey(ctx, "k")
		if !errors.Is(err, keyward.ErrRateLimited) || time.Since(before) != 0 {
			t.Errorf("with a deadline before the next attempt: %v after %v", err, time.Since(before))
		}
		e, _ := errors.AsType[*keyward.Error](err)
		if diff := cmp.Diff(10*time.Second, e.RetryAfter); diff != "" {
			t.Errorf("RetryAfter (-want +got):\n%s", diff)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := &script{answers: []scripted{busy(503, "10")}}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		before := time.Now()
		_, err := s.client(t).GetKey(ctx, "k")
		if !errors.Is(err, keyward.ErrUnavailable) || !errors.Is(err, context.Canceled) || time.Since(before) != time.Second {
			t.Errorf("cancelled while it waited: %v after %v", err, time.Since(before))
		}
	})
}

func TestARetryAfterIsReadInBothForms(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		after, date string
		least, most time.Duration
	}{
		"seconds":                {"7", "", 7 * time.Second, 7 * time.Second},
		"a date":                 {"Mon, 23 Nov 2026 13:00:00 GMT", "Mon, 23 Nov 2026 12:00:00 GMT", time.Hour, time.Hour},
		"a date without another": {time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), "", 59 * time.Minute, time.Hour},
		"a date that has passed": {"Mon, 23 Nov 2020 13:00:00 GMT", "", 0, 0},
		"no date":                {"soon", "", 0, 0},
		"less than nothing":      {"-1", "", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", c.after)
				w.Header()["Date"] = nil
				if c.date != "" {
					w.Header().Set("Date", c.date)
				}
				w.WriteHeader(http.StatusTooManyRequests)
			}))
			defer server.Close()
			client, err := keyward.New(server.URL, keyward.WithRetry(0))
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			_, err = client.GetKey(t.Context(), "k-1")
			var refused *keyward.Error
			if !errors.As(err, &refused) || refused.RetryAfter < c.least || refused.RetryAfter > c.most {
				t.Errorf("%v, after %v", err, refused.RetryAfter)
			}
		})
	}
}

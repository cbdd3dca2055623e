package verifier_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/verify"
	"github.com/keyward/keyward/keywardtest"
	"github.com/keyward/keyward/verifier"
)

func BenchmarkVerify(b *testing.B) {
	s := keywardtest.New(b)
	made, err := s.Client().
		CreateServiceKey(b.Context(), keyward.CreateServiceKeyRequest{
			Name: "follower", Scopes: []keyward.Scope{"follow", "verify"},
		})
	if err != nil {
		b.Fatal(err)
	}
	req := keyward.VerifyRequest{
		Key:         s.Key(b, s.Workspace(b, "Acme", "ada"), "ada", "calls:read"),
		Permissions: keyward.Demand{All: []string{"calls:read"}},
	}
	v, err := verifier.New(b.Context(), verifier.Config{URL: s.URL, Token: made.Key.Reveal()})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = v.Close() }()
	for name, one := range map[string]keyward.Verifier{"in process": v, "client": s.As(b, made.Key.Reveal())} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got, err := one.Verify(context.Background(), req); err != nil || !got.Valid {
					b.Fatal(got.Code, err)
				}
			}
		})
	}
}

// BenchmarkQuestion is the question of a follower while nothing happens, without the wait: the server, and an HTTP
// client.
func BenchmarkQuestion(b *testing.B) {
	s := keywardtest.New(b)
	made, err := s.Client().CreateServiceKey(b.Context(), keyward.CreateServiceKeyRequest{
		Name: "follower", Scopes: []keyward.Scope{"follow"},
	})
	if err != nil {
		b.Fatal(err)
	}
	c := s.As(b, made.Key.Reveal())
	me := keyward.FollowerOptions{Nonce: "n", Name: "bench", Incarnation: "i", MaxStaleness: time.Second}
	ask := func(body io.ReadCloser, err error) (cursor string) {
		if err != nil {
			b.Fatal(err)
		}
		text, err := io.ReadAll(body)
		_ = body.Close()
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		var end struct{ Cursor string }
		if err := errors.Join(err, json.Unmarshal([]byte(lines[len(lines)-1]), &end)); err != nil {
			b.Fatal(err)
		}
		return end.Cursor
	}
	after := ask(c.FeedSnapshot(b.Context(), me))
	b.ReportAllocs()
	began := spentTime()
	for b.Loop() {
		me.Count++
		after = ask(c.Feed(b.Context(), keyward.FeedOptions{FollowerOptions: me, After: after}))
	}
	b.ReportMetric(float64(spentTime()-began)/float64(b.N), "cpu-ns/op")
}

// BenchmarkLimits is the engine's decision about a key with a limit per minute and one per day.
func BenchmarkLimits(b *testing.B) {
	s := keywardtest.New(b)
	made, err := s.Client().CreateServiceKey(b.Context(), keyward.CreateServiceKeyRequest{
		Name: "follower", Scopes: []keyward.Scope{"follow"},
	})
	if err != nil {
		b.Fatal(err)
	}
	key, err := s.Client().CreateKey(b.Context(), keyward.CreateKeyRequest{
		WorkspaceID: s.Workspace(b, "Acme", "ada"), UserID: "ada", Name: "k",
		RateLimit: keyward.Set(keyward.Limits{
			RequestsPerMinute: keyward.Set(1_000_000_000), RequestsPerDay: keyward.Set(1_000_000_000),
		}),
	})
	if err != nil {
		b.Fatal(err)
	}
	v, err := verifier.New(b.Context(), verifier.Config{URL: s.URL, Token: made.Key.Reveal()})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = v.Close() }()
	engine := v.Engine()
	q := verify.Question{Key: key.Key.Reveal(), Cost: 1}
	var answer verify.Verdict
	for range 10_000 {
		engine.Check(&q, &answer)
	}
	b.ReportAllocs()
	began := spentTime()
	for b.Loop() {
		if engine.Check(&q, &answer); answer.Code != verify.Valid {
			b.Fatal(answer.Code)
		}
	}
	b.ReportMetric(float64(spentTime()-began)/float64(b.N), "cpu-ns/op")
}

// spentTime is the time of the processors that this process has taken: the one that passes says little on a busy
// machine.
func spentTime() int64 {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return 0
	}
	return used.Utime.Nano() + used.Stime.Nano()
}

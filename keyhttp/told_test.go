package keyhttp_test

import (
	"bytes"
	"context"
	"log"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/keyhttp"
)

func TestAKeyThatEndsSoonIsToldOnce(t *testing.T) {
	t.Parallel()
	const verdict = `{"valid":true,"code":"VALID","keyId":"k-1","expiresAt":"2026-11-24T12:00:00Z"}`
	client, _ := scripted(t, 200, verdict)
	now := time.Date(2026, 11, 17, 11, 59, 59, 0, time.UTC) // seven days and a second before
	var told []string
	guard := keyhttp.New(
		client, keyhttp.WithNow(func() time.Time { return now }),
		keyhttp.WithOnExpiring(func(_ *http.Request, v keyward.Verdict) { told = append(told, v.KeyID) }),
	)
	ask := func() { get(t, guard.Require("calls:read"), "/", "X-API-Key", "one") }
	if ask(); len(told) != 0 {
		t.Errorf("told too early: %v", told)
	}
	now = now.Add(2 * time.Second)
	for range 3 {
		ask()
	}
	if len(told) != 1 || told[0] != "k-1" {
		t.Errorf("told of %v, want k-1 once", told)
	}
}

func TestAnEarlierValueInUseIsToldOnce(t *testing.T) {
	t.Parallel()
	end := "2026-12-24T12:00:00Z"
	answers := func(end string) *keyward.Client {
		client, _ := scripted(t, 200, `{"valid":true,"code":"VALID","keyId":"k-1"`+end+`}`)
		return client
	}
	asked := answers("")
	var told []string
	guard := keyhttp.New(
		verifierOf{&asked}, keyhttp.WithNow(func() time.Time { return time.Date(2026, 11, 17, 12, 0, 0, 0, time.UTC) }),
		keyhttp.WithOnExpiring(func(_ *http.Request, v keyward.Verdict) { t.Errorf("%s does not expire", v.KeyID) }),
		keyhttp.WithOnPreviousKey(func(_ *http.Request, v keyward.Verdict) {
			told = append(told, v.KeyID+" "+v.PreviousKeyExpiresAt.Format(time.RFC3339))
		}),
	)
	ask := func() { get(t, guard.Require("calls:read"), "/", "X-API-Key", "one") }
	if ask(); len(told) != 0 {
		t.Errorf("told of the current value: %v", told)
	}
	asked = answers(`,"previousKeyExpiresAt":"` + end + `"`)
	for range 3 {
		ask()
	}
	if len(told) != 1 || told[0] != "k-1 "+end {
		t.Errorf("told %v, want k-1 once", told)
	}
	asked = answers(`,"previousKeyExpiresAt":"2027-01-24T12:00:00Z"`) // rotated again
	for range 3 {
		ask()
	}
	if len(told) != 2 {
		t.Errorf("told %v, want the next rotation, too", told)
	}
}

// verifierOf asks the client that is there at the moment.
type verifierOf struct{ client **keyward.Client }

func (v verifierOf) Verify(ctx context.Context, r keyward.VerifyRequest) (keyward.Verdict, error) {
	return (*v.client).Verify(ctx, r)
}

func (v verifierOf) VerifyBatch(ctx context.Context, items []keyward.VerifyRequest) ([]keyward.Verdict, error) {
	return (*v.client).VerifyBatch(ctx, items)
}

// A service that gives no function finds in its log why requests are refused. The test sets the program's log, so it
// does not run beside others.
func TestWithoutAFunctionTheLogSaysWhyTheServerCannotBeAsked(t *testing.T) {
	var written bytes.Buffer
	before, output, flags := slog.Default(), log.Writer(), log.Flags()
	slog.SetDefault(slog.New(slog.NewTextHandler(&written, nil)))
	defer func() {
		slog.SetDefault(before)
		log.SetOutput(output)
		log.SetFlags(flags)
	}()
	refuses, _ := scripted(t, 401, `null`)
	if a := get(t, keyhttp.New(refuses).Require(), "/", "X-API-Key", "the-value"); a.Code != 503 {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	expires, _ := scripted(t, 200, `{"valid":true,"code":"VALID","keyId":"k-1","expiresAt":"2026-11-24T12:00:00Z"}`)
	now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	guard := keyhttp.New(expires, keyhttp.WithNow(func() time.Time { return now }))
	get(t, guard.Require(), "/", "X-API-Key", "the-value")
	earlier, _ := scripted(
		t, 200, `{"valid":true,"code":"VALID","keyId":"k-2","previousKeyExpiresAt":"2026-11-24T13:30:00Z"}`,
	)
	guard = keyhttp.New(earlier, keyhttp.WithNow(func() time.Time { return now }))
	get(t, guard.Require(), "/", "X-API-Key", "the-value")
	said := written.String()
	if !strings.Contains(said, "status 401") || !strings.Contains(said, "key=k-1 hours=2") ||
		!strings.Contains(said, "earlier value") || !strings.Contains(said, "key=k-2 hours=3") {
		t.Errorf("the log says %s", said)
	}
	if strings.Contains(said, "the-value") {
		t.Errorf("the log holds the key: %s", said)
	}
}

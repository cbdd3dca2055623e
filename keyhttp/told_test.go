package keyhttp_test

import (
	"bytes"
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
	said := written.String()
	if !strings.Contains(said, "status 401") || !strings.Contains(said, "key=k-1 hours=2") {
		t.Errorf("the log says %s", said)
	}
	if strings.Contains(said, "the-value") {
		t.Errorf("the log holds the key: %s", said)
	}
}

package session_test

import (
	"crypto/rand"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/session"
)

func TestASessionEndsIdleOrAtItsEndT69(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	s := session.Session{StartedAt: start, SeenAt: start, ExpiresAt: start.Add(session.Life)}
	late := s
	late.SeenAt = s.ExpiresAt.Add(-time.Second)
	for name, c := range map[string]struct {
		s     session.Session
		at    time.Time
		ended bool
	}{
		"at once":                {s, start, false},
		"almost idle":            {s, start.Add(session.IdleLife - 1), false},
		"idle":                   {s, start.Add(session.IdleLife), true},
		"in use, before its end": {late, s.ExpiresAt.Add(-1), false},
		"in use, at its end":     {late, s.ExpiresAt, true},
	} {
		if got := c.s.Ended(c.at); got != c.ended {
			t.Errorf("%s: %v", name, got)
		}
	}
	if s.Stale(start.Add(session.SeenEvery-1)) || !s.Stale(start.Add(session.SeenEvery)) {
		t.Error("its use is noted too often, or never")
	}
	l := session.Link{ExpiresAt: start}
	if l.Expired(start.Add(-1)) || !l.Expired(start) {
		t.Error("a link holds too long, or not long enough")
	}
}

func TestTokensAndLinksAreToldApartAndFound(t *testing.T) {
	t.Parallel()
	find := regexp.MustCompile(session.Pattern)
	seen := map[string]bool{}
	for range 100 {
		token, err1 := session.NewToken(rand.Reader)
		link, err2 := session.NewLink(rand.Reader)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		for what, s := range map[string]keyfmt.Secret{"token": token, "link": link} {
			v := s.Reveal()
			if seen[v] || session.IsToken(v) != (what == "token") || session.IsLink(v) != (what == "link") {
				t.Fatalf("a %s that is none, or was there before", what)
			}
			seen[v] = true
			if got := find.ReplaceAllString("x "+v+" y", "$1…"); got != "x keyward_"+map[string]string{"token": "session",
				"link": "link"}[what]+"_… y" {
				t.Errorf("in a text: %s", got)
			}
			for _, other := range []string{v + "A", v[:len(v)-1], v[:len(v)-1] + "=", strings.ToUpper(v), " " + v, ""} {
				if session.IsToken(other) || session.IsLink(other) {
					t.Errorf("%q is taken for one", other)
				}
			}
		}
	}
	for _, mint := range []func(io.Reader) (keyfmt.Secret, error){session.NewToken, session.NewLink} {
		if s, err := mint(iotest.ErrReader(errors.New("no chance"))); err == nil || !s.IsZero() {
			t.Error("made without chance")
		}
	}
}

package httpapi

import (
	"regexp"
	"strings"

	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/wire"
)

// redactor removes keys from texts that repeat a client's input: a key may be in the place of a name, and neither an
// error nor the log must show it. A text that begins like a key and is long enough to give part of one away is cut,
// too.
type redactor struct {
	keys     *keyfmt.Finder
	signedIn *regexp.Regexp
}

func newRedactor(f keyfmt.Format) redactor {
	return redactor{keys: f.Finder(9), signedIn: regexp.MustCompile(session.Pattern)}
}

func (r redactor) text(s string) string {
	s = r.keys.Cut(s)
	if !strings.Contains(s, session.Begin) { // nearly always, and much quicker told than by the pattern
		return s
	}
	return r.signedIn.ReplaceAllString(s, "$1…")
}

func (r redactor) details(ds []fault.Detail) []wire.Detail {
	out := make([]wire.Detail, len(ds))
	for i, d := range ds {
		out[i] = wire.Detail{Field: r.text(d.Field), Message: r.text(d.Message)}
	}
	return out
}

package httpapi

import (
	"regexp"
	"strings"

	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/wire"
)

// redactor takes keys out of texts that repeat what a client sent: somebody may have put one where a name belongs, and neither an
// error nor the log must show it. What begins like a key and goes on long enough to give part of one away is cut, too.
type redactor struct {
	format         keyfmt.Format
	like, signedIn *regexp.Regexp
	begin          string // of every match of like
}

func newRedactor(f keyfmt.Format) redactor {
	return redactor{
		format:   f,
		like:     regexp.MustCompile(`(` + f.Prefix() + `_(?:live|test|svc)_)[0-9A-Za-z]{9,}`),
		signedIn: regexp.MustCompile(session.Pattern),
		begin:    f.Prefix() + "_",
	}
}

func (r redactor) text(s string) string {
	if !strings.Contains(s, r.begin) && !strings.Contains(s, session.Begin) { // nearly always, and much quicker told than by the patterns
		return s
	}
	return r.signedIn.ReplaceAllString(r.like.ReplaceAllStringFunc(s, r.key), "$1…")
}

// key is what may be shown of what looks like a key: the mask of a whole one.
func (r redactor) key(s string) string {
	if _, whole := r.format.Parse(s); whole {
		return r.format.Mask(keyfmt.NewSecret(s))
	}
	return r.like.ReplaceAllString(s, "$1…")
}

func (r redactor) details(ds []fault.Detail) []wire.Detail {
	out := make([]wire.Detail, len(ds))
	for i, d := range ds {
		out[i] = wire.Detail{Field: r.text(d.Field), Message: r.text(d.Message)}
	}
	return out
}

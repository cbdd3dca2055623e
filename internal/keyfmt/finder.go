package keyfmt

import (
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
)

// Finder finds keys of the installation, or the beginnings of such keys, in texts. It uses the prefixes that its
// format admits.
type Finder struct {
	format Format
	least  int // characters of a key's secret part
	last   atomic.Pointer[patterns]
}

// patterns are those of one list of prefixes.
type patterns struct {
	prefixes int // how many
	begins   []string
	pattern  *regexp.Regexp
}

// Finder returns a finder for a prefix, an environment and at least `least` characters after them, regardless of the
// text before.
func (f Format) Finder(least int) *Finder { return &Finder{format: f, least: least} }

func (x *Finder) patterns() *patterns {
	n := 1
	if others := x.format.others.Load(); others != nil {
		n += len(*others)
	}
	if p := x.last.Load(); p != nil && p.prefixes == n { // prefixes are added and never taken away
		return p
	}
	p := &patterns{prefixes: n}
	for _, prefix := range x.format.Prefixes() {
		p.begins = append(p.begins, prefix+"_")
	}
	p.pattern = regexp.MustCompile(
		`(` + x.format.anyPrefix() + `_(?:live|test|svc)_)[0-9A-Za-z]{` + strconv.Itoa(x.least) + `,}`,
	)
	x.last.Store(p)
	return p
}

// In tells whether a text holds one. Where it holds no prefix that costs a search.
func (x *Finder) In(s string) bool {
	p := x.patterns()
	return p.may(s) && p.pattern.MatchString(s)
}

// Cut replaces each key by the part that may be shown: the mask of a whole key, else the prefix and the environment.
func (x *Finder) Cut(s string) string {
	p := x.patterns()
	if !p.may(s) {
		return s
	}
	return p.pattern.ReplaceAllStringFunc(s, func(found string) string {
		if _, whole := x.format.Parse(found); whole {
			return x.format.Mask(NewSecret(found))
		}
		return p.pattern.ReplaceAllString(found, "$1…")
	})
}

func (p *patterns) may(s string) bool {
	for _, begin := range p.begins {
		if strings.Contains(s, begin) {
			return true
		}
	}
	return false
}

package httpapi

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/text"
)

// query holds the parameters that were given, each known to the route, and once but for those that may be repeated.
type query struct {
	values   map[string]string
	repeated map[string][]string
}

// parseQuery reads the parameters to the letter: an unknown or doubled one is refused, since a filter that is passed
// over in silence answers with more than was asked for.
func parseQuery(raw string, known, repeatable []string) (query, error) {
	q := query{}
	if raw == "" {
		return q, nil
	}
	given, err := url.ParseQuery(raw)
	if err != nil {
		return q, fault.Invalid("query", "is not well formed")
	}
	q.values = make(map[string]string, len(given))
	for name, values := range given {
		if slices.Contains(repeatable, name) {
			if slices.ContainsFunc(values, func(v string) bool { return !printable(v) || len(v) > maxParameter }) {
				return q, fault.Invalid(name, "holds what is not text, or is longer than %d bytes", maxParameter)
			}
			if q.repeated == nil {
				q.repeated = map[string][]string{}
			}
			q.repeated[name] = values
			continue
		}
		switch {
		case !slices.Contains(known, name):
			return q, fault.Invalid(shown(name), "is not a known parameter")
		case len(values) > 1:
			return q, fault.Invalid(name, "stands more than once")
		case !printable(values[0]):
			return q, fault.Invalid(name, "holds what is not text")
		}
		q.values[name] = values[0]
		if name == "workspaceId" {
			q.values[name] = id.Canonical(values[0])
		}
	}
	return q, nil
}

// shown is a parameter's name as an answer repeats it.
func shown(name string) string {
	if plainID(name) {
		return name
	}
	return "query"
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

const (
	maxParameter = 1024 // bytes
	maxSearch    = 255  // characters
)

// search is a text to look for, which may be empty.
func (q query) search() (string, error) {
	v := q.values["search"]
	if utf8.RuneCountInString(v) > maxSearch {
		return "", fault.Invalid("search", "is longer than %d characters", maxSearch)
	}
	return v, nil
}

// word is a parameter that is not empty where it is given: an empty filter is more likely a mistake than a wish for
// everything.
func (q query) word(name string) (string, error) {
	v, given := q.values[name]
	switch {
	case given && v == "":
		return "", fault.Invalid(name, "must not be empty")
	case len(v) > maxParameter:
		return "", fault.Invalid(name, "is longer than %d bytes", maxParameter)
	}
	return v, nil
}

// number is a whole number between low and high, in digits alone; 0 where it is not given.
func (q query) number(name string, low, high int) (int, error) {
	v, given := q.values[name]
	if !given {
		return 0, nil
	}
	n, err := strconv.ParseUint(v, 10, 31)
	if err != nil || strconv.FormatUint(n, 10) != v || int(n) < low || int(n) > high {
		return 0, fault.Invalid(name, "must be a whole number between %d and %d", low, high)
	}
	return int(n), nil
}

// flag is true or false; nil where it is not given.
func (q query) flag(name string) (*bool, error) {
	v, err := q.oneOf(name, "true", "false")
	if v == "" || err != nil {
		return nil, err
	}
	yes := v == "true"
	return &yes, nil
}

// oneOf is one of the words; "" where it is not given.
func (q query) oneOf(name string, words ...string) (string, error) {
	v, given := q.values[name]
	if given && !slices.Contains(words, v) {
		return "", fault.Invalid(name, "must be one of: %s", strings.Join(words, ", "))
	}
	return v, nil
}

// instant is a time of ISO 8601, or a date alone for its midnight in UTC; zero where it is not given.
func (q query) instant(name string) (time.Time, error) {
	v, given := q.values[name]
	if !given {
		return time.Time{}, nil
	}
	t, err := text.Instant(v)
	if err != nil {
		return time.Time{}, fault.Invalid(name, "%v", err)
	}
	return t, nil
}

const maxPage = 100

// paging reads limit and cursor.
func (q query) paging() (p control.Paging, err error) {
	if p.Limit, err = q.number("limit", 1, maxPage); err != nil {
		return p, err
	}
	p.Cursor, err = q.word("cursor")
	return p, err
}

// wait reads how long a revocation's answer shall wait. One node alone has always applied it when it answers.
func (q query) wait() error {
	_, err := q.oneOf("wait", "all")
	return err
}

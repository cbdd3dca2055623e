package httpapi_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/ratelimit/limittest"
	"github.com/keyward/keyward/internal/verify"
)

// oracle asks the engine, which knows nothing of grants, about the rights of a key: from several places, at several
// times, and once or many times at once. It spends nothing.
type oracle map[time.Duration]*verify.Engine

func (h *house) oracle() oracle {
	h.t.Helper()
	digests, err := keyfmt.NewDigester("")
	must(h.t, err)
	o := oracle{}
	for _, later := range []time.Duration{0, 2 * time.Hour, 48 * time.Hour, 1000 * 24 * time.Hour,
		36000 * 24 * time.Hour} {
		now := func() time.Time { return time.Now().Add(later) }
		limiter := ratelimit.New(
			ratelimit.Config{Elapsed: func() time.Duration { return time.Hour }, Wall: now, Ledger: &limittest.Ledger{}},
		)
		h.t.Cleanup(func() { must(h.t, limiter.Close(context.Background())) })
		o[later] = verify.New(
			verify.Config{Replica: h.replica, Format: h.config.Format, Digests: digests, Now: now, Limiter: limiter},
		)
	}
	return o
}

// yes are the questions that get one.
func (o oracle) yes(value string) map[string]bool {
	all := map[string]bool{}
	reads, _, _ := perm.Builtin().Set([]string{"calls:read"})
	for later, engine := range o {
		for _, from := range []string{"", "10.1.2.3", "10.9.9.9", "192.0.2.1", "2001:db8::1"} {
			for _, cost := range []int{1, 4, 40, 400} {
				q := verify.Question{Key: value, Demand: perm.Demand{All: reads}, Cost: cost, DryRun: true}
				if from != "" {
					q.IP = netip.MustParseAddr(from)
				}
				var v verify.Verdict
				if engine.Check(&q, &v); v.Code == verify.Valid {
					all[fmt.Sprintf("from %q, in %s, %d at once", from, later, cost)] = true
				}
			}
		}
	}
	return all
}

// T106, T97: the table of changes that are a grant is compared with the engine that judges keys, which does not know
// it. For every change by a caller that may write the key and may not pass it on, no question gets a yes that got
// none before.
func TestT106T97NoChangeByOneWhoMayNotPassAKeyOnLetsItDoMore(t *testing.T) {
	t.Parallel()
	h := open(t)
	o := h.oracle()
	ws := h.workspace()
	_, writer := h.key(ws, `,"permissions":["api-keys:read","api-keys:write","api-keys:manage-others"]`)
	in := func(days int) string { return time.Now().AddDate(0, 0, days).UTC().Format(`"2006-01-02T15:04:05Z"`) }
	members := map[string][]string{
		"isActive":  {"true", "false", "true"},
		"expiresAt": {"null", in(1), in(30), in(3000)},
		"rateLimit": {
			"null", `{"requestsPerMinute":1}`, `{"requestsPerMinute":30,"requestsPerDay":300}`, `{"requestsPerDay":5}`,
			`{"requestsPerDay":null}`,
		},
		"allowedIps": {
			"null", "[]", `["10.0.0.0/8"]`, `["10.1.0.0/16"]`, `["192.0.2.1/32","10.1.2.3/32"]`, `["::/0"]`, `["0.0.0.0/0"]`,
		},
		"name":     {`"a"`, `"b"`},
		"metadata": {"null", `{"a":1}`},
	}
	names := []string{"isActive", "expiresAt", "rateLimit", "allowedIps", "name", "metadata"}
	grew, done, refused := 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		key, value := h.key(ws, `,"permissions":["calls:read"]`)
		for range rapid.IntRange(1, 6).Draw(rt, "steps") {
			item := `"id":"` + key + `"`
			for _, name := range names {
				if rapid.IntRange(0, 2).Draw(rt, "with "+name) == 0 {
					item += `,"` + name + `":` + rapid.SampledFrom(members[name]).Draw(rt, name)
				}
			}
			byRoot := rapid.IntRange(0, 2).Draw(rt, "by") == 0
			caller := writer
			if byRoot {
				caller = h.root
			}
			before := o.yes(value)
			a := h.do("PUT", "/api/v2/api-keys", caller, `{"apiKeys":[{`+item+`}]}`)
			more := ""
			for question := range o.yes(value) {
				if !before[question] {
					more = question
				}
			}
			switch {
			case byRoot && more != "":
				grew++
			case byRoot:
			case more != "":
				rt.Fatalf("{%s} lets the key do more, %s: %s", item, more, a.Body)
			case strings.Contains(a.Body.String(), `"error":"permission`):
				refused++
			default:
				done++
			}
		}
	})
	if grew == 0 || done == 0 || refused == 0 {
		t.Errorf(
			"keys grew %d times by the root; the writer did %d changes and was refused %d: too few to say anything", grew, done,
			refused,
		)
	}
}

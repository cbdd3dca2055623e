//go:build linux

package main

import (
	"context"
	"errors"
	"time"
)

// manage compares the operations of people and their tools with the same bare server: each change is durable before
// it is answered, and a list is read from the database.
func manage(_ context.Context, l *lab) (result, error) {
	s, err := l.openSite()
	if err != nil {
		return result{}, err
	}
	defer s.stop()
	var r result
	create := request(
		"POST", "/api/v2/api-keys", s.root,
		`{"workspaceId":"`+s.ws+`","userId":"u-1","name":"bench","permissions":["calls:read"]}`,
	)
	for _, do := range []struct{ what, request string }{
		{"create", create},
		{"list of 50", request("GET", "/api/v2/api-keys?workspaceId="+s.ws, s.root, "")},
		{"rotate", request("POST", "/api/v2/api-keys/"+s.key+"/rotate", s.root, `{"overlapSeconds":0}`)},
	} {
		if _, err := l.against(s, do.what, do.request, `"success":true`, &r); err != nil {
			return r, err
		}
	}
	return r, l.between(s, create, &r)
}

// lent is for how long the server keeps its spare threads, with some more.
const lent = 2500 * time.Millisecond

// between measures verifications by a few callers while many make keys, all of them on the server's one processor.
func (l *lab) between(s *site, create string, r *result) error {
	const few = 4
	var made []float64
	tail := func() (float64, error) {
		found, err := l.fire(s.addr, s.verification(), `"code":"VALID"`, few)
		return found.P99, err
	}
	times, ratios, err := l.rivals(
		func() (float64, error) {
			if !l.quick {
				time.Sleep(lent)
			}
			return tail()
		},
		func() (float64, error) {
			done := make(chan error, 1)
			go func() {
				found, err := l.fire(s.addr, create, `"success":true`, conns)
				made = append(made, found.Rate)
				done <- err
			}()
			time.Sleep(l.span / 10) // both last as long: it has begun when the verifications do
			found, err := tail()
			return found, errors.Join(err, <-done)
		})
	if err != nil {
		return err
	}
	r.figures = append(
		r.figures,
		figure{what: "verify by 4 callers, p99, while keys are made", unit: "µs", value: times[1], baseline: times[0],
			ratio: ratios[1], against: "while nobody makes any"},
		figure{what: "keys made meanwhile", unit: "keys/s", value: median(made)},
	)
	return nil
}

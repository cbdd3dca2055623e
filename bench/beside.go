//go:build linux

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/keyward/keyward/api"
)

const (
	besideKeys    = 100_000
	besideCallers = 4           // of the tenant that asks for the largest
	besideMost    = 5           // times the quiet tenant's own p99
	cheapest      = "getHealth" // an operation that reads no data
	besideRows    = 8           // operations after which the tenant alone is measured anew
)

// beside is a server with a tenant that has very many of everything and a quiet one, for which each operation of the
// former is measured.
type beside struct {
	*site
	l      *lab
	client *http.Client
	flood  *flood // nil in the process that floods

	ws, role, owner string
	first           string   // the id of a key
	large, spinning string   // values of keys that may do everything; the second one rotates itself
	many            []string // other workspaces
	n               int      // keys of the largest member

	mu  sync.Mutex
	ids []string // of keys that may be changed and deleted
	own int      // makes names differ

	desks string // see desk
	asked int    // requests for keys
}

// quietTenants measures the time that a quiet tenant's requests take beside each operation of the API with its largest
// input. The server has every processor. The flood comes from a process of the lowest priority, so that it takes the
// processors from the server and from the quiet tenant only through the server's own work.
func quietTenants(_ context.Context, l *lab) (out result, err error) {
	chosen, err := regexp.Compile(l.operations)
	if err != nil {
		return out, err
	}
	serve := func(binary string) *exec.Cmd { return exec.Command(binary, "serve") }
	s, err := l.openSiteBy(serve, "KEYWARD_PUBLIC_URL=https://keyward.example", "KEYWARD_BAD_CREDENTIALS_PER_MINUTE=0")
	if err != nil {
		return out, err
	}
	defer s.stop()
	b := &beside{
		site: s, l: l, n: min(l.most(besideKeys, 200), l.keys),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: besideCallers}},
	}
	defer b.client.CloseIdleConnections()
	if err := b.settle(); err != nil {
		return out, fmt.Errorf("make the large tenant: %w", err)
	}
	operations, err := documented()
	if err != nil {
		return out, err
	}
	if err := complete(operations, b.largest()); err != nil {
		return out, err
	}
	if b.flood, err = b.startFlood(); err != nil {
		return out, err
	}
	defer b.flood.end()
	operations = slices.DeleteFunc(operations, func(name string) bool { return !chosen.MatchString(name) })
	out.figures, err = b.besideAll(operations)
	return out, err
}

// complete refuses a list of largest inputs that is not that of the document.
func complete(operations []string, largest map[string]func(n int) ask) error {
	for _, name := range operations {
		if largest[name] == nil {
			return fmt.Errorf("the operation %s has no largest input (largest.go)", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(largest)) {
		if !slices.Contains(operations, name) {
			return fmt.Errorf("the document has no operation %s", name)
		}
	}
	return nil
}

// besideAll measures beside one operation after the other. Alone, and beside the cheapest operation, the tenant is
// measured anew every few rows.
func (b *beside) besideAll(operations []string) (figures []figure, err error) {
	slices.Sort(operations)
	var failed []error
	var r reference
	for i, name := range operations {
		if i%besideRows == 0 {
			if r, err = b.reference(); err != nil {
				return figures, err
			}
		}
		two, err := b.besideOne(name, r)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", name, err))
			continue
		}
		for _, f := range two {
			fmt.Fprintf(b.l.log, "  %s\n", strings.Join(f.cells(), " | "))
		}
		figures = append(figures, two...)
	}
	return figures, errors.Join(failed...)
}

// documented lists the operations of the API's description.
func documented() (names []string, err error) {
	source, err := api.JSON()
	if err != nil {
		return nil, err
	}
	var doc struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(source, &doc); err != nil {
		return nil, err
	}
	for _, item := range doc.Paths {
		for method, raw := range item {
			var o struct {
				ID string `json:"operationId"`
			}
			if method == "parameters" {
				continue
			}
			if err := json.Unmarshal(raw, &o); err != nil {
				return nil, err
			}
			names = append(names, o.ID)
		}
	}
	return names, nil
}

// reference holds the quiet tenant's own times.
type reference struct{ alone, cheapest tails }

// reference measures them.
func (b *beside) reference() (r reference, err error) {
	if r.alone, err = b.quiet(); err != nil {
		return r, err
	}
	r.cheapest, err = b.quietBeside(cheapest)
	return r, err
}

// besideOne holds the quiet tenant's p99 beside an operation against that of the tenant alone, and against that beside
// as many callers of the cheapest operation. Where it is out of bounds it measures twice more, and the median counts.
func (b *beside) besideOne(name string, r reference) ([]figure, error) {
	if err := b.flood.tell("try", name); err != nil { // the input is legal
		return nil, err
	}
	var all []tails
	for range 3 {
		loud, err := b.quietBeside(name)
		if err != nil {
			return nil, err
		}
		all = append(all, loud)
		if _, ratio := loud.worst(r.alone); ratio <= besideMost || b.l.quick {
			break
		}
	}
	slices.SortFunc(all, func(x, y tails) int {
		_, of := x.worst(r.alone)
		_, than := y.worst(r.alone)
		return cmp.Compare(of, than)
	})
	loud := all[len(all)/2]
	kind, _ := loud.worst(r.alone)
	return []figure{
		{
			what: "p99 of a quiet tenant's " + quietKinds[kind] + " beside " + name, unit: "µs", value: loud[kind],
			baseline: r.alone[kind], against: "alone", must: atMost(besideMost),
		},
		{
			what: "the same", unit: "µs", value: loud[kind], baseline: r.cheapest[kind],
			against: "beside " + cheapest,
		},
	}, nil
}

// quietBeside measures the quiet tenant while callers send an operation.
func (b *beside) quietBeside(name string) (tails, error) {
	if err := b.flood.tell("start", name); err != nil {
		return nil, err
	}
	loud, err := b.quiet()
	return loud, errors.Join(err, b.flood.tell("stop", name))
}

// send sends one request. A strict one has to have the wanted status; others may be told to wait.
func (b *beside) send(a ask, strict bool) error {
	r, err := http.NewRequest(a.method, "http://"+b.addr+a.path, strings.NewReader(a.body))
	if err != nil {
		return err
	}
	token := a.token
	if token == "" {
		token = b.root
	}
	r.Header.Set("Authorization", "Bearer "+token)
	switch {
	case a.form:
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	case a.body != "":
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := b.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if !strict {
		if _, err = io.Copy(io.Discard, answer.Body); answer.StatusCode >= http.StatusInternalServerError &&
			answer.StatusCode != http.StatusServiceUnavailable {
			err = fmt.Errorf("%s %s: %s", a.method, a.path, answer.Status)
		}
		return err
	}
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != a.want && (a.want != 0 || answer.StatusCode/100 != 2) {
		err = fmt.Errorf("%s %.100s: %s: %.300s", a.method, a.path, answer.Status, text)
	}
	return err
}

// next makes a number that no other name has.
func (b *beside) next() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.own++
	return strconv.Itoa(b.own)
}

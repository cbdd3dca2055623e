//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward/api"
)

const (
	besideKeys    = 100_000
	besideCallers = 4 // of the tenant that asks for the largest
	besideMost    = 5 // times the quiet tenant's own p99
)

// beside is a server with a tenant that has very many of everything and a quiet one, for which each operation of the
// former is measured.
type beside struct {
	*site
	l      *lab
	client *http.Client

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

// quietTenants measures what a quiet tenant's requests take beside each operation of the API with its largest input.
func quietTenants(ctx context.Context, l *lab) (out result, err error) {
	s, err := l.openSite("KEYWARD_PUBLIC_URL=https://keyward.example", "KEYWARD_BAD_CREDENTIALS_PER_MINUTE=0")
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
	largest := b.largest()
	var failed []error
	for _, name := range operations {
		if largest[name] == nil {
			return out, fmt.Errorf("the operation %s has no largest input (largest.go)", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(largest)) {
		if !slices.Contains(operations, name) {
			return out, fmt.Errorf("the document has no operation %s", name)
		}
		f, err := b.besideOne(ctx, name, largest[name])
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", name, err))
			continue
		}
		fmt.Fprintf(l.log, "  %s: %s\n", name, strings.Join(f.cells(), " "))
		out.figures = append(out.figures, f)
	}
	return out, errors.Join(failed...)
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

// besideOne compares the quiet tenant's p99 beside an operation with that of a moment before, and where it is out of
// bounds twice more: then the median of the three counts.
func (b *beside) besideOne(ctx context.Context, name string, call func(n int) ask) (figure, error) {
	f := figure{
		what: "p99 of a quiet tenant beside " + name, unit: "µs", against: "alone, a moment before", must: atMost(besideMost),
	}
	n := 0
	if a := call(n); a.want != 0 || a.method != "" {
		if err := b.send(a, true); err != nil { // the input is legal
			return f, err
		}
	}
	var ratios []float64
	for range 3 {
		alone, err := b.quiet()
		if err != nil {
			return f, err
		}
		stop := b.loud(ctx, &n, call)
		loud, err := b.quiet()
		if failed := stop(); err != nil || failed != nil {
			return f, errors.Join(err, failed)
		}
		worst := 0
		for i := range loud {
			if loud[i]/alone[i] > loud[worst]/alone[worst] {
				worst = i
			}
		}
		f.value = loud[worst]
		f.baseline = alone[worst]
		ratios = append(ratios, loud[worst]/alone[worst])
		if f.ratio = median(ratios); f.ratio <= besideMost || b.l.quick {
			break
		}
	}
	return f, nil
}

// loud has callers send the operation until they are stopped.
func (b *beside) loud(ctx context.Context, n *int, call func(n int) ask) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	count := int64(*n)
	errs := make([]error, besideCallers)
	var work sync.WaitGroup
	for i := range besideCallers {
		work.Go(func() {
			for ctx.Err() == nil && errs[i] == nil {
				errs[i] = b.send(call(int(atomic.AddInt64(&count, 1))), false)
			}
		})
	}
	return func() error {
		cancel()
		work.Wait()
		*n = int(count)
		return errors.Join(errs...)
	}
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

// quiet returns the 99th percentiles of the quiet tenant's verifications, lists and changes, in microseconds.
func (b *beside) quiet() ([]float64, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	words, err := json.Marshal(
		quietOrder{Addr: b.addr, Root: b.root, Key: b.live, Reader: b.reader, Workspace: b.site.ws, Span: b.l.span},
	)
	if err != nil {
		return nil, err
	}
	cmd := pinned(1, self, childWord, "quiet")
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(words), &out, b.l.log
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("the quiet tenant: %w", err)
	}
	var tails []float64
	return tails, json.Unmarshal(out.Bytes(), &tails)
}

// quietOrder holds the instructions for the quiet tenant's process.
type quietOrder struct {
	Addr, Root, Key, Reader, Workspace string
	Span                               time.Duration
}

func init() { children["quiet"] = quietChild }

func quietChild([]string) error {
	var o quietOrder
	if err := json.NewDecoder(os.Stdin).Decode(&o); err != nil {
		return err
	}
	calls := []struct{ method, path, token, body string }{
		{http.MethodPost, "/api/v2/api-keys/verify", o.Root, `{"key":"` + o.Key + `","permissions":["calls:read"]}`},
		{http.MethodGet, "/api/v2/api-keys?limit=20", o.Reader, ""},
		{
			http.MethodPost, "/api/v2/api-keys", o.Root,
			`{"workspaceId":"` + o.Workspace + `","userId":"u-1","name":"quiet","permissions":["calls:read"]}`,
		},
	}
	took := make([][]time.Duration, len(calls))
	for start := time.Now(); time.Since(start) < o.Span || len(took[0]) < 5; {
		for i, c := range calls {
			r, err := http.NewRequest(c.method, "http://"+o.Addr+c.path, strings.NewReader(c.body))
			if err != nil {
				return err
			}
			r.Header.Set("Authorization", "Bearer "+c.token)
			if c.body != "" {
				r.Header.Set("Content-Type", "application/json")
			}
			began := time.Now()
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				return err
			}
			text, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			if err != nil || answer.StatusCode/100 != 2 {
				return fmt.Errorf("%s %s: %s: %s (%w)", c.method, c.path, answer.Status, text, err)
			}
			took[i] = append(took[i], time.Since(began))
		}
	}
	tails := make([]float64, len(took))
	for i, all := range took {
		slices.Sort(all)
		tails[i] = micros(all[len(all)*99/100])
	}
	return json.NewEncoder(os.Stdout).Encode(tails)
}

// next makes a number that no other name has.
func (b *beside) next() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.own++
	return strconv.Itoa(b.own)
}

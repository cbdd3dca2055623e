package followers_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/rig"
)

// raw is a program that follows the feed by its description alone: it knows HTTP and JSON lines, and no package of
// Keyward.
type raw struct {
	t           *testing.T
	url         string
	token       string
	fields      string // of the snapshot
	incarnation string
	client      *http.Client

	mu     sync.Mutex
	keys   map[string]rawKey // by id
	cursor string
	count  int
	asOf   time.Time // everything that was committed before is in keys
}

type rawKey struct {
	ID       string `json:"id"`
	Digest   []byte `json:"digest"`
	IsActive bool   `json:"isActive"`
	Name     string `json:"name"`
}

// rawLine is a line, as far as this program needs it.
type rawLine struct {
	Settings *struct {
		KeyPrefixes []string `json:"keyPrefixes"`
	} `json:"settings"`
	Key     *rawKey `json:"key"`
	KeyGone *struct {
		ID string `json:"id"`
	} `json:"keyGone"`
	Cursor *string `json:"cursor"`
	Nonce  string  `json:"nonce"`
	More   bool    `json:"more"`
	HeldMS int64   `json:"heldMs"`
	AgeMS  int64   `json:"ageMs"`
}

func newRaw(t *testing.T, addr, token string) *raw {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &raw{t: t, url: "http://" + addr + "/api/v2/feed", token: token, fields: "name", incarnation: rand.Text(),
		client: &http.Client{Transport: transport, Timeout: 2 * limit}, keys: map[string]rawKey{}}
}

// ask sends a question, and gives the status, the header and the lines of the answer.
func (r *raw) ask(ctx context.Context, path string, q url.Values) (*http.Response, []rawLine, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+path+"?"+q.Encode(), nil)
	if err != nil {
		return nil, nil, err
	}
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	var lines []rawLine
	in := bufio.NewScanner(resp.Body)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var l rawLine
		if err := json.Unmarshal(in.Bytes(), &l); err != nil {
			return resp, nil, err
		}
		lines = append(lines, l)
	}
	return resp, lines, in.Err()
}

// status is that of the answer to a question.
func (r *raw) status(path string, q url.Values) int {
	r.t.Helper()
	resp, _, err := r.ask(r.t.Context(), path, q)
	check(r.t, err)
	return resp.StatusCode
}

// presence are the parameters by which this reader is waited for.
func (r *raw) presence(nonce string) url.Values {
	r.count++
	return url.Values{"nonce": {nonce}, "name": {"raw"}, "incarnation": {r.incarnation}, "count": {strconv.Itoa(r.count)},
		"maxStalenessMs": {strconv.FormatInt(limit.Milliseconds(), 10)}}
}

// load reads a snapshot.
func (r *raw) load(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	nonce := rand.Text()
	q := r.presence(nonce)
	q.Set("fields", r.fields)
	resp, lines, err := r.ask(ctx, "/snapshot", q)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || len(lines) < 2 || lines[0].Settings == nil {
		return fmt.Errorf("%s, %d lines", resp.Status, len(lines))
	}
	if got := resp.Header.Get("Cache-Control"); !strings.Contains(got, "no-store") {
		r.t.Errorf("Cache-Control: %q", got)
	}
	last := lines[len(lines)-1]
	if last.Cursor == nil || last.Nonce != nonce {
		return errors.New("the snapshot is not whole")
	}
	clear(r.keys)
	r.apply(lines)
	r.cursor = *last.Cursor
	return nil
}

func (r *raw) apply(lines []rawLine) {
	for _, l := range lines {
		switch {
		case l.Key != nil:
			r.keys[l.Key.ID] = *l.Key
		case l.KeyGone != nil:
			delete(r.keys, l.KeyGone.ID)
		}
	}
}

// follow asks for one page, and applies it where it is whole and that of its own question. The question names the
// cursor and a time to wait, and no fields.
func (r *raw) follow(ctx context.Context, wait time.Duration) (held time.Duration, err error) {
	r.mu.Lock()
	nonce := rand.Text()
	q := r.presence(nonce)
	q.Set("after", r.cursor)
	q.Set("wait", strconv.FormatFloat(wait.Seconds(), 'f', 3, 64))
	r.mu.Unlock()
	start := time.Now()
	resp, lines, err := r.ask(ctx, "", q)
	if err != nil {
		return 0, err
	}
	if resp.StatusCode != http.StatusOK {
		return 0, &statusError{resp.StatusCode, resp.Header.Get("Retry-After")}
	}
	if len(lines) == 0 || lines[len(lines)-1].Cursor == nil {
		return 0, errors.New("the page is not whole")
	}
	last := lines[len(lines)-1]
	held = time.Duration(last.HeldMS) * time.Millisecond
	if last.Nonce != nonce || held > time.Since(start) {
		return 0, errors.New("the page is that of another question")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.apply(lines)
	r.cursor = *last.Cursor
	if !last.More {
		r.asOf = start.Add(held - time.Duration(last.AgeMS)*time.Millisecond)
	}
	return held, nil
}

type statusError struct {
	status     int
	retryAfter string
}

func (e *statusError) Error() string { return fmt.Sprintf("the source answers %d", e.status) }

// says decides about a value as a follower must: good, bad, or nothing where its knowledge is too old.
func (r *raw) says(value string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.asOf) > limit {
		return "nothing"
	}
	digest := sha256.Sum256([]byte(value))
	for _, k := range r.keys {
		if bytes.Equal(k.Digest, digest[:]) && k.IsActive {
			return "good"
		}
	}
	return "bad"
}

// during follows until stop is called.
func (r *raw) during() (stop func()) {
	ctx, cancel := context.WithCancel(r.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			if _, err := r.follow(ctx, limit); err != nil && ctx.Err() == nil {
				time.Sleep(20 * time.Millisecond)
			}
		}
	}()
	return func() { cancel(); <-ended }
}

func (r *raw) eventually(value, want, when string) {
	r.t.Helper()
	rig.WaitFor(r.t, when, func() error {
		if got := r.says(value); got != want {
			return errors.New("it says " + got)
		}
		return nil
	})
}

// A raw client loads a snapshot, follows by the cursor alone, and goes on after a cut where it was. A revocation
// reaches it within the bound, and before wait=all is answered.
func TestARawClientFollowsTheFeed(t *testing.T) {
	t.Parallel()
	c := startCore(t, "", limit)
	link := rig.NewLink(t, c.addr)
	id, value := c.key()
	r := newRaw(t, link.Addr, c.service().Key.Reveal())
	check(t, r.load(t.Context()))
	_, err := r.follow(t.Context(), 0)
	check(t, err)
	if got := r.says(value); got != "good" {
		t.Errorf("a key of before: %s", got)
	}
	later, laterValue := c.key()
	_, err = r.follow(t.Context(), limit)
	check(t, err)
	if got := r.says(laterValue); got != "good" || r.keys[later].Name != "k" {
		t.Errorf("a key of later: %s, with the name %q", got, r.keys[later].Name)
	}
	before := r.cursor
	held, err := r.follow(t.Context(), time.Hour)
	if err != nil || r.cursor != before || held <= 0 || held > limit/2 {
		t.Errorf("a question while nothing happens was held for %s: %v", held, err)
	}

	link.Cut()
	cut, cancel := context.WithTimeout(t.Context(), limit/4)
	defer cancel()
	if _, err := r.follow(cut, limit); err == nil || r.cursor != before {
		t.Errorf("a question over a link that is cut: %v", err)
	}
	c.disable(later)
	link.Mend()
	rig.WaitFor(t, "the link", func() error { _, err := r.follow(t.Context(), 0); return err })
	if got := r.says(laterValue); got != "bad" || r.says(value) != "good" {
		t.Errorf("after the cut: %s and %s", got, r.says(value))
	}

	defer r.during()()
	_, more := c.key()
	r.eventually(more, "good", "it follows")
	c.disable(id)
	for answered := time.Now(); r.says(value) != "bad"; time.Sleep(time.Millisecond) {
		if late := time.Since(answered); late > limit && r.says(value) == "good" {
			t.Fatalf("good %s after the answer to the revocation", late)
		}
	}
	for range 3 {
		id, value := c.key()
		r.eventually(value, "good", "a new key")
		if done := c.disable(id, keyward.WaitAll()); done.Effective != "everywhere" || r.says(value) != "bad" {
			t.Errorf("after wait=all, which is %s: %s", done.Effective, r.says(value))
		}
	}
	if list, err := c.client.ListFollowers(t.Context()); err != nil || len(list) != 1 || list[0].Name != "raw" {
		t.Errorf("%+v, %v", list, err)
	}
}

// The feed refuses in the words of its description: 400 for a question that is none, 401 and 403 for a caller that may
// not, 409 for a cursor that it does not go on after, and 503 with a time to wait while the source is not fresh itself.
func TestARawClientIsToldWhyTheFeedDoesNotGoOn(t *testing.T) {
	t.Parallel()
	c := startCore(t, "", limit)
	follow, bound := c.service().Key.Reveal(), c.service(c.ws)
	verify, err := c.client.CreateServiceKey(t.Context(), keyward.CreateServiceKeyRequest{
		Name: "v", Scopes: []keyward.Scope{"verify"},
	})
	check(t, err)
	link := rig.NewLink(t, c.addr)
	hub := c.follow(link.Addr, follow, "--feed")
	core, onward := newRaw(t, c.addr, follow), newRaw(t, hub.addr, follow)
	confined := newRaw(t, c.addr, bound.Key.Reveal())
	other := startCore(t, "", limit)
	elsewhere := newRaw(t, other.addr, other.service().Key.Reveal())
	for _, r := range []*raw{core, onward, confined, elsewhere} {
		check(t, r.load(t.Context()))
		_, err := r.follow(t.Context(), 0)
		check(t, err)
	}
	by := func(token string) *raw { return newRaw(t, c.addr, token) }
	for _, one := range []struct {
		what, path string
		by         *raw
		q          url.Values
		want       int
	}{
		{"no cursor", "", core, nil, 400},
		{"a text that is no cursor", "", core, url.Values{"after": {"nonsense"}}, 400},
		{"a parameter that there is not", "", core, url.Values{"after": {core.cursor}, "since": {"1"}}, 400},
		{"a field that there is not", "/snapshot", core, url.Values{"fields": {"digest"}}, 400},
		{"a limit above the source's", "/snapshot", core, url.Values{"maxStalenessMs": {"60000"}}, 400},
		{"a limit above the hub's", "/snapshot", onward, url.Values{"maxStalenessMs": {"60000"}}, 400},
		{"a wait that is none", "", core, url.Values{"after": {core.cursor}, "wait": {"-1"}}, 400},
		{"no credential", "/snapshot", by(""), nil, 401},
		{"a credential that is none", "/snapshot", by("kw_svc_" + strings.Repeat("A", 49)), nil, 401},
		{"a service key that only verifies", "/snapshot", by(verify.Key.Reveal()), nil, 403},
		{"the cursor, and the fields of before", "", core, url.Values{"after": {core.cursor}, "fields": {"name"}}, 200},
		{"the cursor alone", "", core, url.Values{"after": {core.cursor}}, 200},
		{"other fields than before", "", core, url.Values{"after": {core.cursor}, "fields": {"name,metadata"}}, 409},
		{"another installation's cursor", "", core, url.Values{"after": {elsewhere.cursor}}, 409},
		{"the cursor of other bounds", "", core, url.Values{"after": {confined.cursor}}, 409},
		{"the core's cursor at the hub", "", onward, url.Values{"after": {elsewhere.cursor}}, 409},
	} {
		if got := one.by.status(one.path, one.q); got != one.want {
			t.Errorf("%s: %d, want %d", one.what, got, one.want)
		}
	}

	link.Cut()
	var refused *statusError
	rig.WaitFor(t, "the hub to be fenced", func() error {
		if _, err := onward.follow(t.Context(), 0); !errors.As(err, &refused) {
			return errors.Join(errors.New("it answers"), err)
		}
		return nil
	})
	if refused.status != http.StatusServiceUnavailable {
		t.Errorf("a hub that is not fresh: %d", refused.status)
	}
	if got := onward.status("/snapshot", nil); got != http.StatusServiceUnavailable {
		t.Errorf("a snapshot of a hub that is not fresh: %d", got)
	}
	link.Mend()
	rig.WaitFor(t, "the hub to be fresh", func() error { _, err := onward.follow(t.Context(), 0); return err })

	_, err = c.client.DeleteServiceKey(t.Context(), bound.ServiceKey.ID)
	check(t, err)
	if _, err := confined.follow(t.Context(), 0); !errors.As(err, &refused) || refused.status != http.StatusUnauthorized {
		t.Errorf("a service key that has ended: %v", err)
	}
}

package feedhttp_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/feed/feedtest"
	"github.com/keyward/keyward/internal/feedhttp"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
)

var catalogue = perm.Builtin()

// fixture is a source's end over a model, and a follower's end over it.
type fixture struct {
	*feedtest.Model
	source *feedhttp.Source
	client *feedhttp.Client
	ids    *id.Generator
	reach  account.Reach
	// meddle stands between the two, as a proxy does.
	meddle func(w http.ResponseWriter, r *http.Request, answer func(http.ResponseWriter))
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{Model: &feedtest.Model{Page: 7}, ids: id.NewGenerator(time.Now, rand.Reader)}
	began := time.Now()
	settings := &feedhttp.Settings{KeyPrefixes: []string{"kw"}, Pepper: "none"}
	for _, e := range catalogue.Entries() {
		settings.Catalogue = append(settings.Catalogue, feedhttp.Permission{Resource: e.Resource, Action: e.Action})
	}
	f.source = feedhttp.NewSource(feedhttp.SourceConfig{Feed: f.Model, Catalogue: catalogue,
		Settings: func() *feedhttp.Settings { return settings },
		Now:      time.Now, Elapsed: func() time.Duration { return time.Since(began) }})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := func(w http.ResponseWriter) { f.answer(w, r) }
		if f.meddle != nil {
			f.meddle(w, r, answer)
			return
		}
		answer(w)
	}))
	t.Cleanup(server.Close)
	f.client = feedhttp.NewClient(
		feedhttp.ClientConfig{HTTP: server.Client(), URL: server.URL, Token: func() string { return "t" },
			Limit: 5 * time.Second, Random: rand.Text, Incarnation: "i"},
	)
	return f
}

// answer stands in for httpapi, without callers.
func (f *fixture) answer(w http.ResponseWriter, r *http.Request) {
	q := feedhttp.Question{Reach: f.reach, Name: true, Metadata: true, Nonce: r.FormValue("nonce")}
	if strings.HasSuffix(r.URL.Path, "/snapshot") {
		q.Short = feedhttp.ReadsShort(r.Header.Values("Accept"))
		_ = f.source.WriteSnapshot(r.Context(), w, nil, &q)
		return
	}
	at, err := f.source.Position(r.FormValue("after"), &q)
	var page feedhttp.Found
	if err == nil {
		wait, _ := time.ParseDuration(r.FormValue("wait") + "s")
		page, err = f.source.Await(r.Context(), feed.Presence{At: at, Wait: wait})
	}
	if err != nil {
		w.WriteHeader(http.StatusConflict)
		return
	}
	_ = f.source.WritePage(w, nil, &page, &q)
}

func (f *fixture) put(k apikey.Key) {
	f.Put(k)
	f.source.Ring()
}

func (f *fixture) log() feedtest.Log {
	touch := func(k id.Key) { f.put(apikey.Key{ID: k, Workspace: "w"}) }
	return feedtest.Log{Source: f.client, Touch: touch,
		Put: func() id.Key {
			k := id.Key(f.ids.Next())
			touch(k)
			return k
		},
		Drop:   func(k id.Key) { f.Drop(k); f.source.Ring() },
		Forget: func() { f.Forget(); f.source.Ring() }}
}

// The cursors that a suite makes up are none that its client was given, which the client refuses by itself; so the
// source's end is asked about those.
func TestTheSourceDoesWhatEverySourceMust(t *testing.T) {
	t.Parallel()
	feedtest.Run(t, func(t *testing.T) feedtest.Log {
		l := newFixture(t)
		log := l.log()
		log.Source = l.source
		return log
	})
}

func TestTheClientDoesWhatEverySourceMust(t *testing.T) {
	t.Parallel()
	feedtest.Run(t, func(t *testing.T) feedtest.Log {
		return newFixture(t).log()
	})
}

// whole is a key with a value in each field that crosses the wire.
func whole(n byte) apikey.Key {
	at := time.Date(2030, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	return apikey.Key{
		ID: id.Key("00000000-0000-7000-8000-00000000000" + string('0'+n)), Workspace: "w", User: "u", Name: "<n>",
		Environment: keyfmt.Live,
		IsActive:    true, Revoked: true, Orphan: true, Permissions: catalogue.Known([]string{"calls:read", "api-keys:read"}),
		Limits: ratelimit.Limits{PerMinute: 3, PerDay: 4}, AllowedIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Metadata: `{"a":1}`, ExpiresAt: at, Period: 5, Value: apikey.Value{Digest: keyfmt.Stored{Sum: keyfmt.Digest{n}}},
		Previous: []apikey.Value{{Digest: keyfmt.Stored{Sum: keyfmt.Digest{n, n}}, Until: at}},
	}
}

func TestAChangeOfEachKindCrossesTheWireWhole(t *testing.T) {
	t.Parallel()
	at := time.Date(2030, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	key := whole(1)
	changes := []feed.Change{
		{Workspace: &account.Workspace{ID: "w", IsActive: true, Settings: account.Settings{PermissionMode: account.Capped},
			Plan: account.Plan{Shared: ratelimit.Limits{PerMinute: 7, PerDay: 8}}}},
		{Role: &account.Role{ID: "r", Workspace: "w", Permissions: catalogue.All()}},
		{Member: &account.Member{Workspace: "w", User: "u", Role: "r"}},
		{Key: &key},
		{ServiceKey: &account.ServiceKey{ID: "s", Scopes: []account.Scope{account.ScopeVerify}, ExpiresAt: at,
			Bounds: account.Bounds{
				Reach:      account.Reach{Workspaces: []id.Workspace{}, Environments: []keyfmt.Environment{keyfmt.Test}},
				AllowedIPs: []netip.Prefix{},
			}}},
		{Settlement: &apikey.Settlement{ID: "d", Workspace: "w", User: "u", Period: 2, Kind: apikey.Transfer, Heir: "h",
			Ceiling: catalogue.Known([]string{"calls:read"}), By: "b", At: at, Done: true,
			Bound: &account.Bound{ExpiresAt: at, Limits: ratelimit.Limits{PerDay: 1}, AllowedIPs: []netip.Prefix{}}}},
		{WorkspaceGone: "w"}, {RoleGone: "r"}, {MemberGone: &feed.MemberID{Workspace: "w", User: "u"}}, {KeyGone: "k"},
		{ServiceKeyGone: "s"}, {SettlementGone: "d"},
	}
	f := newFixture(t)
	f.client = nil
	for _, want := range changes {
		var b bytes.Buffer
		page := feedhttp.Found{Page: feed.Page{Changes: []feed.Change{want}}}
		if err := f.source.WritePage(&b, nil, &page, &feedhttp.Question{Name: true, Metadata: true}); err != nil {
			t.Fatal(err)
		}
		got, err := feedhttp.ReadChanges(catalogue, &b)
		if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			t.Errorf("%+v (%v), want %+v", got, err, want)
		}
	}
}

func TestT61ABoundReaderIsToldOfNothingOutside(t *testing.T) {
	t.Parallel()
	inside, outside, test := whole(1), whole(2), whole(3)
	outside.Workspace, test.Environment = "elsewhere", keyfmt.Test
	within := account.Bounds{
		Reach: account.Reach{Workspaces: []id.Workspace{"w"}, Environments: []keyfmt.Environment{keyfmt.Live}},
	}
	service := func(name id.ServiceKey, b account.Bounds, scope account.Scope) feed.Change {
		return feed.Change{ServiceKey: &account.ServiceKey{ID: name, Scopes: []account.Scope{scope}, Bounds: b}}
	}
	page := feed.Page{Changes: []feed.Change{
		{
			Key: &inside,
		}, {Key: &outside}, {Key: &test}, {Workspace: &account.Workspace{ID: "w"}}, {
			Workspace: &account.Workspace{ID: "elsewhere"},
		},
		{
			Role: &account.Role{ID: "outside-role", Workspace: "elsewhere"},
		}, {Member: &account.Member{Workspace: "elsewhere", User: "outside-user"}},
		{Settlement: &apikey.Settlement{ID: "outside-settlement", Workspace: "elsewhere"}},
		service("inside-service", within, account.ScopeVerify),
		service("unbound-service", account.Bounds{}, account.ScopeVerify),
		service("manage-service", within, account.ScopeManage), service("root-service", within, account.ScopeRoot),
		{
			KeyGone: "outside-key", In: "elsewhere",
		}, {KeyGone: "inside-key", In: "w"}, {RoleGone: "outside-gone", In: "elsewhere"},
		{ServiceKeyGone: "outside-service", In: "elsewhere"}, {ServiceKeyGone: "unbound-gone"}, {WorkspaceGone: "elsewhere"},
		{MemberGone: &feed.MemberID{Workspace: "elsewhere", User: "outside-user"}},
	}}
	var b bytes.Buffer
	found := feedhttp.Found{Page: page}
	if err := newFixture(t).source.WritePage(&b, nil, &found, &feedhttp.Question{Reach: within.Reach}); err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"outside", "elsewhere", "unbound", "manage", "root", string(outside.ID), string(test.ID),
		`"name"`, `"metadata"`} {
		if strings.Contains(b.String(), word) {
			t.Errorf("%s is told:\n%s", word, b.String())
		}
	}
	for _, word := range []string{string(inside.ID), "inside-service", "inside-key"} {
		if !strings.Contains(b.String(), word) {
			t.Errorf("%s is not told:\n%s", word, b.String())
		}
	}
}

func TestT99AForeignDigestIsNeverTold(t *testing.T) {
	t.Parallel()
	now, before := whole(1), whole(2)
	now.Value.Digest = keyfmt.Stored{Pepper: "foreign:sha256", Sum: keyfmt.Digest{0xaa, 0xbb}}
	before.Previous[0].Digest = now.Value.Digest
	if !now.Value.Digest.Pepper.IsForeign() {
		t.Fatal("this is no foreign digest")
	}
	f := newFixture(t)
	var b bytes.Buffer
	page := feed.Page{Changes: []feed.Change{{Key: &now, Revision: 1}, {Key: &before, Revision: 1}}}
	if err := f.source.WritePage(&b, nil, &feedhttp.Found{Page: page}, &feedhttp.Question{}); err != nil {
		t.Fatal(err)
	}
	got, err := feedhttp.ReadChanges(catalogue, &b)
	if err != nil || len(got) != 2 || got[0].KeyGone != now.ID || got[1].Key == nil || len(got[1].Key.Previous) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	f.put(now)
	if r := feedtest.Read(t, f.client); len(r.Keys) != 0 {
		t.Error("a snapshot tells of it")
	}
}

// A proxy that repeats an earlier answer is found out by the number of the question.
func TestT110AnAnswerToAnotherQuestionIsDropped(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put(whole(1))
	r := feedtest.Read(t, f.client)
	var mu sync.Mutex
	var old []byte
	f.meddle = func(w http.ResponseWriter, _ *http.Request, answer func(http.ResponseWriter)) {
		mu.Lock()
		defer mu.Unlock()
		if old == nil {
			rec := httptest.NewRecorder()
			answer(rec)
			old = rec.Body.Bytes()
		}
		_, _ = w.Write(old)
	}
	r.CatchUp()
	f.put(whole(2))
	if p, err := f.client.Next(context.Background(), feed.Presence{At: r.At}); !errors.Is(err, feedhttp.ErrUnanswered) {
		t.Errorf("an old answer is taken: %+v, %v", p, err)
	}
	f.meddle = nil
	if r.CatchUp(); !r.Keys[whole(2).ID] {
		t.Error("the feed does not go on afterwards")
	}
}

func TestT110AnAnswerThatIsCutOffOrStrangeIsDropped(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	r := feedtest.Read(t, f.client)
	f.put(whole(1))
	for name, change := range map[string]func(string) string{
		"cut off before its end":    func(s string) string { return s[:strings.LastIndex(s, `{"cursor"`)] },
		"cut off in its end":        func(s string) string { return s[:len(s)-9] },
		"cut off in its last break": func(s string) string { return strings.TrimSuffix(s, "\n") },
		"with a line of no kind":    func(s string) string { return `{"news":{}}` + "\n" + s },
		"that is no JSON":           func(s string) string { return "<html>\n" + s },
		"with another cursor":       func(s string) string { return strings.Replace(s, `"cursor":"`, `"cursor":"_`, 1) },
		"held for less than no time": func(s string) string {
			return strings.Replace(s, `"ageMs":`, `"ageMs":-1`, 1)
		},
	} {
		f.meddle = func(w http.ResponseWriter, _ *http.Request, answer func(http.ResponseWriter)) {
			rec := httptest.NewRecorder()
			answer(rec)
			_, _ = io.WriteString(w, change(rec.Body.String()))
		}
		if p, err := f.client.Next(context.Background(), feed.Presence{At: r.At}); !errors.Is(err, feedhttp.ErrUnanswered) {
			t.Errorf("an answer %s is taken: %+v, %v", name, p, err)
		}
	}
}

func TestAQuestionIsHeldUntilThereIsSomethingNew(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	r := feedtest.Read(t, f.client)
	const wait = 10 * time.Second
	go func() {
		time.Sleep(100 * time.Millisecond)
		f.put(whole(1))
	}()
	began := time.Now()
	p, err := f.client.Next(context.Background(), feed.Presence{At: r.At, Wait: wait})
	if err != nil || len(p.Changes) != 1 || p.Held < 90*time.Millisecond || time.Since(began) > wait/2 {
		t.Errorf("after %s: %+v, %v", time.Since(began), p, err)
	}
	const short = 150 * time.Millisecond
	began = time.Now()
	p, err = f.client.Next(context.Background(), feed.Presence{At: p.Cursor, Wait: short})
	if took := time.Since(began); err != nil || len(p.Changes) != 0 || took < short || p.Held-p.Age > took ||
		p.Held-p.Age < short/2 {
		t.Errorf("without news, after %s: %+v, %v", took, p, err)
	}
}

func TestACursorOfOtherSettingsIsOfAnotherHistory(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	r := feedtest.Read(t, f.client)
	f.reach = account.Reach{Workspaces: []id.Workspace{"w"}}
	if _, err := f.client.Next(context.Background(), feed.Presence{At: r.At}); !errors.Is(err, feed.ErrHistory) {
		t.Errorf("after the bounds have changed: %v", err)
	}
	for _, text := range []string{"", "x", "MXwx", url.QueryEscape("MXx8fHw")} {
		if _, err := f.source.Position(text, &feedhttp.Question{}); !errors.Is(err, feedhttp.ErrNoCursor) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// No reader is told a digest of an imported value: not an unbound one, not one with a second digest.
func TestAForeignValueIsToldNoReader(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	digests, err := keyfmt.NewDigester("a pepper")
	if err != nil {
		t.Fatal(err)
	}
	f.source.Keys = digests.WorkspaceKeys
	weak := keyfmt.Digest(bytes.Repeat([]byte{'W'}, 32))
	f.put(apikey.Key{ID: "k", Workspace: "w", Value: apikey.Value{
		Digest: keyfmt.Stored{Pepper: "foreign:sha256", Sum: weak}, Second: keyfmt.Stored{Pepper: "p", Sum: weak},
	}, Previous: []apikey.Value{{Digest: keyfmt.Stored{Pepper: "foreign:sha512", Sum: weak}}}})
	for what, reach := range map[string]account.Reach{"bound": {Workspaces: []id.Workspace{"w"}}, "unbound": {}} {
		var out bytes.Buffer
		q := feedhttp.Question{Reach: reach, Second: true}
		if err := f.source.WriteSnapshot(t.Context(), &out, nil, &q); err != nil {
			t.Fatal(err)
		}
		if text := out.String(); strings.Contains(text, "V1dXV1dX") || !strings.Contains(text, `"keysToAsk":1`) {
			t.Errorf("%s: %s", what, text)
		}
	}
}

// gated is a source whose loads last until they are let go.
type gated struct {
	*feedtest.Model
	begun, release chan struct{}
}

func (g *gated) Load(context.Context, func(feed.Change) error) (at feed.Cursor, ok bool, err error) {
	g.begun <- struct{}{}
	<-g.release
	return at, true, nil
}

// A third reader that loads waits for a place, and gets one when another has ended.
func TestALoadWaitsForAPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gated{&feedtest.Model{}, make(chan struct{}), make(chan struct{})}
		source := feedhttp.NewSource(feedhttp.SourceConfig{Feed: g})
		load := func() {
			go func() {
				if _, ok, err := source.Load(t.Context(), nil); !ok || err != nil {
					t.Errorf("a load got a place: %v, %v", ok, err)
				}
			}()
		}
		load()
		load()
		<-g.begun
		<-g.begun
		load()
		synctest.Wait() // it waits for a place
		g.release <- struct{}{}
		select {
		case <-g.begun:
		case <-time.After(time.Second):
			t.Error("the third load got no place")
		}
		close(g.release)
		synctest.Wait()
	})
}

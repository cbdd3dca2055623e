package auditreplay_test

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/auditreplay"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/replica"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/verify"
)

// powers are the rights of each value, from two networks, by the engine that answers verifications.
type power struct {
	code        verify.Code
	permissions perm.Set
	minute, day int64
	expires     int64
}

func (h *house) powers(db *store.DB) map[string]power {
	r := replica.New()
	check(h.t, r.Load(func(tell func(feed.Change) error) error { return db.LoadAll(h.t.Context(), tell) }))
	r.MarkReady()
	e := verify.New(verify.Config{Replica: r, Format: h.format, Digests: h.digester, Now: time.Now})
	out := map[string]power{}
	for _, value := range h.values {
		for _, from := range []string{"203.0.113.9", "198.51.100.7", "192.0.2.1"} {
			var v verify.Verdict
			e.Check(&verify.Question{Key: value, IP: netip.MustParseAddr(from)}, &v)
			p := power{code: v.Code}
			if v.Code == verify.Valid {
				p = power{v.Code, v.Permissions, v.Key.Limits.PerMinute, v.Key.Limits.PerDay, v.Key.ExpiresAt}
			}
			out[value+" from "+from] = p
		}
		var p verify.Principal
		out[value+" as a caller"] = power{code: e.Authenticate(value, netip.Addr{}, &p)}
	}
	return out
}

// more tells whether one power goes beyond another. A limit or an expiry of 0 is none.
func (p power) more(than power) bool {
	beyond := func(a, b int64) bool { return b != 0 && (a == 0 || a > b) }
	return p.code == verify.Valid && (than.code != verify.Valid || !p.permissions.Without(than.permissions).IsEmpty() ||
		beyond(p.minute, than.minute) || beyond(p.day, than.day) || beyond(p.expires, than.expires))
}

func TestT33AfterARestoreWithTheJournalNoKeyMayDoMoreThanBefore(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	n, stronger, same := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		dir := filepath.Join(base, strconv.Itoa(n))
		check(t, os.Mkdir(dir, 0o700))
		h := newHouse(t, dir, lagging(rapid.Bool().Draw(t, "rows of removals are written later")))
		h.draw = t
		defer h.db.Close()
		for range rapid.IntRange(3, 25).Draw(t, "before") {
			h.step()
		}
		backup := filepath.Join(dir, "backup.db")
		check(t, h.db.Backup(t.Context(), backup))
		for range rapid.IntRange(1, 25).Draw(t, "after") {
			h.step()
		}
		was := h.powers(h.db)
		restored := openStore(t, backup)
		defer restored.Close()
		for value, p := range h.powers(restored) {
			if p.more(was[value]) {
				stronger++
			}
		}
		repeat(t, restored, h.journal())
		for value, p := range h.powers(restored) {
			if p.more(was[value]) {
				t.Fatalf("%s: %+v after the restore, and %+v before", value, p, was[value])
			}
			if p.code == verify.Valid {
				same++
			}
		}
		if _, err := restored.VerifyLog(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	if stronger == 0 || same == 0 {
		t.Errorf(
			"%d values would have been stronger without the journal, %d worked with it: the histories test nothing", stronger,
			same,
		)
	}
}

// The bound of a caller that is a key is not in the log: a key that such a caller handed over, and whose own event the
// journal does not reach, stops.
func TestABoundedTransferIsRepeatedAsFarAsTheJournalGoesT104(t *testing.T) {
	t.Parallel()
	for _, later := range []bool{false, true} {
		h := newHouse(t, t.TempDir(), lagging(later))
		defer h.db.Close()
		ws := h.workspaces[0]
		check(t, h.demote(ws, "bob", "Admin"))
		check(t, h.demote(ws, "joe", "Admin"))
		make := func(user string) control.Revealed {
			k, err := h.CreateKey(t.Context(), h.root, control.CreateKey{Workspace: ws, User: user, Name: "k",
				RateLimit: control.Some(control.LimitsInput{PerMinute: control.Some(int64(9))})})
			check(t, err)
			return k
		}
		k, caller := make("bob"), make("ada")
		h.values = []string{k.Secret.Reveal()}
		backup := filepath.Join(t.TempDir(), "backup.db")
		check(t, h.db.Backup(t.Context(), backup))
		out, err := h.RemoveMember(
			t.Context(), control.Caller{APIKey: caller.Key.ID, Presented: caller.Key.Value.Digest.Sum}, ws, "bob",
			control.RemoveMember{Keys: "transfer:joe"},
		)
		check(t, err)
		if out.Transferred != 1 {
			t.Fatalf("nothing was handed over: %+v", out)
		}
		restored := openStore(t, backup)
		defer restored.Close()
		repeat(t, restored, h.journal())
		want := verify.Valid
		if later {
			want = verify.Disabled
		}
		for value, p := range h.powers(restored) {
			if p.code != want && !strings.HasSuffix(value, "as a caller") {
				t.Errorf("rows later: %v: %s is %s after the restore", later, value, p.code)
			}
		}
	}
}

func repeat(t tester, db *store.DB, journal []byte) {
	t.Helper()
	all, err := auditreplay.Read(auditreplay.File{Reader: bytes.NewReader(journal)})
	check(t, err)
	known, last := events(t, db)
	later, err := auditreplay.After(all, last, func(e id.Event) bool { return known[e] })
	check(t, err)
	_, err = auditreplay.Repeat(t.Context(), db, perm.Builtin(), later.Entries)
	check(t, err)
}

// events are those in the log, and the last one.
func events(t tester, db *store.DB) (known map[id.Event]bool, last audit.Event) {
	t.Helper()
	known = map[id.Event]bool{}
	check(t, db.View(t.Context(), func(v *store.View) error {
		events, err := v.Logs(store.LogFilter{All: true, Ascending: true})
		for _, e := range events {
			known[e.ID] = true
			last = e
		}
		return err
	}))
	return known, last
}

// Every type of event that the program writes is one that a restore can repeat, or that takes nothing away.
func TestEveryTypeOfEventIsKnownToARestore(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "../audit/audit.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		literal, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			return true
		}
		kind, err := strconv.Unquote(literal.Value)
		if err == nil && strings.Contains(kind, ".") {
			found++
			if !auditreplay.Knows(audit.Type(kind)) {
				t.Errorf("a restore does not know events of type %s: add it to verbs", kind)
			}
		}
		return true
	})
	if found < 19 {
		t.Errorf("only %d types were found", found)
	}
}

func TestT102AJournalThatDoesNotReachBackIsRefused(t *testing.T) {
	t.Parallel()
	line := func(e string) string {
		return `{"id": "` + e +
			`", "eventType": "session.started", "createdAt": "2026-11-24T12:00:00.000Z", "metadata": {}}` + "\n"
	}
	for journal, want := range map[string]error{
		line("e1") + line("e2") + line("e3"):              nil,
		line("e3") + line("e2"):                           nil, // newest first
		line("e2") + line("e3") + line("e2") + line("e3"): nil, // two exports
		line("e1"): nil, // older than the backup: nothing to repeat
		line("e3"): auditreplay.ErrGap,
		"":         auditreplay.ErrEmpty,
		"\n":       auditreplay.ErrEmpty,
	} {
		all, err := auditreplay.Read(auditreplay.File{Reader: strings.NewReader(journal)})
		if err != nil {
			t.Fatal(err)
		}
		later, err := auditreplay.After(all, audit.Event{ID: "e2"}, func(e id.Event) bool { return e <= "e2" })
		if !errors.Is(err, want) || err == nil && len(later.Entries) > 1 ||
			len(later.Entries) == 1 && later.Entries[0].ID != "e3" {
			t.Errorf("%s: %v, %v", journal, later, err)
		}
	}
}

func TestAnEventOfANewerProgramRepeatsNothing(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		dir := filepath.Join(base, strconv.Itoa(n))
		check(t, os.Mkdir(dir, 0o700))
		h := newHouse(t, dir)
		h.draw = t
		defer h.db.Close()
		h.create(h.workspaces[0], "ada")
		line := `{"id": "x", "workspaceId": "` + h.workspaces[0] +
			`", "createdAt": "2026-11-24T12:00:00.000Z", "metadata": {"target": "` + h.keys[0] + `", ` +
			`"after": {"newer": 1}}, "eventType": "` + h.pick(
			[]string{"api_key.updated", "api_key.narrowed"},
			"type",
		) + `"}`
		all, err := auditreplay.Read(auditreplay.File{Reader: strings.NewReader(line)})
		check(t, err)
		if _, err := auditreplay.Repeat(t.Context(), h.db, perm.Builtin(), all); !errors.Is(err, auditreplay.ErrNewer) {
			t.Fatalf("%v, want ErrNewer", err)
		}
	})
}

package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/text"
)

// record appends one event as it is.
func (f *fixture) record(e audit.Event) {
	f.Helper()
	e.ID = id.Event(f.ids.Next())
	_, err := f.db.Update(context.Background(), func(tx *store.Tx) error { return tx.Record(e) })
	f.must(err)
}

// The events of a day are those that were recorded in it, whether their transaction has ended or not. An event that is
// taken back is none of them, and neither is one of another workspace or another day.
func testEventsToday(t *testing.T, f *fixture) {
	ctx, other := context.Background(), f.workspace("Other")
	f.pass(24*time.Hour - f.now().Sub(f.now().Truncate(24*time.Hour)))
	today := func(want int64, tx *store.Tx) {
		t.Helper()
		n, err := tx.EventsToday(f.ws)
		f.check(err)
		f.same("events of the day", want, n)
	}
	transaction := func(before, events int64) {
		t.Helper()
		_, err := f.db.Update(ctx, func(tx *store.Tx) error {
			today(before, tx)
			for i := range events {
				e := f.event()
				e.Type = []audit.Type{audit.APIKeyUpdated, audit.RoleUpdated}[i%2]
				f.check(tx.Record(e))
				e.ID, e.Workspace = f.event().ID, other
				f.check(tx.Record(e))
				today(before+i+1, tx)
				f.check(tx.PutMember(account.Member{Workspace: f.ws, User: "some", Role: f.plain})) // nothing is known any more
				today(before+i+1, tx)
			}
			err := tx.Savepoint(func() error { return errors.Join(tx.Record(f.event()), errMine) })
			f.same("taken back", errMine.Error(), err.Error())
			today(before+events, tx)
			return nil
		})
		f.must(err)
	}
	transaction(0, 3)
	transaction(3, 2)
	f.restart(catalogue)
	transaction(5, 1)
	f.pass(24 * time.Hour)
	transaction(0, 1)
	f.pass(12 * time.Hour)
	transaction(1, 1)
}

// aLog appends six events, a second apart, and names them by their description.
func (f *fixture) aLog() {
	f.Helper()
	f.ws = f.workspace("Logged")
	f.pass(time.Hour)
	for i, e := range []audit.Event{
		{Workspace: f.ws, Type: audit.APIKeyCreated, ActorID: "ann", ActorEmail: "ann@example.com", Metadata: `{"x":"100%"}`},
		{Workspace: f.ws, Type: audit.APIKeyDeleted, ActorID: "ben"},
		{Type: audit.ServiceKeyCreated, ActorID: "root"},
		{Workspace: f.ws, Type: audit.APIKeyCreated, ActorID: "ben", Metadata: `{"x":"1000"}`},
		{Workspace: "elsewhere", Type: audit.RoleCreated, ActorID: "ann"},
		{Workspace: f.ws, Type: audit.MemberAdded, ActorID: "ann"},
	} {
		e.Description = string(rune('a' + i))
		f.record(e)
		f.pass(time.Second)
	}
}

func described(events []audit.Event) string {
	return strings.TrimSpace(names(events, func(e audit.Event) string { return e.Description }))
}

func testLogs(_ *testing.T, f *fixture) {
	f.aLog()
	zero := f.now().Add(-6 * time.Second) // when event a was made
	last := f.db.Stats().LogHead
	for _, test := range []struct {
		filter store.LogFilter
		want   string
	}{
		{store.LogFilter{Workspace: f.ws, From: zero}, "f d b a"},
		{store.LogFilter{Workspace: f.ws, From: zero, Ascending: true}, "a b d f"},
		{store.LogFilter{Workspace: f.ws, From: zero, Ascending: true, Limit: 2, Offset: 1}, "b d"},
		{store.LogFilter{Workspace: f.ws, Limit: 2}, "f d"},
		{store.LogFilter{Workspace: f.ws, Limit: 2, AfterSeq: last - 2}, "b a"},
		{store.LogFilter{Workspace: f.ws, Ascending: true, AfterSeq: last - 4}, "d f"},
		{store.LogFilter{All: true, From: zero}, "f e d c b a"},
		{store.LogFilter{}, "c"},
		{store.LogFilter{All: true, From: zero, Type: "api_key.created"}, "d a"},
		{store.LogFilter{All: true, From: zero, Actor: "ann"}, "f e a"},
		{store.LogFilter{Workspace: f.ws, Actor: "an"}, ""},
		{store.LogFilter{Workspace: f.ws, Search: "100%"}, "a"},
		{store.LogFilter{Workspace: f.ws, Search: "ANN@"}, "a"},
		{store.LogFilter{Workspace: f.ws, Search: "key.cre"}, "d a"},
		{store.LogFilter{Workspace: f.ws, Search: "key_cre"}, ""},
		{store.LogFilter{Workspace: f.ws, From: zero.Add(time.Second)}, "f d b"},
		{store.LogFilter{Workspace: f.ws, From: zero.Add(time.Second + 1)}, "f d"},
		{store.LogFilter{Workspace: f.ws, From: zero, To: zero.Add(time.Second)}, "a"},
		{store.LogFilter{Workspace: f.ws, From: zero, To: zero.Add(time.Second + 1)}, "b a"},
	} {
		f.view(func(v *store.View) error {
			got, err := v.Logs(test.filter)
			f.same(fmt.Sprintf("%+v", test.filter), test.want, described(got))
			return err
		})
	}
}

func testLogStretch(_ *testing.T, f *fixture) {
	f.aLog()
	zero := f.now().Add(-6 * time.Second) // when event a was made
	last := f.db.Stats().LogHead
	for _, test := range []struct {
		filter store.LogFilter
		n      int
		want   int64
		at     time.Time
	}{
		{store.LogFilter{Workspace: f.ws}, 1, last, zero.Add(5 * time.Second)},
		{store.LogFilter{Workspace: f.ws}, 2, last - 2, zero.Add(3 * time.Second)},
		{store.LogFilter{Workspace: f.ws, Search: "nowhere"}, 4, last - 5, zero},
		{store.LogFilter{All: true}, 2, last - 1, zero.Add(4 * time.Second)},
		{store.LogFilter{Workspace: f.ws, AfterSeq: last - 2}, 1, last - 4, zero.Add(time.Second)},
		{store.LogFilter{Workspace: f.ws, To: zero.Add(3*time.Second + 1)}, 1, last - 2, zero.Add(3 * time.Second)},
		{store.LogFilter{Workspace: f.ws, To: zero.Add(3 * time.Second)}, 1, last - 4, zero.Add(time.Second)},
		{store.LogFilter{Workspace: f.ws, To: zero.Add(time.Hour)}, 1, last, zero.Add(5 * time.Second)},
		{store.LogFilter{Workspace: f.ws, To: zero.Add(-24 * time.Hour)}, 1, 0, time.Time{}},
		{store.LogFilter{Workspace: f.ws}, 100, 0, time.Time{}},
	} {
		f.view(func(v *store.View) error {
			seq, at, err := v.LogStretch(test.filter, test.n)
			if (test.want == 0) != errors.Is(err, store.ErrNotFound) || test.want != 0 && err != nil {
				return fmt.Errorf("%+v, %d: %w", test.filter, test.n, err)
			}
			f.same(fmt.Sprintf("%+v, %d", test.filter, test.n), test.want, seq)
			f.same("its time", test.at, at)
			return nil
		})
	}
	f.view(func(v *store.View) error {
		got, err := v.Logs(store.LogFilter{Workspace: f.ws, DownTo: last - 2})
		f.same("down to", "f d", described(got))
		return err
	})
}

func testLogCount(_ *testing.T, f *fixture) {
	f.aLog()
	f.view(func(v *store.View) error {
		for want, filter := range map[int64]store.LogFilter{
			4:                    {Workspace: f.ws, Limit: 1, Offset: 3, AfterSeq: 2},
			1:                    {Type: "service_key.created"},
			2:                    {Workspace: f.ws, Actor: "ben"},
			f.db.Stats().LogHead: {All: true},
		} {
			n, err := v.LogCount(filter)
			if err != nil {
				return err
			}
			f.same(fmt.Sprintf("%+v", filter), want, n)
		}
		types, err := v.LogTypes(f.ws, false)
		f.same("types", []audit.Type{"api_key.created", "api_key.deleted", "member.added"}, types)
		if err != nil {
			return err
		}
		types, err = v.LogTypes("", true)
		f.same("types of all", 6, len(types))
		return err
	})
}

func testChain(t *testing.T, f *fixture) {
	f.aLog()
	n, err := f.db.VerifyLog(context.Background())
	f.must(err)
	f.same("events", f.db.Stats().LogHead, n)
	for _, test := range []struct{ name, harm, undo, want string }{
		{"a flipped byte", `UPDATE events SET description = 'A' WHERE description = 'a'`,
			`UPDATE events SET description = 'a' WHERE description = 'A'`, "was changed"},
		{"a moved time", `UPDATE events SET created_ms = created_ms + 1 WHERE description = 'b'`,
			`UPDATE events SET created_ms = created_ms - 1 WHERE description = 'b'`, "was changed"},
		{"another head", `UPDATE installation SET head_seq = head_seq + 1`,
			`UPDATE installation SET head_seq = head_seq - 1`, "is missing"},
		{"an event too many", `UPDATE installation SET head_seq = head_seq - 1`,
			`UPDATE installation SET head_seq = head_seq + 1`, "not the last"},
		{"a deleted row", `DELETE FROM events WHERE description = 'c'`, `SELECT 1`, "is missing"},
		{"a log cut short", `DELETE FROM events WHERE seq >= (SELECT min(seq) FROM events WHERE description >= 'b')`,
			`SELECT 1`, "is missing"},
		{"a log without events", `DELETE FROM events`, `SELECT 1`, "event 1 is missing"},
	} {
		f.sql(test.harm)
		_, err := f.db.VerifyLog(context.Background())
		if !errors.Is(err, store.ErrChain) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want ErrChain with %q", test.name, err, test.want)
		}
		f.sql(test.undo)
	}
}

// sql runs a statement past the store.
func (f *fixture) sql(statement string) {
	f.Helper()
	f.raw(func(q store.SQL) error {
		_, err := q.Exec(context.Background(), statement)
		return err
	})
}

func testLogSearch(_ *testing.T, f *fixture) {
	f.ws = f.workspace("Sought")
	f.pass(time.Hour)
	zero := f.now()
	for i, metadata := range []string{
		`{"credential":{"type":"session"},"target":"t-1","after":{"name":"say \"hi\"","environment":"live","key":"kw_live_AbCd…wxyz","isActive":true}}`,
		`{"credential":{"type":"session"},"after":{"name":"back\\slash, and \\\"","environment":"test","key":"kw_test_live…wxyz"}}`,
		`{"before":{"requestsPerDay":5000},"after":{"requestsPerDay":null,"metadata":{"team":"R&D \u003cold\u003e"}}}`,
		"{\"after\":{\"name\":\"Cafe\u0301 \u0130\",\"permissions\":[\"calls:read\"]}}",
		"{\"after\":{\"name\":\"caf\u00e9\",\"description\":\"a live demo\"}}",
		``,
	} {
		f.record(
			audit.Event{
				Workspace: f.ws, Type: audit.APIKeyCreated, ActorID: "ann", Metadata: metadata, Description: string(rune('a' + i)),
			},
		)
	}
	for search, want := range map[string]string{
		`say "hi"`: "a", `"`: "a b", `\`: "b", `\"`: "b", `back\slash`: "b", `\\`: "", `back\\slash`: "", `"after"`: "",
		"u003c": "", "<OLD>": "c", "r&d": "c",
		"live": "b e", "LIVE": "b e", "kw_live_": "", "_live": "b", "w_live": "", "kw": "", "kw_live_abcd": "a",
		"_abcd…wxyz": "a", "abcd…w": "a", "test": "", "kw_test_l": "b",
		"caf\u00e9": "d e", "cafe\u0301": "d e", "CAF\u00c9": "d e", "cafe": "d", "5000": "c", "requestsperday": "c",
		"team": "c", "calls:read": "d",
		"true": "", "null": "", "[": "", `{"`: "", `","`: "", "t-1": "a", "session": "a b", "environment": "",
	} {
		f.view(func(v *store.View) error {
			filter := store.LogFilter{Workspace: f.ws, From: zero, Ascending: true, Search: text.Search(search)}
			got, err := v.Logs(filter)
			f.same("search for "+search, want, described(got))
			if err == nil {
				n, countErr := v.LogCount(filter)
				f.same("count for "+search, len(got), int(n))
				err = countErr
			}
			return err
		})
	}
}

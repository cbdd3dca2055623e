package feedhttp_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

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

// anyAlike draws a key that differs from others in a few members.
func anyAlike(t *rapid.T) apikey.Key {
	k := apikey.Key{Workspace: "w", User: "u", Environment: keyfmt.Live, IsActive: true,
		Limits: ratelimit.Limits{PerMinute: 60}, Permissions: catalogue.Known([]string{"calls:read"})}
	sum := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "digest")
	k.Value.Digest.Sum = keyfmt.Digest(sum)
	k.ID = id.Key(rapid.SampledFrom([]string{"a", "b", `quote "`}).Draw(t, "id"))
	at := time.UnixMilli(1_800_000_000_123).UTC()
	for _, change := range []func(){
		func() { k.Workspace = "another" }, func() { k.User = "v" }, func() { k.User = "" },
		func() { k.User = "ü" }, func() { k.Environment = keyfmt.Test }, func() { k.IsActive = false },
		func() { k.Revoked = true }, func() { k.Orphan = true }, func() { k.Period = 3 },
		func() { k.Limits.PerMinute = 0 }, func() { k.Limits.PerDay = 7 }, func() { k.Permissions = perm.Set{} },
		func() { k.ExpiresAt = at }, func() { k.Name = "orders" }, func() { k.Name = "<\n>" },
		func() { k.Metadata = `{"a":1}` }, func() { k.AllowedIPs = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} },
		func() { k.Value.Second = keyfmt.Stored{Pepper: "p", Sum: keyfmt.Digest(sum)} },
		func() { k.Previous = []apikey.Value{{Digest: keyfmt.Stored{Sum: keyfmt.Digest(sum)}, Until: at}} },
	} {
		if rapid.IntRange(0, 15).Draw(t, "differs") == 15 {
			change()
		}
	}
	return k
}

// list is a source of keys in their order, of which several may have one name.
type list struct {
	*feedtest.Model
	keys []apikey.Key
}

func (l *list) tell(f func(feed.Change) error) (err error) {
	for i := range l.keys {
		err = errors.Join(err, f(feed.Change{Key: &l.keys[i]}))
	}
	return err
}

// A reader of short lines is told the same keys as another one, whatever the keys have in common.
func TestShortLinesTellTheSameKeys(t *testing.T) {
	t.Parallel()
	source, model := newShared(0)
	close(model.open)
	short := 0
	rapid.Check(t, func(t *rapid.T) {
		l := &list{keys: rapid.SliceOfN(rapid.Custom(anyAlike), 1, 8).Draw(t, "keys")}
		var told [2][]feed.Change
		for i := range told {
			var out bytes.Buffer
			q := feedhttp.Question{Name: true, Metadata: true, Second: true, Short: i == 1}
			if err := source.WriteChanges(l.tell, &out, &q); err != nil {
				t.Fatal(err)
			}
			short += strings.Count(out.String(), `{"sameKey":`)
			out.WriteString(`{"cursor":"c","nonce":""}` + "\n")
			var err error
			if told[i], err = feedhttp.ReadChanges(catalogue, &out); err != nil {
				t.Fatal(err)
			}
		}
		if len(told[0]) != len(l.keys) || !reflect.DeepEqual(told[0], told[1]) {
			t.Fatalf("%+v\nby short lines: %+v", told[0], told[1])
		}
	})
	if short == 0 {
		t.Error("no key was told by a short line")
	}
}

// A member that is new is one of each short line, or keeps keys that differ in it from being told by one.
func TestNoMemberOfAKeyIsTakenFromAnother(t *testing.T) {
	t.Parallel()
	usual := feedhttp.KeyLine{ID: "i", WorkspaceID: "w", UserID: "u", Environment: "live", Digest: make([]byte, 32)}
	if !feedhttp.IsLike(&usual, &usual) {
		t.Fatal("no line is short")
	}
	own := reflect.TypeFor[feedhttp.SameKeyLine]()
	whole := reflect.TypeFor[feedhttp.KeyLine]()
	for i := range whole.NumField() {
		name := whole.Field(i).Name
		if _, ok := own.FieldByName(name); ok {
			continue
		}
		l := usual
		switch v := reflect.ValueOf(&l).Elem().Field(i); v.Kind() {
		case reflect.String:
			v.SetString("another")
		case reflect.Bool:
			v.SetBool(!v.Bool())
		case reflect.Int, reflect.Int64:
			v.SetInt(13)
		default:
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		}
		if feedhttp.IsLike(&l, &usual) || feedhttp.IsLike(&usual, &l) {
			t.Errorf("%s is taken from another key", name)
		}
	}
}

// A reader is told short lines, and the number of keys, where it asks for them, and else what every reader reads.
func TestShortLinesAreToldToThoseThatAskForThem(t *testing.T) {
	t.Parallel()
	source, model := newShared(10)
	close(model.open)
	source.Count = func(reach *account.Reach) int64 { return int64(10 + len(reach.Workspaces)) }
	for _, short := range []bool{false, true, false} {
		var out bytes.Buffer
		q := feedhttp.Question{Short: short, Reach: inside("w")}
		if err := source.WriteSnapshot(t.Context(), &out, nil, &q); err != nil {
			t.Fatal(err)
		}
		text := out.String()
		if got := strings.Contains(text, `"sameKey"`); got != short || strings.Contains(text, `"keys":`) != short {
			t.Errorf("short lines: %v, want %v: %.500s", got, short, text)
		}
		keys, changes, err := feedhttp.ReadSnapshot(catalogue, &out)
		if err != nil || len(changes) != 10 || keys != 0 != short || short && keys != 11 {
			t.Errorf("short lines: %v: %d changes, %d keys, %v", short, len(changes), keys, err)
		}
	}
	for accept, want := range map[string]bool{
		"": false, "*/*": false, "application/x-ndjson": false, "application/x-ndjson;keys=short": true,
		"text/html, application/x-ndjson; keys=short": true, "application/json; keys=short": false, "; keys=short": false,
	} {
		if got := feedhttp.ReadsShort([]string{accept}); got != want {
			t.Errorf("%q: %v", accept, got)
		}
	}
}

// A key that is like one that was not told, or that has members which none shares, is none.
func TestAKeyThatIsLikeNoneIsRefused(t *testing.T) {
	t.Parallel()
	same := `{"sameKey":{"id":"b","digest":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}` + "\n"
	key := map[string]any{"id": "a", "workspaceId": "w", "userId": "u", "environment": "live",
		"digest": make([]byte, 32), "permissionSet": 0, "isActive": true}
	text := func() string {
		b, err := json.Marshal(map[string]any{"key": key})
		if err != nil {
			t.Fatal(err)
		}
		return string(b) + "\n"
	}
	const end = `{"cursor":"c","nonce":""}` + "\n"
	got, err := feedhttp.ReadChanges(catalogue, strings.NewReader(text()+same+end))
	if err != nil || len(got) != 2 || got[1].Key.User != "u" || !got[1].Key.IsActive || got[1].Key.ID != "b" {
		t.Errorf("%+v, %v", got, err)
	}
	key["metadata"] = map[string]any{"a": 1}
	for what, answer := range map[string]string{
		"at the beginning": same + end, "after a key with metadata": text() + same + end,
	} {
		if _, err := feedhttp.ReadChanges(catalogue, strings.NewReader(answer)); !errors.Is(err, feedhttp.ErrUnanswered) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

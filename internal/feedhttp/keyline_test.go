package feedhttp_test

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/keyward/keyward/internal/feedhttp"
)

// odd are texts that JSON writes otherwise than they are, or that look like the rest of a line.
var odd = []string{
	`quote "`, `back \`, "line\n", "tab\t", "ü", "<&>", "\u2028", "\xff", "\x7f", "}}\n", `","isActive":true`,
}

var (
	usualTexts = rapid.SampledFrom([]string{"", "a", "live", "019a5c42-1f08-7c3a-8b52-6d0e9f4a7c21"})
	otherTexts = rapid.OneOf(usualTexts, rapid.SampledFrom(odd), rapid.String())
)

// anyKeyLine draws a line with any members.
func anyKeyLine(t *rapid.T) *feedhttp.KeyLine {
	l := &feedhttp.KeyLine{}
	texts := usualTexts
	if rapid.Bool().Draw(t, "odd") {
		texts = otherTexts
	}
	text := func() string { return texts.Draw(t, "text") }
	l.ID, l.WorkspaceID, l.UserID, l.Environment = text(), text(), text(), text()
	l.Digest = rapid.SliceOfN(rapid.Byte(), 0, 50).Draw(t, "digest")
	l.PermissionSet = rapid.IntRange(0, 1<<40).Draw(t, "set")
	flag := func() bool { return rapid.Bool().Draw(t, "flag") }
	l.IsActive, l.IsRevoked, l.IsOrphan = flag(), flag(), flag()
	number := func() int64 { return rapid.OneOf(rapid.Just(int64(0)), rapid.Int64()).Draw(t, "number") }
	l.Period, l.PerMinute, l.PerDay = number(), number(), number()
	if flag() {
		l.Second, l.Name = text(), text()
	}
	if flag() {
		l.ExpiresAt = feedhttp.At(time.UnixMilli(rapid.Int64Range(0, 1<<47).Draw(t, "expiry")))
	}
	if rapid.IntRange(0, 9).Draw(t, "rare") == 9 {
		l.AllowedIPs = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		l.Metadata = json.RawMessage(`{"a":"}}"}`)
	}
	return l
}

// slowly is what encoding/json writes.
func slowly(t interface{ Fatal(...any) }, l *feedhttp.KeyLine) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(map[string]any{"key": l}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// The quick way writes and reads what encoding/json does, or leaves it to that.
func TestTheLineOfAKeyIsThatOfEncodingJSON(t *testing.T) {
	t.Parallel()
	quick := 0
	rapid.Check(t, func(t *rapid.T) {
		l := anyKeyLine(t)
		want := slowly(t, l)
		if got, ok := feedhttp.AppendKeyLine(nil, l); ok {
			quick++
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Fatal(diff)
			}
		}
		sameReading(t, want)
	})
	if quick == 0 {
		t.Error("no line was written the quick way")
	}
}

// sameReading holds what is read the quick way against what encoding/json reads.
func sameReading(t interface{ Fatal(...any) }, text []byte) (quick bool) {
	var got feedhttp.KeyLine
	if !feedhttp.ReadKeyLine(text, &got) {
		return false
	}
	var want struct{ Key *feedhttp.KeyLine }
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&want); err != nil || want.Key == nil {
		t.Fatal("encoding/json does not read ", string(text), err)
	}
	if len(want.Key.Digest) == 0 && len(got.Digest) == 0 {
		want.Key.Digest, got.Digest = nil, nil
	}
	if !reflect.DeepEqual(*want.Key, got) {
		t.Fatal(cmp.Diff(*want.Key, got, cmp.Comparer(func(a, b *feedhttp.Instant) bool { return reflect.DeepEqual(a, b) })))
	}
	return true
}

// A digest is read as encoding/base64 reads it, or left to encoding/json, whatever character is in it.
func TestADigestIsReadAsEncodingBase64ReadsIt(t *testing.T) {
	t.Parallel()
	l := &feedhttp.KeyLine{ID: "019a5c42-1f08-7c3a-8b52-6d0e9f4a7c21", Digest: make([]byte, 32)}
	for i := range l.Digest {
		l.Digest[i] = byte(i*37 + 11)
	}
	line, ok := feedhttp.AppendKeyLine(nil, l)
	if !ok || !sameReading(t, line) {
		t.Fatalf("%s is not read the quick way", line)
	}
	begin := bytes.Index(line, []byte(`"digest":"`)) + len(`"digest":"`)
	for at := begin; at < begin+44; at++ {
		quick := 0
		for c := range 256 {
			other := bytes.Clone(line)
			other[at] = byte(c)
			if sameReading(t, other) {
				quick++
			}
		}
		want := 64
		if at >= begin+42 { // or '=', for digests of 31 and 33 bytes
			want++
		}
		if quick != want {
			t.Errorf("%d characters are taken at place %d of a digest, want %d", quick, at-begin, want)
		}
	}
}

// A member that is new is not forgotten: each one by itself is written as encoding/json writes it, or left to that.
func TestNoMemberOfAKeysLineIsForgotten(t *testing.T) {
	t.Parallel()
	usual := feedhttp.KeyLine{
		ID: "i", WorkspaceID: "w", UserID: "u", Environment: "live", Digest: make([]byte, 32), PermissionSet: 7,
		IsActive: true,
	}
	if got, ok := feedhttp.AppendKeyLine(nil, &usual); !ok || !feedhttp.ReadKeyLine(got, new(feedhttp.KeyLine)) {
		t.Errorf("a usual line is not written and read the quick way: %s", got)
	}
	whole := reflect.TypeFor[feedhttp.KeyLine]()
	for i := range whole.NumField() {
		name, l := whole.Field(i).Name, usual
		switch v := reflect.ValueOf(&l).Elem().Field(i); v.Interface().(type) {
		case string:
			for _, text := range odd {
				v.SetString(text)
				sameLine(t, name+" "+text, &l)
			}
		case bool:
			v.SetBool(!v.Bool())
		case int, int64:
			v.SetInt(13)
		case []byte:
			v.SetBytes([]byte("another digest, of thirty-two by"))
		case json.RawMessage:
			v.SetBytes([]byte(`{"a":1}`))
		case *feedhttp.Instant:
			l.ExpiresAt = feedhttp.At(time.UnixMilli(1_800_000_000_123))
		default: // a list
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		}
		if reflect.DeepEqual(l, usual) {
			t.Errorf("%s was not changed", name)
		}
		sameLine(t, name, &l)
	}
}

// sameLine holds what is written the quick way against what encoding/json writes.
func sameLine(t *testing.T, what string, l *feedhttp.KeyLine) {
	t.Helper()
	want := slowly(t, l)
	if got, ok := feedhttp.AppendKeyLine(nil, l); ok && !bytes.Equal(got, want) {
		t.Errorf("%s: %s, want %s", what, got, want)
	}
	sameReading(t, want)
}

// FuzzReadKeyLine looks for a text that the quick way reads, and encoding/json reads otherwise or not at all.
func FuzzReadKeyLine(f *testing.F) {
	usual, _ := feedhttp.AppendKeyLine(nil, &feedhttp.KeyLine{ID: "i", WorkspaceID: "w", UserID: "u", Environment: "live",
		Digest: make([]byte, 32), IsActive: true, PerMinute: 60, Name: "n", ExpiresAt: feedhttp.At(time.UnixMilli(1))})
	f.Add(usual)
	for _, change := range [][2]string{
		{`:60`, `:060`}, {`:60`, `:-1`}, {`:60`, `:6e1`}, {`:60`, `:99999999999999999999`}, {`"i"`, `"\u0069"`},
		{`"i"`, "\"\xff\""},
		{`true`, `false`}, {`}}`, `} }`}, {`"w"`, `"w","userId":"x"`}, {`1970`, `1970-`}, {`AAAA`, `A=AA`},
	} {
		f.Add([]byte(strings.Replace(string(usual), change[0], change[1], 1)))
	}
	f.Fuzz(func(t *testing.T, text []byte) { sameReading(t, text) })
}

package verifycodec_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/replica"
	"github.com/keyward/keyward/internal/verify"
	"github.com/keyward/keyward/internal/wire"
)

// verdicts draws any verdict, of texts that are plain and texts that are not.
func verdicts(t *rapid.T) *verify.Verdict {
	texts := rapid.OneOf(
		rapid.StringMatching(`[ -~]{0,20}`), rapid.String(),
		rapid.SampledFrom([]string{"", `a"b\c`, "é", "\u2028<&>", "a\xffb", "\x7f", "\x01"}),
	)
	objects := rapid.SampledFrom(
		[]string{
			"", "{}", `{"a":1}`, `{"plan":"a&b <c>","n":[1,2.50,1e3,-0,true,null,{}]}`, `{"a b":"c  d"}`, `{"a": 1}`,
			`{"é":"ü"}`, `{"a":"\u00e9\/\ud83d\ude00\"\\"}`, `{"x":9007199254740993}`, "{\"a\":\"\u2028\"}",
		},
	)
	sets := rapid.Custom(func(t *rapid.T) perm.Set {
		names := rapid.SliceOfDistinct(
			rapid.SampledFrom(perm.Builtin().Names(perm.Builtin().All())), func(s string) string { return s },
		).
			Draw(t, "names")
		s, _, _ := perm.Builtin().Set(names)
		return s
	})
	instants := rapid.SampledFrom(
		[]int64{0, 1, -1, 1_764_000_000_000, 1_764_000_000_999, 253_402_300_799_999, -62_135_596_800_000},
	)
	windows := rapid.Custom(func(t *rapid.T) ratelimit.Window {
		return ratelimit.Window{Limit: rapid.SampledFrom([]int64{0, 1, 1_000_000_000}).Draw(t, "limit"),
			Remaining: rapid.Int64Range(0, 1_000_000_000).Draw(t, "left"), ResetAt: instants.Draw(t, "reset")}
	})
	var u [16]byte
	copy(u[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "uuid"))
	return &verify.Verdict{
		Code: rapid.SampledFrom([]verify.Code{verify.Malformed, verify.NotFound, verify.Disabled, verify.Expired,
			verify.IPForbidden, verify.InsufficientPermissions, verify.RateLimited, verify.QuotaExceeded, verify.Valid}).
			Draw(t, "code"),
		Key: replica.View{
			UUID:        u,
			Workspace:   id.Workspace(texts.Draw(t, "workspace")),
			User:        id.User(texts.Draw(t, "user")),
			Name:        texts.Draw(t, "name"),
			Environment: rapid.SampledFrom([]keyfmt.Environment{keyfmt.Live, keyfmt.Test}).Draw(t, "environment"),
			ExpiresAt:   instants.Draw(t, "expires"),
			Until:       instants.Draw(t, "until"),
			Metadata:    objects.Draw(t, "metadata"),
		},
		Permissions: sets.Draw(t, "permissions"), Missing: sets.Draw(t, "missing"),
		Limits: ratelimit.Status{Minute: windows.Draw(t, "minute"), Day: windows.Draw(t, "day"),
			WorkspaceMinute: windows.Draw(t, "workspaceMinute"), WorkspaceDay: windows.Draw(t, "workspaceDay")},
	}
}

func TestAVerdictIsWrittenByteForByteAsWireWritesIt(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := verdicts(t)
		want, err := wire.Marshal(codec.Verdict(v))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := codec.AppendVerdict([]byte("head "), v); err != nil || string(got) != "head "+string(want) {
			t.Fatalf("%v\n got %s\nwant head %s", err, got, want)
		}
	})
}

func TestMetadataThatIsNoJSONIsAnErrorForBothWriters(t *testing.T) {
	t.Parallel()
	v := &verify.Verdict{Code: verify.Valid, Key: replica.View{Metadata: "{ nonsense"}}
	_, err := wire.Marshal(codec.Verdict(v))
	if _, other := codec.AppendVerdict(nil, v); err == nil || other == nil {
		t.Errorf("%v, %v", err, other)
	}
}

func TestTheHotPathsBytesCostNoAllocation(t *testing.T) {
	s, _, _ := perm.Builtin().Set([]string{"calls:read", "calls:write"})
	v := &verify.Verdict{
		Code:        verify.Valid,
		Permissions: s,
		Key: replica.View{Workspace: "w", User: "u", Name: "a key", Environment: keyfmt.Live,
			ExpiresAt: 1_764_000_000_000, Metadata: `{"plan":"pro"}`},
		Limits: ratelimit.Status{Minute: ratelimit.Window{Limit: 5}, Day: ratelimit.Window{Limit: 9}},
	}
	one := []byte(
		`{"key":"` + value +
			`","permissions":{"all":["calls:read","agents:read"],"any":["calls:write"]},"cost":5,"ip":"2001:db8::1"}`,
	)
	many := []byte(`{"items":[` + string(one) + `,` + string(one) + `]}`)
	r, b, qs := codec.Reader(), make([]byte, 0, 4096), make([]verify.Question, 0, 4)
	work := func() {
		var q verify.Question
		_, plain := r.Questions(many, qs)
		_, err := codec.AppendVerdict(b, v)
		if !r.Question(one, &q) || !plain || err != nil {
			t.Fatal("not read or not written")
		}
	}
	work()
	if n := testing.AllocsPerRun(100, work); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkQuestion(b *testing.B) {
	body, r := []byte(`{"key":"`+value+`","permissions":["calls:read"]}`), codec.Reader()
	var q verify.Question
	b.ReportAllocs()
	for b.Loop() {
		r.Question(body, &q)
	}
}

func BenchmarkAppendVerdict(b *testing.B) {
	v := &verify.Verdict{
		Code:        verify.Valid,
		Permissions: perm.Builtin().Reads(),
		Key: replica.View{Workspace: "00000000-0000-7000-8000-00000000000c", User: "u-1",
			Name: "a key", Environment: keyfmt.Live, Metadata: `{"plan":"pro"}`},
	}
	into := make([]byte, 0, 8192)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = codec.AppendVerdict(into, v)
	}
}

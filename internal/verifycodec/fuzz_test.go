package verifycodec_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/strictjson"
	"github.com/keyward/keyward/internal/verify"
	"github.com/keyward/keyward/internal/verifycodec"
	"github.com/keyward/keyward/internal/wire"
)

var codec = verifycodec.New(perm.Builtin())

// strictly reads a question as the rest of the API reads its bodies.
func strictly(body []byte) (verify.Question, error) {
	var in wire.Verify
	if err := strictjson.Decode(body, &in); err != nil {
		return verify.Question{}, err
	}
	return codec.Question(&in, "")
}

func strictlyMany(body []byte) ([]verify.Question, error) {
	var in wire.VerifyBatch
	if err := strictjson.Decode(body, &in); err != nil {
		return nil, err
	}
	return codec.Questions(&in)
}

// failer is a *testing.T or a *rapid.T.
type failer interface {
	Helper()
	Fatalf(string, ...any)
}

// agree holds that the strict reader takes every text of the plain reader, with the same values.
func agree(t failer, body []byte) (plain bool) {
	t.Helper()
	var q verify.Question
	r := codec.Reader()
	plain = r.Question(body, &q)
	if want, err := strictly(body); plain && (err != nil || !reflect.DeepEqual(q, want)) {
		t.Fatalf("%q: read as %+v, strictly as %+v (%v)", body, q, want, err)
	}
	many, plainMany := r.Questions(body, nil)
	if !plainMany {
		return plain
	}
	want, err := strictlyMany(body)
	if err != nil || len(want) != len(many) {
		t.Fatalf("%q: read as %d questions, strictly as %d (%v)", body, len(many), len(want), err)
	}
	for i := range many {
		if !reflect.DeepEqual(many[i], want[i]) {
			t.Fatalf("%q: question %d read as %+v, strictly as %+v", body, i, many[i], want[i])
		}
	}
	return plain
}

const inside = "00000000-0000-7000-8000-00000000000c"

const value = "kw_live_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA2ImIO6"

// unusual are bodies that the plain reader must leave to the strict one, which refuses most of them.
var unusual = []string{
	``, ` `, `{`, `{}`, `null`, `[]`, `"x"`, `{"key"}`, `{"key":}`, `{"key":"x"`, `{"key":"x}`, `{"key":"x",}`,
	`{"key":"x"}}`, `{"key":"x"} {}`, `{"key":"x"}x`,
	`{,"key":"x"}`, `{"key":"x""cost":1}`, `{"key" "x"}`, `{"key":"x","key":"x"}`, `{"Key":"x"}`, `{"KEY":"x"}`,
	"{\"\u212aey\":\"x\"}", "{\"key\":\"x\",\"co\u017ft\":1}",
	`{"key":null}`, `{"key":1}`, `{"key":"x","nope":1}`, `{"key":"x","permisions":[]}`, `{"\u006bey":"x"}`,
	`{"key":"\u0041"}`, `{"key":"\u0000"}`, "{\"key\":\"\x00\"}",
	"{\"key\":\"\xff\"}", "{\"key\":\"\xed\xa0\x80\"}", `{"key":"\ud800"}`, "{\"key\":\"a\nb\"}", "{\"key\":\"\u00e9\"}",
	"{\"key\":\"\x7f\"}", "\ufeff{\"key\":\"x\"}", "{\"key\":\"x\"}\x00", "\v{\"key\":\"x\"}",
	`{"key":"x","cost":1e3}`, `{"key":"x","cost":1.0}`, `{"key":"x","cost":"1"}`, `{"key":"x","cost":-1}`,
	`{"key":"x","cost":-0}`, `{"key":"x","cost":01}`, `{"key":"x","cost":00}`, `{"key":"x","cost":+1}`,
	`{"key":"x","cost":1001}`, `{"key":"x","cost":10000}`, `{"key":"x","cost":00001}`,
	`{"key":"x","cost":9007199254740993}`, `{"key":"x","cost":null}`, `{"key":"x","cost":}`, `{"key":"x","cost":1`,
	`{"key":"x","cost":1]}`, `{"key":"x","cost":1 2}`,
	`{"key":"x","cost":1,"cost":1}`, `{"key":"x","permissions":null}`, `{"key":"x","permissions":"calls:read"}`,
	`{"key":"x","permissions":[null]}`, `{"key":"x","permissions":["calls:fly"]}`,
	`{"key":"x","permissions":["Calls:read"]}`, `{"key":"x","permissions":["calls:read",]}`,
	`{"key":"x","permissions":["calls:read"`, `{"key":"x","permissions":["calls:read"}`,
	`{"key":"x","permissions":[["calls:read"]]}`, `{"key":"x","permissions":{"all":null}}`,
	`{"key":"x","permissions":{"all":[],"all":[]}}`, `{"key":"x","permissions":{"All":[]}}`,
	`{"key":"x","permissions":{"one":[]}}`, `{"key":"x","permissions":{"all":[],}}`,
	`{"key":"x","permissions":{"any":[]}}`, `{"key":"x","permissions":{"any":["x"]}}`,
	`{"key":"x","permissions":{"all":["calls:read"]}`, `{"key":"x","ip":"nowhere"}`, `{"key":"x","ip":""}`,
	`{"key":"x","ip":"fe80::1%eth0"}`, `{"key":"x","ip":null}`, `{"key":"x","ip":"1.2.3.4","ip":"1.2.3.4"}`,
	`{"key":"x","ip":"1.2.3.04"}`,
	strings.Repeat("[", 40), strings.Repeat(`{"key":`, 40),
	`{"key":"x","environment":"prod"}`, `{"key":"x","environment":"Live"}`, `{"key":"x","environment":""}`,
	`{"key":"x","environment":null}`,
	`{"key":"x","environment":"svc"}`, `{"key":"x","environment":["live"]}`,
	`{"key":"x","environment":"live","environment":"live"}`,
	`{"key":"x","workspaceId":[]}`, `{"key":"x","workspaceId":""}`, `{"key":"x","workspaceId":null}`,
	`{"key":"x","workspaceId":"nope"}`, `{"key":"x","workspaceId":[null]}`,
	`{"key":"x","workspaceId":["` + inside + `",]}`, `{"key":"x","workspaceId":["` + inside + `"}`,
	`{"key":"x","workspaceId":["` + inside + `","x"]}`,
	`{"key":"x","workspaceId":"` + strings.ToUpper(inside) + `"}`,
	`{"key":"x","workspaceId":"` + inside + `","workspaceId":"` + inside + `"}`,
	`{"key":"x","workspaceId":[` + strings.Repeat(`"`+inside+`",`, 100) + `"` + inside + `"]}`,
	`{"items":[]}`, `{"items":null}`, `{"items":{}}`, `{"items":[{"key":"x"},]}`, `{"items":[{"key":"x"}{"key":"y"}]}`,
	`{"items":[{"key":"x"}],"items":[]}`, `{"items":[{"key":"x"}]} x`, `{"Items":[{"key":"x"}]}`, `{"items":[{}]}`,
	`{"items":[{"key":"x"}],"more":1}`, `{"items":[{"key":"x"}`, `{"items":[null]}`,
}

func TestWhatIsUnusualIsLeftToTheStrictReader(t *testing.T) {
	t.Parallel()
	for _, body := range unusual {
		var q verify.Question
		r := codec.Reader()
		if r.Question([]byte(body), &q) {
			t.Errorf("%q was taken as %+v", body, q)
		}
		if _, ok := r.Questions([]byte(body), nil); ok {
			t.Errorf("%q was taken as a batch", body)
		}
	}
	over := `{"items":[{"key":"x"}` + strings.Repeat(`,{"key":"x"}`, verifycodec.MaxBatch) + `]}`
	if _, ok := codec.Reader().Questions([]byte(over), nil); ok {
		t.Error("a batch of 1001 was taken")
	}
}

// space generates the blanks that JSON admits between tokens.
func space() *rapid.Generator[string] {
	return rapid.StringMatching(`[ \t\r\n]{0,2}`)
}

// ordinary draws a body as a client may write it: any order, any space, every member with a value that is right.
func ordinary(t *rapid.T) string {
	sp := func() string { return space().Draw(t, "space") }
	listOf := func(least int) string {
		names := rapid.SliceOfN(rapid.SampledFrom(perm.Builtin().Names(perm.Builtin().All())), least, 5).Draw(t, "names")
		for i, n := range names {
			names[i] = sp() + `"` + n + `"` + sp()
		}
		return "[" + strings.Join(names, ",") + sp() + "]"
	}
	list := func() string { return listOf(0) }
	some := func() string { return listOf(1) } // an empty "any" is refused
	members := []string{fmt.Sprintf(
		`"key"%s:%s"%s"`, sp(), sp(), rapid.SampledFrom([]string{value, "", "x", "a key {}[],:'"}).Draw(t, "key"),
	)}
	if rapid.Bool().Draw(t, "demand") {
		members = append(members, rapid.SampledFrom([]string{
			`"permissions":` + sp() + list(), `"permissions":{` + sp() + `}`, `"permissions":{"all":` + list() + sp() + `}`,
			`"permissions":{` + sp() + `"any":` + some() + `}`,
			`"permissions":{"any":` + some() + `,` + sp() + `"all"` + sp() + `:` + list() + `}`}).Draw(t, "form"))
	}
	if rapid.Bool().Draw(t, "costs") {
		members = append(members,
			fmt.Sprintf(`"cost":%s%d%s`, sp(), rapid.IntRange(0, verifycodec.MaxCost).Draw(t, "cost"), sp()))
	}
	if rapid.Bool().Draw(t, "addressed") {
		members = append(members,
			`"ip":"`+rapid.SampledFrom([]string{"203.0.113.9", "2001:db8::1", "::ffff:1.2.3.4"}).Draw(t, "ip")+`"`)
	}
	if rapid.Bool().Draw(t, "in an environment") {
		members = append(members,
			`"environment"`+sp()+`:`+sp()+rapid.SampledFrom([]string{`"live"`, `"test"`}).Draw(t, "environment"))
	}
	if rapid.Bool().Draw(t, "in a workspace") {
		one := `"` + inside + `"` + sp()
		members = append(members, `"workspaceId":`+rapid.SampledFrom([]string{one, `[` + sp() + one + `]`, `[` + one + `,` +
			sp() + one + `]`}).Draw(t, "workspaces"))
	}
	return sp() + "{" + sp() + strings.Join(rapid.Permutation(members).Draw(t, "order"), sp()+","+sp()) + sp() + "}" + sp()
}

func TestWhatClientsOrdinarilySendIsReadPlainly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		body := ordinary(t)
		if !agree(t, []byte(body)) {
			t.Fatalf("%q was left to the strict reader", body)
		}
		n := rapid.IntRange(1, 4).Draw(t, "items")
		items := make([]string, n)
		for i := range items {
			items[i] = ordinary(t)
		}
		batch := space().Draw(t, "space") + `{"items":[` + strings.Join(items, ",") + `]}`
		agree(t, []byte(batch))
		if qs, ok := codec.Reader().Questions([]byte(batch), nil); !ok || len(qs) != n {
			t.Fatalf("%q was left to the strict reader", batch)
		}
	})
}

// Every byte of an ordinary body is replaced, left out and doubled in turn.
func TestAnOrdinaryBodyWithOneByteWrongIsReadAsTheStrictReaderReadsIt(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"key":"` + value[:12] + `","permissions":{"all":["calls:read"],"any":["calls:write"]},"cost":10,"ip":"::1"}`,
		`{"key":"x","environment":"live","workspaceId":["` + inside + `","` + inside + `"]}`,
		`{"items":[{"key":"x","cost":0}, {"ip":"1.2.3.4","key":"y","permissions":["calls:read"]}]}`,
	} {
		agree(t, []byte(body))
		for i := range body {
			for _, c := range []string{"", body[i:i+1] + body[i:i+1], "\x00", " ", `"`, `\`, "{", "}", "[", "]", ",", ":", "0",
				"9", "-", ".", "e", "K", "\x7f", "\x80", "\u017f", "\\u0041"} {
				agree(t, []byte(body[:i]+c+body[i+1:]))
			}
		}
	}
}

func FuzzBothReadersAgree(f *testing.F) {
	for _, s := range unusual {
		f.Add([]byte(s))
	}
	for _, s := range []string{
		`{"key":"` + value + `"}`,
		` { "key" : "x" , "permissions" : [ "calls:read" , "calls:write" ] , "cost" : 0 , "ip" : "::1" } `,
		`{"permissions":{"any":["calls:read"],"all":[]},"key":""}`, `{"items":[{"key":"x"},{"key":"y","cost":1000}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) { agree(t, body) })
}

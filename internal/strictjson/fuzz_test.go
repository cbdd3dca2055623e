package strictjson_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward/internal/strictjson"
)

type inner struct {
	On    bool     `json:"on"`
	Names []string `json:"names"`
}

type plain struct {
	Name  string  `json:"name"`
	Count int64   `json:"count"`
	Inner inner   `json:"inner"`
	List  []inner `json:"list"`
	Any   any     `json:"any"`
}

// FuzzStrictJSON holds that an accepted text is read in the same way by the standard decoder, has the same names for
// a case-sensitive reader, and is the same after it is written and read again.
func FuzzStrictJSON(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"name":"a","count":1}`, `{"Name":"a"}`, `{"name":"a","name":"b"}`,
		`{"inner":{"on":true,"names":["x"]},"list":[{}]}`,
		`{"any":{"a":[1.5,null,"\ud83d\ude00"]}}`, `{"count":1e3}`, `{"count":9007199254740993}`, `{"any":9007199254740992}`,
		`{"count":-0}`, "{\"name\":\"\xff\"}", `{"name":"\u0000"}`, `{"list":null}`, `{} {}`, `{"any":1e400}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var got plain
		if strictjson.Decode(text, &got) != nil {
			return
		}
		agreesWithTheStandardDecoder(t, text, got)
		hasKnownNamesOnly(t, text)
		survivesARoundTrip(t, got)
	})
}

func agreesWithTheStandardDecoder(t *testing.T, text []byte, got plain) {
	t.Helper()
	var other plain
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&other); err != nil {
		t.Fatalf("%q: the standard decoder refuses it: %v", text, err)
	}
	if diff := cmp.Diff(other, got); diff != "" {
		t.Fatalf("%q: read differently: %s", text, diff)
	}
}

func hasKnownNamesOnly(t *testing.T, text []byte) {
	t.Helper()
	var names map[string]json.RawMessage
	if err := json.Unmarshal(text, &names); err != nil {
		t.Fatalf("%q: not a map: %v", text, err)
	}
	for name := range names {
		if !known(name) {
			t.Fatalf("%q: accepted the member %q", text, name)
		}
	}
}

func known(name string) bool {
	for field := range reflect.TypeFor[plain]().Fields() {
		if field.Tag.Get("json") == name {
			return true
		}
	}
	return false
}

func survivesARoundTrip(t *testing.T, got plain) {
	t.Helper()
	if got.Inner.Names == nil {
		got.Inner.Names = []string{}
	}
	if got.List == nil {
		got.List = []inner{}
	}
	for i := range got.List {
		if got.List[i].Names == nil {
			got.List[i].Names = []string{}
		}
	}
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var again plain
	if err := strictjson.Decode(text, &again); err != nil {
		t.Fatalf("%s: not accepted again: %v", text, err)
	}
	if diff := cmp.Diff(got, again); diff != "" {
		t.Fatalf("%s: changed: %s", text, diff)
	}
}

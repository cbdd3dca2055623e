package strictjson_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/strictjson"
)

type limits struct {
	PerMinute strictjson.Nullable[int64] `json:"requestsPerMinute"`
}

type item struct {
	ID     string                      `json:"id"`
	Limits strictjson.Nullable[limits] `json:"rateLimit"`
}

type document struct {
	Name        string                                 `json:"name"`
	Limit       strictjson.Optional[int64]             `json:"limit"`
	On          strictjson.Optional[bool]              `json:"on"`
	Permissions strictjson.Optional[[]string]          `json:"permissions"`
	Scopes      []string                               `json:"scopes"`
	Items       []item                                 `json:"apiKeys"`
	Metadata    strictjson.Nullable[strictjson.Object] `json:"metadata"`
	Frozen      strictjson.Given                       `json:"frozen"`
}

func nested(depth int) string {
	return `{"metadata":{"a":` + strings.Repeat("[", depth-2) + strings.Repeat("]", depth-2) + `}}`
}

func TestT45T50WhatALenientDecoderWouldGuessAtIsRefusedWithItsField(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ about, text, field string }{
		{"duplicate member", `{"limit":1,"limit":2}`, "limit"},
		{"duplicate member under another spelling", `{"limit":1,"l\u0069mit":2}`, "limit"},
		{"duplicate member further in", `{"apiKeys":[{"id":"a"},{"id":"b","id":"c"}]}`, "apiKeys[1].id"},
		{"duplicate member in kept text", `{"metadata":{"7":1,"7":2}}`, "metadata.7"},
		{"wrong case", `{"LIMIT":1}`, "LIMIT"},
		{"wrong case beside the right one", `{"limit":1,"LIMIT":2}`, "LIMIT"},
		{"long s", `{"ſcopes":[]}`, `["\u017fcopes"]`},
		{"Kelvin sign", "{\"\u212aey\":1}", `["\u212aey"]`},
		{"unknown member", `{"permisions":["a"]}`, "permisions"},
		{"unknown member further in", `{"apiKeys":[{"rateLimit":{"perMinute":1}}]}`, "apiKeys[0].rateLimit.perMinute"},
		{"unknown member with an empty name", `{"":1}`, `[""]`},
		{"trailing document", `{}{}`, "body"},
		{"trailing text", `{} x`, "body"},
		{"trailing NUL", "{}\x00", "body"},
		{"byte order mark", "\ufeff{}", "body"},
		{"invalid UTF-8", "{\"name\":\"\xff\"}", "body"},
		{"overlong UTF-8", "{\"name\":\"\xc0\x80\"}", "body"},
		{"lone high surrogate", `{"name":"\ud800"}`, "body"},
		{"lone low surrogate", `{"name":"\udc00x"}`, "body"},
		{"null for a list", `{"permissions":null}`, "permissions"},
		{"null for a plain list", `{"scopes":null}`, "scopes"},
		{"null in a list", `{"permissions":["a",null]}`, "permissions[1]"},
		{"null for an integer", `{"limit":null}`, "limit"},
		{"null for a text", `{"name":null}`, "name"},
		{"null for a truth value", `{"on":null}`, "on"},
		{"null for an object in a list", `{"apiKeys":[null]}`, "apiKeys[0]"},
		{"exponent", `{"limit":1e3}`, "limit"},
		{"fraction", `{"limit":1.0}`, "limit"},
		{"text for an integer", `{"limit":"1"}`, "limit"},
		{"integer for a text", `{"name":1}`, "name"},
		{"text for a truth value", `{"on":"true"}`, "on"},
		{"object for a list", `{"permissions":{}}`, "permissions"},
		{"text for a list", `{"permissions":"a"}`, "permissions"},
		{"fraction further in", `{"apiKeys":[{"rateLimit":{"requestsPerMinute":1.5}}]}`,
			"apiKeys[0].rateLimit.requestsPerMinute"},
		{"list for an object", `{"metadata":[]}`, "metadata"},
		{"NUL", `{"name":"a\u0000b"}`, "name"},
		{"NUL in a kept text", `{"metadata":{"a":["x","\u0000"]}}`, "metadata.a[1]"},
		{"NUL in a name", `{"metadata":{"\u0000":1}}`, `metadata["\x00"]`},
		{"33 deep", nested(33), "body"},
		{"2^53+1", `{"limit":9007199254740993}`, "limit"},
		{"-2^53-1", `{"limit":-9007199254740993}`, "limit"},
		{"past int64", `{"limit":99999999999999999999}`, "limit"},
		{"2^53+1 in kept text", `{"metadata":{"n":9007199254740993}}`, "metadata.n"},
		{"1e400 in kept text", `{"metadata":{"n":1e400}}`, "metadata.n"},
		{"2^53+1 as a fraction", `{"metadata":{"n":9007199254740993.0}}`, "metadata.n"},
		{"nothing", ``, "body"},
		{"space", ` `, "body"},
		{"half a document", `{"name":`, "body"},
		{"a list", `[]`, "body"},
		{"null", `null`, "body"},
		{"a comment", `{/**/}`, "body"},
		{"a trailing comma", `{"name":"a",}`, "body"},
		{"single quotes", `{'name':'a'}`, "body"},
		{"NaN", `{"limit":NaN}`, "body"},
		{"leading zero", `{"limit":01}`, "body"},
		{"raw line end in a text", "{\"name\":\"a\nb\"}", "body"},
	} {
		t.Run(c.about, func(t *testing.T) {
			t.Parallel()
			err := strictjson.Decode([]byte(c.text), &document{})
			var f *fault.Error
			if !errors.As(err, &f) || f.Code != fault.InvalidRequest || len(f.Details) != 1 {
				t.Fatalf("Decode(%s) = %v, want one invalid_request", c.text, err)
			}
			if f.Details[0].Field != c.field {
				t.Errorf("Decode(%s) names %q, want %q (%s)", c.text, f.Details[0].Field, c.field, f.Message)
			}
		})
	}
}

func TestAbsentNullAndAValueAreToldApart(t *testing.T) {
	t.Parallel()
	var got document
	text := `{"name":"å","limit":9007199254740992,"apiKeys":[{"id":"a"},{"rateLimit":null},{"rateLimit":{"requestsPerMinute":null}},` +
		`{"rateLimit":{"requestsPerMinute":-0}}],"metadata":{"a" : [ null, 1.5 ]},"frozen":null}`
	if err := strictjson.Decode([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	null := strictjson.Nullable[int64]{Set: true, Null: true}
	want := document{
		Name:  "å",
		Limit: strictjson.Optional[int64]{Set: true, Value: 1 << 53},
		Items: []item{
			{ID: "a"},
			{Limits: strictjson.Nullable[limits]{Set: true, Null: true}},
			{Limits: strictjson.Nullable[limits]{Set: true, Value: limits{PerMinute: null}}},
			{Limits: strictjson.Nullable[limits]{Set: true, Value: limits{PerMinute: strictjson.Nullable[int64]{Set: true}}}},
		},
		Metadata: strictjson.Nullable[strictjson.Object]{Set: true, Value: strictjson.Object(`{"a":[null,1.5]}`)},
		Frozen:   true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestThirtyTwoLevelsAreDeepEnough(t *testing.T) {
	t.Parallel()
	if err := strictjson.Decode([]byte(nested(32)), &document{}); err != nil {
		t.Error(err)
	}
}

func TestAHostileNameIsNotRepeatedWhole(t *testing.T) {
	t.Parallel()
	err := strictjson.Decode([]byte(`{"`+strings.Repeat("é", 1000)+`":1}`), &document{})
	var f *fault.Error
	if !errors.As(err, &f) || len(f.Details[0].Field) > 400 {
		t.Errorf("got %v, want a short field", err)
	}
}

// A body of 1 MiB could otherwise become some hundred MiB of structs.
func TestManySmallElementsAreRefusedBeforeTheyTakeMemory(t *testing.T) {
	t.Parallel()
	repeat := func(n int, one string) string { return "[" + strings.Repeat(one+",", n-1) + one + "]" }
	for text, want := range map[string]string{
		`{"list":` + repeat(strictjson.MaxElements, `""`) + `}`:   "",
		`{"list":` + repeat(strictjson.MaxElements+1, `""`) + `}`: "list[5000]",
		`{"items":` + repeat(4999, `{}`) + `}`:                    "",
		`{"items":` + repeat(5001, `{}`) + `}`:                    "items[5000]",
		`{"lists":` + repeat(2, repeat(4000, `0`)) + `}`:          "",
	} {
		var into struct {
			List  []string         `json:"list"`
			Lists [][]int          `json:"lists"`
			Items []map[string]any `json:"items"`
		}
		err := strictjson.Decode([]byte(text), &into)
		got := ""
		var f *fault.Error
		if errors.As(err, &f) && len(f.Details) == 1 {
			got = f.Details[0].Field
		}
		if got != want || err == nil != (want == "") {
			t.Errorf("%.40s…: %q, want %q: %v", text, got, want, err)
		}
	}
}

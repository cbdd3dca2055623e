package conversation

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A runner that accepts everything proves nothing: here it is shown texts that it must refuse.

func TestAPatternFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ want, got, complaint string }{
		"a member that is missing":     {`{"a": 1}`, `{}`, "answer.a: is not there"},
		"another value":                {`{"a": 1}`, `{"a": 2}`, "want 1, got 2"},
		"another type":                 {`{"a": 1}`, `{"a": "1"}`, `want 1, got "1"`},
		"null for a value":             {`{"a": 1}`, `{"a": null}`, "want 1, got null"},
		"a value for null":             {`{"a": null}`, `{"a": 1}`, "want null, got 1"},
		"a list that is longer":        {`[1]`, `[1, 2]`, "want a list of 1"},
		"a list in another order":      {`["a", "b"]`, `["b", "a"]`, `want "a"`},
		"a member too many":            {`{"<only>": true, "a": 1}`, `{"a": 1, "b": 2}`, "answer.b: want no such member"},
		"a member that must not be":    {`{"a": "<absent>"}`, `{"a": null}`, "want none"},
		"what is no id":                {`"<uuid>"`, `"1"`, "want <uuid"},
		"what is no time":              {`"<time>"`, `"2026-01-01T00:00:00Z"`, "want <time"},
		"a masked key for a whole one": {`"<key live>"`, `"kw_live_AbCd…wxyz"`, "want <key"},
		"a whole key for a masked one": {`"<masked live>"`, `"kw_live_` + strings.Repeat("A", 49) + `"`, "want <masked"},
		"another environment":          {`"<masked test>"`, `"kw_live_AbCd…wxyz"`, "want <masked"},
		"a text without the word":      {`"<has word>"`, `"nothing"`, "want <has"},
		"no such placeholder":          {`"<nonsense>"`, `"x"`, "is no placeholder"},
		"an empty text":                {`"<text>"`, `""`, "want <text"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := strings.Join(Values{}.Match("answer", parsed(t, test.want), parsed(t, test.got)), "\n")
			if !strings.Contains(got, test.complaint) {
				t.Errorf("got the complaint %q, want one with %q", got, test.complaint)
			}
		})
	}
}

func TestAPatternTakesWhatIsRightAndKeepsCaptures(t *testing.T) {
	t.Parallel()
	v := Values{}
	want := parsed(t, `{"id": "<uuid> $id", "n": "$n", "list": ["<any>", {"a": null}], "none": "<absent>"}`)
	got := parsed(
		t, `{"id": "019a5c42-1f08-7c3a-8b52-6d0e9f4a7c21", "n": 7, "list": [null, {"a": null, "b": 1}], "more": true}`,
	)
	if wrong := v.Match("answer", want, got); wrong != nil {
		t.Error(wrong)
	}
	if diff := cmp.Diff(Values{"id": "019a5c42-1f08-7c3a-8b52-6d0e9f4a7c21", "n": "7"}, v); diff != "" {
		t.Errorf("captures (-want +got):\n%s", diff)
	}
}

func TestAConversationIsRead(t *testing.T) {
	t.Parallel()
	steps, err := Parse(
		"A remark.\n\n-- include company --\n-- ask --\nPOST /path\nA: b\nA: c\n\n{\"x\": \"{id}\"}\n-- > 400 like other --\n" +
			"X-Y: z\n\n{}\n-- wait 10ms --\n-- plain --\nPUT /p\n\n@body \"\\xff\" * 3\n-- > 200 --\n{}\n",
	)
	if err != nil {
		t.Fatal(err)
	}
	if len(steps) != 4 {
		t.Fatalf("%d steps", len(steps))
	}
	ask, plain := steps[1], steps[3]
	if diff := cmp.Diff([]Header{{"A", "b"}, {"A", "c"}}, ask.Request.Headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if ask.Request.Body != `{"x": "{id}"}` || ask.Want.Status != 400 || ask.Want.Like != "other" || ask.Want.Body != "{}" {
		t.Errorf("got %+v", ask)
	}
	if plain.Request.Body != "\xff" || plain.Request.Repeat != 3 || len(plain.Request.Headers) != 0 {
		t.Errorf("got %+v", plain)
	}
}

func TestAConversationThatIsIncompleteIsRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":                       "A remark.\n",
		"a request without expectation": "-- a --\nGET /\n",
		"two requests":                  "-- a --\nGET /\n-- b --\nGET /\n-- > 200 --\n",
		"an expectation alone":          "-- > 200 --\n",
		"no path":                       "-- a --\nGET\n-- > 200 --\n",
		"no status":                     "-- a --\nGET /\n-- > ok --\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := Parse(text); err == nil {
				t.Error("no error")
			}
		})
	}
}

func parsed(t *testing.T, text string) any {
	t.Helper()
	v, err := decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Neighbouring lines about objects of one kind may come in any order, and no others.
func TestLinesOfOneKindMatchInAnyOrder(t *testing.T) {
	t.Parallel()
	patterns := []string{`{"member": {"userId": "ana"}}`, `{"member": {"userId": "$second"}}`, `{"key": {"id": "k"}}`}
	for text, want := range map[string]int{
		`{"member":{"userId":"ana"}} {"member":{"userId":"bob"}} {"key":{"id":"k"}}`: 0,
		`{"member":{"userId":"bob"}} {"member":{"userId":"ana"}} {"key":{"id":"k"}}`: 0,
		`{"member":{"userId":"bob"}} {"member":{"userId":"eve"}} {"key":{"id":"k"}}`: 1,
		`{"member":{"userId":"bob"}} {"key":{"id":"k"}} {"member":{"userId":"ana"}}`: 3,
	} {
		v := Values{}
		lines := strings.Split(text, " ")
		v.alike(patterns, lines)
		var wrong []string
		for i := range lines {
			wrong = append(wrong, v.matchJSON("", patterns[i], lines[i])...)
		}
		if len(wrong) != want || want == 0 && v["second"] != "bob" {
			t.Errorf("%s: %q, want %d", text, wrong, want)
		}
	}
}

package wire_test

import (
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/wire"
)

func TestAnswersAreWrittenInOneForm(t *testing.T) {
	t.Parallel()
	half := time.Date(2026, 11, 23, 10, 33, 0, 500_999_999, time.FixedZone("", 2*3600))
	for _, c := range []struct {
		about string
		value any
		want  string
	}{
		{"times in UTC with three digits", wire.Time(half), `"2026-11-23T08:33:00.500Z"`},
		{"no time", wire.TimeOrNull(time.Time{}), `null`},
		{"lists that are empty", wire.DeletedAPIKeys{}.Errors, `[]`},
		{"no HTML escapes", wire.Detail{Field: "<a>", Message: "&\u2028"}, "{\"field\":\"<a>\",\"message\":\"&\u2028\"}"},
		{"text that is not UTF-8", "a\xffb", "\"a\ufffdb\""},
		{"kept objects", wire.Object(`{"b":1,"a":"<"}`), `{"b":1,"a":"<"}`},
		{"no kept object", wire.Object(""), `{}`},
		{"no limit", wire.RateLimit{RequestsPerDay: wire.LimitOrNull(5)}, `{"requestsPerMinute":null,"requestsPerDay":5}`},
		{"a verdict about nothing", wire.Verdict{Code: "NOT_FOUND"}, `{"valid":false,"code":"NOT_FOUND"}`},
		{"a verdict of a key that may do nothing", wire.Verdict{Code: "DISABLED", Permissions: []string{}},
			`{"valid":false,"code":"DISABLED","permissions":[]}`},
		{"introspection of nothing", wire.Introspection{}, `{"active":false}`},
		{"maps in order", map[string]string{"b": "1", "a": "2"}, `{"a":"2","b":"1"}`},
	} {
		got, err := wire.Marshal(c.value)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s (%v), want %s", c.about, got, err, c.want)
		}
	}
}

func TestNoLineSeparatorStandsInALine(t *testing.T) {
	t.Parallel()
	got, err := wire.MarshalLine(wire.Log{EventDescription: "a\u2028b", Metadata: wire.Object("{\"x\":\"c\u2029d\"}")})
	if err != nil || !strings.Contains(string(got), `a\u2028b`) || !strings.Contains(string(got), `c\u2029d`) {
		t.Errorf("%s, %v", got, err)
	}
}

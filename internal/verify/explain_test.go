package verify_test

import (
	"testing"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/verify"
)

func TestWhatIsForeseenIsWhatACheckSays(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		edit func(*apikey.Key)
		ask  verify.Question
		want verify.Code
	}{
		"good":          {nil, verify.Question{}, verify.Valid},
		"what it holds": {nil, verify.Question{Demand: all("calls:read")}, verify.Valid},
		"what it lacks": {nil, verify.Question{Demand: all("calls:write")}, verify.InsufficientPermissions},
		"disabled":      {func(k *apikey.Key) { k.IsActive = false }, verify.Question{}, verify.Disabled},
		"expired": {func(k *apikey.Key) { k.ExpiresAt = noon.Add(-time.Second) }, verify.Question{},
			verify.Expired},
		"from a network of its": {networks("203.0.113.0/24"), verify.Question{IP: ip("203.0.113.7")}, verify.Valid},
		"from elsewhere":        {networks("203.0.113.0/24"), verify.Question{IP: ip("198.51.100.1")}, verify.IPForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			edit := test.edit
			if edit == nil {
				edit = func(*apikey.Key) {}
			}
			value := b.key(edit)
			test.ask.Key = value
			checked := b.code(test.ask)
			test.ask.Key = ""
			var v verify.Verdict
			b.engine.Simulate(b.digester.Current(value), test.ask, &v)
			if v.Code != test.want || checked != test.want {
				t.Errorf("foreseen %s, checked %s, want %s", v.Code, checked, test.want)
			}
			stepsAgree(t, &v)
		})
	}
}

// stepsAgree: all steps before the one that refused are passed, it is not, and those after it are not reached.
func stepsAgree(t *testing.T, v *verify.Verdict) {
	t.Helper()
	refused := false
	for _, s := range v.Steps() {
		own := s.Code == v.Code
		if s.Reached == refused || s.Passed != (!refused && !own) {
			t.Errorf("%s: step %+v", v.Code, s)
		}
		refused = refused || own
	}
	if refused == (v.Code == verify.Valid) {
		t.Errorf("%s: no step refuses, or one does", v.Code)
	}
}

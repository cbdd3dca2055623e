package feedhttp

import (
	"context"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/verify"
	"github.com/keyward/keyward/internal/verifycodec"
)

// A follower that asks its source about a value answers what the source answered, with every member of it.
func TestAVerdictOfTheSourceIsPassedOnWhole(t *testing.T) {
	t.Parallel()
	const limits = `"rateLimit":{"minute":{"limit":9,"remaining":0,"resetAt":"2026-11-24T12:01:00.000Z"},` +
		`"day":{"limit":90,"remaining":8,"resetAt":"2026-11-25T00:00:00.000Z"},` +
		`"workspaceMinute":{"limit":19,"remaining":18,"resetAt":"2026-11-24T12:01:00.000Z"},` +
		`"workspaceDay":{"limit":190,"remaining":180,"resetAt":"2026-11-25T00:00:00.000Z"}}`
	const about = `"keyId":"019a5c42-1f08-7c3a-8b52-6d0e9f4a7c21","workspaceId":"019a5c3e-7b10-7a44-9c1d-2f6b8e0d4a11",` +
		`"userId":"mia","name":"one","environment":"test","permissions":["calls:read"],` +
		`"expiresAt":"2027-01-02T03:04:05.678Z","previousKeyExpiresAt":"2026-12-01T00:00:00.001Z","metadata":{"a":1}`
	said := map[string]bool{}
	for _, text := range []string{
		`{"valid":true,"code":"VALID",` + about + `,` + limits + `}`,
		`{"valid":false,"code":"RATE_LIMITED",` + about + `,` + limits + `}`,
		`{"valid":false,"code":"INSUFFICIENT_PERMISSIONS",` + about + `,"missingPermissions":["calls:write"]}`,
		`{"valid":false,"code":"NOT_FOUND"}`,
	} {
		var members map[string]any
		var answer keyward.Verdict
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			t.Fatal(err)
		}
		_ = json.Unmarshal([]byte(text), &members)
		for name := range members {
			said[name] = true
		}
		j := NewJudge(nil, "", nil, nil, nil)
		j.Ask = func(context.Context, keyward.VerifyRequest) (keyward.Verdict, error) { return answer, nil }
		j.Use(perm.Builtin())
		var v verify.Verdict
		j.Unknown(&verify.Question{Key: "foreign"}, &v)
		got, err := verifycodec.New(perm.Builtin()).AppendVerdict(nil, &v)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(text, string(got)); diff != "" {
			t.Error(diff)
		}
	}
	for f := range reflect.TypeFor[keyward.Verdict]().Fields() {
		if name := f.Tag.Get("json"); !said[name] {
			t.Errorf("no answer of this test has %s", name)
		}
	}
}

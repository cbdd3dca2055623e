package verifier_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/verifier"
)

// alike are the parts of two verdicts that have to be the same: all but when a window ends, which depends on the
// moment.
var alike = cmp.Options{cmpopts.IgnoreFields(keyward.Window{}, "ResetAt"), cmpopts.EquateComparable()}

// questions are keys of every kind, and questions about them.
func (h *house) questions() map[string]keyward.VerifyRequest {
	h.t.Helper()
	ask := func(change func(*keyward.CreateKeyRequest)) keyward.VerifyRequest {
		_, value := h.key(change)
		return keyward.VerifyRequest{Key: value}
	}
	root := h.Client()
	ctx := h.t.Context()
	disabledID, disabled := h.key(nil)
	_, err := root.UpdateKeys(ctx, []keyward.KeyUpdate{{ID: disabledID, IsActive: keyward.Set(false)}})
	h.must(err)
	deletedID, deleted := h.key(nil)
	_, err = root.DeleteKey(ctx, deletedID)
	h.must(err)
	rotatedID, rotated := h.key(nil)
	next, err := root.RotateKey(ctx, rotatedID, 0)
	h.must(err)
	overlapID, overlapping := h.key(nil)
	_, err = root.RotateKey(ctx, overlapID, time.Hour)
	h.must(err)
	foreign := "another-house-key-0123456789"
	sum := sha256.Sum256([]byte(foreign))
	imported, err := root.ImportKeys(ctx, keyward.ImportKeysRequest{WorkspaceID: h.workspace,
		APIKeys: []keyward.ImportKey{
			{
				UserID:      "ada",
				Name:        "brought",
				SHA256:      hex.EncodeToString(sum[:]),
				Permissions: keyward.Permissions("calls:read"),
			},
		}})
	h.must(err)
	if len(imported.Imported) != 1 {
		h.t.Fatalf("%+v", imported)
	}
	soon := time.Now().Add(1200 * time.Millisecond)
	bound := ask(func(r *keyward.CreateKeyRequest) { r.AllowedIPs = []string{"10.0.0.0/8"} })
	within, outside := bound, bound
	within.IP, outside.IP = "10.1.2.3", "192.0.2.1"
	good := ask(func(r *keyward.CreateKeyRequest) {
		r.Name = "Größe"
		r.Metadata = map[string]any{"plan": "gold", "n": 1.5, "deep": map[string]any{"a": []any{"b"}}}
	})
	with := func(change func(*keyward.VerifyRequest)) keyward.VerifyRequest {
		q := good
		change(&q)
		return q
	}
	limited := ask(func(r *keyward.CreateKeyRequest) {
		r.RateLimit = keyward.Set(keyward.Limits{RequestsPerMinute: keyward.Set(7), RequestsPerDay: keyward.Set(70)})
	})
	limited.Cost = new(int)
	all := map[string]keyward.VerifyRequest{
		"good": good, "limited": limited, "disabled": {Key: disabled}, "deleted": {Key: deleted},
		"rotated": {Key: rotated}, "the new value": {Key: next.Key.Reveal()},
		"in its overlap": {
			Key: overlapping,
		}, "imported": {Key: foreign}, "a foreign value that there is not": {Key: foreign + "x"},
		"expires later": ask(func(r *keyward.CreateKeyRequest) { r.ExpiresAt = new(time.Now().Add(time.Hour)) }),
		"expired":       ask(func(r *keyward.CreateKeyRequest) { r.ExpiresAt = &soon }),
		"no address":    bound, "from within": within, "from outside": outside,
		"test":            ask(func(r *keyward.CreateKeyRequest) { r.Environment = "test" }),
		"nothing granted": ask(func(r *keyward.CreateKeyRequest) { r.Permissions = keyward.Permissions() }),
		"unknown": {
			Key: "kw_live_" + strings.Repeat("A", 43) + "2ImIO6",
		}, "wrong checksum": {Key: "kw_live_" + strings.Repeat("A", 43) + "2ImIO7"},
		"malformed": {Key: "nonsense"}, "empty": {}, "a service key": {Key: h.token}, "not text": {Key: "kw_live_\xff"},
		"U+0000":                {Key: "kw_live_\x00"},
		"U+0000 in a workspace": with(func(q *keyward.VerifyRequest) { q.WorkspaceIDs = []string{"\x00"} }),
		"U+0000 in an address":  with(func(q *keyward.VerifyRequest) { q.IP = "\x00" }),
		"permission":            with(func(q *keyward.VerifyRequest) { q.Permissions.All = []string{"calls:read"} }),
		"missing": with(
			func(q *keyward.VerifyRequest) { q.Permissions.All = []string{"calls:read", "calls:write"} },
		),
		"one of": with(
			func(q *keyward.VerifyRequest) { q.Permissions.Any = []string{"calls:write", "calls:read"} },
		),
		"none of": with(
			func(q *keyward.VerifyRequest) { q.Permissions.Any = []string{"calls:write", "calls:delete"} },
		),
		"live":          with(func(q *keyward.VerifyRequest) { q.Environment = "live" }),
		"not test":      with(func(q *keyward.VerifyRequest) { q.Environment = "test" }),
		"its workspace": with(func(q *keyward.VerifyRequest) { q.WorkspaceIDs = []string{h.workspace} }),
		"another one": with(
			func(q *keyward.VerifyRequest) { q.WorkspaceIDs = []string{"00000000-0000-7000-8000-00000000000c"} },
		),
		"costs too much":    with(func(q *keyward.VerifyRequest) { q.Cost = new(1001) }),
		"costs less":        with(func(q *keyward.VerifyRequest) { q.Cost = new(-1) }),
		"no address at all": with(func(q *keyward.VerifyRequest) { q.IP = "nowhere" }),
		"a zone":            with(func(q *keyward.VerifyRequest) { q.IP = "fe80::1%eth0" }),
		"no permission": with(
			func(q *keyward.VerifyRequest) { q.Permissions.All = []string{"calls:read", "calls:fly"} },
		),
		"no environment": with(func(q *keyward.VerifyRequest) { q.Environment = "prod" }),
		"no workspace":   with(func(q *keyward.VerifyRequest) { q.WorkspaceIDs = []string{"nope"} }),
	}
	time.Sleep(time.Until(soon))
	return all
}

func TestVerdictsAndErrorsAreThoseOfTheClient(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	v := h.verifier(nil) // before the keys: all of them come as changes
	questions := h.questions()
	later := h.verifier(nil) // and after them, in one load
	seen := map[keyward.VerdictCode]bool{}
	var items []keyward.VerifyRequest
	var verdicts []keyward.Verdict
	for name, q := range questions {
		want, wantErr := h.client.Verify(t.Context(), q)
		for _, one := range []*verifier.Verifier{v, later} {
			var got keyward.Verdict
			var err error
			eventually(t, "an answer about "+name, func() bool {
				got, err = one.Verify(t.Context(), q)
				return !errors.Is(err, verifier.ErrStale) && (one.Stats().Revision == later.Stats().Revision)
			})
			if diff := cmp.Diff(want, got, alike); diff != "" {
				t.Errorf("%s (-client +verifier):\n%s", name, diff)
			}
			var a, b *keyward.Error
			same := (wantErr == nil) == (err == nil)
			if errors.As(wantErr, &a) && errors.As(err, &b) {
				same = a.Code == b.Code && a.Status == b.Status && cmp.Equal(a.Details, b.Details)
			}
			if !same {
				t.Errorf("%s: the client says %v, the verifier %v", name, wantErr, err)
			}
		}
		seen[want.Code] = true
		if wantErr == nil {
			items, verdicts = append(items, q), append(verdicts, want)
		}
	}
	for _, code := range []keyward.VerdictCode{keyward.VerdictValid, keyward.VerdictMalformed, keyward.VerdictNotFound,
		keyward.VerdictDisabled, keyward.VerdictExpired,
		keyward.VerdictIPForbidden, keyward.VerdictInsufficientPermissions, ""} {
		if !seen[code] {
			t.Errorf("no question comes to %q", code)
		}
	}
	got, err := later.VerifyBatch(t.Context(), items)
	if diff := cmp.Diff(verdicts, got, alike); err != nil || diff != "" {
		t.Errorf("a batch: %v (-client +verifier):\n%s", err, diff)
	}
	for name, items := range map[string][]keyward.VerifyRequest{
		"none": {}, "too many": make([]keyward.VerifyRequest, 1001), "a wrong one": {{Key: "x"}, {Key: "x", IP: "x"}},
		"any of none": {{Permissions: keyward.Demand{Any: []string{}}}}, "a workspace of none": {{WorkspaceIDs: []string{}}},
	} {
		if got, err := later.VerifyBatch(t.Context(), items); err == nil || got != nil ||
			errors.Is(err, verifier.ErrStale) {
			t.Errorf("a batch, %s: %v, %v", name, got, err)
		}
	}
}

// Several doors together admit what the limit says, and the source's answer is the verdict's.
func TestLimitsStayExactOverTwoVerifiersAndTheServer(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, limited := h.key(func(r *keyward.CreateKeyRequest) {
		r.RateLimit = keyward.Set(keyward.Limits{RequestsPerMinute: keyward.Set(20)})
	})
	doors := []keyward.Verifier{h.verifier(nil), h.verifier(nil), h.client}
	for _, d := range doors {
		h.says(d, limited, keyward.VerdictValid)
	}
	results := make(chan keyward.VerdictCode, 60)
	for _, d := range doors {
		for range 4 {
			go func() {
				for range 5 {
					got, err := d.Verify(t.Context(), keyward.VerifyRequest{Key: limited})
					if err != nil {
						t.Error(err)
					}
					results <- got.Code
				}
			}()
		}
	}
	count := map[keyward.VerdictCode]int{keyward.VerdictValid: len(doors)}
	for range cap(results) {
		count[<-results]++
	}
	if count[keyward.VerdictValid] != 20 || count[keyward.VerdictRateLimited] != 43 {
		t.Errorf("of a limit of 20: %v", count)
	}
	got, err := doors[0].Verify(t.Context(), keyward.VerifyRequest{Key: limited})
	if err != nil || got.RateLimit == nil || got.RateLimit.Minute == nil || got.RateLimit.Minute.Remaining != 0 ||
		got.RateLimit.Minute.Limit != 20 {
		t.Errorf("%+v, %v", got, err)
	}
}

// The limit is the workspace's: keys without any of their own are asked about as well, one by one and in a batch.
func TestTheLimitOfAPlanIsCountedByTheServer(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first, second := h.verifier(nil), h.verifier(nil)
	_, one := h.key(nil)
	_, other := h.key(nil)
	_, err := h.Client().PutPlan(t.Context(), h.workspace, keyward.Plan{RequestsPerMinute: new(int64(10))})
	h.must(err)
	for _, v := range []*verifier.Verifier{first, second} {
		eventually(t, "the plan is in the copy", func() bool {
			got, err := v.Verify(t.Context(), keyward.VerifyRequest{Key: one, Cost: new(0)})
			return err == nil && got.RateLimit != nil && got.RateLimit.WorkspaceMinute != nil
		})
	}
	items := []keyward.VerifyRequest{{Key: one}, {Key: other}, {Key: "nonsense"}, {Key: one}}
	count := map[keyward.VerdictCode]int{}
	for _, v := range []*verifier.Verifier{first, second, first, second} {
		verdicts, err := v.VerifyBatch(t.Context(), items)
		h.must(err)
		for _, verdict := range verdicts {
			count[verdict.Code]++
		}
	}
	if count[keyward.VerdictValid] != 10 || count[keyward.VerdictRateLimited] != 2 ||
		count[keyward.VerdictMalformed] != 4 {
		t.Errorf("of a limit of 10: %v", count)
	}
}

package keyward_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward"
)

func TestEveryQuestionAboutAKeySaysWhatTheContractSays(t *testing.T) {
	t.Parallel()
	operations := []operation{
		{
			name: "verify",
			call: func(ctx ctx, c *keyward.Client) (any, error) {
				return c.Verify(ctx, keyward.VerifyRequest{
					Key: fullKey, Permissions: keyward.Demand{All: []string{"calls:read"}, Any: []string{"kb:read", "kb:sync"}},
					Cost: new(0), IP: "10.0.0.1",
				})
			},
			method: "POST", uri: "/api/v2/api-keys/verify",
			body: `{"key":"` + fullKey +
				`","permissions":{"all":["calls:read"],"any":["kb:read","kb:sync"]},"cost":0,"ip":"10.0.0.1"}`,
			answer: `{"valid":true,"code":"VALID","keyId":"k1","workspaceId":"w1","userId":"u1","name":"CI","environment":"live",
				"permissions":["calls:read"],"metadata":{},"rateLimit":{"minute":{"limit":60,"remaining":59,
				"resetAt":"2026-11-23T12:00:00.000Z"}}}`,
			want: keyward.Verdict{
				Valid: true, Code: keyward.VerdictValid, KeyID: "k1", WorkspaceID: "w1", UserID: "u1", Name: "CI",
				Environment: "live", Permissions: []string{"calls:read"}, Metadata: map[string]any{},
				RateLimit: &keyward.VerdictLimits{Minute: &keyward.Window{Limit: 60, Remaining: 59, ResetAt: noon}},
			},
		},
		{
			name: "verify, refused",
			call: func(ctx ctx, c *keyward.Client) (any, error) {
				return c.Verify(ctx, keyward.VerifyRequest{Key: "x"})
			},
			method: "POST", uri: "/api/v2/api-keys/verify", body: `{"key":"x"}`,
			answer: `{"valid":false,"code":"INSUFFICIENT_PERMISSIONS","missingPermissions":["kb:read"]}`,
			want: keyward.Verdict{
				Code: keyward.VerdictInsufficientPermissions, MissingPermissions: []string{"kb:read"},
			},
		},
		{
			name: "verify-batch",
			call: func(ctx ctx, c *keyward.Client) (any, error) {
				return c.VerifyBatch(ctx, []keyward.VerifyRequest{{Key: "a"}, {Key: "b"}})
			},
			method: "POST", uri: "/api/v2/api-keys/verify-batch", body: `{"items":[{"key":"a"},{"key":"b"}]}`,
			answer: `{"results":[{"valid":false,"code":"MALFORMED"},{"valid":true,"code":"VALID"}]}`,
			want:   []keyward.Verdict{{Code: keyward.VerdictMalformed}, {Valid: true, Code: keyward.VerdictValid}},
		},
	}
	for _, o := range operations {
		t.Run(o.name, o.run)
	}
}

func TestAVerdictThatContradictsItselfIsNoYes(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{
		`{"valid":true,"code":"DISABLED"}`, `{"valid":true}`, `{"valid":false,"code":"VALID"}`, `{}`, `null`,
	} {
		client, _ := answering(t, 200, result(answer))
		if verdict, err := client.Verify(t.Context(), keyward.VerifyRequest{Key: "x"}); err == nil || verdict.Valid {
			t.Errorf("%s: verdict %v, error %v", answer, verdict, err)
		}
		client, _ = answering(t, 200, result(`{"results":[`+answer+`]}`))
		if verdicts, err := client.VerifyBatch(t.Context(), make([]keyward.VerifyRequest, 1)); err == nil {
			t.Errorf("%s in a batch: %v", answer, verdicts)
		}
	}
}

func TestABatchWithAnswersMissingIsAnError(t *testing.T) {
	t.Parallel()
	client, _ := answering(t, 200, result(`{"results":[{"valid":true,"code":"VALID"}]}`))
	if _, err := client.VerifyBatch(t.Context(), make([]keyward.VerifyRequest, 2)); err == nil {
		t.Error("one verdict was taken for two questions")
	}
}

func TestIntrospectionAndRevocationSpeakTheStandards(t *testing.T) {
	t.Parallel()
	client, last := answering(t, 200, `{"active":true,"scope":"calls:read kb:read","client_id":"k1","sub":"u1",
		"exp":1795521600,"iat":1795435200,"token_type":"Bearer","workspace_id":"w1"}`)
	got, err := client.Introspect(t.Context(), "a b&c")
	if err != nil {
		t.Fatal(err)
	}
	want := keyward.Introspection{
		Active: true, Scopes: []string{"calls:read", "kb:read"}, ClientID: "k1", Subject: "u1",
		ExpiresAt: noon.Add(24 * time.Hour), IssuedAt: noon, TokenType: "Bearer", WorkspaceID: "w1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("introspection (-want +got):\n%s", diff)
	}
	asForm(t, last(), "/api/v2/oauth2/introspect")

	client, last = answering(t, 200, `{}`)
	if err := client.RevokeToken(t.Context(), "a b&c"); err != nil {
		t.Fatal(err)
	}
	asForm(t, last(), "/api/v2/oauth2/revoke")
	if _, err := client.Introspect(t.Context(), "x"); err == nil {
		t.Error("an answer without active was taken for one")
	}
}

func asForm(t *testing.T, request seen, uri string) {
	t.Helper()
	if request.Method != "POST" || request.URI != uri || request.Body != "token=a+b%26c" ||
		request.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		t.Errorf("request was %s %s %q as %s", request.Method, request.URI, request.Body, request.Header.Get("Content-Type"))
	}
}

func TestADemandForOneOutOfNoneIsNotSent(t *testing.T) {
	t.Parallel()
	s := &script{answers: []scripted{done}}
	request := keyward.VerifyRequest{Key: "x", Permissions: keyward.Demand{Any: []string{}}}
	if verdict, err := s.client(t).Verify(t.Context(), request); err == nil {
		t.Errorf("verdict %v", verdict)
	}
	if verdicts, err := s.client(t).VerifyBatch(t.Context(), []keyward.VerifyRequest{request}); err == nil ||
		len(s.at) != 0 {
		t.Errorf("verdicts %v after %d requests", verdicts, len(s.at))
	}
}

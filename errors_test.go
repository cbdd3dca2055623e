package keyward_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward"
)

func TestARefusalBecomesAnErrorWithAllThatTheServerSaid(t *testing.T) {
	t.Parallel()
	client, _ := answering(t, 403, `{"success":false,"error":{"code":"permission_escalation","message":"Too much.",
		"details":[{"field":"permissions[2]","message":"calls:write"},{"field":"permissions[3]","message":"kb:sync"}],
		"requestId":"req-7"}}`)
	_, err := client.CreateKey(t.Context(), keyward.CreateKeyRequest{})
	e, ok := errors.AsType[*keyward.Error](err)
	if !ok {
		t.Fatalf("error is %T", err)
	}
	want := &keyward.Error{
		Status: 403, Code: keyward.CodePermissionEscalation, Message: "Too much.", RequestID: "req-7",
		Details: []keyward.Detail{
			{Field: "permissions[2]", Message: "calls:write"}, {Field: "permissions[3]", Message: "kb:sync"},
		},
	}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
	const line = "keyward: status 403 permission_escalation: Too much.: permissions[2]: calls:write; " +
		"permissions[3]: kb:sync (request req-7)"
	if e.Error() != line {
		t.Errorf("error says %q, want %q", e.Error(), line)
	}
}

func TestEachKindOfRefusalIsKnown(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status int
		code   string
		is     error
	}{
		{400, "invalid_request", keyward.ErrInvalid},
		{401, "unauthenticated", keyward.ErrUnauthenticated},
		{403, "permission_denied", keyward.ErrPermissionDenied},
		{403, "permission_escalation", keyward.ErrEscalation},
		{404, "not_found", keyward.ErrNotFound},
		{409, "conflict", keyward.ErrConflict},
		{429, "rate_limited", keyward.ErrRateLimited},
		{503, "unavailable", keyward.ErrUnavailable},
	}
	for _, test := range tests {
		client, _ := answering(t, test.status, `{"error":{"code":"`+test.code+`"}}`, keyward.WithRetry(0))
		_, err := client.GetKey(t.Context(), "k")
		for _, other := range tests {
			if got := errors.Is(err, other.is); got != (other.code == test.code) {
				t.Errorf("%s is taken for %s: %v", test.code, other.code, got)
			}
		}
	}
}

func TestARefusalByTheStandardsIsAnErrorToo(t *testing.T) {
	t.Parallel()
	client, _ := answering(t, 400, `{"error":"invalid_request","error_description":"no token"}`)
	_, err := client.Introspect(t.Context(), "")
	e, ok := errors.AsType[*keyward.Error](err)
	if !ok || !errors.Is(err, keyward.ErrInvalid) || e.Message != "no token" || e.RequestID != "req-1" {
		t.Errorf("error is %v", err)
	}
}

func TestAnAnswerThatIsNotOursIsNotTakenForOne(t *testing.T) {
	t.Parallel()
	for _, body := range []string{``, `<html>`, `{}`, `{"success":true}`, `{"success":false,"data":{"result":{}}}`, `[]`} {
		client, _ := answering(t, 200, body)
		if k, err := client.GetKey(t.Context(), "k"); err == nil {
			t.Errorf("%q became %v", body, k)
		}
	}
	client, _ := answering(t, 404, `<html>Authorization: Bearer `+token)
	_, err := client.GetKey(t.Context(), "k")
	if errors.Is(err, keyward.ErrNotFound) || err.Error() != "keyward: status 404: Not Found (request req-1)" {
		t.Errorf("a stranger's 404 became %v", err)
	}
}

func TestAnAnswerWithoutEndIsRefused(t *testing.T) {
	t.Parallel()
	s := &script{answers: []scripted{{status: 200, body: strings.Repeat(" ", 32<<20+1)}}}
	if _, err := s.client(t).GetKey(t.Context(), "k"); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("error is %v", err)
	}
}

func TestARedirectIsRefusedAndCarriesNothing(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the redirect was followed")
	}))
	defer other.Close()
	server := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	following := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}
	for _, opt := range []keyward.Option{keyward.WithRetry(0), keyward.WithHTTPClient(following)} {
		client := newClient(t, server.URL, opt)
		for _, err := range []error{client.RevokeToken(t.Context(), "x"), client.Ready(t.Context())} {
			if e, ok := errors.AsType[*keyward.Error](err); !ok || e.Status != http.StatusTemporaryRedirect {
				t.Errorf("error is %v", err)
			}
		}
	}
	if following.CheckRedirect(nil, nil) != nil {
		t.Error("the caller's own HTTP client was changed")
	}
}

func TestProbesAskTheRootWithoutAToken(t *testing.T) {
	t.Parallel()
	client, last := answering(t, 200, `ok`)
	for uri, probe := range map[string]func() error{
		"/healthz": func() error { return client.Health(t.Context()) },
		"/readyz":  func() error { return client.Ready(t.Context()) },
	} {
		if err := probe(); err != nil {
			t.Fatal(err)
		}
		if r := last(); r.URI != uri || r.Header.Get("Authorization") != "" {
			t.Errorf("%s was asked as %s with %q", uri, r.URI, r.Header.Get("Authorization"))
		}
	}
	client, _ = answering(t, 503, `{"error":{"code":"unavailable"}}`)
	if err := client.Ready(t.Context()); !errors.Is(err, keyward.ErrUnavailable) {
		t.Errorf("error is %v", err)
	}
}

func TestAnExportThatBreaksOffIsAnError(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "{}\n")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	stream, err := newClient(t, server.URL).ExportLogs(t.Context(), keyward.ListLogsOptions{}, keyward.ExportNDJSON)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if got, err := io.ReadAll(stream); string(got) != "{}\n" || err == nil {
		t.Errorf("read %q, %v; want one line and an error", got, err)
	}
}

func TestAClientIsMadeOfAGoodURLAndGoodOptionsOnly(t *testing.T) {
	t.Parallel()
	const password = "hunter2"
	for _, url := range []string{
		"", "keys.example.com", "ftp://x", "http://", "http://:80", "https://u:" + password + "@x", "https://x?q=" + password,
		"https://x#f", "https://x?", "http://x:" + password,
	} {
		if _, err := keyward.New(url); err == nil || strings.Contains(err.Error(), password) {
			t.Errorf("%q: %v", url, err)
		}
	}
	for name, opt := range map[string]keyward.Option{
		"no token": keyward.WithToken(""), "a token of two lines": keyward.WithToken("a\r\nX: y"),
		"no HTTP client": keyward.WithHTTPClient(nil), "no user agent": keyward.WithUserAgent(""),
		"fewer than no retries": keyward.WithRetry(-1),
	} {
		if _, err := keyward.New("https://x", opt); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestABaseURLMayHaveAPathAndAUserAgentAName(t *testing.T) {
	t.Parallel()
	requests := make(chan *http.Request, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { requests <- r }))
	defer server.Close()
	client := newClient(t, server.URL+"/a%2Fb/keys//", keyward.WithUserAgent("ci/1 (test)"))
	if err := client.RevokeToken(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	r := <-requests
	if r.RequestURI != "/a%2Fb/keys/api/v2/oauth2/revoke" || r.UserAgent() != "ci/1 (test)" {
		t.Errorf("request was %s by %s", r.RequestURI, r.UserAgent())
	}
}

func TestAnIDThatWouldNameAnotherResourceIsRefused(t *testing.T) {
	t.Parallel()
	s := &script{answers: []scripted{done}}
	client := s.client(t)
	for _, id := range []string{"", ".", ".."} {
		if _, err := client.DeleteKey(t.Context(), id); err == nil {
			t.Errorf("%q was taken for an id", id)
		}
		if _, err := client.GetMember(t.Context(), "w", id); err == nil {
			t.Errorf("%q was taken for a user id", id)
		}
	}
	if len(s.at) != 0 {
		t.Errorf("%d requests were sent", len(s.at))
	}
}

func TestAContextThatIsOverEndsTheCall(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := newClient(t, "http://keyward.test").RotateKey(ctx, "k", 0)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

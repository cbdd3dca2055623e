package signin_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward"
)

const sessionCookie, attemptCookie = "__Host-keyward", "__Host-keyward-oidc"

// T70: the whole way through a real provider, which is down at first: keys are verified all the same, and people get in
// once it is up.
func TestSigningInAtARealProviderT70(t *testing.T) {
	t.Parallel()
	r := openReal(t)
	if at := r.person().get(r.url + "/signin/oidc"); at.status != http.StatusServiceUnavailable ||
		!strings.Contains(at.body, "does not answer") {
		t.Errorf("while the provider is down: %d %s", at.status, at.body)
	}
	k, err := r.root.CreateKey(t.Context(), keyward.CreateKeyRequest{WorkspaceID: r.ws, UserID: "ada", Name: "k"})
	r.must(err)
	if v, err := r.root.Verify(t.Context(), keyward.VerifyRequest{Key: k.Key.Reveal()}); err != nil || !v.Valid {
		t.Errorf("a key while the provider is down: %+v, %v", v, err)
	}
	r.serve()
	r.offset.Add(int64(time.Minute))

	ada := r.person()
	if at := ada.get(r.url + "/signin?return=/docs"); !strings.Contains(at.body, `href="/signin/oidc?return=%2Fdocs"`) {
		t.Errorf("the page does not lead to the provider: %s", at.body)
	}
	if at := ada.signIn(r.url+"/signin/oidc?return=/docs", "ada"); at.status != http.StatusOK || at.url.Path != "/docs" {
		t.Errorf("arrived at %s: %d %s", at.url, at.status, at.body)
	}
	if ada.jar[attemptCookie] != nil {
		t.Error("the attempt is not over")
	}
	all, err := r.sessions(ada.jar[sessionCookie].Value)
	if err != nil || len(all) != 1 || all[0].UserID != "ada" || all[0].Method != "oidc" || all[0].WorkspaceID != r.ws {
		t.Errorf("the session: %+v, %v", all, err)
	}

	for name, want := range map[string]string{"stranger": "The provider knows you as stranger",
		"a blank": "cannot be a user&#39;s id"} {
		who := r.person()
		if at := who.signIn(r.url+"/signin/oidc", name); at.status != http.StatusForbidden ||
			!strings.Contains(at.body, want) ||
			who.jar[sessionCookie] != nil {
			t.Errorf("%s: %d %s", name, at.status, at.body)
		}
	}
}

// T70, T67: an answer is good for the browser that asked, once.
func TestT70T67AnAnswerIsGoodForTheBrowserThatAskedOnce(t *testing.T) {
	t.Parallel()
	r := openReal(t)
	r.serve()
	mallory := r.person()
	var answer *url.URL
	mallory.http.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
		if req.URL.Path == "/signin/oidc/callback" {
			answer = req.URL
			return http.ErrUseLastResponse
		}
		return nil
	}
	mallory.signIn(r.url+"/signin/oidc", "ada")
	for name, victim := range map[string]*person{"a browser that never asked": r.person(),
		"one with an attempt of its own": r.person()} {
		if strings.Contains(name, "own") {
			victim.get(r.url + "/signin/oidc") // and stays at the form
		}
		if at := victim.get(answer.String()); at.status != http.StatusBadRequest || victim.jar[sessionCookie] != nil {
			t.Errorf("%s: %d", name, at.status)
		}
	}
	mallory.http.CheckRedirect = nil
	attempt := *mallory.jar[attemptCookie]
	mallory.get(answer.String())
	first := mallory.jar[sessionCookie]
	if first == nil {
		t.Fatal("the browser that asked is not let in")
	}
	mallory.jar[attemptCookie] = &attempt
	if at := mallory.get(answer.String()); at.status == http.StatusOK || mallory.jar[sessionCookie].Value != first.Value {
		t.Errorf("a code twice: %d", at.status)
	}
}

func TestAnAttemptThatTookTooLongOrWasChangedIsOver(t *testing.T) {
	t.Parallel()
	r := openReal(t)
	r.serve()
	slow := r.person()
	slow.get(r.url + "/signin/oidc")
	r.offset.Add(int64(11 * time.Minute))
	if at := slow.get(r.url + "/signin/oidc/callback?code=x&state=y"); at.status != http.StatusBadRequest {
		t.Errorf("too late: %d", at.status)
	}
	forged := r.person()
	forged.jar[attemptCookie] = &http.Cookie{Name: attemptCookie, Value: "e30"}
	if at := forged.get(r.url + "/signin/oidc/callback?code=x&state="); at.status != http.StatusBadRequest {
		t.Errorf("forged: %d", at.status)
	}
	called := r.person()
	called.get(r.url + "/signin/oidc")
	if at := called.get(r.url + "/signin/oidc/callback?error=access_denied&state=y"); at.status != http.StatusForbidden ||
		strings.Contains(at.body, "access_denied") {
		t.Errorf("called off: %d %s", at.status, at.body)
	}
}

// The provider's own tokens act in the API as the member.
func TestTokensOfTheProviderActAsTheMember(t *testing.T) {
	t.Parallel()
	r := openReal(t)
	r.serve()
	id, other := r.tokens("ada", "https://another.example")
	_, access := r.tokens("ada", "https://keyward.example")
	for name, token := range map[string]string{"an ID token": id, "an access token": access} {
		c, err := keyward.New(r.url, keyward.WithToken(token), keyward.WithRetry(0))
		r.must(err)
		k, err := c.CreateKey(t.Context(), keyward.CreateKeyRequest{UserID: "ada", Name: name})
		if err != nil || k.APIKey.WorkspaceID != r.ws {
			t.Errorf("%s: %+v, %v", name, k.APIKey, err)
		}
	}
	logs, err := r.root.ListLogs(t.Context(), keyward.ListLogsOptions{WorkspaceID: r.ws, EventType: "api_key.created"})
	if err != nil || len(logs.Logs) != 2 || !strings.Contains(fmt.Sprint(logs.Logs[0].Metadata), "oidc_token") ||
		logs.Logs[0].ActorID != "ada" {
		t.Errorf("the log: %+v, %v", logs.Logs, err)
	}
	if _, err := r.sessions(other); !errors.Is(err, keyward.ErrUnauthenticated) {
		t.Errorf("an access token for another: %v", err)
	}
	stranger, _ := r.tokens("stranger", "")
	if _, err := r.sessions(stranger); !errors.Is(err, keyward.ErrPermissionDenied) {
		t.Errorf("one who is no member: %v", err)
	}

	second := r.found("Second", "ada")
	c, err := keyward.New(r.url, keyward.WithToken(id), keyward.WithRetry(0))
	r.must(err)
	if keys, err := c.ListKeys(t.Context(), keyward.ListKeysOptions{}); err != nil || len(keys.APIKeys) == 0 ||
		keys.APIKeys[0].WorkspaceID != r.ws {
		t.Errorf("in two workspaces without saying in which: %+v, %v", keys, err)
	}
	if keys, err := c.ListKeys(t.Context(), keyward.ListKeysOptions{WorkspaceID: second}); err != nil ||
		len(keys.APIKeys) != 0 {
		t.Errorf("in the second: %+v, %v", keys, err)
	}

	r.serve() // with new keys: T70
	r.offset.Add(int64(time.Minute))
	fresh, _ := r.tokens("ada", "")
	if _, err := r.sessions(fresh); err != nil {
		t.Errorf("signed with the provider's new key: %v", err)
	}
	if _, err := r.sessions(id); !errors.Is(err, keyward.ErrUnauthenticated) {
		t.Errorf("signed with a key that it has withdrawn: %v", err)
	}
	if _, err := r.root.DeleteWorkspace(t.Context(), r.ws); err != nil {
		t.Fatal(err)
	}
	again, err := keyward.New(r.url, keyward.WithToken(fresh), keyward.WithRetry(0))
	r.must(err)
	if _, err := again.ListKeys(t.Context(), keyward.ListKeysOptions{WorkspaceID: r.ws}); !errors.Is(
		err, keyward.ErrNotFound,
	) {
		t.Errorf("a workspace that is gone: %v", err)
	}
	if _, err := again.ListKeys(t.Context(), keyward.ListKeysOptions{}); err != nil {
		t.Errorf("in the only one that is left: %v", err)
	}
}

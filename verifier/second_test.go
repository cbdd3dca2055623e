package verifier_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite" // an older release's rows

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/keywardtest"
	"github.com/keyward/keyward/verifier"
)

const pepper = "a pepper that is long enough for this"

// counting is a proxy in front of a server that counts the verifications that the server is asked for.
func (h *house) counting() (at string, asked *atomic.Int64) {
	asked = new(atomic.Int64)
	to, err := url.Parse(h.URL)
	h.must(err)
	through := httputil.NewSingleHostReverseProxy(to)
	through.Transport = &http.Transport{DisableKeepAlives: true}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/v2/api-keys/verify") {
			asked.Add(1)
		}
		through.ServeHTTP(w, r)
	}))
	h.t.Cleanup(s.Close)
	return s.URL, asked
}

// bound makes a service key for followers of one workspace.
func (h *house) bound(workspaces ...string) string {
	h.t.Helper()
	made, err := h.Client().CreateServiceKey(h.t.Context(), keyward.CreateServiceKeyRequest{
		Name: "bound", Scopes: []keyward.Scope{"follow", "verify"}, WorkspaceIDs: workspaces,
	})
	h.must(err)
	return made.Key.Reveal()
}

// keysToAsk is what `keyward nodes` says of the only follower.
func (h *house) keysToAsk() int64 {
	h.t.Helper()
	all, err := h.Client().ListFollowers(h.t.Context())
	h.must(err)
	if len(all) != 1 {
		h.t.Fatalf("%d followers", len(all))
	}
	return all[0].KeysToAsk
}

func TestABoundVerifierNeedsNoPepperAndAsksNobody(t *testing.T) {
	t.Parallel()
	h := newHouse(t, keywardtest.WithPepper(pepper))
	_, before := h.key(nil)
	elsewhere := h.Key(t, h.Workspace(t, "Other", "eve"), "eve")
	through, asked := h.counting()
	v := h.verifier(func(c *verifier.Config) { c.URL, c.Token = through, h.bound(h.workspace) })
	id, after := h.key(nil)
	h.says(v, before, keyward.VerdictValid)
	h.says(v, after, keyward.VerdictValid)
	h.says(v, elsewhere, keyward.VerdictNotFound)
	rotated, err := h.Client().RotateKey(t.Context(), id, time.Hour)
	h.must(err)
	h.says(v, rotated.Key.Reveal(), keyward.VerdictValid)
	h.says(v, after, keyward.VerdictValid)
	if h.keysToAsk() != 0 {
		t.Errorf("%d keys to ask about", h.keysToAsk())
	}
	asked.Store(0)
	for _, value := range []string{before, after, rotated.Key.Reveal(), elsewhere} {
		if _, err := v.Verify(t.Context(), keyward.VerifyRequest{Key: value}); err != nil {
			t.Error(err)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the server was asked %d times", n)
	}
	if _, err := h.Client().RotateKey(t.Context(), id, 0); err != nil {
		t.Fatal(err)
	}
	h.says(v, after, keyward.VerdictNotFound)
	h.says(v, rotated.Key.Reveal(), keyward.VerdictNotFound)
}

func TestABoundVerifierAsksAboutImportedValues(t *testing.T) {
	t.Parallel()
	h := newHouse(t, keywardtest.WithPepper(pepper))
	weak := "weak-but-16-long"
	sum := sha256.Sum256([]byte(weak))
	_, err := h.Client().ImportKeys(t.Context(),
		keyward.ImportKeysRequest{WorkspaceID: h.workspace, APIKeys: []keyward.ImportKey{{
			UserID: "ada", Name: "old", SHA256: hex.EncodeToString(sum[:]),
		}}})
	h.must(err)
	through, asked := h.counting()
	v := h.verifier(func(c *verifier.Config) { c.URL, c.Token = through, h.bound(h.workspace) })
	for i := range int64(3) {
		h.says(v, weak, keyward.VerdictValid)
		if n := asked.Load(); n != i+1 {
			t.Errorf("the server was asked %d times after verification %d", n, i+1)
		}
	}
	eventually(t, "one key to ask about", func() bool { return h.keysToAsk() == 1 })
}

// olderRelease makes a server with a key, and a service key for followers, as a release left them that knew no second
// digests.
func olderRelease(t *testing.T) (h *house, value, token string) {
	file := filepath.Join(t.TempDir(), "keyward.db")
	var workspace string
	t.Run("before", func(t *testing.T) {
		h := newHouse(t, keywardtest.WithPepper(pepper), keywardtest.WithDatabase(file))
		_, value = h.key(nil)
		workspace, token = h.workspace, h.bound(h.workspace)
	})
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"api_keys", "service_keys"} {
		if _, err := db.ExecContext(t.Context(), `UPDATE `+table+` SET second_digest = ''`); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s := keywardtest.New(t, keywardtest.WithPepper(pepper), keywardtest.WithDatabase(file))
	return &house{Server: s, t: t, workspace: workspace, token: token}, value, token
}

func TestABoundVerifierAsksAboutAnOlderKeyUntilItWasPresentedToANode(t *testing.T) {
	t.Parallel()
	h, value, token := olderRelease(t)
	through, asked := h.counting()
	v := h.verifier(func(c *verifier.Config) { c.URL, c.Token = through, token })
	if n := h.keysToAsk(); n != 1 {
		t.Errorf("%d keys to ask about", n)
	}
	h.says(v, value, keyward.VerdictValid)
	if n := asked.Load(); n != 1 {
		t.Errorf("the server was asked %d times", n)
	}
	eventually(t, "no key to ask about", func() bool { return h.keysToAsk() == 0 })
	eventually(t, "the copy has the key", func() bool { return v.Stats().Keys == 1 })
	asked.Store(0)
	for range 20 {
		h.says(v, value, keyward.VerdictValid)
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the server was asked %d times after the first verification", n)
	}
	// A value that nobody has is not asked about for ever.
	eventually(t, "an unknown value is not asked about", func() bool {
		asked.Store(0)
		h.says(v, strings.Replace(value, "kw_live_", "kw_test_", 1), keyward.VerdictMalformed)
		h.says(v, otherValue(t, h), keyward.VerdictNotFound)
		return asked.Load() == 0
	})
	logs, err := h.Client().ListLogs(t.Context(), keyward.ListLogsOptions{EventType: "service_key.updated"})
	h.must(err)
	if len(logs.Logs) != 1 {
		t.Errorf("%d service keys got a second digest", len(logs.Logs))
	}
}

// otherValue is a value of our form that no key has.
func otherValue(t *testing.T, h *house) string {
	t.Helper()
	id, value := h.key(nil)
	if _, err := h.Client().DeleteKey(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	return value
}

// second is the digest of a value that a follower of a workspace is told.
func second(t *testing.T, workspace, value string) string {
	t.Helper()
	key, err := hkdf.Key(sha256.New, []byte(pepper), nil, "keyward workspace digests v1\x00"+workspace, 32)
	if err != nil {
		t.Fatal(err)
	}
	return mac(key, value)
}

func mac(key []byte, value string) string {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(value))
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}

// feed reads an answer of the feed, as it is.
func (h *house) feed(token, path string, query url.Values) []byte {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, h.URL+"/api/v2/feed"+path+"?"+query.Encode(), nil)
	h.must(err)
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	h.must(err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	h.must(err)
	if resp.StatusCode != http.StatusOK {
		h.t.Fatalf("%d %s", resp.StatusCode, body)
	}
	return body
}

// cursor is that of the last line.
func (h *house) cursor(answer []byte) string {
	h.t.Helper()
	var last struct{ Cursor string }
	lines := bufio.NewScanner(bytes.NewReader(answer))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		h.must(json.Unmarshal(lines.Bytes(), &last))
	}
	return last.Cursor
}

// No answer to a bound follower has a digest under the pepper, one of another workspace, or that workspace's key, also
// where it asks for more.
func TestT107ABoundFollowerIsToldNoDigestButThoseOfItsWorkspaces(t *testing.T) {
	t.Parallel()
	h := newHouse(t, keywardtest.WithPepper(pepper))
	other := h.Workspace(t, "Other", "eve")
	_, mine := h.key(nil)
	theirs := h.Key(t, other, "eve")
	token, otherToken := h.bound(h.workspace), h.bound(other)
	all := h.feed(token, "/snapshot", url.Values{"fields": {"name,metadata,secondDigest"}})
	_, later := h.key(nil)
	laterTheirs := h.Key(t, other, "eve")
	all = append(all, h.feed(token, "", url.Values{"after": {h.cursor(all)}, "fields": {"name,metadata,secondDigest"}})...)
	for what, digest := range map[string]string{
		"a key's": second(t, h.workspace, mine), "a later key's": second(t, h.workspace, later),
		"the follower's own": second(t, h.workspace, token),
	} {
		if !bytes.Contains(all, []byte(digest)) {
			t.Errorf("%s digest is missing", what)
		}
	}
	key, err := hkdf.Key(sha256.New, []byte(pepper), nil, "keyward workspace digests v1\x00"+other, 32)
	h.must(err)
	never := map[string]string{"the other workspace's key": base64.StdEncoding.EncodeToString(key)}
	for what, value := range map[string]string{
		"a key": mine, "a later key": later, "a key of the other workspace": theirs,
		"a later key of the other workspace": laterTheirs, "a service key": token, "another service key": otherToken,
	} {
		never[what+" under the pepper"] = mac([]byte(pepper), value)
		never[what+" under the other workspace's key"] = second(t, other, value)
		plain := sha256.Sum256([]byte(value))
		never[what+" in plain SHA-256"] = base64.StdEncoding.EncodeToString(plain[:])
	}
	for what, digest := range never {
		raw, err := base64.StdEncoding.DecodeString(digest)
		h.must(err)
		for _, form := range []string{digest, base64.RawURLEncoding.EncodeToString(raw)} {
			if bytes.Contains(all, []byte(form)) {
				t.Errorf("the feed tells of %s", what)
			}
		}
	}
}

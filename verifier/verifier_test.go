package verifier_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/verify"
	"github.com/keyward/keyward/keyhttp"
	"github.com/keyward/keyward/keywardtest"
	"github.com/keyward/keyward/verifier"
)

func TestARevocationReachesItWithinTheBoundAndIsTrueAfterWaitAll(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	v := h.verifier(func(c *verifier.Config) { c.Name = "orders" })
	for range 5 {
		id, value := h.key(nil)
		h.says(v, value, keyward.VerdictValid)
		_, err := h.Client().DeleteKey(t.Context(), id, keyward.WaitAll())
		h.must(err)
		if got, err := v.Verify(t.Context(), keyward.VerifyRequest{Key: value}); err != nil ||
			got.Code != keyward.VerdictNotFound {
			t.Errorf("after wait=all: %s, %v", got.Code, err)
		}
		id, value = h.key(nil)
		h.says(v, value, keyward.VerdictValid)
		_, err = h.Client().DeleteKey(t.Context(), id)
		h.must(err)
		for answered := time.Now(); ; time.Sleep(time.Millisecond) {
			asked := time.Now()
			got, err := v.Verify(t.Context(), keyward.VerifyRequest{Key: value})
			if err == nil && !got.Valid {
				break
			}
			if err == nil && asked.Sub(answered) > staleness {
				t.Fatalf("VALID %s after the answer to the revocation", asked.Sub(answered))
			}
		}
	}
	followers, err := h.Client().ListFollowers(t.Context())
	if err != nil || len(followers) != 1 || followers[0].Name != "orders" || followers[0].State != "ready" {
		t.Errorf("%+v, %v", followers, err)
	}
}

func TestWithoutItsSourceItSaysNothingOnceTheCopyIsTooOld(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	l := newLink(t, h)
	v := h.verifier(func(c *verifier.Config) { c.URL = l.URL })
	_, value := h.key(nil)
	_, limited := h.key(func(r *keyward.CreateKeyRequest) {
		r.RateLimit = keyward.Set(keyward.Limits{RequestsPerDay: keyward.Set(1)})
	})
	h.says(v, value, keyward.VerdictValid)
	eventually(t, "both keys are in the copy", func() bool { return v.Stats().Keys == 2 })
	l.cut.Store(true)
	since := time.Now()
	if got, err := v.Verify(t.Context(), keyward.VerifyRequest{Key: limited}); got.Valid ||
		!errors.Is(err, verifier.ErrUnavailable) && !errors.Is(err, verifier.ErrStale) {
		t.Errorf("a key with a limit: %s, %v", got.Code, err)
	}
	items, err := v.VerifyBatch(t.Context(), []keyward.VerifyRequest{{Key: value}, {Key: limited}, {Key: "nonsense"}})
	if err == nil &&
		(len(items) != 3 || items[1].Code != keyward.VerdictUnavailable || items[2].Code != keyward.VerdictMalformed) {
		t.Errorf("%+v", items)
	}
	h.stale(v, value, since)
	l.cut.Store(false)
	h.says(v, value, keyward.VerdictValid)
	h.says(v, limited, keyward.VerdictValid)
	if s := v.Stats(); !s.Ready || s.Keys != 2 || s.Age > staleness || s.Loads != 1 || s.Revision == 0 {
		t.Errorf("%+v", s)
	}
}

func TestATokenThatIsTakenBackFencesIt(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	v := h.verifier(nil)
	_, value := h.key(nil)
	h.says(v, value, keyward.VerdictValid)
	_, err := h.Client().DeleteServiceKey(t.Context(), h.serviceID)
	h.must(err)
	h.stale(v, value, time.Now())
	eventually(t, "it says why", func() bool {
		_, err := v.Verify(t.Context(), keyward.VerifyRequest{Key: value})
		return errors.Is(err, verifier.ErrStale) && strings.Contains(err.Error(), "token")
	})
}

// Another source, with another catalogue and other keys: everything is loaded anew, and decided by the new settings.
func TestAnotherCatalogueIsTakenOver(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	file := filepath.Join(t.TempDir(), "catalogue.yaml")
	h.must(os.WriteFile(file, []byte("- {resource: orders, action: read, description: See orders}\n"), 0o600))
	other := newHouse(t, keywardtest.WithCatalogue(file), keywardtest.WithKeyPrefix("shop"))
	l := newLink(t, h)
	v := h.verifier(func(c *verifier.Config) { c.URL = l.URL })
	_, value := h.key(nil)
	_, ordering := other.key(func(r *keyward.CreateKeyRequest) { r.Permissions = keyward.Permissions("orders:read") })
	h.says(v, value, keyward.VerdictValid)
	ask := keyward.VerifyRequest{Key: ordering, Permissions: keyward.Demand{All: []string{"orders:read"}}}
	if _, err := v.Verify(t.Context(), ask); !errors.Is(err, keyward.ErrInvalid) {
		t.Errorf("a permission that there is not yet: %v", err)
	}
	l.leadTo(other)
	eventually(t, "the other source", func() bool {
		got, err := v.Verify(t.Context(), ask)
		return err == nil && got.Valid && len(got.Permissions) == 1 && got.Permissions[0] == "orders:read"
	})
	h.says(v, value, keyward.VerdictMalformed)
}

func TestAnotherHistoryIsLoadedAnew(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	other := newHouse(t)
	l := newLink(t, h)
	v := h.verifier(func(c *verifier.Config) { c.URL = l.URL })
	_, value := h.key(nil)
	_, otherValue := other.key(nil)
	h.says(v, value, keyward.VerdictValid)
	l.leadTo(other)
	h.says(v, otherValue, keyward.VerdictValid)
	h.says(v, value, keyward.VerdictNotFound)
	if s := v.Stats(); s.Loads != 2 || s.Keys != 1 {
		t.Errorf("%+v", s)
	}
}

// config is short for the table below.
type config = verifier.Config

// onWrite calls then once something with the text is written.
type onWrite struct {
	io.Writer
	text string
	then func()
}

func (w *onWrite) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(w.text)) {
		w.then()
	}
	return w.Writer.Write(p)
}

func TestNewSaysWhyItGivesUpAndNothingSecret(t *testing.T) {
	t.Parallel()
	const pepper, password = "correct-horse-battery-staple", "hunter2-hunter2"
	h := newHouse(t, keywardtest.WithPepper(pepper))
	_, verifying := h.service("verify")
	_, value := h.key(nil)
	var log bytes.Buffer
	for name, c := range map[string]struct {
		change func(*config)
		want   error
		text   string
	}{
		"an unknown token": {func(c *config) { c.Token = "kw_svc_" + strings.Repeat("A", 49) }, verifier.ErrRefused,
			"401"},
		"a token that may not": {func(c *config) { c.Token = verifying }, verifier.ErrRefused, "403"},
		"a limit above":        {func(c *config) { c.MaxStaleness = time.Minute }, verifier.ErrRefused, "maxStalenessMs"},
		"another pepper": {func(c *config) { c.Pepper = "guess-guess-guess-guess" }, verifier.ErrPepper,
			"Config.Pepper"},
		"no pepper":  {func(c *config) { c.Pepper = "" }, verifier.ErrPepper, "Config.Pepper"},
		"no URL":     {func(c *config) { c.URL = "" }, nil, "Config.URL"},
		"plain http": {func(c *config) { c.URL = "http://keys.example.com" }, nil, "Config.URL"},
		"a password": {func(c *config) { c.URL = "https://u:" + password + "@keys.example.com" }, nil,
			"Config.URL"},
		"a path":                {func(c *config) { c.URL += "/keys" }, nil, "Config.URL"},
		"two tokens":            {func(c *config) { c.TokenFile = "/dev/null" }, nil, "Config.TokenFile"},
		"no file of a token":    {func(c *config) { c.Token, c.TokenFile = "", "/nowhere" }, nil, "Config.TokenFile"},
		"an empty file":         {func(c *config) { c.Token, c.TokenFile = "", "/dev/null" }, nil, "Config.TokenFile"},
		"no token":              {func(c *config) { c.Token = "" }, nil, "Config.Token"},
		"a line break":          {func(c *config) { c.Token += "\n" }, nil, "Config.Token"},
		"a name":                {func(c *config) { c.Name = "a\nb" }, nil, "Config.Name"},
		"never stale":           {func(c *config) { c.MaxStaleness = -1 }, nil, "Config.MaxStaleness"},
		"a source that is away": {func(c *config) { c.URL = "http://127.0.0.1:1" }, context.Canceled, "refused"},
	} {
		cfg := verifier.Config{
			URL:          h.URL,
			Token:        h.token,
			Pepper:       pepper,
			MaxStaleness: staleness,
			Logger:       slog.New(slog.NewTextHandler(&log, nil)),
		}
		c.change(&cfg)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		if name == "a source that is away" {
			cancel()
			ctx, cancel = context.WithCancel(t.Context())
			cfg.Logger = slog.New(slog.NewTextHandler(&onWrite{&log, "refused", cancel}, nil))
		}
		v, err := verifier.New(ctx, cfg)
		cancel()
		if v != nil || err == nil || c.want != nil && !errors.Is(err, c.want) ||
			!strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, %v; want %v, which says %q", name, v, err, c.want, c.text)
		}
		shown, _ := json.Marshal(cfg)
		printed := fmt.Sprint(err) + fmt.Sprintf("%v %+v %#v %s", cfg, cfg, &cfg, cfg)
		for _, secret := range []string{pepper, cfg.Token, cfg.Pepper, h.token, password} {
			if len(secret) > 1 &&
				(strings.Contains(printed, secret) || secret != password && strings.Contains(string(shown), secret)) {
				t.Errorf("%s: a secret in %s%s", name, printed, shown)
			}
		}
	}
	v := h.verifier(func(c *verifier.Config) { c.Pepper, c.Logger = pepper, slog.New(slog.NewTextHandler(&log, nil)) })
	h.says(v, value, keyward.VerdictValid)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
	all := log.String() + fmt.Sprintf("%v %+v %#v", v, v, v)
	if strings.Contains(all, pepper) || strings.Contains(all, h.token) || strings.Contains(all, value) ||
		!strings.Contains(all, "verifier.Verifier("+h.URL+")") {
		t.Errorf("printed and logged: %s", all)
	}
}

func TestAStartCutShortSaysWhatHeldItUpBefore(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var asked atomic.Int64
	source := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		cancel()
		<-r.Context().Done()
	}))
	t.Cleanup(source.Close)
	_, err := verifier.New(ctx, verifier.Config{URL: source.URL, Token: "kw_svc_" + strings.Repeat("A", 49)})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "500") {
		t.Errorf("%v; want the end of the context and the 500 before it", err)
	}
}

func TestAContextEndsAQuestionToTheServer(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	slow := make(chan struct{})
	var once sync.Once
	release := func() { once.Do(func() { close(slow) }) }
	l := newLink(t, h)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			<-slow
		}
		l.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	t.Cleanup(release)
	v := h.verifier(func(c *verifier.Config) { c.URL = front.URL })
	_, limited := h.key(func(r *keyward.CreateKeyRequest) {
		r.RateLimit = keyward.Set(keyward.Limits{RequestsPerDay: keyward.Set(9)})
	})
	eventually(t, "the key is in the copy", func() bool { return v.Stats().Keys == 1 })
	for _, ask := range []func(context.Context) error{
		func(ctx context.Context) error {
			_, err := v.Verify(ctx, keyward.VerifyRequest{Key: limited})
			return err
		},
		func(ctx context.Context) error {
			_, err := v.VerifyBatch(ctx, []keyward.VerifyRequest{{Key: limited}, {Key: limited}})
			return err
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		began := time.Now()
		if err := ask(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		cancel()
		if err := ask(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a context that has ended: %v", err)
		}
	}
	release()
	h.says(v, limited, keyward.VerdictValid)
}

// The scope follow suffices for limits: units of them come from the server without a verdict.
func TestWithoutTheScopeVerifyAKeyWithALimitIsJudgedAllTheSame(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, only := h.service("follow")
	v := h.verifier(func(c *verifier.Config) { c.Token = only })
	_, limited := h.key(func(r *keyward.CreateKeyRequest) {
		r.RateLimit = keyward.Set(keyward.Limits{RequestsPerDay: keyward.Set(2), RequestsPerMinute: keyward.Set(9)})
	})
	h.says(v, limited, keyward.VerdictValid)
	h.says(v, limited, keyward.VerdictValid)
	h.says(v, limited, keyward.VerdictQuotaExceeded)
}

func TestABoundTokenMakesAVerifierOfItsWorkspaceAlone(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	made, err := h.Client().
		CreateServiceKey(t.Context(), keyward.CreateServiceKeyRequest{
			Name: "bound", Scopes: []keyward.Scope{"follow", "verify"},
			WorkspaceIDs: []string{h.workspace}})
	h.must(err)
	elsewhere := h.Key(t, h.Workspace(t, "Other", "eve"), "eve")
	_, value := h.key(nil)
	v := h.verifier(func(c *verifier.Config) { c.Token = made.Key.Reveal() })
	h.says(v, value, keyward.VerdictValid)
	h.says(v, elsewhere, keyward.VerdictNotFound)
	if n := v.Stats().Keys; n != 1 {
		t.Errorf("the copy has %d keys", n)
	}
}

func TestAGuardTakesAVerifier(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	l := newLink(t, h)
	v := h.verifier(func(c *verifier.Config) { c.URL = l.URL })
	_, value := h.key(nil)
	h.says(v, value, keyward.VerdictValid)
	guard := keyhttp.New(v, keyhttp.WithEnvironment("live"))
	status := func(permission, key string) int {
		r := httptest.NewRequest(http.MethodGet, "/calls", nil)
		r.Header.Set("Authorization", "Bearer "+key)
		w := httptest.NewRecorder()
		guard.Require(permission)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			caller, _ := keyhttp.From(r.Context())
			if caller.UserID != "ada" || caller.WorkspaceID != h.workspace {
				t.Errorf("%+v", caller)
			}
		})).ServeHTTP(w, r)
		return w.Code
	}
	for want, got := range map[int]int{
		200: status("calls:read", value), 403: status("calls:write", value), 401: status("calls:read", value+"x"),
	} {
		if got != want {
			t.Errorf("%d, want %d", got, want)
		}
	}
	l.cut.Store(true)
	eventually(t, "fenced", func() bool { return !v.Ready() })
	if got := status("calls:read", value); got != http.StatusServiceUnavailable {
		t.Errorf("without the source: %d", got)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	v := h.verifier(nil)
	_, value := h.key(nil)
	h.says(v, value, keyward.VerdictValid)
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			for {
				if _, err := v.Verify(context.Background(), keyward.VerifyRequest{Key: value}); errors.Is(
					err,
					verifier.ErrClosed,
				) {
					return
				}
			}
		})
	}
	for range 2 {
		h.must(v.Close())
	}
	asking.Wait()
	if _, err := v.VerifyBatch(t.Context(), []keyward.VerifyRequest{{Key: value}}); !errors.Is(
		err,
		verifier.ErrClosed,
	) ||
		v.Ready() {
		t.Errorf("a batch after Close: %v", err)
	}
	if followers, err := h.Client().ListFollowers(t.Context()); err != nil || len(followers) != 0 {
		t.Errorf("the server still counts on %+v, %v", followers, err)
	}
}

// A service that imports the package links none of the server's databases, doors or gauges.
func TestItLinksLittle(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(
		t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".",
	).
		Output()
	if err != nil {
		t.Fatal(err)
	}
	linked := strings.Fields(string(out))
	const most = 40
	if len(linked) > most || len(linked) < 10 {
		t.Errorf(
			"%d packages beyond the standard library's, at most %d:\n%s",
			len(linked),
			most,
			strings.Join(linked, "\n"),
		)
	}
	for _, p := range linked {
		for _, heavy := range []string{
			"sql", "redis", "rueidis", "grpc", "prometheus", "pgx", "/store", "/server", "/httpapi", "/control",
		} {
			if strings.Contains(p, heavy) {
				t.Errorf("%s is linked", p)
			}
		}
	}
	t.Logf("%d packages", len(linked))
}

func TestAVerdictFromTheCopyAllocatesNothingInTheEngine(t *testing.T) {
	h := newHouse(t)
	_, value := h.key(func(r *keyward.CreateKeyRequest) { r.ExpiresAt = new(time.Now().Add(time.Hour)) })
	v := h.verifier(nil)
	engine := v.Engine()
	q := verify.Question{Key: value, Cost: 1, Context: t.Context()}
	var answer verify.Verdict
	if n := testing.AllocsPerRun(1000, func() { engine.Check(&q, &answer) }); n != 0 || answer.Code != verify.Valid {
		t.Errorf("%v allocations, %s", n, answer.Code)
	}
}

// The guide shows the example as it is compiled here.
func TestTheGuideShowsTheExample(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../docs/followers.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(source), "func Example() {\n")
	body = strings.ReplaceAll(strings.TrimSuffix(body, "}\n"), "\n\t", "\n")
	if body = strings.TrimPrefix(body, "\t"); body == "" || !strings.Contains(string(guide), "```go\n"+body+"```") {
		t.Errorf("docs/followers.md does not show:\n%s", body)
	}
}

package cli_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/cli"
	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/keywardtest"
)

// run runs the command and returns its status and its output.
func run(t *testing.T, in string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e rig.Output
	code = cli.Main(t.Context(), args, cli.Streams{In: strings.NewReader(in), Out: &o, Err: &e}, "test")
	return code, o.String(), e.String()
}

// at gives the flags that lead to a server.
func at(t *testing.T, s *keywardtest.Server) []string {
	t.Helper()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(s.RootKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"--url", s.URL, "--token-file", token}
}

func TestServeHasAFlagForEverySettingThatIsNoSecret(t *testing.T) {
	t.Parallel()
	code, help, _ := run(t, "", "serve", "--help")
	if code != 0 {
		t.Fatalf("status %d", code)
	}
	for _, s := range config.Settings() {
		flag := " --" + strings.ReplaceAll(s.Key(), "_", "-")
		if shown := strings.Contains(help, flag+"=") || strings.Contains(help, flag+" "); shown == s.Secret {
			t.Errorf("%s, secret: %v, in help: %v", s.Env, s.Secret, shown)
		}
		if !strings.Contains(help, s.Env) {
			t.Errorf("help does not name %s", s.Env)
		}
	}
}

func TestWhatAServerSaysDoesNotSteerTheTerminalT72(t *testing.T) {
	t.Parallel()
	const evil = `{"success": true, "data": {"message": "", "result": {"apiKeys": [{"id": "1", "name": "\u001b[2Jred\r\nfake row\u202e", "userId": "\u0007"}],
		"pagination": {"limit": 50, "nextCursor": null, "hasNext": false}}}}`
	hostile := httptest.NewServer(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, evil) }),
	)
	defer hostile.Close()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("t"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := run(t, "", "keys", "list", "--url", hostile.URL, "--token-file", token)
	if code != 0 || strings.ContainsAny(out, "\x1b\r\a\u202e") || strings.Count(out, "\n") != 2 ||
		!strings.Contains(out, "red") {
		t.Errorf("status %d: %q %q", code, out, errs)
	}
}

func TestVerifyReadsTheKeyFromStandardInputAndTellsByItsStatus(t *testing.T) {
	t.Parallel()
	s := keywardtest.New(t)
	key := s.Key(t, s.Workspace(t, "Acme", "ada"), "ada", "calls:read")
	for _, tc := range []struct {
		in   string
		args []string
		code int
		want string
	}{
		{key + "\n", []string{"-p", "calls:read"}, 0, "VALID"},
		{key, []string{"-p", "calls:write"}, 3, "INSUFFICIENT_PERMISSIONS"},
		{key, []string{"--any", "calls:write,calls:read"}, 0, "VALID"},
		{key, []string{"-p", "no:such"}, 1, ""},
		{key + "\n" + key, nil, 1, ""},
		{"", nil, 1, ""},
		{"nonsense", nil, 3, "MALFORMED"},
	} {
		code, out, errs := run(t, tc.in, append(append([]string{"verify"}, tc.args...), at(t, s)...)...)
		if first, _, _ := strings.Cut(out, "\n"); code != tc.code || first != tc.want {
			t.Errorf("%v: status %d, %s%s", tc.args, code, out, errs)
		}
		if strings.Contains(out+errs, key[:20]) {
			t.Errorf("%v shows the key", tc.args)
		}
	}
}

func TestVerifySaysThatAValueIsAnEarlierOne(t *testing.T) {
	t.Parallel()
	s := keywardtest.New(t)
	key := s.Key(t, s.Workspace(t, "Acme", "ada"), "ada", "calls:read")
	verify := func() string {
		_, out, _ := run(t, key, append([]string{"verify"}, at(t, s)...)...)
		return out
	}
	if out := verify(); strings.Contains(out, "earlier") {
		t.Errorf("of the current value: %s", out)
	}
	verdict, err := s.Client().Verify(t.Context(), keyward.VerifyRequest{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"keys", "rotate", verdict.KeyID, "--overlap", "1h"}
	if code, out, errs := run(t, "", append(args, at(t, s)...)...); code != 0 {
		t.Fatalf("%s%s", out, errs)
	}
	if out := verify(); !strings.Contains(out, "an earlier one, until ") {
		t.Errorf("of a value in its overlap: %s", out)
	}
}

func TestFollowShowsWhatHappensInOrderAndOnce(t *testing.T) {
	t.Parallel()
	s := keywardtest.New(t)
	first := s.Workspace(t, "First", "ada")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out, errs rig.Output
	ended := make(chan int, 1)
	go func() {
		args := append([]string{"logs", "--follow", "--format", "ndjson"}, at(t, s)...)
		ended <- cli.Main(ctx, args, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, "test")
	}()
	await(t, &out, first)
	second := s.Workspace(t, "Second", "bob")
	await(t, &out, second)
	s.Key(t, second, "bob")
	await(t, &out, "api_key.created")
	stop()
	if code := <-ended; code != 0 {
		t.Errorf("status %d: %s", code, errs.String())
	}
	seen := make(map[string]bool)
	for line := range strings.Lines(out.String()) {
		if seen[line] {
			t.Errorf("twice: %s", line)
		}
		seen[line] = true
	}
	if text := out.String(); strings.Index(text, first) > strings.Index(text, second) {
		t.Errorf("not in order:\n%s", text)
	}
}

func await(t *testing.T, o *rig.Output, text string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !strings.Contains(o.String(), text); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s does not come:\n%s", text, o.String())
		}
	}
}

func TestTimesAreReadInTheFormsThatPeopleWrite(t *testing.T) {
	t.Parallel()
	s := keywardtest.New(t)
	workspace := s.Workspace(t, "Acme", "ada")
	for expires, code := range map[string]int{"90d": 0, "12h": 0, "2030-01-31": 0, "2030-01-31T12:00:00Z": 0,
		"2030-01-31T12:00:00.5+02:00": 0,
		"soon":                        2, "-1h": 2, "2030-13-01": 2, "2001-01-01": 1} {
		got, out, errs := run(
			t,
			"",
			append(
				[]string{"keys", "create", "-w", workspace, "--user", "ada", "--name", "k", "--expires=" + expires},
				at(t, s)...)...)
		if got != code {
			t.Errorf("%s: status %d, %s%s", expires, got, out, errs)
		}
	}
}

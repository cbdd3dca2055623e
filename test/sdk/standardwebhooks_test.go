package sdk_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/rig"
)

// TestT75ThePackageOfTheStandardTakesOurNotices has the npm package standardwebhooks verify the notices of a real
// server: under its secret, under both while one is rotated, and no forgery of any.
func TestT75ThePackageOfTheStandardTakesOurNotices(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("node_modules/standardwebhooks"); err != nil {
		t.Fatal("the packages under test/sdk are needed: make test-deps installs them")
	}
	server := startServer(t)
	client, err := keyward.New(server.url, keyward.WithToken(server.root))
	if err != nil {
		t.Fatal(err)
	}
	port := fmt.Sprint(rig.FreePort(t))
	r := &standardReceiver{T: t, client: client, workspace: server.workspace, url: "http://127.0.0.1:" + port}
	r.log = rig.StartProcess(t, exec.Command("node", "standardwebhooks.mjs", port), t.TempDir()+"/log").Log
	first, err := client.CreateWebhook(t.Context(), keyward.CreateWebhookRequest{
		WorkspaceID: server.workspace, URL: r.url, Events: []string{keyward.EventKeyCreated},
	})
	if err != nil {
		t.Fatal(err)
	}
	const wrong = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	secrets := map[string]string{"first": first.Secret.Reveal(), "wrong": wrong}
	r.expect(secrets, "first")

	for i, overlap := range []time.Duration{time.Hour, 0} {
		next, err := client.RotateWebhookSecret(t.Context(), first.Webhook.ID, overlap)
		if err != nil {
			t.Fatal(err)
		}
		former := []string{"first", "second"}[i]
		name := []string{"second", "third"}[i]
		secrets[name] = next.Secret.Reveal()
		if overlap > 0 {
			r.expect(secrets, former, name)
			continue
		}
		r.expect(secrets, name)
	}
}

// standardReceiver is standardwebhooks.mjs, which runs.
type standardReceiver struct {
	*testing.T
	client         *keyward.Client
	workspace, url string
	log            func() string
	got            int
}

// verified is what the package said of a notice: for each secret "" or why it is refused, and the same of forgeries,
// for each secret that took the notice.
type verified struct {
	ID, Body string
	Said     map[string]string
	Forged   map[string]map[string]string
}

// fewestForgeries is how many ways to forge a notice standardwebhooks.mjs tries at least.
const fewestForgeries = 9

// expect makes a key, and wants its notice to be taken under the named secrets and no other one.
func (r *standardReceiver) expect(secrets map[string]string, good ...string) {
	r.Helper()
	r.tell(secrets)
	made, err := r.client.CreateKey(r.Context(), keyward.CreateKeyRequest{
		Name: "k", UserID: "ada", WorkspaceID: r.workspace, Permissions: keyward.Permissions("calls:read"),
	})
	if err != nil {
		r.Fatal(err)
	}
	var last verified
	rig.WaitFor(r, "the notice", func() error {
		all, err := r.ask(http.MethodGet, "")
		if err != nil || len(all) != r.got+1 {
			return fmt.Errorf("%d notices came: %v\n%s", len(all), err, r.log())
		}
		last = all[r.got]
		return nil
	})
	r.got++
	if !strings.Contains(last.Body, made.APIKey.ID) {
		r.Errorf("the notice of %s is %s", made.APIKey.ID, last.Body)
	}
	wanted := map[string]bool{}
	for _, name := range good {
		wanted[name] = true
		if n := len(last.Forged[name]); n < fewestForgeries {
			r.Errorf("%d forgeries were tried under %s", n, name)
		}
		for how, why := range last.Forged[name] {
			if why == "" {
				r.Errorf("a forgery is taken under %s: %s", name, how)
			}
		}
	}
	for name := range secrets {
		if why := last.Said[name]; (why == "") != wanted[name] {
			r.Errorf("under %s the package says %q; the good secrets are %v", name, why, good)
		}
	}
}

// tell gives the receiver the secrets that it knows.
func (r *standardReceiver) tell(secrets map[string]string) {
	r.Helper()
	raw, err := json.Marshal(secrets)
	if err != nil {
		r.Fatal(err)
	}
	rig.WaitFor(r, "the receiver", func() error {
		_, err := r.ask(http.MethodPut, string(raw))
		return err
	})
}

func (r *standardReceiver) ask(method, body string) (all []verified, err error) {
	q, err := http.NewRequestWithContext(r.Context(), method, r.url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	return all, json.NewDecoder(answer.Body).Decode(&all)
}

package mcp_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/mcp"
	"github.com/keyward/keyward/internal/session"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// careless is an API that puts a value into every text of every answer, which the real one never does.
type careless struct {
	value  string
	status int

	mu    sync.Mutex
	asked []string
}

func (c *careless) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.asked = append(c.asked, r.Method+" "+r.URL.Path)
	c.mu.Unlock()
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/json")
	if c.status != 0 {
		w.WriteHeader(c.status)
		fmt.Fprintf(
			w,
			`{"success":false,"error":{"code":"conflict","message":"%[1]s","details":[{"field":"%[1]s","message":"%[1]s"}],"requestId":"%[1]s"}}`,
			c.value,
		)
		return
	}
	key := fmt.Sprintf(`{"id":"%[1]s","key":"%[1]s","workspaceId":"%[1]s","userId":"%[1]s","name":"see %[1]s!","description":"%[1]s",
		"metadata":{"%[1]s":["%[1]s"]},"permissions":["%[1]s"],"allowedIps":["%[1]s"],"environment":"%[1]s","disabledBy":"%[1]s",
		"createdAt":"2026-11-04T08:13:00.000Z","isActive":true}`, c.value)
	request := fmt.Sprintf(`{"id":"%[1]s","kind":"create","status":"pending","url":"https://x/%[1]s","keyId":"%[1]s",
		"asks":{"name":"%[1]s","userId":"%[1]s","permissions":["%[1]s"]},"createdAt":"2026-11-04T08:13:00.000Z","expiresAt":"2026-11-04T08:13:00.000Z"}`, c.value)
	event := fmt.Sprintf(
		`{"id":"%[1]s","eventType":"%[1]s","eventDescription":"%[1]s","actorId":"%[1]s","createdAt":"2026-11-04T08:13:00.000Z","metadata":{"%[1]s":"%[1]s"}}`,
		c.value,
	)
	refusal := fmt.Sprintf(
		`{"at":"2026-11-04T08:13:00.000Z","keyId":"%[1]s","name":"%[1]s","code":"%[1]s","why":"%[1]s","demanded":{"all":["%[1]s"],"any":[]},"ip":"%[1]s"}`,
		c.value,
	)
	fmt.Fprintf(w, `{"success":true,"data":{"message":"m","result":{"apiKeys":[%[1]s],"apiKey":%[1]s,"key":%[5]q,"updated":[%[1]s],"errors":[],
		"pagination":{"limit":1,"nextCursor":%[5]q,"hasNext":true},"keyRequest":%[2]s,"logs":[%[3]s],"refusals":[%[4]s],
		"verdict":%[5]q,"steps":[{"code":%[5]q,"reached":true,"passed":true,"why":%[5]q}],"total":1,
		"series":[{"start":"2026-11-04T08:13:00.000Z","verified":1,"denied":{%[5]q:1}}],
		"user":{"id":"u"},"workspaces":[{"id":"w","isCurrent":true}]}}}`, key, request, event, refusal, c.value)
}

// pipe is a client of tools over a pair of streams, and all that it has read.
type pipe struct {
	*sdk.ClientSession
	heard *bytes.Buffer
}

func connect(t *testing.T, o mcp.Options) *pipe {
	t.Helper()
	o.Now, o.Version = time.Now, "1"
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := mcp.Serve(context.Background(), o, inR, outW)
		_ = outW.Close()
		ended <- err
	}()
	p := &pipe{heard: &bytes.Buffer{}}
	var err error
	p.ClientSession, err = sdk.NewClient(&sdk.Implementation{Name: "t", Version: "1"}, nil).Connect(
		context.Background(), &sdk.IOTransport{Reader: io.NopCloser(io.TeeReader(outR, p.heard)), Writer: inW}, nil,
	)
	must(t, err)
	t.Cleanup(func() {
		_ = inW.Close()
		if err := <-ended; err != nil {
			t.Errorf("served: %v", err)
		}
		_ = p.Close()
	})
	return p
}

// inputs are a call of each tool.
var inputs = map[string]map[string]any{
	"list_keys": {}, "get_key": {"id": "k"}, "explain": {"id": "k"}, "usage": {"id": "k"}, "refusals": {"id": "k"},
	"search_log": {}, "hygiene_report": {}, "disable_key": {"id": "k"},
	"create_key": {"name": "n", "permissions": []string{"a:b"}}, "rotate_key": {"id": "k"},
}

func mint(t *testing.T, prefix string, env keyfmt.Environment) string {
	t.Helper()
	f, err := keyfmt.NewFormat(prefix)
	must(t, err)
	secret, err := f.Mint(rand.Reader, env)
	must(t, err)
	return secret.Reveal()
}

// T78: whatever the API answers, and whatever a caller sends, no credential leaves: in results, and in refusals.
func TestT78NoAnswerOfAnyToolHoldsAValue(t *testing.T) {
	t.Parallel()
	token, err := session.NewToken(rand.Reader)
	must(t, err)
	for name, value := range map[string]string{
		"a live key": mint(t, "kw", keyfmt.Live), "a key of another prefix": mint(t, "acme", keyfmt.Test),
		"a service key": mint(t, "kw", keyfmt.Service), "a session's token": token.Reveal(),
	} {
		for _, status := range []int{0, http.StatusConflict} {
			t.Run(fmt.Sprint(name, " ", status), func(t *testing.T) {
				t.Parallel()
				api := httptest.NewServer(&careless{value: value, status: status})
				t.Cleanup(api.Close)
				client, err := keyward.New(api.URL, keyward.WithToken("t"), keyward.WithRetry(0))
				must(t, err)
				dir := filepath.Join(t.TempDir(), "s")
				must(t, os.Mkdir(dir, 0o700))
				vault, err := mcp.OpenVault(dir)
				must(t, err)
				t.Cleanup(func() { must(t, vault.Close()) })
				for _, o := range []mcp.Options{{Client: client, AllowWrite: true},
					{Client: client, AllowWrite: true, Vault: vault}} {
					p := connect(t, o)
					listed, err := p.ListTools(context.Background(), nil)
					must(t, err)
					for _, tool := range listed.Tools {
						in, ok := inputs[tool.Name]
						if !ok {
							t.Fatalf("%s has no call here", tool.Name)
						}
						_, _ = p.CallTool(context.Background(), &sdk.CallToolParams{Name: tool.Name, Arguments: in})
						for field := range in {
							_, _ = p.CallTool(context.Background(),
								&sdk.CallToolParams{Name: tool.Name, Arguments: map[string]any{field: value}})
						}
						_, _ = p.CallTool(context.Background(),
							&sdk.CallToolParams{Name: tool.Name, Arguments: map[string]any{value: value}})
					}
					_, _ = p.CallTool(context.Background(), &sdk.CallToolParams{Name: value})
					heard := p.heard.String()
					if session.Leaks(heard) || strings.Contains(heard, value) {
						t.Errorf("an answer holds %s", name)
					}
					if status == 0 && strings.Count(heard, "[withheld: a credential]") < 20 {
						t.Errorf("the test heard of too few: %d", strings.Count(heard, "[withheld: a credential]"))
					}
				}
			})
		}
	}
}

// No type of an answer has a member for a value: the schemas say all that there can be.
func TestT78NoSchemaHasAPlaceForAValue(t *testing.T) {
	t.Parallel()
	client, err := keyward.New("http://127.0.0.1:1", keyward.WithToken("t"))
	must(t, err)
	p := connect(t, mcp.Options{Client: client, AllowWrite: true})
	listed, err := p.ListTools(context.Background(), nil)
	must(t, err)
	var names []string
	for _, tool := range listed.Tools {
		names = append(names, tool.Name)
		out, err := json.Marshal(tool.OutputSchema)
		must(t, err)
		if found := regexp.MustCompile(`"(value|secret|token|clientSecret)":\{"type`).FindString(string(out)); found != "" &&
			tool.Name != "refusals" {
			t.Errorf("%s has a member %s", tool.Name, found)
		}
		if !strings.Contains(string(out), `"additionalProperties":false`) {
			t.Errorf("%s may answer with more than its schema says", tool.Name)
		}
		in, err := json.Marshal(tool.InputSchema)
		must(t, err)
		if !strings.Contains(string(in), `"additionalProperties":false`) {
			t.Errorf("%s takes unknown fields", tool.Name)
		}
	}
	slices.Sort(names)
	if got := strings.Join(names,
		" "); got != "create_key disable_key explain get_key hygiene_report list_keys refusals rotate_key search_log usage" {
		t.Errorf("tools: %s", got)
	}
}

// A call that changes something is sent once, and one that reads sends no change.
func TestT78ToolsThatReadChangeNothing(t *testing.T) {
	t.Parallel()
	c := &careless{value: "v"}
	api := httptest.NewServer(c)
	t.Cleanup(api.Close)
	client, err := keyward.New(api.URL, keyward.WithToken("t"))
	must(t, err)
	p := connect(t, mcp.Options{Client: client})
	listed, err := p.ListTools(context.Background(), nil)
	must(t, err)
	for _, tool := range listed.Tools {
		if !tool.Annotations.ReadOnlyHint {
			t.Errorf("%s is there, and changes something", tool.Name)
		}
	}
	for tool, in := range inputs {
		_, _ = p.CallTool(context.Background(), &sdk.CallToolParams{Name: tool, Arguments: in})
	}
	for _, asked := range c.asked {
		if !strings.HasPrefix(asked, "GET ") {
			t.Errorf("a server that only reads has sent %s", asked)
		}
	}
	if len(c.asked) < 7 {
		t.Errorf("only %v was asked", c.asked)
	}
}

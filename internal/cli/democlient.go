package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
)

// demoClient sends the demo's requests and prints them with their answers. The first error ends the story: later
// calls do nothing.
type demoClient struct {
	out   io.Writer
	url   string
	http  *http.Client
	ctx   context.Context // the story's
	token string
	short bool // one line for each request, with no bodies
	step  int
	err   error
}

// answer is the part of an answer that the story goes on with.
type answer struct {
	t    *demoClient
	told json.RawMessage
}

func (t *demoClient) title(what string) {
	if t.err != nil {
		return
	}
	t.step++
	before := "\n"
	if t.short {
		before = ""
	}
	fmt.Fprintf(t.out, "%s%s\n", before, paint(t.out, bold, fmt.Sprintf("%d. %s", t.step, what)))
}

// verify asks for a verdict and makes sure that it is the one of the story.
func (t *demoClient) verify(key, permission, want string) {
	got := t.call("POST", "/api-keys/verify", 200, fmt.Sprintf(`{"key": %q, "permissions": [%q]}`, key, permission)).
		at("code")
	if t.err == nil && got != want {
		t.err = fmt.Errorf("the verdict is %s, and should be %s", got, want)
	}
}

// call sends one request and prints it, its status, and its answer.
func (t *demoClient) call(method, path string, want int, body string) answer {
	return t.exchange(method, path, want, body, pretty)
}

// log asks for a workspace's log and prints the gist of it: each event also holds before, after, address and
// credential.
func (t *demoClient) log(workspace string) {
	t.exchange("GET", "/workspaces/logs?sortOrder=asc&workspaceId="+workspace, 200, "", func(told json.RawMessage) string {
		var page struct {
			Logs []struct{ CreatedAt, EventType, EventDescription string } `json:"logs"`
		}
		if err := json.Unmarshal(told, &page); err != nil {
			t.err = err
			return ""
		}
		var b strings.Builder
		b.WriteString("(in short)\n")
		for _, e := range page.Logs {
			fmt.Fprintf(&b, "  %s  %-18s  %s\n", e.CreatedAt, e.EventType, shorten(e.EventDescription))
		}
		return strings.TrimRight(b.String(), "\n")
	})
}

// exchange is call with a say in how the answer is shown.
func (t *demoClient) exchange(method, path string, want int, body string, show func(json.RawMessage) string) answer {
	if t.err != nil {
		return answer{t: t}
	}
	if !t.short {
		t.showRequest(method, path, body)
	}
	status, data, err := t.send(method, path, body)
	if err != nil {
		t.err = err
		return answer{t: t}
	}
	got := answer{t: t}
	if got.told, t.err = told(data); t.err != nil {
		return got
	}
	word := paint(t.out, statusColour(status), fmt.Sprint(status))
	if t.short {
		fmt.Fprintf(t.out, "   %s %s\n", word, outcome(method, path, got.told))
	} else {
		fmt.Fprintf(t.out, "\n%s %s\n", word, show(got.told))
	}
	if status != want {
		t.err = fmt.Errorf("%s %s was answered %d, and should be %d", method, path, status, want)
	}
	return got
}

func (t *demoClient) showRequest(method, path, body string) {
	fmt.Fprintf(t.out, "\n$ curl -X %s '%s/api/v2%s' -H 'Authorization: Bearer %s'", method, t.url, path, shorten(t.token))
	if body != "" {
		fmt.Fprintf(t.out, " \\\n    -H 'Content-Type: application/json' -d '%s'", shorten(body))
	}
}

// outcome says in a few words what was asked and what came of it: the code of a verdict or of a refusal, or how many
// events a log has.
func outcome(method, path string, told json.RawMessage) string {
	var answer struct {
		Code string            `json:"code"`
		Logs []json.RawMessage `json:"logs"`
	}
	_ = json.Unmarshal(told, &answer) // what it does not hold is not said
	said := answer.Code
	if len(answer.Logs) > 0 {
		said = fmt.Sprintf("%d events", len(answer.Logs))
	}
	path, _, _ = strings.Cut(path, "?")
	return strings.TrimSpace(method + " " + idInPath.ReplaceAllString(path, "/…") + "  " + said)
}

var idInPath = regexp.MustCompile(`/[0-9a-f]{8}-[0-9a-f-]{27}`)

// told takes the result out of the envelope that every answer has.
func told(body []byte) (json.RawMessage, error) {
	var envelope struct {
		Data struct {
			Result json.RawMessage `json:"result"`
		} `json:"data"`
		Error json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(body, &envelope); err != nil {
		return nil, fmt.Errorf("an answer is not understood: %w", err)
	}
	if envelope.Error != nil {
		return envelope.Error, nil
	}
	return envelope.Data.Result, nil
}

func (t *demoClient) send(method, path, body string) (int, []byte, error) {
	r, err := http.NewRequestWithContext(t.ctx, method, t.url+"/api/v2"+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Authorization", "Bearer "+t.token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := t.http.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, data, err
}

// nothing stands for a value that is not there; it is as long as a key.
var nothing = strings.Repeat("-", 64)

// at follows member names to a text.
func (a answer) at(names ...string) string {
	if a.t.err != nil {
		return nothing
	}
	var v any
	if a.t.err = json.Unmarshal(a.told, &v); a.t.err != nil {
		return nothing
	}
	for _, name := range names {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	s, ok := v.(string)
	if !ok || s == "" {
		a.t.err = fmt.Errorf("the answer has no %s", strings.Join(names, "."))
		return nothing
	}
	return s
}

func statusColour(status int) string {
	if status < 300 {
		return green
	}
	return red
}

// whole finds keys in text; a found key is shown as its first and last letters.
var whole = regexp.MustCompile(`\b([a-z][a-z0-9]*_(?:live|test|svc)_[0-9A-Za-z]{4})[0-9A-Za-z]{41}([0-9A-Za-z]{4})\b`)

func shorten(s string) string { return whole.ReplaceAllString(s, "$1…$2") }

// pretty prints an answer for people, keys shortened.
func pretty(told json.RawMessage) string {
	var b bytes.Buffer
	if err := json.Indent(&b, told, "", "  "); err != nil {
		return err.Error()
	}
	return shorten(b.String())
}

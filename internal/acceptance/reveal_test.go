package acceptance_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/store/postgres/pgtest"
)

// T19: a server is killed after it committed a creation or a rotation and before the client read the answer. The
// repetition has the value, and there is one key.
func TestT19AnAnswerThatAKillTookAwayIsGivenAgain(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) { t.Parallel(); killedBeforeTheAnswer(t, start(t)) })
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		killedBeforeTheAnswer(t, startOn(t, pgtest.Database(t), ""))
	})
}

func killedBeforeTheAnswer(t *testing.T, p *process) {
	made := p.result(t, "POST", "/api/v2/workspaces", "", `{"name":"W","owner":{"userId":"ana","email":"ana@acme.test"}}`)
	ws := text(object(made["workspace"])["id"])
	create := `{"workspaceId":"` + ws + `","userId":"ana","name":"once"}`
	listed := func() []any { return list(p.result(t, "GET", "/api/v2/api-keys?workspaceId="+ws, "", "")["apiKeys"]) }

	p.sendOnly(t, "/api/v2/api-keys", "word", create)
	for deadline := time.Now().Add(patience); len(listed()) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the key was not made")
		}
	}
	p.kill(t)
	p = p.again(t)
	first := p.result(t, "POST", "/api/v2/api-keys", "word", create)
	again := p.result(t, "POST", "/api/v2/api-keys", "word", create)
	value, id := text(first["key"]), text(object(first["apiKey"])["id"])
	if value == "" || again["key"] != first["key"] || len(listed()) != 1 || p.verdict(t, value) != "VALID" {
		t.Fatalf(
			"repeated after the kill: %d keys, the same value %v, verified %s", len(listed()), again["key"] == first["key"],
			p.verdict(t, value),
		)
	}

	rotate := "/api/v2/api-keys/" + id + "/rotate"
	p.sendOnly(t, rotate, "word", "{}")
	for deadline := time.Now().Add(patience); p.verdict(t, value) == "VALID"; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the key was not rotated")
		}
	}
	p.kill(t)
	p = p.again(t)
	next := text(p.result(t, "POST", rotate, "word", "{}")["key"])
	if next == "" || next == value || p.verdict(t, next) != "VALID" {
		t.Errorf("a rotation that is repeated after the kill has the value %v, verified %s", next != "", p.verdict(t, next))
	}
}

// sendOnly sends a request and reads nothing of its answer.
func (p *process) sendOnly(t *testing.T, path, word, body string) {
	t.Helper()
	u, err := url.Parse(p.url)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_, err = fmt.Fprintf(
		conn,
		"POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"+
			"Idempotency-Key: %s\r\nContent-Length: %d\r\n\r\n%s",
		path,
		u.Host,
		p.root,
		word,
		len(body),
		body,
	)
	if err != nil {
		t.Fatal(err)
	}
}

// result calls as the root and gives the result of a success.
func (p *process) result(t *testing.T, method, path, word, body string) map[string]any {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+p.root)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if word != "" {
		r.Header.Set("Idempotency-Key", word)
	}
	answer, err := plain.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %s %v\n%s", method, path, answer.Status, err, raw)
	}
	var out struct {
		Data struct {
			Result map[string]any `json:"result"`
		} `json:"data"`
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out.Data.Result
}

func (p *process) verdict(t *testing.T, value string) string {
	t.Helper()
	return text(p.result(t, "POST", "/api/v2/api-keys/verify", "", `{"key":"`+value+`"}`)["code"])
}

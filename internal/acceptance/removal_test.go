package acceptance_test

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/store/postgres/pgtest"
)

// T104: a removal is decided in one transaction. A node that is killed while it writes the rows leaves keys that are
// what was decided, on every node, also when the member is added again meanwhile; and the rows are written by the next
// start, or by another node.
func TestT104ARemovalGoesOnAfterAKill(t *testing.T) {
	t.Parallel()
	t.Run("one node, restarted", func(t *testing.T) {
		t.Parallel()
		r := &removals{first: start(t)}
		r.run(t, func() *process { return r.first.again(t) })
	})
	t.Run("two nodes", func(t *testing.T) {
		t.Parallel()
		r := &removals{first: startOn(t, pgtest.Database(t), "")}
		r.second = r.first.again(t)
		r.run(t, func() *process { return r.second })
	})
}

type removals struct {
	first, second *process
	ws, role      string
	keys          int // of each leaver
}

// ways say how the keys of a leaver are settled, and what a verification says of them from then on.
var ways = []struct{ user, keys, code string }{
	{"stopping", "stop", "DISABLED"}, {"keeping", "keep", "VALID"}, {"giving", "transfer:heir", "VALID"},
}

func (r *removals) run(t *testing.T, after func() *process) {
	r.keys = 600
	if n, err := strconv.Atoi(os.Getenv("KEYWARD_SOAK_KEYS")); err == nil {
		r.keys = n
	}
	p := r.first
	made := p.result(t, "POST", "/api/v2/workspaces", "", `{"name":"W","owner":{"userId":"ana","email":"ana@acme.test"}}`)
	r.ws = text(object(made["workspace"])["id"])
	for _, role := range list(p.result(t, "GET", "/api/v2/workspaces/"+r.ws+"/roles", "", "")["roles"]) {
		if text(object(role)["name"]) == "Admin" {
			r.role = text(object(role)["id"])
		}
	}
	r.join(t, p, "heir")
	values := map[string][]string{}
	for _, w := range ways {
		r.join(t, p, w.user)
		values[w.user] = r.fill(t, p, w.user)
	}
	var asked sync.WaitGroup
	for _, w := range ways {
		asked.Go(func() { _ = p.status("DELETE", r.member(w.user)+"?keys="+w.keys) }) // the kill may take the answer away
	}
	other := p
	if r.second != nil {
		other = r.second
	}
	for _, w := range ways {
		for deadline := time.Now().Add(patience); other.status("GET",
			r.member(w.user)) != http.StatusNotFound; time.Sleep(2 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s is not removed", w.user)
			}
		}
		// Another node hears of it a moment later, of all keys at once.
		for deadline := time.Now().Add(patience); w.code != "VALID" &&
			other.verdict(t, values[w.user][0]) == "VALID"; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("the keys of %s go on", w.user)
			}
		}
		r.judged(t, other, w.user, w.code, values[w.user])
	}
	p.kill(t)
	asked.Wait()
	before := time.Now()
	p = after()
	r.join(t, p, "stopping")
	rounds := 0
	for ; ; rounds++ {
		for _, w := range ways {
			r.judged(t, p, w.user, w.code, values[w.user])
		}
		if r.written(t, p) >= len(ways)*r.keys {
			break
		}
		if time.Since(before) > 4*patience+time.Duration(r.keys)*10*time.Millisecond {
			t.Fatalf("%d of %d rows are written", r.written(t, p), len(ways)*r.keys)
		}
	}
	t.Logf(
		"%d keys of each of %d members: written %s after the kill, %d rounds of verifications meanwhile", r.keys, len(ways),
		time.Since(before).Round(time.Millisecond), rounds,
	)
	for _, w := range ways {
		r.judged(t, p, w.user, w.code, values[w.user])
	}
}

func (r *removals) member(user string) string {
	return "/api/v2/workspaces/" + r.ws + "/members/" + user
}

func (r *removals) join(t *testing.T, p *process, user string) {
	t.Helper()
	p.result(t, "PUT", r.member(user), "", `{"email":"`+user+`@acme.test","roleId":"`+r.role+`"}`)
}

// fill makes a member's keys, and gives the values of some from among all of them.
func (r *removals) fill(t *testing.T, p *process, user string) (some []string) {
	t.Helper()
	for left := r.keys; left > 0; left -= 100 {
		items := make([]string, min(left, 100))
		for i := range items {
			items[i] = fmt.Sprintf(`{"name":"k%d","userId":%q,"permissions":["calls:read"],"generate":true}`, left-i, user)
		}
		made := p.result(
			t, "POST", "/api/v2/api-keys/import", "", `{"workspaceId":"`+r.ws+`","apiKeys":[`+strings.Join(items, ",")+`]}`,
		)
		imported := list(made["imported"])
		some = append(some, text(object(imported[0])["key"]), text(object(imported[len(imported)-1])["key"]))
	}
	return some
}

// judged wants the keys of a member to be what was decided.
func (r *removals) judged(t *testing.T, p *process, user, code string, values []string) {
	t.Helper()
	for _, value := range values {
		if got := p.verdict(t, value); got != code {
			t.Fatalf("a key of %s is %s, want %s", user, got, code)
		}
	}
}

// written counts the events of keys.
func (r *removals) written(t *testing.T, p *process) int {
	t.Helper()
	logs := p.result(t, "GET", "/api/v2/workspaces/logs?workspaceId="+r.ws+"&eventType=api_key.updated&limit=1", "", "")
	total, _ := object(logs["pagination"])["total"].(float64)
	return int(total)
}

// status calls as the root, and gives the status of the answer; 0 where there is none.
func (p *process) status(method, path string) int {
	r, err := http.NewRequest(method, p.url+path, http.NoBody)
	if err != nil {
		return 0
	}
	r.Header.Set("Authorization", "Bearer "+p.root)
	answer, err := plain.Do(r)
	if err != nil {
		return 0
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

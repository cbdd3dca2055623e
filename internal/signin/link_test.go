package signin_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/session"
)

func TestALinkSignsItsMemberInOnceT12(t *testing.T) {
	t.Parallel()
	h := open(t)
	code := h.link(control.CreateSignInLink{Workspace: h.ws, User: "ada"})
	b := h.browser()
	b.outside()
	for range 3 { // a prefetcher looks, and burns nothing
		if a := b.get("/signin/link?code=" + code); a.Code != http.StatusOK ||
			!strings.Contains(a.Body.String(), "<strong>ada</strong>") {
			t.Fatalf("%d %s", a.Code, a.Body)
		}
	}
	if a := b.post("/signin/link", "code", code, "return", "/keys"); a.Code != http.StatusSeeOther ||
		a.Header().Get("Location") != "/keys" {
		t.Fatalf("%d %s", a.Code, a.Body)
	}
	b.sees("ok=true user=ada root=false email=ada@example.org role=Owner in=Acme of=1")
	again := h.browser()
	if a := again.post("/signin/link", "code", code); a.Code != http.StatusUnauthorized || len(again.cookies) != 0 {
		t.Errorf("a replay: %d", a.Code)
	}
	again.outside()
}

func TestALinkForTheRootActsAsItsKey(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.browser()
	b.post("/signin", "code", h.link(control.CreateSignInLink{Root: true}))
	b.sees("ok=true user= root=true email= role= in= of=1")
	b.post("/signin/workspace", "workspaceId", h.ws)
	b.sees("root=true email= role= in=Acme of=1")
}

// T77, T12: for every fault of a link, the answer is the same.
func TestEveryDeadLinkGetsTheSameAnswerT77T12(t *testing.T) {
	t.Parallel()
	h := open(t)
	ctx := context.Background()
	roles, _, err := h.control.ListRoles(ctx, h.root, h.ws, control.Paging{})
	h.must(err)
	_, _, err = h.control.PutMember(
		ctx, h.root, h.ws, "bob", control.PutMember{Email: "bob@example.org", Role: string(roles[0].ID)},
	)
	h.must(err)
	used := h.link(control.CreateSignInLink{Workspace: h.ws, User: "ada"})
	h.browser().post("/signin/link", "code", used)
	old := h.link(control.CreateSignInLink{Workspace: h.ws, User: "ada"})
	h.pass(session.LinkLife)
	left := h.link(control.CreateSignInLink{Workspace: h.ws, User: "bob"})
	_, err = h.control.RemoveMember(ctx, h.root, h.ws, "bob", control.RemoveMember{})
	h.must(err)
	_, _, err = h.control.PutMember(
		ctx, h.root, h.ws, "bob", control.PutMember{Email: "bob@example.org", Role: string(roles[0].ID)},
	)
	h.must(err)
	want := h.browser().post("/signin/link", "code", "keyward_link_"+strings.Repeat("A", 43))
	if want.Code != http.StatusUnauthorized {
		t.Fatal(want.Code)
	}
	for name, code := range map[string]string{"used": used, "old": old, "of one who left": left, "empty": "",
		"no link": "x"} {
		if a := h.browser().post("/signin/link", "code", code); a.Code != want.Code || a.Body.String() != want.Body.String() {
			t.Errorf("%s: %d %s", name, a.Code, a.Body)
		}
		if a := h.browser().get("/signin/link?code=" + code); a.Code != want.Code || a.Body.String() != want.Body.String() {
			t.Errorf("%s, looked at: %d %s", name, a.Code, a.Body)
		}
	}
}

func TestOnlyOneOfManyAtOnceFollowsALinkT12(t *testing.T) {
	t.Parallel()
	h := open(t)
	code := h.link(control.CreateSignInLink{Workspace: h.ws, User: "ada"})
	const many = 8
	status := make(chan int, many)
	for range many {
		go func() { status <- h.browser().post("/signin/link", "code", code).Code }()
	}
	in := 0
	for range many {
		if <-status == http.StatusSeeOther {
			in++
		}
	}
	if in != 1 {
		t.Errorf("%d got in", in)
	}
}

func TestADigestIsAllThatIsKeptOfALinkAndASession(t *testing.T) {
	t.Parallel()
	h := open(t)
	code := h.link(control.CreateSignInLink{Workspace: h.ws, User: "ada"})
	b := h.signedIn(h.ws, "ada")
	token := b.cookies["__Host-keyward"]
	if !session.IsToken(token) || !session.IsLink(code) {
		t.Fatal("not of the form")
	}
	dir := t.TempDir()
	h.must(h.db.Backup(context.Background(), dir+"/copy"))
	data := read(t, dir+"/copy")
	for _, secret := range []string{code, token} {
		if strings.Contains(data, secret) || strings.Contains(data, secret[len(secret)-20:]) {
			t.Error("a value stands in the database")
		}
	}
}

func TestASessionEndsIdleAndAtItsEndT69(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.signedIn(h.ws, "ada")
	h.pass(session.IdleLife - time.Minute)
	b.sees("user=ada") // and is seen
	h.pass(session.IdleLife - time.Minute)
	b.sees("user=ada")
	idle := h.signedIn(h.ws, "ada")
	for range 21 { // seven days, never idle
		h.pass(session.IdleLife - time.Minute)
		b.get("/")
	}
	b.outside()
	idle.outside()
}

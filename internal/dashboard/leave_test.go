package dashboard_test

import (
	"context"
	"fmt"
	"html"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/control"
)

var (
	leaveButton = regexp.MustCompile(`(?s)name="preview" value="([^"]*)"[^>]*>(.*?)</button>`)
	leaveRow    = regexp.MustCompile(`(?s)<tr data-key="([^"]*)">(.*?)</tr>`)
	leaveThen   = regexp.MustCompile(`data-then>([^<]*)<`)
	chosenWay   = regexp.MustCompile(`<option value="([a-z]*)" selected>`)
	undoField   = regexp.MustCompile(`name="removal" value="([^"]*)"`)
)

// leaver is a member with keys, who leaves.
type leaver struct {
	*house
	user string
	keys []string
}

func (h *house) leaver(user string, keys int) *leaver {
	h.Helper()
	h.member(user, "Member")
	l := &leaver{house: h, user: user}
	items := make([]control.ImportKey, keys)
	for n := range items {
		items[n] = control.ImportKey{Generate: true, CreateKey: control.CreateKey{User: user,
			Name: fmt.Sprintf("%s %d", user, n), Permissions: control.Some([]string{"calls:read"})}}
	}
	made, failed, err := h.control.ImportKeys(context.Background(), h.root, h.ws, items)
	must[any](h)(nil, err)
	if len(failed) > 0 {
		h.Fatal(failed)
	}
	for _, one := range made {
		l.keys = append(l.keys, string(one.ID))
	}
	return l
}

// choose is the form with a choice for all keys and with some of its own, as a browser sends it.
func (l *leaver) choose(way, heir string, own map[string]string) url.Values {
	form := url.Values{"keys": {way}, "heir": {heir}}
	for _, key := range l.keys {
		form.Set("then-"+key, own[key])
	}
	return form
}

func (l *leaver) send(form url.Values, more ...string) answer {
	l.Helper()
	sent := maps.Clone(form)
	for i := 0; i < len(more); i += 2 {
		sent.Set(more[i], more[i+1])
	}
	return l.post("ada", "/members/"+l.user+"/remove", sent)
}

// button is the value and the words of the red button.
func (a answer) button() (preview, words string) {
	a.t.Helper()
	m := leaveButton.FindStringSubmatch(a.Body.String())
	if m == nil {
		a.t.Fatalf("no button:\n%s", a.Body)
	}
	return html.UnescapeString(m[1]), html.UnescapeString(m[2])
}

// shown is the outcome for each key, as the page says it, and the choice that stands in its select.
func (a answer) shown() (then, own map[string]string) {
	then, own = map[string]string{}, map[string]string{}
	for _, m := range leaveRow.FindAllStringSubmatch(a.Body.String(), -1) {
		then[m[1]] = leaveThen.FindStringSubmatch(m[2])[1]
		if way := chosenWay.FindStringSubmatch(m[2]); way != nil && way[1] != "" {
			own[m[1]] = way[1]
		}
	}
	return then, own
}

// follow is the page after a change, with the sentence about it.
func (a answer) follow(user string, h *house) string {
	a.t.Helper()
	r := httptest.NewRequest(http.MethodGet, a.Header().Get("Location"), http.NoBody)
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Test-User", user)
	for _, c := range a.Result().Cookies() {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	return w.Body.String()
}

// outcomes is what has become of the keys, in the words of the page.
func (l *leaver) outcomes() map[string]string {
	l.Helper()
	now := map[string]string{}
	for _, id := range l.keys {
		k, err := l.control.GetKey(context.Background(), l.root, id)
		must[any](l)(nil, err)
		switch {
		case k.User == "bob":
			now[id] = "goes to bob"
		case k.IsActive:
			now[id] = "stays"
		default:
			now[id] = "stops"
		}
	}
	return now
}

func (l *leaver) stays() bool {
	_, err := l.control.GetMember(context.Background(), l.root, l.ws, l.user)
	return err == nil
}

// Single keys of a leaving member are treated as their rows say, whatever is chosen for all; the page shows each
// choice and its effect before, and Undo takes all of it back.
func TestAMemberLeavesWithAChoiceForEachKey(t *testing.T) {
	t.Parallel()
	h := open(t)
	r := rand.New(rand.NewPCG(3, 15))
	ways := []string{"stop", "keep", "transfer"}
	words := map[string]string{"stop": "stops", "keep": "stays", "transfer": "goes to bob"}
	for n := range 6 {
		l := h.leaver(fmt.Sprintf("rosa%d", n), 4)
		way, own, want := ways[n%3], map[string]string{}, map[string]string{}
		for _, key := range l.keys {
			want[key] = words[way]
			if r.IntN(2) == 0 {
				own[key] = ways[r.IntN(3)]
				want[key] = words[own[key]]
			}
		}
		form := l.choose(way, "bob", own)
		page := l.send(form, "do", "show").want(200)
		preview, _ := page.button()
		then, selected := page.shown()
		if !maps.Equal(then, want) || !maps.Equal(selected, own) {
			t.Fatalf("%s, %v: shown are %v and %v, want %v", way, own, then, selected, want)
		}
		said := l.send(form, "preview", preview).want(303)
		if got := l.outcomes(); !maps.Equal(got, want) || l.stays() {
			t.Fatalf("%s, %v: %v, want %v", way, own, got, want)
		}
		list := said.follow("ada", h)
		sentences := map[string]string{"stops": "key stops", "stays": "key stays", "goes to bob": "key moves to bob"}
		for word, one := range sentences {
			count := 0
			for _, w := range want {
				if w == word {
					count++
				}
			}
			if count == 1 && !strings.Contains(list, one) && !strings.Contains(list, strings.ToUpper(one[:1])+one[1:]) {
				t.Errorf("the sentence does not say %q for %v", one, want)
			}
		}
		removal := undoField.FindStringSubmatch(list)
		if removal == nil {
			t.Fatal("no Undo")
		}
		h.post("ada", "/members/"+l.user+"/restore", url.Values{"removal": {removal[1]}}).want(303)
		for id, then := range l.outcomes() {
			if then != "stays" || !l.stays() {
				t.Fatalf("after Undo the key %s %s", id, then)
			}
		}
	}
}

// A choice for a key that the page did not show with this effect is refused, and nothing is done.
func TestAChoiceForAKeyThatWasNotShownIsRefused(t *testing.T) {
	t.Parallel()
	h := open(t)
	l := h.leaver("rosa", 3)
	other := h.leaver("nora", 1)
	a, b := l.keys[0], l.keys[1]
	one := l.choose("stop", "", map[string]string{a: "keep"})
	preview, words := l.send(one, "do", "show").want(200).button()
	if words != "Remove rosa and stop 2 keys (1 stays)" {
		t.Errorf("the button says %q", words)
	}
	foreign := l.choose("stop", "", map[string]string{a: "keep"})
	foreign.Set("then-"+other.keys[0], "keep")
	for name, form := range map[string]url.Values{
		"the same counts with another key": l.choose("stop", "", map[string]string{b: "keep"}),
		"one more":                         l.choose("stop", "", map[string]string{a: "keep", b: "keep"}),
		"the choice taken back":            l.choose("stop", "", nil),
		"the same outcome, said otherwise": l.choose("keep", "", map[string]string{b: "stop", l.keys[2]: "stop"}),
		"somebody else's key":              foreign,
	} {
		l.send(form, "preview", preview).want(422).says("Nothing is done yet")
		if !l.stays() {
			t.Fatalf("%s: removed", name)
		}
	}
	for _, form := range []url.Values{
		{"keys": {"stop"}, "then-" + a: {"delete"}},
		{"keys": {"stop"}, "then-" + a: {"keep", "stop"}},
		{"keys": {"stop"}, "then-nothing": {"keep"}},
	} {
		l.send(form, "preview", preview).want(422).says("must be stop, keep or transfer")
	}

	// Without a member who takes it over, the keys and the choices stay on the page, and nothing can be done.
	page := l.send(l.choose("stop", "", map[string]string{a: "transfer"}), "do", "show").want(200).
		says("Choose who takes them over.")
	then, own := page.shown()
	if preview, _ := page.button(); preview != "" || own[a] != "transfer" || then[a] != "not decided yet" {
		t.Errorf("%q, %v, %v", preview, then, own)
	}
	mixed := l.choose("transfer", "bob", map[string]string{a: "stop", b: "keep"})
	_, words = l.send(mixed, "do", "show").want(200).button()
	if words != "Remove rosa and hand 1 key to bob (1 stops, 1 stays)" {
		t.Errorf("the button says %q", words)
	}

	// A key that has gone since takes its choice with it, and the removal waits for another look.
	must[any](t)(nil, h.control.DeleteKey(context.Background(), h.root, a))
	l.send(one, "preview", preview).want(422).says("the keys have changed")
	l.send(one, "do", "show").want(200).says("is not listed any more")
	if !l.stays() || !other.stays() {
		t.Error("removed")
	}
}

// The page of a member with many keys stays small, says how those that it does not list are treated, and keeps every
// key with a choice of its own.
func TestAMemberWithMoreKeysThanTheirPageListsLeaves(t *testing.T) {
	t.Parallel()
	l := open(t).leaver("rosa", control.MaxOverrides+1)
	first := l.get("ada", "/members/rosa/remove").want(200).says("and 101 more, as chosen for all.")
	if then, _ := first.shown(); len(then) != 100 || first.Body.Len() > 100_000 {
		t.Errorf("%d keys in %d bytes", len(then), first.Body.Len())
	}
	own := map[string]string{}
	for _, key := range l.keys[1:] {
		own[key] = "keep"
	}
	form := l.choose("stop", "", own)
	page := l.send(form, "do", "show").want(200).says("and 1 more, as chosen for all.")
	preview, words := page.button()
	if _, selected := page.shown(); words != "Remove rosa and stop 1 key (200 stay)" || !maps.Equal(selected, own) {
		t.Errorf("the button says %q, %d keys have a choice of their own", words, len(selected))
	}
	own[l.keys[0]] = "keep" // beyond the newest 200
	l.send(l.choose("stop", "", own), "preview", preview).want(422).says("Nothing is done yet")
	l.send(form, "preview", preview).want(303)
	if now := l.outcomes(); now[l.keys[0]] != "stops" || now[l.keys[1]] != "stays" || l.stays() {
		t.Errorf("the oldest key %s, the next %s", now[l.keys[0]], now[l.keys[1]])
	}
}

// Beyond the first hundred members, the new owner of keys is found by a search that keeps what was chosen.
func TestAHeirIsFoundAmongManyMembers(t *testing.T) {
	t.Parallel()
	h := open(t)
	for n := range 150 {
		h.member(fmt.Sprintf("aa%03d", n), "Member")
	}
	l := h.leaver("rosa", 2)
	first := l.get("ada", "/members/rosa/remove").want(200).says("Search by name, e-mail or id for others.")
	if strings.Contains(first.Body.String(), `value="aa149"`) {
		t.Fatal("the page lists every member: nothing is to be found")
	}
	own := map[string]string{l.keys[0]: "keep"}
	form := l.choose("transfer", "", own)
	form.Set("reason", "leaked")
	found := l.send(form, "do", "show", "findMember", "AA149").want(200).says("1 member matches “AA149”", `value="aa149"`)
	_, kept := found.shown()
	if !maps.Equal(kept, own) || !strings.Contains(found.Body.String(), `value="leaked" checked`) {
		t.Errorf("the search forgets what was chosen: %v", kept)
	}
	l.send(form, "do", "show", "findMember", "nowhere").want(200).says("Nothing matches “nowhere”", "Hand them over")
	form.Set("heir", "aa149")
	form.Del("reason")
	chosen := l.send(form, "do", "show", "findMember", "").want(200)
	preview, words := chosen.button()
	if words != "Remove rosa and hand 1 key to aa149 (1 stays)" {
		t.Fatalf("the button says %q", words)
	}
	l.send(form, "preview", preview).want(303)
	if k, err := h.control.GetKey(context.Background(), h.root, l.keys[1]); err != nil || k.User != "aa149" {
		t.Errorf("the key is %s's (%v)", k.User, err)
	}
}

// The owner of a new key, and a key to copy permissions from, are found in the same way; Enter in a search makes no
// key.
func TestAnOwnerIsFoundAmongManyMembers(t *testing.T) {
	t.Parallel()
	h := open(t)
	for n := range 150 {
		h.member(fmt.Sprintf("zz%03d", n), "Member")
	}
	h.get("ada", "/keys/new").want(200).says("Search by name, e-mail or id for others.")
	form := url.Values{
		"name": {"nightly"}, "environment": {"live"}, "expiry": {"30"}, "do": {"make"}, "findMember": {"zz149"},
	}
	page := h.post("ada", "/keys/new", form).want(200).says(`value="zz149"`, `value="nightly"`)
	if strings.Contains(page.Body.String(), `id="problem"`) {
		t.Error("a search complains of the form")
	}
	form.Set("findMemberWas", "zz149")
	form.Set("user", "zz149")
	h.post("ada", "/keys/new", form).want(201)
}

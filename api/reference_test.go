package api_test

import (
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/api"
)

// largestPage is how large a page of the reference may be.
const largestPage = 150 << 10

func reference(t *testing.T) map[string]string {
	t.Helper()
	pages, err := api.Reference()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for name, html := range pages {
		out[name] = string(html)
	}
	return out
}

var pageIDs = regexp.MustCompile(` id="([^"]+)"`)

func TestTheReferenceTellsEveryOperationAndLinksOnlyToWhatIsThere(t *testing.T) {
	t.Parallel()
	pages := reference(t)
	doc, _ := document(t)
	for _, o := range operations(doc) {
		tag, _ := o.object["tags"].([]any)[0].(string)
		on := strings.ReplaceAll(strings.ToLower(tag), " ", "-")
		if !strings.Contains(pages[on], `<article id="`+o.id()+`"`) ||
			!strings.Contains(pages[""], `<li id="`+o.id()+`"><a href="/docs/`+on+`#`+o.id()+`"`) {
			t.Errorf("%s is not on the page %q, or the first page does not lead to it", o.id(), on)
		}
	}
	ids := map[string]map[string]int{}
	for name, page := range pages {
		ids[name] = map[string]int{}
		for _, m := range pageIDs.FindAllStringSubmatch(page, -1) {
			if ids[name][m[1]]++; ids[name][m[1]] > 1 {
				t.Errorf("%q: the id %s stands more than once", name, m[1])
			}
		}
	}
	for name, page := range pages {
		if len(page) > largestPage {
			t.Errorf("%q has %d KiB, want %d at most", name, len(page)>>10, largestPage>>10)
		}
		for _, m := range regexp.MustCompile(`(?:href|src)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
			leads(t, name, m[1], ids)
		}
		for _, forbidden := range []string{"style=", "onclick", "<no value>", "ZgotmplZ", "<script>"} {
			if strings.Contains(page, forbidden) {
				t.Errorf("%q holds %q", name, forbidden)
			}
		}
	}
	for _, asked := range []string{"url(", "@import"} {
		if strings.Contains(string(api.Stylesheet()), asked) {
			t.Errorf("the style sheet asks for something else: %s", asked)
		}
	}
}

// leads wants a link to lead to a page of the reference, an anchor of it, or a path of the contract.
func leads(t *testing.T, from, link string, ids map[string]map[string]int) {
	t.Helper()
	target, err := url.Parse(link)
	if err != nil || target.IsAbs() || target.Host != "" {
		t.Errorf("%q asks for %s", from, link)
		return
	}
	to := from
	if target.Path != "" {
		to = strings.TrimPrefix(strings.TrimPrefix(target.Path, "/docs"), "/")
		if slices.Contains([]string{"/openapi.json", "/docs/style.css", "/docs/docs.js", "/assets/icon.svg"}, target.Path) {
			return
		}
	}
	if ids[to] == nil || target.Fragment != "" && ids[to][target.Fragment] == 0 {
		t.Errorf("%q: the link %s leads nowhere", from, link)
	}
}

// TestTheScriptOfTheReferenceKeepsNoToken: what is typed into a page stays in its memory, and goes to this server
// alone.
func TestTheScriptOfTheReferenceKeepsNoToken(t *testing.T) {
	t.Parallel()
	script := string(api.Script())
	for _, forbidden := range []string{"localStorage", "sessionStorage", "indexedDB", "cookie =", "innerHTML", "http://",
		"https://", "import ", "import(",
		"sendBeacon", "postMessage", "WebSocket", "eval(", "history."} {
		if strings.Contains(script, forbidden) {
			t.Errorf("the script holds %q", forbidden)
		}
	}
	if strings.Count(script, "fetch(") != 1 || !strings.Contains(script, "credentials: 'omit'") {
		t.Error("the script asks in another way than with the typed token alone")
	}
}

// noClient are the operations that no client calls: those of browsers, gateways and machines.
var noClient = []string{
	"getFrontPage", "checkRequest", "getMetrics", "getOpenapi", "getReference", "getReferenceFile",
}

// samples reads the written calls, by operation and language.
func samples(t *testing.T) map[string]map[string]string {
	t.Helper()
	text, err := os.ReadFile("samples.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]string{}
	operation := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		language, call, spaced := strings.Cut(line, " ")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case !spaced:
			operation = line
			out[operation] = map[string]string{}
		default:
			out[operation][language] = call
		}
	}
	return out
}

// TestEveryOperationIsShownInFourLanguagesAsTheClientsHaveIt: a call that is shown is one of the method that makes this
// operation, by the clients' own sources.
func TestEveryOperationIsShownInFourLanguagesAsTheClientsHaveIt(t *testing.T) {
	t.Parallel()
	written, all := samples(t), strings.Join(slices.Collect(values(reference(t))), "")
	typescript, python := source(t, "../sdk/typescript/src/client.ts"), source(t, "../sdk/python/src/keyward/_async.py")
	doc, _ := document(t)
	known := map[string]bool{}
	for _, o := range operations(doc) {
		id := o.id()
		known[id] = true
		for _, language := range []string{"curl", "ts", "py", "go"} {
			if !strings.Contains(all, `id="`+id+`-`+language+`"`) {
				t.Errorf("%s is not shown in %s", id, language)
			}
		}
		if slices.Contains(noClient, id) {
			continue
		}
		if of := typescriptMethod(typescript, written[id]["ts"]); !strings.Contains(of, `"`+id+`"`) &&
			!reaches(typescript, of, id) {
			t.Errorf("%s: in TypeScript %q is no call of it", id, written[id]["ts"])
		}
		if of := pythonMethod(python, written[id]["py"]); !strings.Contains(of, `"`+id+`"`) {
			t.Errorf("%s: in Python %q is no call of it", id, written[id]["py"])
		}
		m := regexp.MustCompile(`client\.(\w+)\(`).FindStringSubmatch(written[id]["go"])
		if m == nil {
			t.Errorf("%s: in Go %q is no call", id, written[id]["go"])
		} else if _, there := reflect.TypeFor[*keyward.Client]().MethodByName(m[1]); !there {
			t.Errorf("%s: in Go there is no method %s", id, m[1])
		}
	}
	for id := range written {
		if !known[id] || slices.Contains(noClient, id) {
			t.Errorf("samples.txt shows %s, which no client calls", id)
		}
	}
}

func values(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

func source(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var calls = regexp.MustCompile(`keyward\.(?:(\w+)\.)?(\w+)\(`)

// within is the part of a text from one that begins it to the next one that ends it.
func within(text, begin, end string) string {
	_, rest, found := strings.Cut(text, begin)
	if !found {
		return ""
	}
	body, _, _ := strings.Cut(rest, end)
	return body
}

// typescriptMethod is the source of the method that a sample calls; all() is the pages of list().
func typescriptMethod(source, sample string) string {
	m := calls.FindStringSubmatch(sample)
	if m == nil {
		return ""
	}
	class := "Keyward"
	if m[1] != "" {
		class = regexp.MustCompile(`\n  readonly ` + m[1] + `: (\w+);`).FindStringSubmatch(source)[1]
	}
	body := within(source, "\nexport class "+class+" ", "\n}\n")
	method := m[2]
	if method == "all" {
		method = "list"
	}
	found := regexp.MustCompile(`\n  (?:async )?` + method + `\(`).FindStringIndex(body)
	if found == nil {
		return ""
	}
	return within(body[found[0]:], "", "\n  }\n")
}

// reaches tells whether a method calls a private one that makes the operation.
func reaches(source, method, id string) bool {
	for _, m := range regexp.MustCompile(`this\.#?(\w+)(?:<[^(]*>)?\(\s*"(\w+)"`).FindAllStringSubmatch(method, -1) {
		if m[2] == id {
			return true
		}
	}
	return false
}

// pythonMethod is the same for Python.
func pythonMethod(source, sample string) string {
	m := calls.FindStringSubmatch(sample)
	if m == nil {
		return ""
	}
	class := "AsyncKeyward"
	if m[1] != "" {
		class = regexp.MustCompile(`self\.` + m[1] + ` = (\w+)\(self\)`).FindStringSubmatch(source)[1]
	}
	body := within(source, "\nclass "+class, "\nclass ")
	return within(body, "\n    async def "+m[2]+"(", "\n    async def ")
}

// TestTheCallsInGoCompile puts each into a function of a package that is in this module for the compiler alone.
func TestTheCallsInGoCompile(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(
		"package samples\n\nimport (\n\t\"context\"\n\t\"time\"\n\n\t\"github.com/keyward/keyward\"\n)\n\nvar _ time.Duration\n",
	)
	for id, of := range samples(t) {
		results, _, _ := strings.Cut(of["go"], " := ")
		b.WriteString(
			"\nfunc " + id +
				"(ctx context.Context, client *keyward.Client, id, key, code, workspaceID, userID, roleID, removalID, deliveryID, clientSecret, proof string) {\n\t" +
				of["go"] + "\n\t_" + strings.Repeat(
				", _",
				strings.Count(results, ","),
			) + " = " + results + "\n}\n",
		)
	}
	dir, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "samples.go")
	overlay := file + ".json"
	replace, err := json.Marshal(
		map[string]any{"Replace": map[string]string{filepath.Join(dir, "samples", "samples.go"): file}},
	)
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string][]byte{file: []byte(b.String()), overlay: replace} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("go", "build", "-overlay", overlay, "./samples").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

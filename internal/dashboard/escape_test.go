package dashboard

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/signin"
)

// bodies are one of each page.
func bodies() []body {
	return []body{
		&bulkBody{}, &catalogueBody{}, &deleteBody{}, &rotateBody{}, &editForm{}, &grantBody{}, &installationBody{},
		&invitationBody{}, &keyBody{},
		&keysBody{}, &leaveBody{}, &logBody{}, &membersBody{}, &newKeyForm{}, &nodesBody{}, &overviewBody{}, &refusal{},
		&requestBody{}, &requestsBody{}, &revealBody{}, &roleChoiceBody{}, &roleForm{}, &roleReview{}, &rolesBody{},
		&serviceKeysBody{}, &serviceReveal{},
		&sessionsBody{}, &settingsForm{}, &signinBody{}, &usageBody{}, &webhookAsk{}, &webhookBody{},
		&webhookForm{}, &webhookReveal{}, &webhooksBody{}, &workspacesBody{},
	}
}

// choices are words on which pages decide.
var choices = []string{
	"", "good", "bad", "off", "enable", "delete", "edit", "rotate", "disable", "activity", "permissions", "settings",
	"live",
	"frozen", "capped", "user", "none", "custom", "/webhooks",
}

// hostile are texts that do harm where they stand in a page as they are.
var hostile = []string{
	`"'><img src=x onerror=alert(1)>`, "javascript:alert(1)", "</textarea></pre></title><img src=x>", "a onclick=x",
}

// fill gives every field of a value some content, hostile text more often than not.
func fill(r *rand.Rand, v reflect.Value, depth int) {
	if !v.CanSet() {
		return
	}
	switch v.Kind() {
	case reflect.String:
		if r.IntN(3) == 0 {
			v.SetString(choices[r.IntN(len(choices))])
		} else {
			v.SetString(hostile[r.IntN(len(hostile))])
		}
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int, reflect.Int64:
		v.SetInt(r.Int64N(5))
	case reflect.Slice:
		if depth > 6 || v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		n := r.IntN(3)
		if depth > 1 && v.Type().Elem().Kind() == reflect.String {
			n = 2 // a name and a value
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(r, v.Index(i), depth+1)
		}
	case reflect.Pointer:
		if depth < 6 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(r, v.Elem(), depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		if v.Type() == reflect.TypeFor[map[string]string]() {
			for _, field := range []string{"name", "email", "user", "role", "heir", "permission", "ip", "expiry", "delete",
				"scope"} {
				v.SetMapIndex(reflect.ValueOf(field), reflect.ValueOf(hostile[0]))
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Field(i)
			if !field.CanSet() && v.Type().Field(i).Anonymous { // an embedded type of this package
				field = reflect.NewAt(field.Type(), field.Addr().UnsafePointer()).Elem()
			}
			fill(r, field, depth+1)
		}
	}
}

// harm names what a page has that only a text that was not escaped can bring.
func harm(page string) string {
	for z := html.NewTokenizer(strings.NewReader(page)); ; {
		if z.Next() == html.ErrorToken {
			return ""
		}
		t := z.Token()
		if t.Type != html.StartTagToken && t.Type != html.SelfClosingTagToken {
			continue
		}
		if t.Data == "img" {
			return "the element " + t.String()
		}
		for _, a := range t.Attr {
			address := slices.Contains([]string{"href", "src", "action", "formaction", "xlink:href"}, a.Key)
			if strings.HasPrefix(a.Key, "on") || address &&
				strings.HasPrefix(strings.ToLower(strings.TrimSpace(a.Val)), "javascript:") {
				return fmt.Sprintf("the attribute %s=%q of <%s>", a.Key, a.Val, t.Data)
			}
		}
	}
}

func TestNoTextBecomesAnElementAnAttributeOrAScriptOnAnyPageT72(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 24 {
		for _, b := range bodies() {
			fill(r, reflect.ValueOf(b).Elem(), 0)
			if s, ok := b.(*signinBody); ok {
				s.Kind = []signin.Kind{signin.SignIn, signin.Confirm, signin.Refusal, signin.Invite}[n%4]
			}
			p := page{Body: b, Title: hostile[n%len(hostile)]}
			fill(r, reflect.ValueOf(&p.Said).Elem(), 0)
			fill(r, reflect.ValueOf(&p.Fault).Elem(), 0)
			if n%4 > 0 {
				p.request = &request{r: httptest.NewRequest("GET", "/keys?q=%22%3E%3Cimg%20src%3Dx%3E", nil)}
				p.may = control.Authority{Manages: true, DisplayName: hostile[0]}
				fill(r, reflect.ValueOf(&p.may.Workspace).Elem(), 0)
				fill(r, reflect.ValueOf(&p.Places).Elem(), 0)
			}
			var out bytes.Buffer
			if err := p.document().Render(t.Context(), &out); err != nil {
				t.Fatalf("%T: %v", b, err)
			}
			if wrong := harm(out.String()); wrong != "" {
				t.Errorf("%T has %s", b, wrong)
			}
		}
	}
	// harm is itself able to see what it looks for.
	for _, bad := range []string{"<p>" + hostile[0], `<a href="javascript:alert(1)">`, `<p onclick="x">`} {
		if harm(bad) == "" {
			t.Errorf("%s is not seen", bad)
		}
	}
}

func TestEveryPageIsAmongThoseWhoseTextIsTriedT72(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.templ")
	if err != nil {
		t.Fatal(err)
	}
	var there, tried []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^templ \(\w+ (\w+)\) main\(`).FindAllSubmatch(text, -1) {
			there = append(there, string(m[1]))
		}
		if raw := bytes.Contains(text, []byte("templ.Raw(")) || bytes.Contains(text, []byte("templ.SafeURL(")); raw {
			t.Errorf("%s writes a text as it is", file)
		}
	}
	for _, b := range bodies() {
		tried = append(tried, reflect.TypeOf(b).Elem().Name())
	}
	slices.Sort(there)
	slices.Sort(tried)
	if !slices.Equal(there, tried) || len(there) == 0 {
		t.Errorf("pages:\n%v\ntried:\n%v", there, tried)
	}
}

// A call of another template that the compiler takes for text stands on the page as it was written.
func TestNoCallOfATemplateIsTakenForText(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../*/*_templ.go")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d compiled templates, %v", len(files), err)
	}
	files = append(files, "../../api/reference_templ.go")
	call := regexp.MustCompile(`WriteString\(.*@[A-Za-z.]+\(`)
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range call.FindAll(source, -1) {
			t.Errorf("%s: %s", file, found)
		}
	}
}

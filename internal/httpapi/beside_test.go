package httpapi_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/keyward/keyward/api"
)

// workspaceId beside an id may be left out, and must be the object's workspace if it is given: otherwise the object
// is not found, for every caller, and nothing changes.
func TestT7AWorkspaceBesideAnIDMustBeTheObjects(t *testing.T) {
	t.Parallel()
	h := open(t)
	theirs, _ := h.settle("u-eve", "u-edgar")
	for _, op := range foreign {
		method, path, _ := strings.Cut(op.on, " ")
		for _, caller := range []string{"the root", "a key"} {
			ask := func(within string) (string, names) {
				ours, value := h.settle("u-ann", "u-alan")
				if caller == "the root" {
					value = h.root
				}
				if within == "{ws}" {
					within = ours.ws
				}
				query := "?workspaceId=" + within
				if strings.Contains(op.query, "workspaceId") {
					query = strings.ReplaceAll(op.query, "{ws}", within)
				} else if op.query != "" {
					query = op.query + "&workspaceId=" + within
				}
				before := h.shown(ours)
				a := h.do(method, "/api/v2"+ours.in(path+query), value, ours.in(op.body))
				if within != ours.ws && h.shown(ours) != before {
					t.Errorf("%s by %s changed something in another workspace than was named", op.on, caller)
				}
				return a.Body.String() + " " + a.Result().Status, ours
			}
			if got, _ := ask("{ws}"); strings.Contains(got, "not_found") ||
				strings.Contains(got, "workspaceId") && strings.Contains(got, "invalid_request") {
				t.Errorf("%s by %s with its own workspace: %s", op.on, caller, got)
			}
			for _, other := range []string{theirs.ws, "00000000-0000-7000-8000-000000000000", "x"} {
				if strings.Contains(op.query, "workspaceId") || strings.HasSuffix(op.on, "/explain") {
					continue // the parameter is the operation's own
				}
				if got, _ := ask(other); !strings.Contains(got, "not_found") {
					t.Errorf("%s by %s with %s: %s", op.on, caller, other, got)
				}
			}
		}
	}
}

// The document says so of every operation whose path names an object of a workspace.
func TestEveryOperationOnAnObjectTakesItsWorkspace(t *testing.T) {
	t.Parallel()
	source, err := api.JSON()
	must(t, err)
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	must(t, json.Unmarshal(source, &doc))
	found := 0
	for path, item := range doc.Paths {
		if !strings.Contains(path, "{") || strings.Contains(path, "/service-keys/") || !strings.HasPrefix(path, "/api/v2/") {
			continue
		}
		for method, operation := range item {
			if method == "parameters" || strings.HasSuffix(path, "/explain") || // which takes it as a demand
				strings.HasSuffix(path, "/renew") { // which no caller of a workspace asks for
				continue
			}
			found++
			if !strings.Contains(string(operation), "#/components/parameters/WorkspaceIdQuery") {
				t.Errorf("%s %s takes no workspaceId", method, path)
			}
		}
	}
	if found < 15 {
		t.Errorf("%d operations", found)
	}
}

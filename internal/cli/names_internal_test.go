package cli

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/keyward/keyward"
)

func TestANameThatSeveralHaveIsRefusedWithTheirIds(t *testing.T) {
	t.Parallel()
	if id, err := theOne("key", "CI", []string{"k1"}); id != "k1" || err != nil {
		t.Error(id, err)
	}
	for _, ids := range [][]string{nil, {"k1", "k2"}} {
		id, err := theOne("key", "CI", ids)
		if id != "" || err == nil || !strings.Contains(err.Error(), "CI") ||
			!strings.Contains(err.Error(), strings.Join(ids, ", ")) {
			t.Errorf("%v: %q %v", ids, id, err)
		}
	}
}

// A server that wants a workspace is understood, and the flag is named.
func TestAWorkspaceThatIsMissingIsNamedByItsFlag(t *testing.T) {
	t.Parallel()
	refused := &keyward.Error{Status: http.StatusBadRequest, Code: keyward.CodeInvalidRequest,
		Details: []keyward.Detail{{Field: "workspaceId", Message: "must be given: a service key belongs to no workspace"}}}
	var said strings.Builder
	if code := ended(&said, refused); code != exitUsage || !strings.Contains(said.String(), "-w WORKSPACE is missing") {
		t.Errorf("%d %s", code, &said)
	}
	refused.Details[0].Field = "name"
	if ended(&said, refused) != exitFailure {
		t.Error("another field is taken for the workspace")
	}
}

// A revocation that is not true everywhere yet is said, with the nodes that are left, and only then.
func TestNodesThatAreLeftAreSaid(t *testing.T) {
	t.Parallel()
	const nodes = `{"success": true, "data": {"message": "m", "result": {"nodes": [{"address": "10.0.0.1:8080", "state": "ready", "behind": 0},
		{"address": "10.0.0.2:8080", "state": "ready", "behind": 3}, {"address": "10.0.0.3:8080", "state": "fenced", "behind": 0}]}}}`
	answer, code := nodes, http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, answer)
	}))
	defer server.Close()
	client, err := keyward.New(server.URL, keyward.WithToken("t"))
	if err != nil {
		t.Fatal(err)
	}
	tell := func(pending int) string {
		var errs strings.Builder
		r := &keyward.Revocation{Nodes: keyward.RevocationNodes{Confirmed: 1, Pending: pending}}
		tellPending(t.Context(), &app{Streams: Streams{Err: &errs}}, client, r)
		return errs.String()
	}
	if said := tell(0); said != "" {
		t.Errorf("none pending: %q", said)
	}
	said := tell(2)
	for _, want := range []string{"In effect on 1 of 3 nodes", "--wait", "10.0.0.2:8080  ready, 3 behind",
		"10.0.0.3:8080  fenced"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in %q", want, said)
		}
	}
	if strings.Contains(said, "10.0.0.1") {
		t.Errorf("a node that has it is named: %q", said)
	}
	answer, code = `{"success": false, "error": {"code": "permission_denied", "message": "m", "details": []}}`, http.StatusForbidden
	if said := tell(2); strings.Count(said, "\n") != 1 {
		t.Errorf("a caller who may not list nodes reads %q", said)
	}
	tellPending(t.Context(), nil, nil, nil)
}

package cli

import (
	"strings"
	"testing"

	"github.com/keyward/keyward"
)

func TestWhatIsMissingIsNamedAsItIsTyped(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]string{
		"missing flags: --name=STRING":                      "--name NAME is missing",
		"missing flags: --name=STRING, --user=STRING":       "--name NAME and --user USER are missing",
		`missing flags: --a=STRING, --to="URL", --c=STRING`: "--a A, --to URL and --c C are missing",
		"unexpected argument nonsense":                      "unexpected argument nonsense",
	} {
		if got := inASentence(message); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestANameThatSeveralHaveIsRefusedWithTheirIds(t *testing.T) {
	t.Parallel()
	if id, err := theOne("key", "CI", []string{"k1"}); id != "k1" || err != nil {
		t.Error(id, err)
	}
	for _, ids := range [][]string{nil, {"k1", "k2"}} {
		id, err := theOne("key", "CI", ids)
		if id != "" || err == nil || !strings.Contains(err.Error(), "CI") || !strings.Contains(err.Error(), strings.Join(ids, ", ")) {
			t.Errorf("%v: %q %v", ids, id, err)
		}
	}
}

// A revocation that is not true everywhere yet is said, and only then.
func TestNodesThatAreLeftAreSaid(t *testing.T) {
	t.Parallel()
	for pending, want := range map[int]bool{0: false, 2: true} {
		var errs strings.Builder
		tellPending(&app{Streams: Streams{Err: &errs}}, &keyward.Revocation{Nodes: keyward.RevocationNodes{Confirmed: 1, Pending: pending}})
		if got := strings.Contains(errs.String(), "In effect on 1 of 3 nodes") && strings.Contains(errs.String(), "--wait"); got != want {
			t.Errorf("%d pending: %q", pending, errs.String())
		}
	}
	tellPending(nil, nil)
}

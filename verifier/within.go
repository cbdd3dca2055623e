package verifier

import (
	"fmt"
	"slices"

	"github.com/keyward/keyward/internal/wire"
)

// Within gives a verifier on the same copy whose every question is about one workspace: a key of another one is not
// found. An empty id is refused with each question. It is the same verifier in all else: Close ends both.
func (v *Verifier) Within(workspaceID string) *Verifier {
	return &Verifier{process: v.process, within: &workspaceID}
}

// confine narrows a question to the verifier's workspace.
func (v *Verifier) confine(in *wire.Verify) error {
	if v.within == nil {
		return nil
	}
	if in.WorkspaceID.Set && !slices.Contains(in.WorkspaceID.Names, wire.ID(*v.within)) {
		return v.elsewhere()
	}
	in.WorkspaceID = wire.OneOf{Set: true, List: true, Names: []wire.ID{wire.ID(*v.within)}}
	return nil
}

func (v *Verifier) elsewhere() error {
	return fmt.Errorf("verifier: the call is about another workspace than %q", *v.within)
}

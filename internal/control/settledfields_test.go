package control

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/perm"
)

// The event of a settled key shows every field that the settlement has changed.
func TestTheEventOfASettledKeyShowsAllThatHasChanged(t *testing.T) {
	t.Parallel()
	s := &Service{cat: perm.Builtin()}
	at := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	changes := 0
	for _, settle := range []apikey.Settlement{
		{Kind: apikey.Stop}, {Kind: apikey.Keep}, {Kind: apikey.Return}, {Kind: apikey.Transfer},
		{Kind: apikey.Transfer, Heir: "heir", Ceiling: s.cat.All()},
	} {
		settle.User = "leaver"
		settle.By = "admin"
		settle.At = at
		for _, was := range []apikey.Key{
			{User: "leaver", IsActive: true}, {User: "leaver", IsActive: true, Orphan: true}, {User: "leaver", Orphan: true},
			{User: "leaver", Disabled: apikey.Mark{By: "leaver", At: at.Add(-time.Hour)}},
			{User: "leaver", IsActive: true, Permissions: s.cat.All(), Name: "name", Metadata: `{"a":1}`},
		} {
			k := was
			if _, changed := settle.Apply(&k); !changed {
				continue
			}
			changes++
			before, after := differences(s.keyFields(&was), s.keyFields(&k))
			gotBefore, gotAfter := differences(settledFields(&was), settledFields(&k))
			if diff := cmp.Diff([]fields{before, after}, []fields{gotBefore, gotAfter}); diff != "" {
				t.Errorf("%s of %+v: (-all +event)\n%s", settle.Kind, was, diff)
			}
		}
	}
	if changes < 10 {
		t.Errorf("%d keys were changed: too few to tell anything", changes)
	}
}

package dashboard

import (
	"github.com/keyward/keyward/internal/fault"
)

// keyDraft is the data for the page's script while a key is being filled in: the tree for the key's owner, and the
// key in plain words.
type keyDraft struct {
	Summary []string          `json:"summary"`
	Curl    string            `json:"curl"`
	Errors  map[string]string `json:"errors"`
	Problem string            `json:"problem,omitempty"`
	Tree    bool              `json:"tree"`   // whether the next two are known
	Why     map[string]string `json:"why"`    // of each permission that cannot be chosen
	Preset  []string          `json:"preset"` // what the chosen preset ticks
}

// summary answers the script of the form for a key.
func (d *Dashboard) summary(v *request, f *newKeyForm) error {
	out := keyDraft{Summary: []string{}, Errors: map[string]string{}, Why: map[string]string{}, Preset: []string{}}
	in, err := v.request(f)
	if treeErr := v.draftTree(f, &out); treeErr != nil {
		return treeErr
	}
	if err == nil && f.Name == "" {
		return v.writeJSON(out)
	}
	if err == nil {
		out.Summary, out.Curl, err = v.summarise(in)
	}
	if err != nil {
		wrong, err := problemOf(v.allWrong(in, err), formFields)
		if err != nil {
			return err
		}
		out.Problem, out.Errors = wrong.Message, wrong.Fields
	}
	return v.writeJSON(out)
}

// draftTree lists the permissions that the key's owner can get.
func (v *request) draftTree(f *newKeyForm, out *keyDraft) error {
	if f.grant.Creator.Len() == 0 {
		return nil
	}
	if err := v.offerCreators(f); err != nil {
		return err
	}
	why := v.reason(f)
	for _, e := range v.d.catalogue.Entries() {
		if reason := why(e); reason != "" {
			out.Why[e.Name()] = reason
		}
	}
	if f.Preset != presetChosen {
		set, err := v.chosen(f)
		if err != nil && !fault.Is(err, fault.InvalidRequest) {
			return err
		}
		out.Preset = v.d.catalogue.Names(set)
	}
	out.Tree = true
	return nil
}

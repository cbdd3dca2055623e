package dashboard

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
)

// leaveBody is the form that removes a member: a choice and the consequences of exactly this choice.
type leaveBody struct {
	Member control.Member
	Name   string
	Way    string // stop, keep or transfer
	Heir   string
	Heirs  []control.Member
	Fate   fate
	Mine   bool
}

// fate is the effect of a removal now. The form sends Preview back, and a removal with any other effect is refused.
type fate struct {
	Preview string    `json:"preview"` // "" where nothing can be done
	Button  string    `json:"button"`
	Summary string    `json:"summary"`
	Keys    []fateRow `json:"keys"`
	More    string    `json:"more"` // keys that are not named
	Problem string    `json:"problem"`
	Heir    string    `json:"heir"` // what is wrong with the new owner
}

// fateRow is the outcome for one key.
type fateRow struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Masked  string `json:"masked"`
	Working bool   `json:"working"`
	Then    string `json:"then"`
	Tone    string `json:"tone"`
}

// leavePage shows exactly which keys stop when a member leaves, for the choice in the URL, by a dry run.
func (d *Dashboard) leavePage(v *request) error {
	b := leaveBody{Way: v.query("keys"), Heir: v.query("heir")}
	if err := v.leaving(&b); err != nil {
		return err
	}
	wrong, err := v.previewRemoval(&b)
	if err != nil {
		return err
	}
	if strings.Contains(v.r.Header.Get("Accept"), "application/json") {
		return v.writeJSON(b.Fate)
	}
	return v.showLeave(http.StatusOK, &b, wrong)
}

// leave removes the member, if the choice is the one that the page showed.
func (d *Dashboard) leave(v *request) error {
	b := leaveBody{Way: v.form("keys"), Heir: v.form("heir")}
	if err := v.leaving(&b); err != nil {
		return err
	}
	wrong, err := v.previewRemoval(&b)
	if err != nil {
		return err
	}
	switch shown := v.form("preview"); {
	case wrong != nil:
	case shown == b.Fate.Preview:
		in := control.RemoveMember{Keys: settle(b.Way, b.Heir)}
		if _, err := d.Control.RemoveMember(v.r.Context(), v.Caller, v.workspace(), string(b.Member.User), in); err != nil {
			return err
		}
		return v.tell("/members", strings.TrimSpace(b.Name+" was removed from the workspace. "+sentence(b.Fate.Summary)), nil)
	case strings.HasPrefix(shown, settle(b.Way, b.Heir)+" "):
		wrong = &problem{Message: "Nothing is done yet: the keys have changed since this page was shown. This is what happens now."}
	default:
		wrong = &problem{Message: "Nothing is done yet: this page showed another choice. This is what happens with the one you made."}
	}
	return v.showLeave(http.StatusUnprocessableEntity, &b, wrong)
}

func (v *request) showLeave(status int, b *leaveBody, wrong *problem) error {
	return v.answer(status, "leave", page{Title: "Remove " + b.Name, Section: "members", Fault: wrong, Scripts: []string{"leave.js"}, Body: b})
}

// leaving reads the leaving member, and the members who could take over their keys.
func (v *request) leaving(b *leaveBody) (err error) {
	ctx := v.r.Context()
	if b.Member, err = v.d.Control.GetMember(ctx, v.Caller, v.workspace(), v.r.PathValue("user")); err != nil {
		return err
	}
	b.Name, b.Mine = nameOf(b.Member.Member), b.Member.User == v.may.User
	if b.Way == "" {
		b.Way = "stop"
	}
	all, _, err := v.d.Control.ListMembers(ctx, v.Caller, v.workspace(), control.Paging{Limit: 100})
	if err != nil {
		return err
	}
	for _, one := range all {
		if one.User != b.Member.User && (v.may.May(account.APIKeysManageOthers) || one.User == v.may.User) {
			b.Heirs = append(b.Heirs, one)
		}
	}
	return nil
}

// previewRemoval makes a dry run of the removal, and describes its effect.
func (v *request) previewRemoval(b *leaveBody) (*problem, error) {
	keys := settle(b.Way, b.Heir)
	b.Fate = fate{Button: "Remove " + b.Name, Keys: []fateRow{}}
	var out control.Removed
	var err error = fault.Invalid("keys", "choose who takes them over")
	if b.Way != "transfer" || b.Heir != "" {
		out, err = v.d.Control.RemoveMember(v.r.Context(), v.Caller, v.workspace(), string(b.Member.User), control.RemoveMember{Keys: keys, DryRun: true})
	}
	if fault.Is(err, fault.PermissionDenied) {
		return nil, err
	}
	if err != nil {
		wrong, err := problemOf(err, map[string]string{"keys": "heir"})
		if err != nil {
			return nil, err
		}
		b.Fate.Problem, b.Fate.Heir = wrong.Message, wrong.Of("heir")
		return wrong, nil
	}
	b.Fate.say(b, &out)
	b.Fate.Preview = fmt.Sprintf("%s %d %d %d", keys, out.Stopped, out.Kept, out.Transferred)
	return nil, nil
}

// say puts the result of a dry run into words.
func (f *fate) say(b *leaveBody, out *control.Removed) {
	heir := b.Heir
	for _, one := range b.Heirs {
		if string(one.User) == b.Heir {
			heir = nameOf(one.Member)
		}
	}
	var parts []string
	if out.Transferred > 0 || b.Way == "transfer" && out.Stopped > 0 {
		parts = append(parts, many(out.Transferred, "key moves|keys move")+" to "+heir)
		f.Button += " and hand " + many(out.Transferred, "key") + " to " + heir
		if out.Stopped > 0 {
			f.Button += " (" + many(out.Stopped, "stops|stop") + ")"
		}
	} else if out.Stopped > 0 {
		f.Button += " and stop " + many(out.Stopped, "key")
	}
	if out.Stopped > 0 {
		parts = append(parts, many(out.Stopped, "key stops|keys stop"))
	}
	if out.Kept > 0 {
		f.Button += " and keep " + many(out.Kept, "key")
		parts = append(parts, many(out.Kept, "key stays|keys stay"))
	}
	f.Summary = listed(parts)
	for _, k := range out.Keys {
		row := fateRow{ID: string(k.ID), Name: k.Name, Masked: k.Masked, Working: k.Working, Then: "goes to " + heir, Tone: "good"}
		switch k.Outcome {
		case "stopped":
			row.Then, row.Tone = "stops", "bad"
		case "kept":
			row.Then = "stays"
		}
		f.Keys = append(f.Keys, row)
	}
	if more := out.Stopped + out.Kept + out.Transferred - len(out.Keys); more > 0 {
		f.More = "and " + number(more) + " more."
	}
}

func settle(way, heir string) string {
	if way == "transfer" {
		return "transfer:" + heir
	}
	return way
}

// nameOf is a member's common name.
func nameOf(m account.Member) string {
	if m.DisplayName != "" {
		return m.DisplayName
	}
	return string(m.User)
}

// writeJSON answers a page's script.
func (v *request) writeJSON(value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("the answer to a script: %w", err)
	}
	v.w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = v.w.Write(raw)
	return nil
}

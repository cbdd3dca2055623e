package dashboard

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

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
	Leaked bool // the reason: the removal is final
}

// asked is the removal as the form has it.
func (b *leaveBody) asked() control.RemoveMember {
	in := control.RemoveMember{Keys: settle(b.Way, b.Heir)}
	if b.Leaked {
		in.Reason = control.ReasonLeaked
	}
	return in
}

// fate is the effect of a removal now. The form sends Preview back, and a removal with any other effect is refused.
type fate struct {
	Preview string    `json:"preview"` // "" where nothing can be done
	Button  string    `json:"button"`
	Summary string    `json:"summary"`
	Keys    []fateRow `json:"keys"`
	More    string    `json:"more"` // keys that are not named
	Problem string    `json:"problem"`
	Heir    string    `json:"heir"`  // what is wrong with the new owner
	Final   string    `json:"final"` // why it could not be undone
}

// fateRow is the outcome for one key.
type fateRow struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Masked  string `json:"masked"`
	Working bool   `json:"working"`
	Then    string `json:"then"`
	Tone    string `json:"tone"`
	Uses    string `json:"uses"` // of the last 24 hours
	Bar     string `json:"bar"`
	Last    string `json:"last"`

	uses int64
	used time.Time
}

// leavePage shows exactly which keys stop when a member leaves, for the choice in the URL, by a dry run.
func (d *Dashboard) leavePage(v *request) error {
	b := leaveBody{Way: v.query("keys"), Heir: v.query("heir"), Leaked: v.query("reason") == control.ReasonLeaked}
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
	b := leaveBody{Way: v.form("keys"), Heir: v.form("heir"), Leaked: v.form("reason") == control.ReasonLeaked}
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
		out, err := d.Control.RemoveMember(v.r.Context(), v.Caller, v.workspace(), string(b.Member.User), b.asked())
		if err != nil {
			return err
		}
		var back *undo
		if out.Removal != "" && v.may.May(account.MembersInvite) {
			back = &undo{
				Path:   "/members/" + url.PathEscape(string(b.Member.User)) + "/restore",
				Fields: [][]string{{"removal", string(out.Removal)}},
			}
		}
		return v.tell(
			"/members", strings.TrimSpace(b.Name+" was removed from the workspace. "+sentence(b.Fate.Summary)), back,
		)
	case strings.HasPrefix(shown, settle(b.Way, b.Heir)+" "):
		wrong = &problem{
			Message: "Nothing is done yet: the keys have changed since this page was shown. This is what happens now.",
		}
	default:
		wrong = &problem{
			Message: "Nothing is done yet: this page showed another choice. This is what happens with the one you made.",
		}
	}
	return v.showLeave(http.StatusUnprocessableEntity, &b, wrong)
}

func (v *request) showLeave(status int, b *leaveBody, wrong *problem) error {
	return v.answer(
		status, page{Title: "Remove " + b.Name, Section: "members", Fault: wrong, Wide: true, Scripts: []string{"leave.js"},
			Styles: []string{"people.css"}, Body: b},
	)
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
		out, err = v.d.Control.RemoveMember(
			v.r.Context(), v.Caller, v.workspace(), string(b.Member.User), control.RemoveMember{Keys: keys, DryRun: true},
		)
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
	if err := v.measure(b.Fate.Keys, &out); err != nil {
		return nil, err
	}
	switch {
	case b.Leaked:
		b.Fate.Final = "After a leak this cannot be undone."
	case b.Member.KeyCount > control.MaxRestorable:
		b.Fate.Final = "With more than " + number(control.MaxRestorable) + " keys this cannot be undone."
	}
	b.Fate.Preview = fmt.Sprintf("%s %d %d %d", keys, out.Stopped, out.Kept, out.Transferred)
	return nil, nil
}

// measure adds the traffic of the last 24 hours, and puts the busiest keys first.
func (v *request) measure(rows []fateRow, out *control.Removed) error {
	const atOnce = 100
	for from := 0; from < len(rows) && v.may.May(account.APIKeysRead); from += atOnce {
		part := rows[from:min(len(rows), from+atOnce)]
		ids := make([]string, len(part))
		for i := range part {
			ids[i] = part[i].ID
		}
		all, err := v.d.Control.KeysUsage(v.r.Context(), v.Caller, ids, control.AskUsage{Granularity: "hour"})
		if err != nil {
			return err
		}
		for i := range part {
			if s := all[part[i].ID]; s != nil {
				total := s.Total()
				part[i].uses = total.Total()
			}
		}
	}
	most := int64(1)
	for i := range rows {
		rows[i].used = out.Keys[i].Used
		rows[i].Last = v.moment(rows[i].used).Rel
		rows[i].Uses = number(rows[i].uses)
		most = max(most, rows[i].uses)
	}
	for i := range rows {
		rows[i].Bar = percent(100 * float64(rows[i].uses) / float64(most))
	}
	slices.SortStableFunc(
		rows, func(a, b fateRow) int { return cmp.Or(cmp.Compare(b.uses, a.uses), b.used.Compare(a.used)) },
	)
	return nil
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
		row := fateRow{
			ID: string(k.ID), Name: k.Name, Masked: k.Masked, Working: k.Working, Then: "goes to " + heir, Tone: "good",
		}
		switch k.Outcome {
		case "stopped":
			row.Then, row.Tone = "stops", "off"
		case "kept":
			row.Then = "stays"
		}
		f.Keys = append(f.Keys, row)
	}
	if more := out.Stopped + out.Kept + out.Transferred - len(out.Keys); more > 0 {
		f.More = "and " + number(more) + " more."
	}
}

// restore undoes a removal.
func (d *Dashboard) restore(v *request) error {
	user := v.r.PathValue("user")
	back, err := d.Control.RestoreMember(v.r.Context(), v.Caller, v.workspace(), user, v.form("removal"))
	if err == nil {
		var parts []string
		for _, one := range []struct {
			n    int
			word string
		}{{back.Enabled, "key works again|keys work again"}, {back.Returned, "key is theirs again|keys are theirs again"},
			{back.Unchanged, "key stays disabled|keys stay disabled"}} {
			if one.n > 0 {
				parts = append(parts, many(one.n, one.word))
			}
		}
		return v.tell(
			"/members",
			strings.TrimSpace(nameOf(back.Member.Member)+" is a member again, as "+back.Member.RoleName+". "+
				sentence(listed(parts))),
			nil,
		)
	}
	if f := fault.From(err); f.Code.Status() < 500 && f.Code != fault.NotFound {
		wrong := &problem{Message: sentence(f.Message)}
		for _, detail := range f.Details {
			wrong.Details = append(wrong.Details, sentence(detail.Message))
		}
		return v.showMembers(f.Code.Status(), inviteForm{}, wrong)
	}
	return err
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

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
	Own    []ownWay // of single keys
	Heirs  []control.Member
	Find   finder // of heirs
	Fate   fate
	Mine   bool
	Leaked bool // the reason: the removal is final
	lost   bool // a key with a choice of its own is not on the page any more
}

// asked is the removal as the form has it.
func (b *leaveBody) asked() control.RemoveMember {
	in := control.RemoveMember{Keys: settle(b.Way, b.Heir)}
	for _, one := range b.Own {
		in.Overrides = append(in.Overrides, control.KeyOverride{Key: one.Key, Keys: settle(one.Way, b.Heir)})
	}
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
	Own     string `json:"own"` // stop, keep or transfer; "" as all
	Then    string `json:"then"`
	Tone    string `json:"tone"`
	Uses    string `json:"uses"` // of the last 24 hours
	Bar     string `json:"bar"`
	Last    string `json:"last"`

	uses int64
	used time.Time
}

// leavePage shows exactly which keys stop when a member leaves, for the choice in the URL, by a dry run.
func (d *Dashboard) leavePage(v *request) error { return v.showRemoval(v.r.URL.Query()) }

// showRemoval shows what a choice does. The page sends the choice of many keys in a body: an address may be too short.
func (v *request) showRemoval(given url.Values) error {
	b, wrong, err := v.removal(given)
	if err != nil {
		return err
	}
	if strings.Contains(v.r.Header.Get("Accept"), "application/json") {
		return v.writeJSON(b.Fate)
	}
	if b.lost && wrong == nil {
		wrong = &problem{Message: "A key with a choice of its own is not listed any more. This is what happens now."}
	}
	return v.showLeave(http.StatusOK, b, wrong)
}

// removal reads the form, and tries out what it asks for.
func (v *request) removal(given url.Values) (*leaveBody, *problem, error) {
	field := func(name string) string { return strings.TrimSpace(given.Get(name)) }
	b := &leaveBody{Way: field("keys"), Heir: field("heir"), Leaked: field("reason") == control.ReasonLeaked}
	b.Find = finder{Name: "findMember", Label: "Find a member", Word: field("findMember"), Do: "show"}
	if err := v.leaving(b); err != nil {
		return nil, nil, err
	}
	wrong, err := v.previewRemoval(b, given)
	return b, wrong, err
}

// leave removes the member, if the choice is the one that the page showed.
func (d *Dashboard) leave(v *request) error {
	if v.form("do") == "show" {
		return v.showRemoval(v.r.PostForm)
	}
	b, wrong, err := v.removal(v.r.PostForm)
	if err != nil {
		return err
	}
	switch shown := v.form("preview"); {
	case wrong != nil:
	case shown == b.Fate.Preview && !b.lost:
		return d.removeMember(v, b)
	case b.lost, strings.HasPrefix(shown, b.choiceMade()+" "):
		wrong = &problem{
			Message: "Nothing is done yet: the keys have changed since this page was shown. This is what happens now.",
		}
	default:
		wrong = &problem{
			Message: "Nothing is done yet: this page showed another choice. This is what happens with the one you made.",
		}
	}
	return v.showLeave(http.StatusUnprocessableEntity, b, wrong)
}

func (d *Dashboard) removeMember(v *request, b *leaveBody) error {
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
	if !v.may.May(account.APIKeysManageOthers) { // then they go to the visitor or to nobody
		if b.Mine || v.may.User == "" {
			return nil
		}
		self, err := v.d.Control.GetMember(ctx, v.Caller, v.workspace(), string(v.may.User))
		b.Heirs = []control.Member{self}
		return err
	}
	all, err := v.offered(&b.Find, b.Heir)
	offered := len(all)
	b.Heirs = slices.DeleteFunc(all, func(m control.Member) bool { return m.User == b.Member.User })
	b.Find.Found -= offered - len(b.Heirs)
	return err
}

// hasHeirs tells whether there is a member who could take keys over, on the page or to be found.
func (b *leaveBody) hasHeirs() bool { return len(b.Heirs) > 0 || b.Find.More }

// previewRemoval makes a dry run of the removal, and describes its effect. Where the choice is none that can be done,
// the keys are listed without an outcome, so that it can be mended.
func (v *request) previewRemoval(b *leaveBody, given url.Values) (*problem, error) {
	b.Fate = fate{Button: "Remove " + b.Name, Keys: []fateRow{}}
	var listed control.Removed
	err := b.readOwn(given)
	if err == nil && len(b.Own) > 0 {
		if listed, err = v.tryRemoval(b, control.RemoveMember{}); err == nil {
			b.forget(listed.Keys)
		}
	}
	var out control.Removed
	if err == nil {
		if err = b.lacksHeir(); err == nil {
			out, err = v.tryRemoval(b, b.asked())
		}
	}
	if fault.Is(err, fault.PermissionDenied) {
		return nil, err
	}
	if err != nil {
		return v.undecided(b, err)
	}
	b.Fate.say(b, &out)
	if err := v.measure(b.Fate.Keys, &out); err != nil {
		return nil, err
	}
	b.Fate.shorten(&out)
	switch {
	case b.Leaked:
		b.Fate.Final = "After a leak this cannot be undone."
	case b.Member.KeyCount > control.MaxRestorable:
		b.Fate.Final = "With more than " + number(control.MaxRestorable) + " keys this cannot be undone."
	}
	b.Fate.Preview = fmt.Sprintf("%s %d %d %d", b.choiceMade(), out.Stopped, out.Kept, out.Transferred)
	return nil, nil
}

func (v *request) tryRemoval(b *leaveBody, in control.RemoveMember) (control.Removed, error) {
	in.DryRun = true
	return v.d.Control.RemoveMember(v.r.Context(), v.Caller, v.workspace(), string(b.Member.User), in)
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
	f.Button += b.deed(out, heir)
	var parts []string
	if out.Transferred > 0 || b.Way == "transfer" && out.Stopped > 0 {
		parts = append(parts, many(out.Transferred, "key moves|keys move")+" to "+heir)
	}
	if out.Stopped > 0 {
		parts = append(parts, many(out.Stopped, "key stops|keys stop"))
	}
	if out.Kept > 0 {
		parts = append(parts, many(out.Kept, "key stays|keys stay"))
	}
	f.Summary = listed(parts)
	for _, k := range out.Keys {
		row := fateRow{
			ID: string(k.ID), Name: k.Name, Masked: k.Masked, Working: k.Working, Then: "goes to " + heir, Tone: "good",
			Own: b.ownOf(string(k.ID)),
		}
		switch k.Outcome {
		case "stopped":
			row.Then, row.Tone = "stops", "off"
		case "kept":
			row.Then = "stays"
		}
		f.Keys = append(f.Keys, row)
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

package dashboard

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/perm"
)

// newKeyForm is the form for a key as the visitor filled it in, and the other data of the page.
type newKeyForm struct {
	Name, User, Environment, Description, Metadata, AllowedIPs string
	Like                                                       string // the key to copy permissions from
	Before                                                     string // what a template replaced, for Undo
	Expiry, ExpiresOn                                          string
	PerMinute, PerDay                                          string
	Once                                                       string
	Shown                                                      string // the owner whose permissions the page shows

	Picks    []pick
	Lacks    []lacking
	Filled   string // what a template did
	CanUndo  bool
	Mine     bool             // the owner is the visitor
	Owner    string           // the owner's name
	Creators []control.Member // people to choose from, nil where only the visitor can be the owner
	Find     finder           // of creators
	FindKey  finder           // of keys to copy from
	Typed    bool             // the creator's id, by a visitor who does not see the members
	Others   []control.Key    // keys to copy permissions from
	Expiries []choice
	Policy   []string
	Power    string // "1 permission, read only"
	Ends     string // "expires 27 Feb 2027"
	Terms    string // limits and expiry as a sentence
	Edit     bool   // the terms are open
	Curl     string

	grant control.Granting
	start *perm.Set // what is chosen on a page that nothing was posted to
}

// Values of the form's buttons. A template's is doFill and its name.
const (
	doMake = "make"
	doUndo = "undo"
	doFill = "fill:"
)

// Templates of permissions.
const (
	fillRead = "read"
	fillAll  = "all"
	fillLike = "like"
)

// fills tells whether a template was asked for.
func (v *request) fills() bool { return strings.HasPrefix(v.form("do"), doFill) }

// newKey shows the form. The address may name an owner, a key to copy permissions from, and permissions.
func (d *Dashboard) newKey(v *request) error {
	f := newKeyForm{Environment: "live", User: v.query("user"), Like: v.query("like"), Expiry: "90", Once: rand.Text()}
	set := v.may.Workspace.Settings
	if longest := v.longest(); longest > 0 && longest < 90*24*time.Hour {
		f.Expiry = "longest"
	}
	if n := set.DefaultRateLimit.PerMinute; n > 0 {
		f.PerMinute = strconv.FormatInt(n, 10)
	}
	if n := set.DefaultRateLimit.PerDay; n > 0 {
		f.PerDay = strconv.FormatInt(n, 10)
	}
	start := d.catalogue.Known(v.r.URL.Query()["perm"])
	f.start = &start
	return v.showForm(http.StatusOK, &f, nil)
}

// makeKey makes the key and shows its value, once; or it shows the form again, with a template filled in or with the
// errors.
func (d *Dashboard) makeKey(v *request) error {
	f := v.readForm()
	if v.wantsJSON() {
		return d.answerDraft(v, &f)
	}
	in, err := v.request(&f)
	if v.form("do") != doMake || v.finds("findMember", "findKey") {
		return v.showForm(http.StatusOK, &f, nil)
	}
	if err == nil && v.movedOwner(&f) {
		return v.showForm(http.StatusUnprocessableEntity, &f, &problem{
			Message: "Nothing is done yet: the permissions are those that " + v.ownerName(
				&f,
			) + " can have. Look at them, then create the key."})
	}
	if err == nil {
		var made control.Revealed
		if made, err = d.Control.CreateKey(v.r.Context(), v.Caller, in); err == nil {
			return v.reveal(http.StatusCreated, made.Key, made.Secret.Reveal(), "made")
		}
	}
	wrong, err := problemOf(v.allWrong(in, err), formFields)
	if err != nil {
		return err
	}
	return v.showForm(http.StatusUnprocessableEntity, &f, wrong)
}

// movedOwner tells whether the page showed the permissions of another owner than the one that was chosen, and a
// segment stands for some of them: that would create a key that nobody has seen.
func (v *request) movedOwner(f *newKeyForm) bool {
	if !v.r.PostForm.Has("shown") || f.Shown == f.creator(v) {
		return false
	}
	for _, g := range v.d.groups {
		if s := v.form("seg." + g.Name); s == segmentRead || s == segmentWrite {
			return true
		}
	}
	return false
}

// formFields maps names of the API to names of the form's fields.
var formFields = map[string]string{
	"name": "name", "userId": "user",
	"expiresAt": "expiry", "rateLimit.requestsPerMinute": "perMinute",
	"rateLimit.requestsPerDay": "perDay", "allowedIps": "ips",
	"description": "description", "metadata": "metadata",
	"like": "like", "environment": "environment",
	"permissions": "permissions", "ceilingPerKey.requestsPerMinute": "perMinute",
	"ceilingPerKey.requestsPerDay": "perDay", "ceilingPerKey.maxLifetimeSeconds": "expiry",
}

func (v *request) readForm() newKeyForm {
	return newKeyForm{
		Name:        v.form("name"),
		User:        v.form("user"),
		Environment: v.form("environment"),
		Description: v.form("description"),
		Metadata: v.form(
			"metadata",
		),
		AllowedIPs: v.form("ips"),
		Like:       v.form("like"),
		Before:     v.form("before"),
		Expiry:     v.form("expiry"),
		ExpiresOn: v.form(
			"expiresOn",
		),
		PerMinute: v.form("perMinute"),
		PerDay:    v.form("perDay"),
		Once:      v.form("once"),
		Shown:     v.form("shown"),
	}
}

// creator is the user that the key is for: the visitor, unless another was chosen.
func (f *newKeyForm) creator(v *request) string {
	if f.User == "" {
		return string(v.may.User)
	}
	return f.User
}

// chosen is the set that the form asks for: the posted choice, a template, or the choice before one.
func (v *request) chosen(f *newKeyForm) (perm.Set, error) {
	grantable := f.grantable()
	switch do := v.form("do"); {
	case f.start != nil && f.Like != "" && f.start.IsEmpty():
		return v.template(f, fillLike)
	case f.start != nil:
		return f.start.And(grantable), nil
	case do == doUndo:
		return v.d.catalogue.Known(strings.Fields(f.Before)).And(grantable), nil
	case v.fills():
		return v.template(f, strings.TrimPrefix(do, doFill))
	}
	return v.picked(grantable)
}

// grantable are the permissions that the key can get.
func (f *newKeyForm) grantable() perm.Set { return f.grant.Creator.And(f.grant.Caller) }

// template is the set of a template, as far as it can flow into the key. It says so on the page.
func (v *request) template(f *newKeyForm, name string) (perm.Set, error) {
	set, said := f.grantable(), ""
	switch name {
	case fillAll:
		said = "Everything " + v.ownerHas(f)
	case fillRead:
		set, said = v.d.catalogue.Reads().And(set), "Read everything"
	case fillLike:
		if f.Like == "" {
			return perm.Set{}, fault.Invalid("like", "choose a key")
		}
		k, err := v.d.Control.GetKey(v.r.Context(), v.Caller, f.Like)
		if err != nil {
			return perm.Set{}, fault.Invalid("like", "there is no such key")
		}
		set, said = k.Permissions.And(set), "Copied from “"+k.Name+"”"
	default:
		return perm.Set{}, fault.Invalid("like", "there is no such template")
	}
	f.Filled = said + ": " + many(set.Len(), "permission") + "."
	return set, nil
}

func (v *request) ownerHas(f *newKeyForm) string {
	if f.creator(v) == string(v.may.User) {
		return "I have"
	}
	return v.ownerName(f) + " has"
}

func clipped(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "…"
	}
	return s
}

// request converts the form for control. It reads every field, so that all errors come up at once.
func (v *request) request(f *newKeyForm) (control.CreateKey, error) {
	in := control.CreateKey{
		Workspace: v.workspace(),
		User:      f.creator(v),
		Name:      f.Name,
		Once:      control.Idempotency{Key: f.Once},
		Environment: control.Some(
			f.Environment,
		),
		Description: control.Some(f.Description),
		AllowedIPs:  control.Some(lines(f.AllowedIPs)),
	}
	var metadata, expiry, limits error
	in.Metadata, metadata = metadataOf(f.Metadata)
	in.ExpiresAt, expiry = expiresAt(f.Expiry, f.ExpiresOn, v.now)
	in.RateLimit, limits = limitsOf(f.PerMinute, f.PerDay)
	return in, fault.All(v.grantTo(f, &in), metadata, expiry, limits)
}

// grantTo sets the permissions of the key within those of its owner.
func (v *request) grantTo(f *newKeyForm, in *control.CreateKey) error {
	if in.User == "" {
		return fault.Invalid("userId", "say whose key it is")
	}
	if err := v.offerCreators(f); err != nil {
		return err
	}
	var err error
	if f.grant, err = v.d.Control.Granting(v.r.Context(), v.Caller, in.Workspace, in.User); err != nil {
		if fault.Is(err, fault.NotFound) {
			return fault.Invalid("userId", "is not a member of this workspace")
		}
		return err
	}
	set, err := v.chosen(f)
	in.Permissions = control.Some(v.d.catalogue.Names(set))
	return err
}

// metadataOf reads a JSON object; nothing is none. It and its like give a value that control refuses with an error, so
// that a form asks control about all of its fields and nothing comes of it.
func metadataOf(s string) (control.Optional[json.RawMessage], error) {
	if s == "" {
		return control.Optional[json.RawMessage]{}, nil
	}
	if !json.Valid([]byte(s)) {
		return control.Some(json.RawMessage("[]")),
			fault.Invalid("metadata", "is not JSON: want an object such as {\"team\": \"data\"}")
	}
	return control.Some(json.RawMessage(s)), nil
}

// lines are the parts of a text between blanks, commas and line breaks.
func lines(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' || r == ' ' || r == '\t' })
}

func limitsOf(perMinute, perDay string) (control.Optional[control.LimitsInput], error) {
	var in control.LimitsInput
	var minute, day error
	in.PerMinute, minute = limitOf("rateLimit.requestsPerMinute", perMinute)
	in.PerDay, day = limitOf("rateLimit.requestsPerDay", perDay)
	return control.Some(in), fault.All(minute, day)
}

// limitOf reads a number; nothing is no limit.
func limitOf(field, s string) (control.Optional[int64], error) {
	if s == "" {
		return control.Null[int64](), nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return control.Some[int64](-1), fault.Invalid(field, "want a whole number, or nothing for no limit")
	}
	return control.Some(n), nil
}

// expiresAt is the expiry that was chosen: a number of days, a day, none, or the longest that the workspace allows.
func expiresAt(pill, day string, now time.Time) (control.Optional[string], error) {
	switch pill {
	case "never":
		return control.Null[string](), nil
	case "longest": // the workspace's own
		return control.Optional[string]{}, nil
	case "on":
		if day == "" {
			return control.Some("unread"), fault.Invalid("expiresAt", "choose a day")
		}
		return control.Some(day), nil
	}
	days, err := strconv.Atoi(pill)
	if err != nil || days < 1 || days > 36500 {
		return control.Some("unread"), fault.Invalid("expiresAt", "choose when the key expires")
	}
	// On the hour: a form that is sent twice asks for the same instant twice, and is the same request.
	return control.Some(now.AddDate(0, 0, days).UTC().Truncate(time.Hour).Format(time.RFC3339)), nil
}

// showForm makes the page around the form.
func (v *request) showForm(status int, f *newKeyForm, wrong *problem) error {
	draft, err := v.draftOf(f)
	if err != nil {
		return err
	}
	switch { // a template, and a look at the form without scripts, show errors of what they asked for
	case wrong == nil && draft.Errors["like"] != "":
		wrong = &problem{Fields: map[string]string{"like": draft.Errors["like"]}}
	case wrong == nil && v.r.Method == http.MethodPost && v.form("do") != doUndo && !v.fills() &&
		!v.finds("findMember", "findKey"):
		wrong = &problem{Message: draft.Problem, Fields: draft.Errors}
	}
	v.offerOthers(f)
	f.Expiries, f.Policy = expiries(v.longest(), v.may.Workspace.Settings.RequireExpiry, f.Expiry)
	for _, field := range []string{"expiry", "perMinute", "perDay", "ips", "description", "metadata"} {
		f.Edit = f.Edit || wrong.Of(field) != ""
	}
	return v.answer(
		status, page{Title: "Create key", Section: "keys", Fault: wrong, Styles: []string{"create.css"},
			Scripts: []string{"newkey.js"}, Body: f},
	)
}

// offerOthers lists the keys to copy permissions from.
func (v *request) offerOthers(f *newKeyForm) {
	ctx := v.r.Context()
	f.FindKey = finder{Name: "findKey", Label: "Find a key", Word: v.form("findKey"), Do: doFind}
	keys, page, err := v.d.Control.ListKeys(ctx, v.Caller, control.ListKeys{
		Workspace: v.workspace(), Search: f.FindKey.Word, Paging: control.Paging{Limit: mostOffered},
	})
	if err == nil {
		f.Others, f.FindKey.More = keys, page.NextCursor != "" || f.FindKey.Word != ""
		f.FindKey.Found = len(keys)
	}
	if f.Like != "" && !slices.ContainsFunc(f.Others, func(k control.Key) bool { return string(k.ID) == f.Like }) {
		if k, err := v.d.Control.GetKey(ctx, v.Caller, f.Like); err == nil {
			f.Others = append(f.Others, k)
		}
	}
}

// offerCreators lists whose key it can be.
func (v *request) offerCreators(f *newKeyForm) error {
	if !v.mayOwn() || f.Creators != nil {
		return nil
	}
	f.Find = finder{Name: "findMember", Label: "Find a member", Word: v.form("findMember"), Do: doFind}
	members, err := v.offered(&f.Find, f.creator(v))
	if fault.Is(err, fault.PermissionDenied) {
		f.Typed = true
		return nil
	}
	f.Creators = members
	if f.User == "" && v.may.User == "" && len(members) > 0 {
		f.User = string(v.may.Workspace.OwnerID)
	}
	return err
}

// longest is how long a key can live by the workspace's rules and its plan, 0 for any time.
func (v *request) longest() time.Duration {
	rule, plan := v.may.Workspace.Settings.MaxKeyLifetime, v.may.Workspace.Plan.Ceiling.MaxLifetime
	if rule == 0 || plan > 0 && plan < rule {
		return plan
	}
	return rule
}

// expiries lists the pills that the workspace's rules admit, and the rules.
func expiries(longest time.Duration, required bool, on string) (pills []choice, policy []string) {
	for _, e := range []struct {
		id, name string
		days     int
	}{{"7", "7 days", 7}, {"30", "30 days", 30}, {"90", "90 days", 90}, {"365", "1 year", 365}} {
		if longest == 0 || time.Duration(e.days)*24*time.Hour <= longest {
			pills = append(pills, choice{e.name, e.id, on == e.id})
		}
	}
	if longest > 0 {
		pills = append(pills, choice{"As long as allowed (" + span(longest) + ")", "longest", on == "longest"})
		policy = append(policy, "This workspace allows keys to live for at most "+span(longest)+".")
	}
	pills = append(pills, choice{"On a day…", "on", on == "on"})
	if longest == 0 && !required {
		pills = append(pills, choice{"Never", "never", on == "never"})
	}
	if required {
		policy = append(policy, "This workspace requires every key to expire.")
	}
	return pills, policy
}

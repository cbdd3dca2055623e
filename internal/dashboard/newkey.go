package dashboard

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/perm"
)

// newKeyForm is the form for a key as the visitor filled it in, and the other data of the page.
type newKeyForm struct {
	Name, User, Environment, Description, Metadata, AllowedIPs string
	Preset, Like                                               string
	Was                                                        string // the preset whose ticks the page shows
	Expiry, ExpiresOn                                          string
	PerMinute, PerDay                                          string
	Once                                                       string

	Tree     []branch
	Chosen   int
	Creators []control.Member // who can be chosen, nil where nobody but oneself can
	TooMany  bool             // creators: then a name is typed
	Others   []control.Key    // whose permissions can be taken over
	Expiries []choice
	Policy   []string
	Summary  []string
	Curl     string

	grant control.Granting
}

// presets of the permissions.
const (
	presetAll    = "all"
	presetRead   = "read"
	presetLike   = "like"
	presetChosen = "chosen"
)

// newKey shows the form.
func (d *Dashboard) newKey(v *request) error {
	f := newKeyForm{Environment: "live", Preset: presetChosen, User: v.query("user"), Expiry: "90", Once: rand.Text()}
	if like := v.query("like"); like != "" {
		f.Preset, f.Like = presetLike, like
	}
	set := v.may.Workspace.Settings
	if set.MaxKeyLifetime > 0 && set.MaxKeyLifetime < 90*24*time.Hour {
		f.Expiry = "longest"
	}
	if n := set.DefaultRateLimit.PerMinute; n > 0 {
		f.PerMinute = strconv.FormatInt(n, 10)
	}
	if n := set.DefaultRateLimit.PerDay; n > 0 {
		f.PerDay = strconv.FormatInt(n, 10)
	}
	return v.showForm(http.StatusOK, &f, nil, nil)
}

// makeKey makes the key and shows its value, once; or it shows the form again, with a summary or with the errors.
func (d *Dashboard) makeKey(v *request) error {
	f := v.readForm()
	preview := v.form("do") != "make"
	if v.wantsJSON() {
		return d.summary(v, &f)
	}
	in, err := v.request(&f)
	if err == nil && !preview {
		var made control.Revealed
		if made, err = d.Control.CreateKey(v.r.Context(), v.Caller, in); err == nil {
			return v.reveal(http.StatusCreated, made.Key, made.Secret.Reveal(), "made")
		}
	}
	if err == nil {
		return v.showForm(http.StatusOK, &f, &in, nil)
	}
	wrong, err := problemOf(v.allWrong(in, err), formFields)
	if err != nil {
		return err
	}
	return v.showForm(http.StatusUnprocessableEntity, &f, nil, wrong)
}

// formFields maps names of the API to names of the form's fields.
var formFields = map[string]string{"name": "name", "userId": "user", "expiresAt": "expiry", "rateLimit.requestsPerMinute": "perMinute",
	"rateLimit.requestsPerDay": "perDay", "allowedIps": "ips", "description": "description", "metadata": "metadata", "like": "like",
	"environment": "environment", "permissions": "permissions"}

func (v *request) readForm() newKeyForm {
	return newKeyForm{Name: v.form("name"), User: v.form("user"), Environment: v.form("environment"), Description: v.form("description"),
		Metadata: v.form("metadata"), AllowedIPs: v.form("ips"), Preset: v.form("preset"), Like: v.form("like"), Expiry: v.form("expiry"),
		ExpiresOn: v.form("expiresOn"), PerMinute: v.form("perMinute"), PerDay: v.form("perDay"), Once: v.form("once"), Was: v.form("was")}
}

// creator is the user that the key is for: the visitor, unless another was chosen.
func (f *newKeyForm) creator(v *request) string {
	if f.User == "" {
		return string(v.may.User)
	}
	return f.User
}

// chosen is the set that the form asks for.
func (v *request) chosen(f *newKeyForm) (perm.Set, error) {
	if f.Preset == presetAll || f.Preset == presetRead || f.Preset == presetLike {
		return v.preset(f, f.Preset)
	}
	names := v.r.PostForm["perm"]
	set, at, ok := v.d.catalogue.Set(names)
	if !ok {
		return perm.Set{}, fault.Invalid("permissions", "%q is not in the catalogue", clipped(names[at]))
	}
	if f.Was == "" || f.Was == presetChosen {
		return set, nil
	}
	ticked, err := v.preset(f, f.Was) // by the preset, on a page without scripts, and by no person
	return set.Without(ticked), err
}

// preset is the set of a preset, as far as it can flow into the key.
func (v *request) preset(f *newKeyForm, name string) (perm.Set, error) {
	grantable := f.grant.Creator.And(f.grant.Caller)
	switch name {
	case presetAll:
		return grantable, nil
	case presetRead:
		return v.d.catalogue.Reads().And(grantable), nil
	}
	if f.Like == "" {
		return perm.Set{}, nil
	}
	k, err := v.d.Control.GetKey(v.r.Context(), v.Caller, f.Like)
	if err != nil {
		return perm.Set{}, fault.Invalid("like", "there is no such key")
	}
	return k.Permissions.And(grantable), nil
}

func clipped(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "…"
	}
	return s
}

// request converts the form for control.
func (v *request) request(f *newKeyForm) (control.CreateKey, error) {
	in := control.CreateKey{Workspace: v.workspace(), User: f.creator(v), Name: f.Name, Once: control.Idempotency{Key: f.Once}}
	if in.User == "" {
		return in, fault.Invalid("userId", "say whose key it is")
	}
	var err error
	if f.grant, err = v.d.Control.Granting(v.r.Context(), v.Caller, in.Workspace, in.User); err != nil {
		if fault.Is(err, fault.NotFound) {
			return in, fault.Invalid("userId", "is not a member of this workspace")
		}
		return in, err
	}
	set, err := v.chosen(f)
	if err != nil {
		return in, err
	}
	in.Permissions = control.Some(v.d.catalogue.Names(set))
	in.Environment, in.Description = control.Some(f.Environment), control.Some(f.Description)
	in.AllowedIPs = control.Some(lines(f.AllowedIPs))
	var bad wrongs
	in.Metadata, err = metadataOf(f.Metadata)
	err = bad.note(err)
	var other error
	in.ExpiresAt, other = f.expires(v.now)
	err = cmp.Or(err, bad.note(other))
	in.RateLimit, other = limitsOf(f.PerMinute, f.PerDay)
	return in, cmp.Or(err, bad.note(other), bad.err())
}

// metadataOf reads a JSON object; nothing is none.
func metadataOf(s string) (control.Optional[json.RawMessage], error) {
	if s == "" {
		return control.Optional[json.RawMessage]{}, nil
	}
	if !json.Valid([]byte(s)) {
		return control.Optional[json.RawMessage]{}, fault.Invalid("metadata", "is not JSON: want an object such as {\"team\": \"data\"}")
	}
	return control.Some(json.RawMessage(s)), nil
}

// lines are the parts of a text between blanks, commas and line breaks.
func lines(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' || r == ' ' || r == '\t' })
}

func limitsOf(perMinute, perDay string) (control.Optional[control.LimitsInput], error) {
	var in control.LimitsInput
	var bad wrongs
	var minute, day error
	in.PerMinute, minute = limitOf("rateLimit.requestsPerMinute", perMinute)
	in.PerDay, day = limitOf("rateLimit.requestsPerDay", perDay)
	return control.Some(in), cmp.Or(bad.note(minute), bad.note(day), bad.err())
}

// limitOf reads a number; nothing is no limit.
func limitOf(field, s string) (control.Optional[int64], error) {
	if s == "" {
		return control.Null[int64](), nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return control.Optional[int64]{}, fault.Invalid(field, "want a whole number, or nothing for no limit")
	}
	return control.Some(n), nil
}

// expires is the expiry that was chosen.
func (f *newKeyForm) expires(now time.Time) (control.Optional[string], error) {
	switch f.Expiry {
	case "never":
		return control.Null[string](), nil
	case "longest": // the workspace's own
		return control.Optional[string]{}, nil
	case "on":
		if f.ExpiresOn == "" {
			return control.Optional[string]{}, fault.Invalid("expiresAt", "choose a day")
		}
		return control.Some(f.ExpiresOn), nil
	}
	days, err := strconv.Atoi(f.Expiry)
	if err != nil || days < 1 || days > 36500 {
		return control.Optional[string]{}, fault.Invalid("expiresAt", "choose when the key stops")
	}
	// On the hour: a form that is sent twice asks for the same instant twice, and is the same request.
	return control.Some(now.AddDate(0, 0, days).UTC().Truncate(time.Hour).Format(time.RFC3339)), nil
}

// showForm makes the page around the form. in is set where a summary is wanted.
func (v *request) showForm(status int, f *newKeyForm, in *control.CreateKey, wrong *problem) error {
	ctx := v.r.Context()
	if err := v.offerCreators(f); err != nil {
		return err
	}
	if user := f.creator(v); user != "" && f.grant == (control.Granting{}) {
		grant, err := v.d.Control.Granting(ctx, v.Caller, v.workspace(), user)
		if err != nil && !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.InvalidRequest) {
			return err
		}
		f.grant = grant
	}
	set, err := v.chosen(f)
	if err != nil && wrong == nil {
		return err
	}
	f.Tree, f.Chosen = v.d.tree(set, v.reason(f)), set.Len()
	keys, _, err := v.d.Control.ListKeys(ctx, v.Caller, control.ListKeys{Workspace: v.workspace(), Paging: control.Paging{Limit: 50}})
	if err == nil {
		f.Others = keys
	}
	if f.Like != "" && !slices.ContainsFunc(f.Others, func(k control.Key) bool { return string(k.ID) == f.Like }) {
		if k, err := v.d.Control.GetKey(ctx, v.Caller, f.Like); err == nil {
			f.Others = append(f.Others, k)
		}
	}
	f.offerExpiries(v.may.Workspace.Settings)
	if in != nil {
		if f.Summary, f.Curl, err = v.summarise(*in); err != nil {
			if wrong, err = problemOf(err, formFields); err != nil {
				return err
			}
			status = http.StatusUnprocessableEntity
		}
	}
	return v.answer(status, "newkey", page{Title: "Create key", Section: "keys", Wide: true, Fault: wrong, Scripts: []string{"newkey.js"}, Body: f})
}

// reason says why a permission cannot go into the key.
func (v *request) reason(f *newKeyForm) func(perm.Entry) string {
	cat, user := v.d.catalogue, f.creator(v)
	name := user
	for _, m := range f.Creators {
		if string(m.User) == user {
			name = nameOf(m.Member)
		}
	}
	return func(e perm.Entry) string {
		switch {
		case !cat.Holds(f.grant.Creator, e.Name()) && user == string(v.may.User):
			return "You do not hold this."
		case !cat.Holds(f.grant.Creator, e.Name()) && user == "":
			return "Say first whose key it is."
		case !cat.Holds(f.grant.Creator, e.Name()):
			return name + " does not hold this."
		case !cat.Holds(f.grant.Caller, e.Name()):
			return "You do not hold this, so you cannot pass it on."
		}
		return ""
	}
}

// offerCreators lists whose key it can be.
func (v *request) offerCreators(f *newKeyForm) error {
	if !v.may.May(account.APIKeysManageOthers) {
		return nil
	}
	members, page, err := v.d.Control.ListMembers(v.r.Context(), v.Caller, v.workspace(), control.Paging{Limit: 100})
	if fault.Is(err, fault.PermissionDenied) {
		f.TooMany = true
		return nil
	}
	f.Creators, f.TooMany = members, page.NextCursor != ""
	if f.User == "" && v.may.User == "" && len(members) > 0 {
		f.User = string(v.may.Workspace.OwnerID)
	}
	return err
}

// offerExpiries lists the expiries that the workspace's rules admit.
func (f *newKeyForm) offerExpiries(set account.Settings) {
	longest := set.MaxKeyLifetime
	for _, e := range []struct {
		id, name string
		days     int
	}{{"7", "7 days", 7}, {"30", "30 days", 30}, {"90", "90 days", 90}, {"365", "1 year", 365}} {
		if longest == 0 || time.Duration(e.days)*24*time.Hour <= longest {
			f.Expiries = append(f.Expiries, choice{e.name, e.id, f.Expiry == e.id})
		}
	}
	if longest > 0 {
		f.Expiries = append(f.Expiries, choice{"As long as allowed (" + span(longest) + ")", "longest", f.Expiry == "longest"})
		f.Policy = append(f.Policy, "This workspace allows keys to live for at most "+span(longest)+".")
	}
	f.Expiries = append(f.Expiries, choice{"On a day…", "on", f.Expiry == "on"})
	if longest == 0 && !set.RequireExpiry {
		f.Expiries = append(f.Expiries, choice{"Never", "never", f.Expiry == "never"})
	}
	if set.RequireExpiry {
		f.Policy = append(f.Policy, "This workspace requires every key to expire.")
	}
}

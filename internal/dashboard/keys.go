package dashboard

import (
	"slices"
	"strings"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/signin"
)

// choice is one of several, as a link.
type choice struct {
	Name, Link string
	On         bool
}

// seesAll reports whether the visitor sees the keys of all users.
func (v *request) seesAll() bool { return v.may.May(account.APIKeysManageOthers) }

// keyRow is a key in a table.
type keyRow struct {
	control.Key
	Status      status
	Permissions int
	Risk        risk
	Created     moment
	Used        moment
	Expires     moment
	DisabledAt  moment
	Mine        bool
	Owner       person
	Spark       spark
}

// status is how a key stands, as a word and a colour.
type status struct{ Word, Tone string }

func (v *request) status(k *control.Key) status {
	switch {
	case k.Revoked:
		return status{"Revoked", "bad"}
	case !k.IsActive:
		return status{"Disabled", "off"}
	case k.Expired(v.now):
		return status{"Expired", "off"}
	case !k.ExpiresAt.IsZero() && k.ExpiresAt.Before(v.now.Add(apikey.ExpiringSoon)):
		return status{"Expiring", "warn"}
	}
	return status{"Active", "good"}
}

func (v *request) row(k control.Key) keyRow {
	return keyRow{
		Key: k, Status: v.status(&k), Permissions: k.Permissions.Len(), Risk: v.d.risk(k.Permissions),
		Created: v.moment(k.CreatedAt), Used: v.moment(k.LastUsedAt), Expires: v.moment(k.ExpiresAt),
		DisabledAt: v.moment(k.Disabled.At), Mine: k.User == v.may.User,
		Owner: v.actor(string(k.User), control.TypeSession),
	}
}

// views are the lists of keys, each with the order in which it can be paged exactly.
var views = []struct {
	id, name string
	active   string
	standing apikey.Standing
	order    apikey.Order
}{
	{"", "All", "", apikey.AnyStanding, ""},
	{"active", "Active", "", apikey.Working, ""},
	{"expiring", "Expiring", "", apikey.Expiring, apikey.ByExpiry},
	{"unused", "Unused", "", apikey.Unused, apikey.ByLeastUse},
	{"expired", "Expired", "", apikey.Expired, apikey.ByExpiry},
	{"disabled", "Disabled", "false", apikey.AnyStanding, ""},
	{"orphaned", "Creator gone", "", apikey.Orphaned, ""},
}

var orders = []struct{ id, name string }{
	{
		"", "Newest first",
	}, {"oldest", "Oldest first"}, {"used", "Last used first"}, {"idle", "Longest idle first"}, {"expiry",
		"Expiring first"},
	{string(apikey.TriedDown), "Last tried first"},
}

type keysBody struct {
	Keys          []keyRow
	Views, Orders []choice
	View, Order   string
	Search, User  string
	Next          string
	First         string // the first page, where this is not it
	More          keyConditions
	Others        bool   // keys of others are seen, too
	Unseen        string // what there is to say of keys that are not seen
	Filtered      bool
	Bulk          bool
	Waits         bool // a program asked for a key, and no member has confirmed it yet
}

// unseen says how many keys a visitor does not see who sees only their own. n is Standings.Others.
func (v *request) unseen(n int64) string {
	const takes = "; you need " + account.APIKeysManageOthers + " to see them."
	switch {
	case n < 0:
		return "You see your own keys. Members may have others" + takes
	case n == 0:
		return "You see your own keys. Nobody else has one."
	}
	return "You see your own keys. " + many(
		n, "key of others exists|keys of others exist",
	) + " in " + v.may.Workspace.Name + takes
}

// keys is the list. All of its state stands in the URL.
func (d *Dashboard) keys(v *request) error {
	in := control.ListKeys{
		Workspace: v.workspace(), User: v.query("user"), Search: v.query("q"),
		Paging: control.Paging{Limit: 50, Cursor: v.query("cursor")},
	}
	b := keysBody{View: v.query("view"), Order: v.query("sort"), Search: in.Search, User: in.User}
	if err := v.selectKeys(&b, &in); err != nil {
		return err
	}
	if err := v.conditions(&b.More, &in); err != nil {
		return err
	}
	found, next, err := d.Control.ListKeys(v.r.Context(), v.Caller, in)
	var wrong *problem
	if err != nil {
		if wrong, err = problemOf(err, nil); err != nil || !fault.Is(err, fault.InvalidRequest) && wrong == nil {
			return err
		}
	}
	for _, k := range found {
		b.Keys = append(b.Keys, v.row(k))
	}
	if err := v.sparks(b.Keys); err != nil {
		return err
	}
	if next.NextCursor != "" {
		b.Next = v.link("cursor", next.NextCursor)
	}
	if in.Cursor != "" {
		b.First = v.link()
	}
	if b.Waits, err = v.waits(); err != nil {
		return err
	}
	if b.Others = v.seesAll(); !b.Others {
		s, err := d.Control.KeyStandings(v.r.Context(), v.Caller, v.workspace())
		if err != nil {
			return err
		}
		b.Unseen = v.unseen(s.Others)
	}
	b.Bulk = v.may.May(account.APIKeysWrite) || v.may.May(account.APIKeysDelete)
	b.Filtered = b.Search != "" || b.User != "" || b.View != "" || b.More.Any()
	return v.show(page{Title: "Keys", Section: "keys", Wide: true, Fault: wrong, Scripts: []string{"keys.js"}, Body: b})
}

// selectKeys reads view and order from the URL, and offers the others.
func (v *request) selectKeys(b *keysBody, in *control.ListKeys) error {
	known := false
	fixed := false
	for _, one := range views {
		on := one.id == b.View
		b.Views = append(b.Views, choice{one.name, v.link("view", one.id, "sort", ""), on})
		if !on {
			continue
		}
		known = true
		in.Standing, in.Order = one.standing, one.order
		fixed = one.order != "" || one.active != "" || one.standing == apikey.Orphaned
		if one.active != "" {
			off := false
			in.Active = &off
		}
	}
	if !known {
		return fault.Invalid("view", "there is no such list of keys")
	}
	if fixed {
		return nil
	}
	known = false
	for _, o := range orders {
		on := o.id == b.Order
		if known = known || on; on {
			in.Order = apikey.Order(o.id)
		}
		b.Orders = append(b.Orders, choice{o.name, o.id, on})
	}
	if !known {
		return fault.Invalid("sort", "there is no such order")
	}
	return nil
}

type bulkBody struct {
	Action  string
	Keys    []keyRow
	Working int // of them work now
	Refused []control.ItemError
	Back    string
}

const maxBulk = 100

// bulk shows the effects, and makes the change once it is confirmed.
func (d *Dashboard) bulk(v *request) error {
	ids := v.r.PostForm["id"]
	action := v.form("action")
	back := signin.LocalPath(v.form("back"))
	if action != "disable" && action != "enable" && action != "delete" {
		return fault.Invalid("action", "choose what to do with the keys")
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) == 0 || len(ids) > maxBulk {
		return fault.Invalid("id", "choose 1 to %d keys", maxBulk)
	}
	if v.form("confirm") == action {
		return d.bulkDo(v, action, ids, back)
	}
	b := bulkBody{Action: action, Back: back}
	for _, id := range ids {
		k, err := d.Control.GetKey(v.r.Context(), v.Caller, id)
		if err != nil {
			return err
		}
		if row := v.row(k); true {
			b.Keys = append(b.Keys, row)
			if k.IsActive && !k.Expired(v.now) {
				b.Working++
			}
		}
	}
	return v.show(page{Title: bulkTitle(action, len(b.Keys)), Section: "keys", Body: b})
}

func bulkTitle(action string, n int) string {
	return strings.ToUpper(action[:1]) + action[1:] + " " + many(n, "key")
}

func (d *Dashboard) bulkDo(v *request, action string, ids []string, back string) error {
	changing, err := v.changing(action, ids)
	if err != nil {
		return err
	}
	var failed []control.ItemError
	if action == "delete" {
		_, failed, err = d.Control.DeleteKeys(v.r.Context(), v.Caller, ids)
	} else {
		items := make([]control.UpdateKey, len(ids))
		for i, id := range ids {
			items[i] = control.UpdateKey{ID: id, IsActive: control.Some(action == "enable")}
		}
		_, failed, err = d.Control.UpdateKeys(v.r.Context(), v.Caller, items)
	}
	if err != nil {
		return err
	}
	if len(failed) == 0 {
		return v.tell(back, many(len(changing), "key")+" "+bulkDone[action]+".", undoBulk(action, changing, back))
	}
	b := bulkBody{Action: action, Back: back, Refused: failed}
	return v.show(page{Title: bulkTitle(action, len(ids)), Section: "keys", Body: b})
}

// changing are those of the keys that the action changes: an undo takes back only these.
func (v *request) changing(action string, ids []string) ([]string, error) {
	if action == "delete" {
		return ids, nil
	}
	var out []string
	for _, id := range ids {
		k, err := v.d.Control.GetKey(v.r.Context(), v.Caller, id)
		if fault.Is(err, fault.NotFound) || fault.Is(err, fault.PermissionDenied) {
			continue // the operation itself says so
		}
		if err != nil {
			return nil, err
		}
		if k.IsActive == (action == "disable") {
			out = append(out, id)
		}
	}
	return out, nil
}

var bulkDone = map[string]string{"disable": "disabled", "enable": "enabled", "delete": "deleted"}

// undoBulk is the form that takes a bulk operation back; nil where there is none, or where the keys are too many for a
// cookie.
func undoBulk(action string, ids []string, back string) *undo {
	other := map[string]string{"disable": "enable", "enable": "disable"}[action]
	if other == "" || len(ids) == 0 || len(ids) > maxUndo {
		return nil
	}
	u := &undo{Path: "/keys/bulk", Fields: [][]string{{"action", other}, {"confirm", other}, {"back", back}}}
	for _, id := range ids {
		u.Fields = append(u.Fields, []string{"id", id})
	}
	return u
}

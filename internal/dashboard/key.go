package dashboard

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/verify"
)

type keyBody struct {
	keyRow
	Held     []branch
	Metadata string
	Previous []previous
	Life     []happening
	Try      tried
	Can      keyActions
	Traffic  traffic
	Meters   []meter
	Tab      string
	Tabs     []choice
	Refusals refusals
	Grants   grants
	By       person // who disabled it
}

// keyTabs are the parts of a key's page.
var keyTabs = []struct{ id, name string }{
	{"activity", "Activity"}, {"permissions", "Permissions"}, {"settings", "Settings"}, {"history", "History"},
}

// tabs reads which part is looked at.
func (v *request) tabs(k *keyBody) {
	k.Tab = "activity"
	for _, t := range keyTabs {
		if t.id == v.query("tab") && (t.id != "history" || k.Can.Log) {
			k.Tab = t.id
		}
	}
	for _, t := range keyTabs {
		if t.id == "history" && !k.Can.Log {
			continue
		}
		link := "/keys/" + string(k.ID)
		if t.id != "activity" {
			link += "?tab=" + t.id
		}
		k.Tabs = append(k.Tabs, choice{t.name, link, t.id == k.Tab})
	}
}

// previous is an earlier value that still works.
type previous struct {
	Masked string
	Until  moment
	Used   moment
	From   string // the network of that use; "" where it is not known
}

// keyActions are those that control would admit on this key.
type keyActions struct{ Edit, Disable, Enable, Delete, Rotate, Log bool }

// actions reads the visitor's rights over a key. It only decides about buttons: control decides about changes.
func (v *request) actions(k *control.Key) keyActions {
	others := k.User == v.may.User || v.may.May(account.APIKeysManageOthers)
	write := others && v.may.May(account.APIKeysWrite)
	grant := write && !k.Revoked && account.Grant(k.Permissions, v.may.Holds, k.Permissions).IsEmpty()
	return keyActions{
		Edit:    write,
		Disable: write && k.IsActive,
		Enable:  grant && !k.IsActive && (!k.Disabled.Strong() || v.may.May(account.APIKeysManageOthers)),
		Delete:  others && v.may.May(account.APIKeysDelete),
		Rotate:  grant,
		Log:     v.may.May(account.WorkspaceLogsRead),
	}
}

// find reads the key of the path. A key of another workspace than the one that is looked at is not there.
func (v *request) find() (control.Key, error) {
	k, err := v.d.Control.GetKey(v.r.Context(), v.Caller, v.r.PathValue("id"))
	if err == nil && string(k.Workspace) != v.workspace() {
		return k, fault.Missing()
	}
	return k, err
}

// key is everything about one key.
func (d *Dashboard) key(v *request) error {
	k, err := v.find()
	if err != nil {
		return err
	}
	b := keyBody{keyRow: v.row(k), Held: d.held(k.Permissions), Can: v.actions(&k), Metadata: indented(k.Metadata)}
	for _, p := range k.Previous {
		b.Previous = append(b.Previous, previous{p.Masked, v.moment(p.Until), v.moment(p.LastUsedAt), p.LastUsedFrom})
	}
	v.tabs(&b)
	if k.Disabled.By != "" {
		b.By = v.actor(k.Disabled.By, "")
	}
	var wrong *problem
	switch b.Tab {
	case "history":
		logs, err := d.Control.ListLogs(
			v.r.Context(), v.Caller, control.ListLogs{Workspace: v.workspace(), Target: string(k.ID), Limit: 50},
		)
		if err != nil {
			return err
		}
		b.Life = v.happenings(logs.Events)
	case "permissions":
		if b.Grants, err = v.grants(&k); err != nil {
			return err
		}
	case "activity":
		if wrong, err = v.activity(&k, &b); err != nil {
			return err
		}
	}
	return v.show(page{Title: k.Name, Section: "keys", Wide: true, Fault: wrong, Styles: []string{"people.css"}, Body: b})
}

// activity is the use of a key: the chart, the latest refusals, and the test.
func (v *request) activity(k *control.Key, b *keyBody) (wrong *problem, err error) {
	if b.Traffic, err = v.keyTraffic(k); err != nil {
		return nil, err
	}
	b.Meters = v.meters(k)
	all, err := v.d.Control.KeyRefusals(v.r.Context(), v.Caller, string(k.ID), 0)
	if err != nil {
		return nil, err
	}
	b.Refusals = v.refusals(all, false, &b.Traffic)
	return v.try(k, &b.Try), nil
}

func indented(metadata string) string {
	if metadata == "" {
		return ""
	}
	var v any
	if json.Unmarshal([]byte(metadata), &v) != nil {
		return metadata
	}
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return metadata
	}
	return string(raw)
}

// tried is the result of a verification of the key.
type tried struct {
	Asked      bool
	Permission string
	Any        string // of which one is enough
	IP         string
	Code       string
	Valid      bool
	Steps      []step
}

type step struct {
	Question, Answer string
	Tone             string // good, bad, or "" where it was not asked any more
}

// try answers the test on the key's page: the engine decides, and nothing is spent.
func (v *request) try(k *control.Key, t *tried) *problem {
	q := v.r.URL.Query()
	t.Permission, t.Any, t.IP = v.query("permission"), v.query("any"), v.query("ip")
	if t.Asked = q.Has("permission") || q.Has("ip"); !t.Asked {
		return nil
	}
	var question verify.Question
	if t.Permission != "" {
		set, _, ok := v.d.catalogue.Set(strings.Fields(t.Permission))
		if !ok {
			t.Asked = false
			return &problem{Fields: map[string]string{"permission": "There is no such permission in the catalogue."}}
		}
		question.Demand.All = set
	}
	if t.Any != "" {
		set, _, ok := v.d.catalogue.Set(strings.Fields(t.Any))
		if !ok {
			t.Asked = false
			return &problem{Fields: map[string]string{"permission": "There is no such permission in the catalogue."}}
		}
		question.Demand.Any = set
	}
	if t.IP != "" {
		var err error
		if question.IP, err = netip.ParseAddr(t.IP); err != nil {
			t.Asked = false
			return &problem{Fields: map[string]string{"ip": "Want an address such as 203.0.113.7."}}
		}
	}
	question.Cost = 1
	var verdict verify.Verdict
	v.d.Engine.Simulate(k.Value.Digest.Sum, question, &verdict)
	t.Code, t.Valid = string(verdict.Code), verdict.Code == verify.Valid
	if verdict.Code == verify.Unavailable {
		return nil
	}
	for _, s := range verdict.Steps() {
		t.Steps = append(t.Steps, v.say(s, k, &verdict, t))
	}
	return nil
}

// say words one step of the decision.
func (v *request) say(s verify.Step, k *control.Key, verdict *verify.Verdict, t *tried) step {
	words := map[verify.Code]struct{ question, yes, no string }{
		verify.NotFound:    {"Is there such a key?", "yes", "no"},
		verify.Disabled:    {"Are key, creator and workspace enabled?", "yes", "no: " + v.whyDisabled(verdict)},
		verify.Expired:     {"Has it expired?", expiryWord(k, v.now), "yes, " + relative(k.ExpiresAt.Sub(v.now))},
		verify.IPForbidden: {"May it be used from there?", addressWord(k, t.IP), addressRefused(k, t.IP)},
		verify.InsufficientPermissions: {"Does it hold what is asked?", demandWord(t.Permission),
			"it lacks " + strings.Join(v.d.catalogue.Names(verdict.Missing), ", ")},
		verify.RateLimited: {
			"Is there room in this minute?", limitWord(k.Limits.PerMinute, v.may.Workspace.Plan.Shared.PerMinute),
			minuteSpent(verdict),
		},
		verify.QuotaExceeded: {
			"Is there room in this day?", limitWord(k.Limits.PerDay, v.may.Workspace.Plan.Shared.PerDay), daySpent(verdict),
		},
	}
	w := words[s.Code]
	switch {
	case !s.Reached:
		return step{w.question, "not asked any more", ""}
	case s.Passed:
		return step{w.question, w.yes, "good"}
	}
	return step{w.question, w.no, "bad"}
}

func (v *request) whyDisabled(d *verify.Verdict) string {
	switch {
	case !d.Known():
		return ""
	case !d.Key.WorkspaceActive:
		return "the workspace is deactivated"
	case !d.Key.IsActive:
		return "the key is disabled"
	}
	return "its creator is no member any more"
}

func expiryWord(k *control.Key, now time.Time) string {
	if k.ExpiresAt.IsZero() {
		return "it never does"
	}
	return "no, it does " + relative(k.ExpiresAt.Sub(now))
}

func addressWord(k *control.Key, ip string) string {
	switch {
	case len(k.AllowedIPs) == 0:
		return "from everywhere"
	case ip == "":
		return "no address was given"
	}
	return ip + " is in its networks"
}

func addressRefused(k *control.Key, ip string) string {
	if ip == "" {
		return "it is bound to networks, and no address was given"
	}
	return ip + " is in none of its " + many(len(k.AllowedIPs), "network")
}

func demandWord(permission string) string {
	if permission == "" {
		return "nothing was asked"
	}
	return "it holds " + permission
}

// limitWord says of a key's limit, and of the one that all keys of its workspace share, that both have room.
func limitWord(own, shared int64) string {
	switch {
	case own == 0 && shared == 0:
		return "there is no limit"
	case own == 0:
		return "yes, of the workspace's " + number(shared)
	case shared == 0:
		return "yes, of " + number(own)
	}
	return "yes, of " + number(own) + ", and of the workspace's " + number(shared)
}

func minuteSpent(v *verify.Verdict) string {
	if v.Limits.ByPlan {
		return "the workspace's minute is spent"
	}
	return "the minute is spent"
}

func daySpent(v *verify.Verdict) string {
	if v.Limits.ByPlan {
		return "the workspace's day is spent"
	}
	return "the day is spent"
}

// switchKey enables or disables a key.
func (d *Dashboard) switchKey(v *request) error {
	k, err := v.find()
	if err != nil {
		return err
	}
	on := v.form("active") == "true"
	_, failed, err := d.Control.UpdateKeys(
		v.r.Context(), v.Caller, []control.UpdateKey{{ID: string(k.ID), IsActive: control.Some(on)}},
	)
	if err == nil && len(failed) > 0 {
		err = failed[0].Fault
	}
	if err != nil {
		return err
	}
	if on {
		return v.tell(keyPath(k.ID), "“"+k.Name+"” is enabled. It works again.", nil)
	}
	var back *undo
	if k.IsActive {
		back = &undo{Path: keyPath(k.ID, "/state"), Fields: [][]string{{"active", "true"}}}
	}
	return v.tell(keyPath(k.ID), "“"+k.Name+"” is disabled. Verifications refuse it from now on.", back)
}

// deleteBody asks before a key is deleted.
type deleteBody struct{ keyRow }

// rotateBody asks for how long the value that is replaced still works.
type rotateBody struct{ keyRow }

// deletePage asks first, and lists the effects.
func (d *Dashboard) deletePage(v *request) error {
	k, err := v.find()
	if err != nil {
		return err
	}
	return v.show(page{Title: "Delete " + k.Name, Section: "keys", Body: deleteBody{v.row(k)}})
}

func (d *Dashboard) deleteKey(v *request) error {
	k, err := v.find()
	if err != nil {
		return err
	}
	if err := d.Control.DeleteKey(v.r.Context(), v.Caller, string(k.ID)); err != nil {
		return err
	}
	return v.tell("/keys", "“"+k.Name+"” is deleted. Its value is refused from now on.", nil)
}

// rotatePage explains rotation, and says whether the present value is still in use.
func (d *Dashboard) rotatePage(v *request) error {
	k, err := v.find()
	if err != nil {
		return err
	}
	return v.show(page{Title: "Rotate " + k.Name, Section: "keys", Body: rotateBody{v.row(k)}})
}

// rotateKey gives the key a new value and shows it once. The form names the value that it replaces, so that a form that
// is sent twice rotates once.
func (d *Dashboard) rotateKey(v *request) error {
	k, err := v.find()
	if err != nil {
		return err
	}
	if v.form("value") != k.Value.Masked {
		return v.reveal(http.StatusOK, k, "", "rotated")
	}
	overlap, err := strconv.ParseInt(v.form("overlap"), 10, 64)
	if err != nil {
		return fault.Invalid("overlapSeconds", "choose for how long the old value still works")
	}
	made, err := d.Control.RotateKey(v.r.Context(), v.Caller, string(k.ID), overlap)
	if err != nil {
		return err
	}
	return v.reveal(http.StatusOK, made.Key, made.Secret.Reveal(), "rotated")
}

type revealBody struct {
	keyRow
	Value    string
	Snippets []snippet
	How      string // made, or rotated
}

// reveal shows a value, in this one answer. Nothing keeps it: sent again, the same form finds the key and no value.
func (v *request) reveal(status int, k control.Key, value, how string) error {
	b := revealBody{keyRow: v.row(k), Value: value, How: how}
	title := "Your new key"
	if value == "" {
		title, status = "This value was shown already", http.StatusOK
	} else {
		b.Snippets = snippets(v.d.Base(v.r), envName(k.Name), value)
	}
	return v.answer(
		status, page{Title: title, Section: "keys", Styles: []string{"create.css"}, Scripts: []string{"reveal.js"}, Body: b},
	)
}

// envName makes a name for the environment out of a key's.
func envName(name string) string {
	var b strings.Builder
	for _, r := range strings.ToUpper(name) {
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' && b.Len() > 0 {
			b.WriteRune(r)
		} else if s := b.String(); s != "" && s[len(s)-1] != '_' {
			b.WriteByte('_')
		}
	}
	s := strings.Trim(b.String(), "_")
	switch {
	case s == "" || len(s) > 40:
		return "API_KEY"
	case strings.HasSuffix(s, "KEY"):
		return s
	}
	return s + "_KEY"
}

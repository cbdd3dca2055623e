package dashboard

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
)

type settingsForm struct {
	ID, Name          string
	Mode              string
	PerMinute, PerDay string
	LifetimeDays      string
	RequireExpiry     bool
	SelfRotation      bool
	Active            bool
	MayWrite          bool
	MayActivate       bool   // switch the workspace on again
	MayUnfreeze       bool   // take the mode from capped to frozen
	Operator          bool   // a service key switched it off, or it is not known who
	OffBy             string // who switched it off; "" where that is not known
	MayDelete         bool
	Keys              int64
	Plan              account.Plan
	PlanMeters        []meter
	CeilingLifetime   string // of one key, by the plan; "" for none
	Members           bool
}

func (v *request) settingsNow() settingsForm {
	ws := v.may.Workspace
	f := settingsForm{
		ID: string(ws.ID), Name: ws.Name, Mode: string(ws.Settings.PermissionMode), RequireExpiry: ws.Settings.RequireExpiry,
		SelfRotation: !ws.Settings.NoSelfRotation, PerMinute: plain(ws.Settings.DefaultRateLimit.PerMinute),
		PerDay: plain(ws.Settings.DefaultRateLimit.PerDay),
	}
	if n := ws.Settings.MaxKeyLifetime; n > 0 {
		f.LifetimeDays = strconv.FormatFloat(n.Hours()/24, 'f', -1, 64)
	}
	return f
}

// settings shows the workspace's rules.
func (d *Dashboard) settings(v *request) error {
	return v.showSettings(http.StatusOK, v.settingsNow(), nil)
}

func (v *request) showSettings(status int, f settingsForm, wrong *problem) error {
	if !v.may.May(account.WorkspaceRead) {
		return fault.New(fault.PermissionDenied, "this needs the permission "+account.WorkspaceRead)
	}
	f.ID, f.Active, f.Plan = v.workspace(), v.may.Workspace.IsActive, v.may.Workspace.Plan
	f.PlanMeters = v.planMeters()
	if most := f.Plan.Ceiling.MaxLifetime; most > 0 {
		f.CeilingLifetime = span(most)
	}
	off := v.may.Workspace.Off
	f.MayActivate, f.Operator, f.OffBy = v.may.Owner && (v.may.Manages || !off.Strong()), off.Strong(), off.By
	f.MayUnfreeze = v.may.Owner || v.may.Workspace.Settings.PermissionMode != account.Capped
	f.MayWrite, f.MayDelete = v.may.May(account.WorkspaceSettingsWrite), v.may.May(account.WorkspaceDelete)
	if s, err := v.d.Control.KeyStandings(v.r.Context(), v.Caller, v.workspace()); err == nil {
		f.Keys = s.Total + max(s.Others, 0)
	}
	return v.answer(status, page{Title: "Settings", Section: "settings", Fault: wrong, Body: f})
}

func (v *request) settingsForm() settingsForm {
	return settingsForm{
		Name: v.form("name"), Mode: v.form("mode"), PerMinute: v.form("perMinute"), PerDay: v.form("perDay"),
		LifetimeDays: v.form("lifetime"), RequireExpiry: v.form("requireExpiry") == "true",
		SelfRotation: v.form("selfRotation") == account.SelfRotationAllowed,
	}
}

// saveSettings changes name and rules. They hold for keys that are made from now on.
func (d *Dashboard) saveSettings(v *request) error {
	f := v.settingsForm()
	in, unreadable := f.update()
	_, err := d.Control.UpdateWorkspace(v.r.Context(), v.Caller, v.workspace(), in)
	if err = fault.All(unreadable, err); err == nil {
		return v.tell("/settings", "Settings of “"+f.Name+"” are changed.", nil)
	}
	wrong, err := problemOf(
		err,
		map[string]string{"name": "name", "settings.permissionMode": "mode", "settings.maxKeyLifetimeSeconds": "lifetime",
			"settings.defaultRateLimit.requestsPerMinute": "perMinute", "settings.defaultRateLimit.requestsPerDay": "perDay",
			"rateLimit.requestsPerMinute": "perMinute", "rateLimit.requestsPerDay": "perDay"},
	)
	if err != nil {
		return err
	}
	return v.showSettings(http.StatusUnprocessableEntity, f, wrong)
}

func (f settingsForm) update() (control.UpdateWorkspace, error) {
	limits, unreadable := limitsOf(f.PerMinute, f.PerDay)
	var longest error
	s := control.SettingsInput{
		PermissionMode: control.Some(f.Mode), DefaultRateLimit: limits, RequireExpiry: control.Some(f.RequireExpiry),
		MaxKeyLifetimeSeconds: control.Null[int64](), SelfRotation: control.Some(account.SelfRotationForbidden),
	}
	if f.SelfRotation {
		s.SelfRotation = control.Some(account.SelfRotationAllowed)
	}
	if f.LifetimeDays != "" {
		days, err := strconv.ParseFloat(strings.Replace(f.LifetimeDays, ",", ".", 1), 64)
		seconds := int64(days * 24 * float64(time.Hour/time.Second))
		if err != nil || days <= 0 || days > 36600 {
			longest = fault.Invalid(
				"settings.maxKeyLifetimeSeconds", "want a number of days, or nothing for no longest lifetime",
			)
			s.MaxKeyLifetimeSeconds = control.Some[int64](-1)
		} else {
			s.MaxKeyLifetimeSeconds = control.Some(max(seconds, 1))
		}
	}
	return control.UpdateWorkspace{Name: control.Some(f.Name), Settings: control.Some(s)}, fault.All(unreadable, longest)
}

// switchWorkspace stops every key of the workspace at once, or lets them work again. Both are asked for with its name.
func (d *Dashboard) switchWorkspace(v *request) error {
	on := v.form("active") == "true"
	if !on && v.form("name") != v.may.Workspace.Name {
		return v.showSettings(http.StatusUnprocessableEntity, v.settingsNow(),
			&problem{Fields: map[string]string{"deactivate": "Type the workspace's name, to the letter."}})
	}
	if _, err := d.Control.UpdateWorkspace(v.r.Context(), v.Caller, v.workspace(),
		control.UpdateWorkspace{IsActive: control.Some(on)}); err != nil {
		return err
	}
	text := "“" + v.may.Workspace.Name + "” is deactivated. Each of its keys is refused from now on."
	if on {
		text = "“" + v.may.Workspace.Name + "” is active again, and so are its enabled keys."
	}
	return v.tell("/settings", text, nil)
}

// deleteWorkspace takes away the workspace with everything in it.
func (d *Dashboard) deleteWorkspace(v *request) error {
	if v.form("name") != v.may.Workspace.Name {
		return v.showSettings(http.StatusUnprocessableEntity, v.settingsNow(),
			&problem{Fields: map[string]string{"delete": "Type the workspace's name, to the letter."}})
	}
	if err := d.Control.DeleteWorkspace(v.r.Context(), v.Caller, v.workspace()); err != nil {
		return err
	}
	return v.tell("/workspaces", "“"+v.may.Workspace.Name+"” is deleted with everything in it.", nil)
}

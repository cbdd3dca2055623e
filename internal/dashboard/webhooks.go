package dashboard

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/notice"
)

// kindWords say when a notice of each kind is sent.
var kindWords = map[notice.Kind]string{
	notice.KeyCreated:    "A key is created.",
	notice.KeyUpdated:    "A key's fields change, or it is enabled or disabled.",
	notice.KeyRotated:    "A key has a new value.",
	notice.KeyRevoked:    "A key is revoked or deleted.",
	notice.KeyExpiring:   "A key expires in 30, 7 or 1 days.",
	notice.KeyExpired:    "A key has expired.",
	notice.NearLimit:     "80 % or 100 % of a limit of the plan is used.",
	notice.MemberRemoved: "A member is removed.",
	notice.PortalCreated: "A portal session is created.",
}

// The paths under which the webhooks of a workspace and of the installation are listed.
const (
	webhooksPath     = "/webhooks"
	installationHook = "/installation/webhooks"
)

// webhookRow is a webhook as every page shows it.
type webhookRow struct {
	ID, URL, Description        string
	Name                        string // the description, or the host
	Short                       string // the URL, shortened for a list
	List                        string // the path of the list that it stands in
	Status                      status
	Why                         string // it is off, or fails
	Events                      string // "all", "3 of 9"
	Active                      bool
	Delivered, Created, Failing moment
}

// webhookPath is the path of a webhook's page, or of a change of it.
func webhookPath(webhook string, part ...string) string { return pathTo("/webhooks/", webhook, part) }

func (v *request) webhookRow(e *notice.Endpoint) webhookRow {
	row := webhookRow{
		ID: string(e.ID), URL: e.URL, Description: e.Description, Name: clippedTo(e.Description, 60),
		Short: clippedTo(e.URL, 80), List: webhooksPath, Active: e.IsActive, Delivered: v.moment(e.LastDelivered),
		Created: v.moment(e.CreatedAt), Failing: v.moment(e.FailingSince), Status: status{"On", "good"},
	}
	if u, err := url.Parse(e.URL); row.Name == "" && err == nil {
		row.Name = clippedTo(u.Host, 60)
	}
	if e.Workspace == "" {
		row.List = installationHook
	}
	all := len(notice.Kinds())
	row.Events = number(len(e.Kinds)) + " of " + number(all)
	if len(e.Kinds) == all {
		row.Events = "all"
	}
	switch {
	case !e.IsActive:
		row.Status, row.Why = status{"Off", "off"}, offWords[e.Reason]
	case !e.FailingSince.IsZero():
		row.Status = status{"Failing", "bad"}
		row.Why = "Notices cannot be delivered. Each is tried again, for 3 days; then Keyward switches the webhook off."
	}
	return row
}

// offWords say why a webhook is off; "" where a caller switched it off.
var offWords = map[string]string{
	notice.Failing: "Keyward switched it off: a notice could not be delivered for 3 days.",
	notice.Gone:    "Keyward switched it off: the receiver answered 410, which asks for no more notices.",
}

// webhookRights are the changes of webhooks that control would admit, and what the visitor lacks for the others.
type webhookRights struct {
	Change, Drop, Log bool
	Lacks             string
}

func (v *request) webhookRights() webhookRights {
	r := webhookRights{Drop: v.may.May(account.IntegrationsWebhook), Log: v.may.May(account.WorkspaceLogsRead)}
	r.Change = r.Drop && r.Log
	switch {
	case r.Change:
	case r.Drop:
		r.Lacks = "Without the permission " + account.WorkspaceLogsRead + " you can switch a webhook off and delete it. " +
			"A webhook tells what the log tells, so all other changes need that permission, too."
	case r.Log:
		r.Lacks = "You can look at webhooks. To change them, you need the permission " + account.IntegrationsWebhook + "."
	default:
		r.Lacks = "You can look at webhooks. To change them, you need the permissions " + account.IntegrationsWebhook +
			" and " + account.WorkspaceLogsRead + "."
	}
	return r
}

// webhookPlace is the workspace whose webhooks the path is about, "" for the installation, and the path of their list.
func (v *request) webhookPlace() (workspace, list string, err error) {
	if !strings.HasPrefix(v.r.URL.Path, installationHook) {
		return v.workspace(), webhooksPath, nil
	}
	if !v.may.Installation {
		err = fault.New(fault.PermissionDenied,
			"webhooks of the installation need a service key that manages all workspaces and environments")
	}
	return "", installationHook, err
}

// section is the entry of the navigation to which a list of webhooks belongs.
func section(list string) string {
	if list == installationHook {
		return "installation"
	}
	return "webhooks"
}

type webhooksBody struct {
	Hooks  []webhookRow
	Rights webhookRights
	List   string
	House  bool // those of the installation
	Full   bool // there are as many as there may be
}

// webhooks lists the webhooks of a workspace, or of the installation. There are at most notice.MaxEndpoints of them.
func (d *Dashboard) webhooks(v *request) error {
	workspace, list, err := v.webhookPlace()
	if err != nil {
		return err
	}
	found, err := v.allWebhooks(workspace)
	if err != nil {
		return err
	}
	b := webhooksBody{Rights: v.webhookRights(), List: list, House: list == installationHook}
	for i := range found {
		b.Hooks = append(b.Hooks, v.webhookRow(&found[i]))
	}
	b.Full = len(found) >= notice.MaxEndpoints
	return v.show(page{Title: "Webhooks", Section: section(list), Wide: true, Body: b})
}

func (v *request) allWebhooks(workspace string) ([]notice.Endpoint, error) {
	found, _, err := v.d.Control.ListWebhooks(v.r.Context(), v.Caller, workspace, control.Paging{Limit: 100})
	return found, err
}

// webhookForm creates a webhook, or changes the one with ID.
type webhookForm struct {
	ID, Name         string
	URL, Description string
	Events           []string
	To, Back         string // where the form goes, and where Cancel leads
	Kinds            []kindChoice
}

// kindChoice is a kind of notices to tick.
type kindChoice struct {
	Name, Text string
	On         bool
}

// webhookFields maps names of the API to names of the form's fields.
var webhookFields = map[string]string{"url": "url", "events": "events", "description": "description"}

func (v *request) webhookForm() webhookForm {
	return webhookForm{URL: v.form("url"), Description: v.form("description"), Events: v.r.PostForm["event"]}
}

// newWebhook shows the form for a webhook that is told of all events.
func (d *Dashboard) newWebhook(v *request) error {
	if r := v.webhookRights(); !r.Change {
		return fault.New(fault.PermissionDenied, r.Lacks)
	}
	f := webhookForm{}
	for _, k := range notice.Kinds() {
		f.Events = append(f.Events, string(k))
	}
	return v.showWebhookForm(http.StatusOK, f, nil)
}

// showWebhookForm shows the form of the path: for a new webhook, or for the one that the path names.
func (v *request) showWebhookForm(status int, f webhookForm, wrong *problem) error {
	title, list := "Create webhook", ""
	if v.r.PathValue("id") != "" {
		e, err := v.findWebhook()
		if err != nil {
			return err
		}
		row := v.webhookRow(&e)
		f.ID, f.Name, title, list = row.ID, row.Name, "Edit webhook", row.List
		f.To, f.Back = webhookPath(row.ID, "/edit"), webhookPath(row.ID)
	} else {
		var err error
		if _, list, err = v.webhookPlace(); err != nil {
			return err
		}
		f.To, f.Back = list, list
	}
	for _, k := range notice.Kinds() {
		f.Kinds = append(f.Kinds, kindChoice{string(k), kindWords[k], slices.Contains(f.Events, string(k))})
	}
	return v.answer(
		status, page{Title: title, Section: section(list), Fault: wrong, Styles: []string{"create.css"}, Body: f},
	)
}

// webhookRefused shows a form again with its errors, in the page's words.
func (v *request) webhookRefused(f webhookForm, err error) error {
	if fault.Is(err, fault.PermissionDenied) || fault.Is(err, fault.NotFound) {
		return err
	}
	wrong, err := problemOf(err, webhookFields)
	if err != nil {
		return err
	}
	if len(f.Events) == 0 && wrong.Fields["events"] != "" {
		wrong.Fields["events"] = "Choose at least one event."
	}
	return v.showWebhookForm(http.StatusUnprocessableEntity, f, wrong)
}

// webhookReveal shows a secret, in this one answer.
type webhookReveal struct {
	webhookRow
	Secret  string // "" where it was shown already
	Rotated bool
	Until   moment // the former secret signs, too, until then
}

// makeWebhook creates a webhook and shows its secret, once. A webhook with the same URL and events is refused, so that
// a form that is sent twice creates one.
func (d *Dashboard) makeWebhook(v *request) error {
	workspace, _, err := v.webhookPlace()
	if err != nil {
		return err
	}
	f := v.webhookForm()
	found, err := v.allWebhooks(workspace)
	if err != nil {
		return err
	}
	for i := range found {
		if e := &found[i]; e.URL == f.URL && sameKinds(e.Kinds, f.Events) {
			return v.webhookRefused(f, fault.New(fault.Conflict, "there is such a webhook already, and its secret was shown",
				fault.Detail{Field: "url", Message: "is taken by a webhook with the same events"}))
		}
	}
	made, err := d.Control.CreateWebhook(v.r.Context(), v.Caller, control.CreateWebhook{
		Workspace: workspace, URL: f.URL, Kinds: control.Some(f.Events), Description: control.Some(f.Description),
	})
	if err != nil {
		return v.webhookRefused(f, err)
	}
	return v.revealSecret(http.StatusCreated, &made, false)
}

func sameKinds(kinds []notice.Kind, names []string) bool {
	return len(kinds) == len(names) &&
		!slices.ContainsFunc(kinds, func(k notice.Kind) bool { return !slices.Contains(names, string(k)) })
}

func (v *request) revealSecret(status int, made *control.RevealedWebhook, rotated bool) error {
	b := webhookReveal{
		webhookRow: v.webhookRow(&made.Endpoint), Secret: made.Secret, Rotated: rotated, Until: v.moment(made.PreviousUntil),
	}
	title := either(rotated, "A new secret", "A new webhook")
	if made.Secret == "" {
		title = "The webhook has changed since"
	}
	return v.answer(status, page{Title: title, Section: section(b.List), Scripts: []string{"reveal.js"}, Body: b})
}

// editWebhook shows the fields of a webhook that can change.
func (d *Dashboard) editWebhook(v *request) error {
	e, err := v.findWebhook()
	if err != nil {
		return err
	}
	if r := v.webhookRights(); !r.Change {
		return fault.New(fault.PermissionDenied, r.Lacks)
	}
	f := webhookForm{URL: e.URL, Description: e.Description}
	for _, k := range e.Kinds {
		f.Events = append(f.Events, string(k))
	}
	return v.showWebhookForm(http.StatusOK, f, nil)
}

func (d *Dashboard) saveWebhook(v *request) error {
	was, err := v.findWebhook()
	if err != nil {
		return err
	}
	f := v.webhookForm()
	e, err := d.Control.UpdateWebhook(v.r.Context(), v.Caller, string(was.ID), control.UpdateWebhook{
		URL: control.Some(f.URL), Kinds: control.Some(f.Events), Description: control.Some(f.Description),
	})
	if err != nil {
		return v.webhookRefused(f, err)
	}
	return v.tell(webhookPath(string(e.ID)), "The webhook is changed. Notices go by it from now on.", nil)
}

// version names the state of a webhook, so that a form acts on the one that its page showed.
func version(e *notice.Endpoint) string { return strconv.FormatInt(e.UpdatedAt.UnixMilli(), 10) }

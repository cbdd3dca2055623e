package dashboard

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/session"
)

// holdsCredential is a form's message for a field that holds a credential.
const holdsCredential = "holds a credential: it must not be kept in plain text"

// takeCredentials empties every field of the form that holds a whole credential, so that no page shows it again,
// and names those fields. No form that people fill in here is for one.
func (v *request) takeCredentials() (fields []string) {
	for _, name := range slices.Sorted(maps.Keys(v.r.PostForm)) {
		if slices.ContainsFunc(v.r.PostForm[name], session.Leaks) {
			v.r.PostForm[name] = nil
			fields = append(fields, name)
		}
		if session.Leaks(name) {
			delete(v.r.PostForm, name)
			fields = append(fields, "form")
		}
	}
	return fields
}

// refuseCredentials shows the form again with a message beside each of the fields. Nothing of the form is done.
func (v *request) refuseCredentials(rt route, fields []string) error {
	show := v.d.formAgain(rt.on)
	if show == nil {
		return fault.Invalid(fields[0], holdsCredential)
	}
	wrong := &problem{Fields: map[string]string{}}
	for _, name := range fields {
		wrong.Fields[name] = sentence(holdsCredential)
	}
	wrong.Message = "Nothing is done: " +
		map[bool]string{true: "one field holds", false: many(len(fields), "field") + " hold"}[len(fields) == 1] +
		" a credential. Take it out; if others may have seen it, replace it."
	return show(v, wrong)
}

// formAgain returns the function that shows the form of a route again, as it was filled in; nil for a form without a
// field for text.
func (d *Dashboard) formAgain(on string) func(*request, *problem) error {
	const status = http.StatusUnprocessableEntity
	switch on {
	case "POST /keys/new":
		return d.draftAgain
	case "POST /keys/{id}/edit":
		return func(v *request, wrong *problem) error {
			k, err := v.find()
			if err != nil {
				return err
			}
			besidePills(wrong)
			return v.showEdit(status, &k, v.editForm(), wrong)
		}
	case "POST /members":
		return func(v *request, wrong *problem) error { return v.showMembers(status, v.inviteForm(), wrong) }
	case "POST /roles", "POST /roles/{id}":
		return func(v *request, wrong *problem) error {
			f, set, err := v.roleForm()
			if err != nil {
				return err
			}
			return v.showRole(status, &f, set, wrong)
		}
	case "POST /settings":
		return func(v *request, wrong *problem) error { return v.showSettings(status, v.settingsForm(), wrong) }
	case "POST /settings/state", "POST /settings/delete":
		field := map[bool]string{true: "deactivate", false: "delete"}[strings.HasSuffix(on, "state")]
		return func(v *request, wrong *problem) error {
			wrong.Fields[field] = wrong.Fields["name"]
			delete(wrong.Fields, "name")
			return v.showSettings(status, v.settingsNow(), wrong)
		}
	case "POST /workspaces":
		return func(v *request, wrong *problem) error { return v.showWorkspaces(status, v.workspaceForm(), wrong) }
	case "POST /webhooks", "POST /webhooks/{id}/edit", "POST /installation/webhooks":
		return func(v *request, wrong *problem) error {
			if text := wrong.Fields["event"]; text != "" {
				wrong.Fields["events"] = text
			}
			return v.showWebhookForm(status, v.webhookForm(), wrong)
		}
	case "POST /service-keys":
		return func(v *request, wrong *problem) error { return v.showServiceKeys(status, v.serviceKeyForm(), wrong) }
	}
	return nil
}

// draftAgain answers the page's script in its own form.
func (d *Dashboard) draftAgain(v *request, wrong *problem) error {
	f := v.readForm()
	besidePills(wrong)
	if !v.wantsJSON() {
		return v.showForm(http.StatusUnprocessableEntity, &f, wrong)
	}
	return v.writeJSON(keyDraft{Errors: wrong.Fields, Problem: wrong.Message, Lacks: []lacking{}})
}

// besidePills puts an error of the day beside the pills of the expiry, which hold it.
func besidePills(wrong *problem) {
	if day := wrong.Fields["expiresOn"]; day != "" {
		wrong.Fields["expiry"] = day
	}
}

func (v *request) wantsJSON() bool {
	return strings.Contains(v.r.Header.Get("Accept"), "application/json")
}

package dashboard

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
)

type editForm struct {
	ID                                      string
	Name, Description, Metadata, AllowedIPs string
	Expiry, ExpiresOn                       string
	PerMinute, PerDay                       string
	Expiries                                []choice
	Policy                                  []string
}

// keepExpiry is the pill that leaves the expiry as it is.
const keepExpiry = "keep"

// editKey shows the changeable fields of a key; its permissions cannot change.
func (d *Dashboard) editKey(v *request) error {
	k, err := v.find()
	if err != nil {
		return err
	}
	f := editForm{
		Name: k.Name, Description: k.Description, Metadata: indented(k.Metadata), PerMinute: plain(k.Limits.PerMinute),
		PerDay: plain(k.Limits.PerDay),
	}
	for _, p := range k.AllowedIPs {
		f.AllowedIPs += p.String() + "\n"
	}
	f.Expiry = keepExpiry
	return v.showEdit(http.StatusOK, &k, f, nil)
}

func plain(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

func (v *request) showEdit(status int, k *control.Key, f editForm, wrong *problem) error {
	f.ID = string(k.ID)
	pills, policy := expiries(v.longest(), v.may.Workspace.Settings.RequireExpiry, f.Expiry)
	keep := choice{"Keep (" + ends(k) + ")", keepExpiry, f.Expiry == keepExpiry || f.Expiry == ""}
	f.Expiries, f.Policy = []choice{keep}, policy
	for _, p := range pills {
		if p.Link != "longest" { // an edit counts from now, and the rule from the making of the value
			f.Expiries = append(f.Expiries, p)
		}
	}
	return v.answer(
		status, page{Title: "Edit " + k.Name, Section: "keys", Fault: wrong, Styles: []string{"create.css"}, Body: f},
	)
}

func (v *request) editForm() editForm {
	return editForm{
		Name: v.form("name"), Description: v.form("description"), Metadata: v.form("metadata"), AllowedIPs: v.form("ips"),
		Expiry: v.form("expiry"), ExpiresOn: v.form("expiresOn"), PerMinute: v.form("perMinute"), PerDay: v.form("perDay"),
	}
}

func (d *Dashboard) saveKey(v *request) error {
	k, err := v.find()
	if err != nil {
		return err
	}
	f := v.editForm()
	f.ID = string(k.ID)
	in, unreadable := f.update(v.now)
	_, failed, err := d.Control.UpdateKeys(v.r.Context(), v.Caller, []control.UpdateKey{in})
	if err == nil && len(failed) > 0 {
		err = failed[0].Fault
	}
	if err = fault.All(unreadable, err); err == nil {
		return v.tell(keyPath(k.ID), "“"+in.Name.Value+"” is changed. Verifications go by it from now on.", nil)
	}
	wrong, err := problemOf(err, formFields)
	if err != nil {
		return err
	}
	return v.showEdit(http.StatusUnprocessableEntity, &k, f, wrong)
}

// update is the change that the form asks for: no field that it left as it was, so that an expiry in the past does
// not stand in the way. A field that cannot be read has a value that control refuses, beside everything else.
func (f editForm) update(now time.Time) (control.UpdateKey, error) {
	in := control.UpdateKey{
		ID: f.ID, Name: control.Some(f.Name), Description: control.Some(f.Description),
		AllowedIPs: control.Some(lines(f.AllowedIPs)),
	}
	var metadata, expiry, limits error
	if in.Metadata, metadata = metadataOf(f.Metadata); !in.Metadata.Set {
		in.Metadata = control.Null[json.RawMessage]()
	}
	if f.Expiry != "" && f.Expiry != keepExpiry {
		in.ExpiresAt, expiry = expiresAt(f.Expiry, f.ExpiresOn, now)
	}
	in.RateLimit, limits = limitsOf(f.PerMinute, f.PerDay)
	return in, fault.All(metadata, expiry, limits)
}

package dashboard

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/control"
)

type editForm struct {
	ID                                              string
	Name, Description, Metadata, AllowedIPs, Expiry string
	PerMinute, PerDay                               string
	MayNever                                        bool
	Longest                                         string
}

// editKey shows the changeable fields of a key; its permissions cannot change.
func (d *Dashboard) editKey(v *request) error {
	k, err := v.find()
	if err != nil {
		return err
	}
	f := editForm{Name: k.Name, Description: k.Description, Metadata: indented(k.Metadata), PerMinute: plain(k.Limits.PerMinute), PerDay: plain(k.Limits.PerDay)}
	for _, p := range k.AllowedIPs {
		f.AllowedIPs += p.String() + "\n"
	}
	if !k.ExpiresAt.IsZero() {
		f.Expiry = k.ExpiresAt.UTC().Format("2006-01-02T15:04:05Z")
	}
	return v.showEdit(http.StatusOK, &k, f, nil)
}

func plain(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

func (v *request) showEdit(status int, k *control.Key, f editForm, wrong *problem) error {
	set := v.may.Workspace.Settings
	f.ID, f.MayNever = string(k.ID), set.MaxKeyLifetime == 0 && !set.RequireExpiry
	if set.MaxKeyLifetime > 0 {
		f.Longest = span(set.MaxKeyLifetime)
	}
	return v.answer(status, "editkey", page{Title: "Edit " + k.Name, Section: "keys", Fault: wrong, Body: f})
}

func (v *request) editForm() editForm {
	return editForm{Name: v.form("name"), Description: v.form("description"), Metadata: v.form("metadata"), AllowedIPs: v.form("ips"),
		Expiry: v.form("expiry"), PerMinute: v.form("perMinute"), PerDay: v.form("perDay")}
}

func (d *Dashboard) saveKey(v *request) error {
	k, err := v.find()
	if err != nil {
		return err
	}
	f := v.editForm()
	in, err := f.update(&k)
	if err == nil {
		var failed []control.ItemError
		if _, failed, err = d.Control.UpdateKeys(v.r.Context(), v.Caller, []control.UpdateKey{in}); err == nil && len(failed) > 0 {
			err = failed[0].Fault
		}
	}
	if err == nil {
		return v.tell(keyPath(&k), "“"+in.Name.Value+"” is changed. Verifications go by it from now on.", nil)
	}
	wrong, err := problemOf(err, formFields)
	if err != nil {
		return err
	}
	return v.showEdit(http.StatusUnprocessableEntity, &k, f, wrong)
}

// update is the change that the form asks for: no field that it left as it was, so that an expiry in the past does
// not stand in the way.
func (f editForm) update(k *control.Key) (control.UpdateKey, error) {
	in := control.UpdateKey{ID: string(k.ID), Name: control.Some(f.Name), Description: control.Some(f.Description), AllowedIPs: control.Some(lines(f.AllowedIPs))}
	var bad wrongs
	var err error
	if in.Metadata, err = metadataOf(f.Metadata); err == nil && !in.Metadata.Set {
		in.Metadata = control.Null[json.RawMessage]()
	}
	metadata := bad.note(err)
	was := ""
	if !k.ExpiresAt.IsZero() {
		was = k.ExpiresAt.UTC().Truncate(time.Second).Format("2006-01-02T15:04:05Z")
	}
	switch given := strings.TrimSpace(f.Expiry); {
	case given == was:
	case given == "":
		in.ExpiresAt = control.Null[string]()
	default:
		in.ExpiresAt = control.Some(given)
	}
	in.RateLimit, err = limitsOf(f.PerMinute, f.PerDay)
	return in, cmp.Or(metadata, bad.note(err), bad.err())
}

package dashboard

import (
	"fmt"
	"strings"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/ratelimit"
)

// keyDraft is the data for the page's script while a key is being filled in: the permissions that the key's owner can
// get, and the key in words.
type keyDraft struct {
	Ends    string            `json:"ends"`
	Terms   string            `json:"terms"`
	Curl    string            `json:"curl"`
	Errors  map[string]string `json:"errors"`
	Problem string            `json:"problem,omitempty"`
	Shown   string            `json:"shown"` // the owner whose permissions these are, "" where they are not known
	Owner   string            `json:"owner"` // as in "Everything {owner}"
	Lacks   []lacking         `json:"lacks"`
	Filled  string            `json:"filled,omitempty"` // what a template did, and
	Names   []string          `json:"names,omitempty"`  // its permissions
}

// answerDraft answers the script of the form.
func (d *Dashboard) answerDraft(v *request, f *newKeyForm) error {
	draft, err := v.draftOf(f)
	if err != nil {
		return err
	}
	return v.writeJSON(draft)
}

// draftOf tries the form out, and completes the page's data: the permissions, the terms as a sentence, the errors.
func (v *request) draftOf(f *newKeyForm) (keyDraft, error) {
	out := keyDraft{Errors: map[string]string{}, Lacks: []lacking{}}
	if err := v.offerCreators(f); err != nil {
		return out, err
	}
	in, err := v.request(f)
	if err != nil && !fault.Is(err, fault.InvalidRequest) {
		return out, err
	}
	if in.Name == "" {
		in.Name = "key" // the script says that a name is missing when the form is sent
	}
	k, known, bad := v.draft(in, err)
	if bad != nil {
		wrong, err := problemOf(bad, formFields)
		if err != nil {
			return out, err
		}
		out.Problem, out.Errors = wrong.Message, wrong.Fields
	}
	if known {
		f.Ends, f.Terms = ends(&k), terms(&k)
	}
	if bad == nil {
		f.Curl = curlOf(in, k.Permissions.Len())
	}
	set, err := v.chosen(f)
	if err != nil && !fault.Is(err, fault.InvalidRequest) {
		return out, err
	}
	why := v.reason(f)
	grantable := f.grantable()
	f.Picks, f.Lacks, f.Power = v.picks(set.And(grantable), grantable, why), v.d.lacks(why), v.d.power(set.And(grantable))
	f.Shown, f.Owner, f.Mine = f.creator(v), v.ownerName(f), f.creator(v) == string(v.may.User)
	out.Ends, out.Terms, out.Curl, out.Lacks = f.Ends, f.Terms, f.Curl, f.Lacks
	out.Shown, out.Owner = f.Shown, v.ownerHas(f)
	f.Before = ""
	if f.Filled != "" {
		if before, err := v.picked(grantable); err == nil && f.start == nil {
			f.Before = strings.Join(v.d.catalogue.Names(before), " ")
		}
		out.Filled, out.Names = f.Filled, v.d.catalogue.Names(set)
		f.CanUndo = f.start == nil
	}
	return out, nil
}

// ends says when a key expires, in a few words.
func ends(k *control.Key) string {
	if k.ExpiresAt.IsZero() {
		return "never expires"
	}
	return "expires " + k.ExpiresAt.UTC().Format("2 Jan 2006")
}

// terms are the limits and the expiry of a key, as one sentence.
func terms(k *control.Key) string {
	first := "Never expires"
	if !k.ExpiresAt.IsZero() {
		first = "Expires on " + k.ExpiresAt.UTC().Format("2 Jan 2006")
	}
	return first + ", " + limitTerms(k.Limits) + ", " + networkTerms(k) + "."
}

func limitTerms(l ratelimit.Limits) string {
	switch {
	case l.PerMinute == 0 && l.PerDay == 0:
		return "no limit on requests"
	case l.PerDay == 0:
		return fmt.Sprintf("at most %s a minute", many(l.PerMinute, "request"))
	case l.PerMinute == 0:
		return fmt.Sprintf("at most %s a day", many(l.PerDay, "request"))
	}
	return fmt.Sprintf("at most %s a minute and %s a day", many(l.PerMinute, "request"), number(l.PerDay))
}

func networkTerms(k *control.Key) string {
	switch n := len(k.AllowedIPs); n {
	case 0:
		return "from any IP"
	case 1:
		return "only from " + k.AllowedIPs[0].String()
	default:
		return fmt.Sprintf("only from %d networks", n)
	}
}

package dashboard

import (
	"net/http"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/control"
)

// requestBody is the page on which a member confirms a key that a program asked for.
type requestBody struct {
	ID    string
	By    string
	Facts []requestFact
	Until moment
	Do    string // the button
}

type requestFact struct{ Term, Text string }

// requestPage shows a request to a member who could confirm it now, and nothing to any other visitor.
func (d *Dashboard) requestPage(v *request) error {
	r, err := d.Control.FindKeyRequest(v.r.Context(), v.Caller, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	kind := control.TypeSession
	if r.Service {
		kind = control.TypeServiceKey
	}
	b := requestBody{
		ID: string(r.ID), By: v.actor(r.Actor, kind).Name, Facts: v.requestFacts(&r),
		Until: v.moment(r.ExpiresAt), Do: "Create the key and show its value",
	}
	title := "Create the key “" + r.Key.Name + "”?"
	if r.Rotates {
		title, b.Do = "Rotate the key “"+r.Key.Name+"”?", "Rotate the key and show its new value"
	}
	return v.show(page{Title: title, Section: "keys", Body: b})
}

// requestFacts lists all that is confirmed.
func (v *request) requestFacts(r *control.KeyRequest) []requestFact {
	k := &r.Key
	networks := make([]string, len(k.AllowedIPs))
	for i, p := range k.AllowedIPs {
		networks[i] = p.String()
	}
	or := func(text, none string) string {
		if text == "" {
			return none
		}
		return text
	}
	limit := func(n int64) string {
		if n == 0 {
			return "none"
		}
		return number(n)
	}
	expires := "never"
	if !k.ExpiresAt.IsZero() {
		expires = k.ExpiresAt.UTC().Format("2006-01-02 15:04 UTC")
	}
	facts := []requestFact{
		{"Creator", v.actor(string(k.User), control.TypeSession).Name}, {"Environment", string(k.Environment)},
		{"Permissions", or(strings.Join(v.d.catalogue.Names(k.Permissions), ", "), "none")}, {"Expires", expires},
		{"Limit per minute", limit(k.Limits.PerMinute)}, {"Limit per day", limit(k.Limits.PerDay)},
		{"Allowed IPs", or(strings.Join(networks, ", "), "any")}, {"Description", or(k.Description, "none")},
		{"Metadata", or(k.Metadata, "none")},
	}
	if r.Rotates {
		overlap := "not at all"
		if r.OverlapSeconds > 0 {
			overlap = span(time.Duration(r.OverlapSeconds) * time.Second)
		}
		facts = append(facts, requestFact{"Present value", k.Value.Masked}, requestFact{"Works on for", overlap})
	}
	return facts
}

// confirmRequest makes the value and shows it, in this one answer.
func (d *Dashboard) confirmRequest(v *request) error {
	made, err := d.Control.ConfirmKeyRequest(v.r.Context(), v.Caller, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	how := "made"
	if len(made.Key.Previous) > 0 || made.Key.CreatedAt.Before(made.Key.UpdatedAt) {
		how = "rotated"
	}
	return v.reveal(http.StatusCreated, made.Key, made.Secret.Reveal(), how)
}

// declineRequest ends a request.
func (d *Dashboard) declineRequest(v *request) error {
	if err := d.Control.DeclineKeyRequest(v.r.Context(), v.Caller, v.r.PathValue("id")); err != nil {
		return err
	}
	return v.see("/keys")
}

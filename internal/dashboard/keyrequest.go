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
	b := requestBody{
		ID: string(r.ID), By: v.askedBy(&r), Facts: v.requestFacts(&r),
		Until: v.moment(r.ExpiresAt), Do: "Create the key and show its value",
	}
	if r.Service {
		b.By = "A service key"
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

// requestsBody is the list of requests that wait to be confirmed.
type requestsBody struct {
	Requests []requestRow
	Others   bool // those about other people's keys are shown, too
	Next     string
}

type requestRow struct {
	ID, Name string
	Rotates  bool
	By       string // who asked
	Owner    person
	Until    moment
}

// requestsPage lists the requests that wait. The page of each says whether the visitor may confirm it.
func (d *Dashboard) requestsPage(v *request) error {
	found, next, err := d.Control.ListKeyRequests(v.r.Context(), v.Caller,
		control.ListKeyRequests{Workspace: v.workspace(), Paging: control.Paging{Cursor: v.query("cursor")}})
	if err != nil {
		return err
	}
	b := requestsBody{Others: v.seesAll()}
	for i := range found {
		r := &found[i]
		b.Requests = append(b.Requests, requestRow{
			ID: string(r.ID), Name: r.Key.Name, Rotates: r.Rotates, By: v.askedBy(r), Owner: v.row(r.Key).Owner,
			Until: v.moment(r.ExpiresAt),
		})
	}
	if next.NextCursor != "" {
		b.Next = v.link("cursor", next.NextCursor)
	}
	return v.show(page{Title: "Key requests", Section: "keys", Body: b})
}

// waits reports whether a request waits that the visitor sees.
func (v *request) waits() (bool, error) {
	found, _, err := v.d.Control.ListKeyRequests(v.r.Context(), v.Caller,
		control.ListKeyRequests{Workspace: v.workspace(), Paging: control.Paging{Limit: 1}})
	return len(found) > 0, err
}

// askedBy is the name of the person or service key that made a request.
func (v *request) askedBy(r *control.KeyRequest) string {
	kind := control.TypeSession
	if r.Service {
		kind = control.TypeServiceKey
	}
	return v.actor(r.Actor, kind).Name
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
	return v.tell("/keys", "The request was declined. No value was made.", nil)
}

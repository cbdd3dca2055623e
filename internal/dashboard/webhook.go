package dashboard

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/notice"
)

// webhookBody is everything about one webhook.
type webhookBody struct {
	webhookRow
	Rights     webhookRights
	Kinds      []kindChoice // those that it is told of
	CreatedBy  person
	Until      moment // the former secret signs, too, until then; zero for no former one
	Deliveries []deliveryRow
	Waits      bool // one of the deliveries has not ended
	States     []choice
	Only       bool // those of one state are listed
	Next       string
}

// deliveryRow is a delivery in the list.
type deliveryRow struct {
	ID, Kind string
	Status   status
	Outcome  string // the answer, or a short error; "" for none
	Tries    string
	When     moment
	NextTry  moment // of a delivery that waits; zero for one that has ended
	Again    bool   // it is a replay
	Replays  bool   // it can be sent again
}

// Parts are the words of the kind, between which a line may break.
func (d *deliveryRow) Parts() []string { return strings.SplitAfter(d.Kind, ".") }

// deliveryWords are the states of a delivery in the page's words.
var deliveryWords = map[notice.State]status{
	notice.Pending: {"Waiting", ""}, notice.Delivered: {"Delivered", "good"}, notice.Failed: {"Failed", "bad"},
}

// failureWords say briefly why an attempt failed.
var failureWords = map[string]string{
	notice.ErrRedirect: "a redirect, which is not followed",
	notice.ErrTimeout:  "no answer in time",
	notice.ErrAddress:  "the host has an address to which nothing is sent",
	notice.ErrResolve:  "the name of the host is not known",
	notice.ErrConnect:  "no connection",
	notice.ErrTLS:      "no secure connection (TLS)",
	notice.ErrSecret:   "the secret cannot be read: the pepper is another one",
	notice.ErrOff:      "the webhook was switched off",
}

// deliveryOutcome is the last answer of the receiver, or why there is none.
func deliveryOutcome(d *notice.Delivery) string {
	var parts []string
	if d.Status != 0 {
		parts = append(parts, "answered "+strconv.FormatInt(d.Status, 10))
	}
	if words := failureWords[d.Error]; words != "" {
		parts = append(parts, words)
	}
	return strings.Join(parts, ", ")
}

// findWebhook reads the webhook of the path. A webhook of another workspace than the one that is looked at is not
// there; those of the installation are there for its operator.
func (v *request) findWebhook() (notice.Endpoint, error) {
	e, err := v.d.Control.GetWebhook(v.r.Context(), v.Caller, v.r.PathValue("id"))
	if err != nil {
		return e, err
	}
	if string(e.Workspace) != v.workspace() && (e.Workspace != "" || !v.may.Installation) {
		return e, fault.Missing()
	}
	return e, nil
}

// webhook shows one webhook and its latest deliveries.
func (d *Dashboard) webhook(v *request) error {
	e, err := v.findWebhook()
	if err != nil {
		return err
	}
	b := webhookBody{webhookRow: v.webhookRow(&e), Rights: v.webhookRights(), CreatedBy: v.actor(e.CreatedBy, "")}
	for _, k := range e.Kinds {
		b.Kinds = append(b.Kinds, kindChoice{Name: string(k), Text: kindWords[k]})
	}
	b.Until = v.moment(e.PreviousUntil)
	if !e.PreviousUntil.After(v.now) {
		b.Until = moment{Zero: true}
	}
	if b.Rights.Log {
		if err := v.deliveries(&b); err != nil {
			return err
		}
	}
	return v.show(page{Title: b.Name, Section: section(b.List), Wide: true, Body: b})
}

// deliveries lists a page of them, newest first: all, or those of the state in the address.
func (v *request) deliveries(b *webhookBody) error {
	state := notice.State(v.query("status"))
	if _, known := deliveryWords[state]; !known {
		state = ""
	}
	b.Only = state != ""
	b.States = []choice{{"All", webhookPath(b.ID), state == ""}}
	for _, s := range []notice.State{notice.Pending, notice.Delivered, notice.Failed} {
		b.States = append(b.States, choice{deliveryWords[s].Word, webhookPath(b.ID, "?status=", string(s)), state == s})
	}
	found, next, err := v.d.Control.ListDeliveries(v.r.Context(), v.Caller, b.ID, state,
		control.Paging{Limit: 25, Cursor: v.query("cursor")})
	if err != nil {
		return err
	}
	for i := range found {
		one := &found[i]
		row := deliveryRow{
			ID: string(one.ID), Kind: string(one.Kind), Status: deliveryWords[one.State], Outcome: deliveryOutcome(one),
			Tries: tries(one.Attempts), When: v.moment(one.CreatedAt), NextTry: moment{Zero: true}, Again: one.IsReplay,
			Replays: b.Rights.Change && b.Active && one.State != notice.Pending,
		}
		if one.State == notice.Pending {
			b.Waits = true
			if one.Attempts > 0 {
				row.NextTry = v.moment(one.NextAt)
			}
		}
		b.Deliveries = append(b.Deliveries, row)
	}
	if next.NextCursor != "" {
		b.Next = v.link("cursor", next.NextCursor)
	}
	return nil
}

func tries(n int64) string {
	if n == 0 {
		return "none yet"
	}
	return number(n)
}

// testWebhook queues a notice of the type webhook.test.
func (d *Dashboard) testWebhook(v *request) error {
	e, err := v.findWebhook()
	if err != nil {
		return err
	}
	if _, err := d.Control.TestWebhook(v.r.Context(), v.Caller, string(e.ID)); err != nil {
		return err
	}
	return v.tell(webhookPath(string(e.ID)), "The test is on its way. Reload the deliveries to see its outcome.", nil)
}

// replayDelivery queues the notice of a delivery once more.
func (d *Dashboard) replayDelivery(v *request) error {
	e, err := v.findWebhook()
	if err != nil {
		return err
	}
	if _, err := d.Control.ReplayDelivery(v.r.Context(), v.Caller, string(e.ID), v.r.PathValue("delivery")); err != nil {
		return err
	}
	return v.tell(webhookPath(string(e.ID)), "The notice is on its way again, under the same id.", nil)
}

// enableWebhook switches a webhook on.
func (d *Dashboard) enableWebhook(v *request) error {
	return v.switchWebhook(true, "The webhook is on. It is told of what happens from now on.")
}

// disableWebhook switches a webhook off, after its page of confirmation.
func (d *Dashboard) disableWebhook(v *request) error {
	return v.switchWebhook(false, "The webhook is off. Nothing is sent to it.")
}

func (v *request) switchWebhook(on bool, text string) error {
	e, err := v.findWebhook()
	if err != nil {
		return err
	}
	in := control.UpdateWebhook{IsActive: control.Some(on)}
	_, err = v.d.Control.UpdateWebhook(v.r.Context(), v.Caller, string(e.ID), in)
	if err != nil {
		return err
	}
	return v.tell(webhookPath(string(e.ID)), text, nil)
}

// webhookAsk asks before a webhook is changed in a way that takes something away.
type webhookAsk struct {
	webhookRow
	Do      string // off, rotate or delete
	Version string // of the webhook that the page shows
}

// askWebhook returns the page that asks before a change.
func (d *Dashboard) askWebhook(do string) func(*request) error {
	titles := map[string]string{
		"off": "Switch off the webhook?", "rotate": "Rotate the secret?", "delete": "Delete the webhook?",
	}
	return func(v *request) error {
		e, err := v.findWebhook()
		if err != nil {
			return err
		}
		if r := v.webhookRights(); !r.Drop || !r.Change && do == "rotate" {
			return fault.New(fault.PermissionDenied, r.Lacks)
		}
		b := webhookAsk{v.webhookRow(&e), do, version(&e)}
		return v.show(page{Title: titles[do], Section: section(b.List), Body: b})
	}
}

// rotateWebhook gives a webhook a new secret and shows it, once. The form names the state of the webhook that its page
// showed, so that a form that is sent twice rotates once.
func (d *Dashboard) rotateWebhook(v *request) error {
	e, err := v.findWebhook()
	if err != nil {
		return err
	}
	if v.form("version") != version(&e) {
		return v.revealSecret(http.StatusOK, &control.RevealedWebhook{Endpoint: e}, true)
	}
	overlap, err := strconv.ParseInt(v.form("overlap"), 10, 64)
	if err != nil {
		return fault.Invalid("overlapSeconds", "choose for how long the present secret still signs")
	}
	made, err := d.Control.RotateWebhook(v.r.Context(), v.Caller, string(e.ID), control.Some(overlap))
	if err != nil {
		return err
	}
	return v.revealSecret(http.StatusOK, &made, true)
}

// deleteWebhook takes a webhook away.
func (d *Dashboard) deleteWebhook(v *request) error {
	e, err := v.findWebhook()
	if err != nil {
		return err
	}
	if err := d.Control.DeleteWebhook(v.r.Context(), v.Caller, string(e.ID)); err != nil {
		return err
	}
	row := v.webhookRow(&e)
	return v.tell(row.List, "The webhook “"+clippedTo(row.Name, 30)+"” is deleted. Nothing more is sent to it.", nil)
}

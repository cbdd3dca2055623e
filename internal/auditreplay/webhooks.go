package auditreplay

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/notice"
)

// stopWebhook switches a webhook off, also where it was switched on again later: a journal gives nothing back.
func (r *replay) stopWebhook(e *Entry) error {
	w, err := r.tx.Webhook(id.Webhook(e.Metadata.Target))
	if err != nil {
		return err
	}
	was := w.IsActive
	w.IsActive, w.Reason = false, ""
	return r.putWebhook(w, was)
}

// updateWebhook narrows a webhook as the event did. One whose URL has changed is switched off, because the log holds no
// URL: notices would go to the former one.
func (r *replay) updateWebhook(e *Entry) error {
	w, err := r.tx.Webhook(id.Webhook(e.Metadata.Target))
	if err != nil {
		return err
	}
	was := w.IsActive
	if e.Metadata.Note.URLChanged {
		w.IsActive = false
	}
	for name, raw := range e.Metadata.After {
		switch name {
		case "origin", "description":
		case "isActive":
			var active bool
			if err := json.Unmarshal(raw, &active); err != nil {
				return err
			}
			w.IsActive = w.IsActive && active
		case "events":
			var kinds []notice.Kind
			if err := json.Unmarshal(raw, &kinds); err != nil {
				return err
			}
			w.Kinds = slices.DeleteFunc(w.Kinds, func(k notice.Kind) bool { return !slices.Contains(kinds, k) })
			w.IsActive = w.IsActive && len(w.Kinds) > 0
			if len(w.Kinds) == 0 {
				w.Kinds = kinds
			}
		default:
			return fmt.Errorf("%w: the field %q of a webhook is not known", ErrNewer, name)
		}
	}
	return r.putWebhook(w, was)
}

// putWebhook writes a webhook, and notes one that was on for the operator, who has to look at it.
func (r *replay) putWebhook(w notice.Endpoint, was bool) error {
	if was && !w.IsActive {
		r.Webhooks = append(r.Webhooks, w.ID)
	}
	w.UpdatedAt = r.tx.Now()
	return r.tx.UpdateWebhook(w)
}

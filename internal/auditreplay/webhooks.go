package auditreplay

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/notice"
)

// stopWebhook switches a webhook off for good: a journal gives nothing back.
func (r *replay) stopWebhook(e *Entry) error {
	w, err := r.tx.Webhook(id.Webhook(e.Metadata.Target))
	if err != nil {
		return err
	}
	w.IsActive, w.Reason, w.UpdatedAt = false, "", r.tx.Now()
	return r.tx.UpdateWebhook(w)
}

// updateWebhook narrows a webhook as the event did. One whose URL has changed is switched off, because the log holds no
// URL: notices would go to the former one.
func (r *replay) updateWebhook(e *Entry) error {
	w, err := r.tx.Webhook(id.Webhook(e.Metadata.Target))
	if err != nil {
		return err
	}
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
	w.UpdatedAt = r.tx.Now()
	return r.tx.UpdateWebhook(w)
}

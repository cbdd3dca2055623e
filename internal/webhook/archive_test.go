package webhook_test

import (
	"errors"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/notice"
	"github.com/keyward/keyward/internal/store"
)

// cut is the event with which an archive of all but the present day would end; 0 where there would be none.
func (k *kit) cut() int64 {
	k.Helper()
	c, err := k.db.NextCut(k.Context(), k.now())
	if errors.Is(err, store.ErrNoCut) {
		return 0
	}
	if err != nil {
		k.Fatal(err)
	}
	return c.To
}

// place is that of a webhook in the log.
func (k *kit) place(w id.Webhook) int64 {
	k.Helper()
	return must[notice.Endpoint](k.T)(k.GetWebhook(k.Context(), k.root, string(w))).Seq
}

// aDay leaves an event of a key in the log, and has the day pass. It gives the last event that could be archived then.
func (k *kit) aDay() (old int64) {
	k.Helper()
	k.key()
	old = k.db.Stats().LogHead
	k.pass(48 * time.Hour)
	k.key() // the last event stays
	return old
}

func TestT112AnArchiveWaitsForTheNoticesOfItsEvents(t *testing.T) {
	onBoth(t, func(_ *testing.T, k *kit) {
		r := receive(k.T, false, nil)
		w := k.open(k.ws, r.URL, "api_key.created")
		idle := k.open(k.found(), r.URL)
		old := k.aDay()
		if at := k.cut(); at != k.place(w.ID) || at >= old {
			k.Errorf("an archive ends with event %d, and the webhook is at %d", at, k.place(w.ID))
		}
		stop := k.send()
		k.until("the notices", func() bool { return len(r.got()) == 2 })
		k.until("the archive", func() bool { return k.cut() == old })
		k.until("the place of a webhook that no event concerns", func() bool { return k.place(idle.ID) >= old })
		stop()

		old = k.aDay()
		if at := k.cut(); at >= old {
			k.Errorf("an archive ends with event %d before the notices are queued", at)
		}
		if err := k.DisableWebhook(k.Context(), w.ID, notice.Failing); err != nil {
			k.Fatal(err)
		}
		if err := k.DeleteWebhook(k.Context(), k.root, string(idle.ID)); err != nil {
			k.Fatal(err)
		}
		if at := k.cut(); at != old {
			k.Errorf("an archive ends with event %d, and no webhook is on", at)
		}
	})
}

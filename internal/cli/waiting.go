package cli

import (
	"fmt"

	"github.com/keyward/keyward"
)

// waiting are the flags of what takes something away from keys.
type waiting struct {
	Wait bool `help:"End only when every live node has applied it, or refuses everything for want of news."`
}

func (w *waiting) options() []keyward.ChangeOption {
	if !w.Wait {
		return nil
	}
	return []keyward.ChangeOption{keyward.WaitAll()}
}

// takes tells whether updates can take something away from keys: whatever is not an enabling or a name alone.
func takes(updates []keyward.KeyUpdate) bool {
	for i := range updates {
		u := &updates[i]
		if active, ok := u.IsActive.Get(); ok && !active || !u.ExpiresAt.IsZero() || !u.RateLimit.IsZero() || !u.AllowedIPs.IsZero() {
			return true
		}
	}
	return false
}

// tellPending says on standard error how many nodes have not applied a change yet, and by when they do.
func tellPending(a *app, r *keyward.Revocation) {
	if r == nil || r.Nodes.Pending == 0 {
		return
	}
	fmt.Fprintf(a.Err, "In effect on %d of %d nodes. The others apply it or refuse everything by %s; --wait waits for them.\n",
		r.Nodes.Confirmed, r.Nodes.Confirmed+r.Nodes.Pending, moment(&r.Deadline))
}

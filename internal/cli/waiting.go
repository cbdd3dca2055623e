package cli

import (
	"context"
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
		if active, ok := u.IsActive.Get(); ok && !active || !u.ExpiresAt.IsZero() || !u.RateLimit.IsZero() ||
			!u.AllowedIPs.IsZero() {
			return true
		}
	}
	return false
}

// tellPending says on standard error how many nodes have not applied a change yet, by when they do, and which they are
// where the caller may list them.
func tellPending(ctx context.Context, a *app, client *keyward.Client, r *keyward.Revocation) {
	if r == nil || r.Nodes.Pending == 0 {
		return
	}
	fmt.Fprintf(
		a.Err, "In effect on %d of %d nodes. The others apply it or refuse everything by %s; --wait waits for them.\n",
		r.Nodes.Confirmed, r.Nodes.Confirmed+r.Nodes.Pending, moment(&r.Deadline),
	)
	nodes, err := client.ListNodes(ctx)
	if err != nil {
		return // only a service key with manage may list them
	}
	for i := range nodes {
		if n := &nodes[i]; n.Behind > 0 || n.State != keyward.NodeReady {
			fmt.Fprintf(
				a.Err, "  %s  %s, %d behind, last seen %s\n", visible(n.Address), n.State, n.Behind, moment(&n.LastSeenAt),
			)
		}
	}
}

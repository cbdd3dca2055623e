package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// settleTime bounds the time in which the writer tries to learn the outcome of a commit, and settlePause is the wait
// between attempts.
const (
	settleTime  = 5 * time.Second
	settlePause = 200 * time.Millisecond
)

// settle returns the outcome of a group whose connection was lost at the commit. The group's last event, with its
// hash, is in the log if and only if the group was committed; and a holder of the writers' lock knows that the lost
// transaction has ended, because that transaction held the lock until its end. So the answer is certain, also after a
// failover. Without an answer in time it stays unknown, and so does a group that only counted, which leaves no event.
func (g *group) settle(lost error) error {
	if g.head == g.began {
		return lost
	}
	ctx, cancel := context.WithTimeout(context.Background(), settleTime)
	defer cancel()
	for {
		there, err := g.committed(ctx)
		switch {
		case err == nil && there:
			return nil
		case err == nil:
			return fmt.Errorf(
				"%w: the connection was lost at the commit, which did not take place (%w)", ErrUnavailable, withoutKind{lost},
			)
		}
		select {
		case <-ctx.Done():
			return lost
		case <-time.After(settlePause):
		}
	}
}

// committed looks for the group's last event under the writers' lock.
func (g *group) committed(ctx context.Context) (there bool, err error) {
	err = g.db.driver.Write(ctx, func(q SQL) (err error) {
		v := &View{ctx: ctx, q: q, db: g.db}
		if there, err = v.holds(g.head); err == nil {
			err = errNothing
		}
		return err
	})
	if errors.Is(err, errNothing) {
		err = nil
	}
	return there, err
}

// withoutKind keeps an error's words and removes its kind.
type withoutKind struct{ err error }

func (w withoutKind) Error() string { return w.err.Error() }

// sameHistory checks whether this process's last write is still there. After a failover that lost commits, or under a
// restored backup, it is not: sequence numbers are given out a second time then, and objects made with the first ones
// are void.
func (g *group) sameHistory(v *View) error {
	known := g.db.written.Load()
	if g.db.shared == nil || known == nil || *known == g.began {
		return nil
	}
	there, err := v.holds(*known)
	if err == nil && !there {
		g.db.written.Store(nil)
		if g.db.another != nil {
			g.db.another()
		}
	}
	return err
}

// holds reports whether the log has an event, or had it when it was cut: a cut removes only events that every node
// has passed.
func (v *View) holds(at head) (bool, error) {
	found, err := all(v, scanInt, `SELECT 1 FROM events WHERE seq = ? AND hash = ?
		UNION ALL SELECT 1 FROM (SELECT min(seq) AS first FROM events) AS f WHERE f.first > ?`, at.seq, at.hash[:], at.seq)
	return len(found) > 0, err
}

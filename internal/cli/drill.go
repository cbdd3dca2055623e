package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/auditreplay"
	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
)

// shownDiffering is how many keys a drill names; it counts all.
const shownDiffering = 10

// verify restores a backup into a temporary place and looks at every key: whether its row agrees with the log, and
// its difference from the configured database, if there is one.
func (c *backupCmd) verify(ctx context.Context, a *app, cfg config.Config) (err error) {
	place, err := os.MkdirTemp("", "keyward-drill-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(place)
	db, _, events, err := unpack(ctx, c.File, place, cfg)
	if err != nil {
		return fmt.Errorf("%s is not whole: %w", c.File, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	newest, err := db.lastEvent(ctx)
	if err != nil {
		return err
	}
	facts(a.Out, "backup", c.File, "events", fmt.Sprint(events), "last event", newest.CreatedAt.UTC().Format(time.RFC3339))
	keys, err := db.keys(ctx)
	if err != nil {
		return err
	}
	if err := c.compareWithLog(ctx, a, db, keys, cfg); err != nil {
		return err
	}
	return c.compareWithNow(ctx, a, keys, cfg)
}

// keys are those of workspaces that are there, by id.
func (d *opened) keys(ctx context.Context) (map[id.Key]apikey.Key, error) {
	all := make(map[id.Key]apikey.Key)
	err := d.LoadAll(ctx, func(c feed.Change) error {
		if c.Key != nil {
			all[c.Key.ID] = *c.Key
		}
		return nil
	})
	return all, err
}

func (c *backupCmd) compareWithLog(
	ctx context.Context, a *app, db *opened, keys map[id.Key]apikey.Key, cfg config.Config,
) error {
	catalogue, err := catalogueOf(cfg)
	if err != nil {
		return err
	}
	told := auditreplay.NewStandings(catalogue)
	err = db.View(ctx, func(v *store.View) error {
		for after := int64(0); ; {
			events, err := v.Logs(store.LogFilter{All: true, Ascending: true, AfterSeq: after, Limit: 1000})
			if err != nil || len(events) == 0 {
				return err
			}
			for i := range events {
				if err := told.Add(&events[i]); err != nil {
					return err
				}
			}
			after = events[len(events)-1].Seq
		}
	})
	if err != nil {
		return err
	}
	var wrong []string
	unknown := 0
	for _, k := range keys {
		differ, known := told.Compare(&k)
		if !known {
			unknown++
		}
		if len(differ) > 0 {
			wrong = append(wrong, fmt.Sprintf("%s (%s)", k.ID, strings.Join(differ, ", ")))
		}
	}
	facts(a.Out, "keys", fmt.Sprint(len(keys)), "as the log has them", fmt.Sprint(len(keys)-len(wrong)-unknown))
	if unknown > 0 {
		facts(a.Out, "older than the log", fmt.Sprint(unknown))
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return fmt.Errorf(
			"%s: %d keys are not what the log says of them, and were changed in another way than by Keyward: %s", c.File,
			len(wrong), strings.Join(wrong[:min(len(wrong), shownDiffering)], "; "),
		)
	}
	return nil
}

// compareWithNow lists the changes that a restore would make. They are no fault of the backup: it is older.
func (c *backupCmd) compareWithNow(
	ctx context.Context, a *app, keys map[id.Key]apikey.Key, cfg config.Config,
) (err error) {
	if _, err := os.Stat(cfg.Database); err != nil {
		return nil
	}
	live, err := open(ctx, cfg, false)
	if err != nil {
		return fmt.Errorf("compare with %s: %w", cfg.Database, err)
	}
	defer func() { err = errors.Join(err, live.Close()) }()
	now, err := live.keys(ctx)
	if err != nil {
		return err
	}
	same, again, wider := 0, 0, 0
	for id, k := range keys {
		n, there := now[id]
		switch {
		case works(&k) && (!there || !works(&n) || n.Value.Digest != k.Value.Digest):
			again++
		case works(&k) && !within(&k, &n):
			wider++
		default:
			same++
		}
	}
	fresh := 0
	for id := range now {
		if _, there := keys[id]; !there {
			fresh++
		}
	}
	facts(
		a.Out, "compared with", cfg.Database, "no more than now", fmt.Sprint(same), "would work again", fmt.Sprint(again),
		"would be wider", fmt.Sprint(wider), "would be unknown", fmt.Sprint(fresh),
	)
	return nil
}

func works(k *apikey.Key) bool { return k.IsActive && !k.Revoked && !k.Expired(time.Now()) }

// within tells whether a key may do no more than it may now.
func within(k, now *apikey.Key) bool {
	limit := func(was, is int64) bool { return is == 0 || was != 0 && was <= is }
	expiry := now.ExpiresAt.IsZero() || !k.ExpiresAt.IsZero() && !k.ExpiresAt.After(now.ExpiresAt)
	return expiry && limit(k.Limits.PerMinute, now.Limits.PerMinute) && limit(k.Limits.PerDay, now.Limits.PerDay) &&
		k.Permissions.Without(now.Permissions).
			IsEmpty() &&
		(len(now.AllowedIPs) == 0 || slices.Equal(k.AllowedIPs, now.AllowedIPs)) &&
		k.User == now.User
}

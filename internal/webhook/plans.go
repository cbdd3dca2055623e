package webhook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/notice"
	"github.com/keyward/keyward/internal/store"
)

// quota is a limit of a plan and how much of it is used.
type quota struct {
	workspace   id.Workspace
	name        string
	used, limit int64
	mark        string // names the limit and the period that it counts for
	day         int64
}

// level is how near the limit is, in percent: 0, 80 or 100.
func (q *quota) level() int64 {
	switch {
	case q.used >= q.limit:
		return 100
	case q.used*100 >= q.limit*80:
		return 80
	}
	return 0
}

// lookAtPlans queues a notice for each limit of a plan that a workspace has come near to since the last look.
func (s *Sender) lookAtPlans(ctx context.Context) error {
	wants := s.waiting(func(e *endpoint) bool { return e.Wants(notice.NearLimit) })
	if len(wants) == 0 {
		return nil
	}
	everywhere := slices.ContainsFunc(wants, func(e *endpoint) bool { return e.Workspace == "" })
	inside := map[id.Workspace]bool{}
	for _, e := range wants {
		inside[e.Workspace] = true
	}
	quotas := map[id.Workspace][]quota{}
	for after := ""; ; {
		var page []account.Workspace
		err := s.DB.View(ctx, func(v *store.View) (err error) {
			if page, err = v.Planned(store.Page{Limit: queueAtOnce, After: after}); err != nil {
				return err
			}
			for i := range page {
				if ws := &page[i]; everywhere || inside[ws.ID] {
					if quotas[ws.ID], err = quotasOf(v, ws); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if len(page) < queueAtOnce {
			break
		}
		after = string(page[len(page)-1].ID)
	}
	var all []error
	for _, e := range wants {
		if err := s.tellLevels(ctx, e, quotas); !errors.Is(err, store.ErrQueueFull) && !errors.Is(err, store.ErrNotFound) {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

func quotasOf(v *store.View, ws *account.Workspace) (all []quota, err error) {
	reserved, day, err := v.SpentToday(ws.ID)
	if err != nil {
		return nil, err
	}
	if limit := ws.Plan.Shared.PerDay; limit > 0 {
		all = append(all, quota{ws.ID, "requestsPerDay", reserved, limit, marked(day, limit), day})
	}
	if limit := ws.Plan.MaxKeys; limit > 0 {
		keys, err := v.KeyTotal(ws.ID, "")
		if err != nil {
			return nil, err
		}
		all = append(all, quota{ws.ID, "maxKeys", keys, limit, marked(0, limit), day})
	}
	return all, nil
}

// tellLevels queues the levels that have risen since an endpoint was told, and keeps those that have fallen.
func (s *Sender) tellLevels(ctx context.Context, e *endpoint, quotas map[id.Workspace][]quota) error {
	e.place.Lock()
	defer e.place.Unlock()
	var row notice.Endpoint
	known := map[string]store.Level{}
	err := s.DB.View(ctx, func(v *store.View) (err error) {
		if row, err = v.Webhook(e.name); err != nil {
			return err
		}
		levels, err := v.Levels(e.name)
		for _, l := range levels {
			known[string(l.Workspace)+l.Quota] = l
		}
		return err
	})
	if err != nil || !row.IsActive {
		return err
	}
	var all []notice.Delivery
	var levels []store.Level
	if row.Workspace != "" {
		quotas = map[id.Workspace][]quota{row.Workspace: quotas[row.Workspace]}
	}
	for ws, list := range quotas {
		if len(levels) >= queueAtOnce {
			continue // what is left out is told at the next look
		}
		for i := range list {
			d, l, err := rise(&list[i], known[string(ws)+list[i].name], s.Now())
			if err != nil {
				return err
			}
			if d != nil {
				all = append(all, *d)
			}
			if l != nil {
				levels = append(levels, *l)
			}
		}
	}
	if len(levels) == 0 {
		return nil
	}
	return s.queue(ctx, e, &row, store.Place{Seq: row.Seq, Looked: row.Looked, Key: row.LookedKey}, all, levels)
}

// rise compares a quota with the level in an endpoint's last notice: the notice of a level that has risen, and the
// level to keep; nil for none.
func rise(q *quota, known store.Level, now time.Time) (*notice.Delivery, *store.Level, error) {
	level, was := q.level(), int64(0)
	if known.Mark == q.mark {
		was = known.Level
	}
	if level == was {
		return nil, nil, nil
	}
	keep := &store.Level{Workspace: q.workspace, Quota: q.name, Mark: q.mark, Level: level}
	if level < was {
		return nil, keep, nil
	}
	body, err := notice.Body(notice.NearLimit, now, map[string]any{
		"workspaceId": string(q.workspace), "quota": q.name, "limit": q.limit, "used": min(q.used, q.limit), "percent": level,
	})
	return &notice.Delivery{
		Event: notice.Derived(notice.NearLimit, q.workspace, q.name, q.mark, q.day, level), Kind: notice.NearLimit,
		Workspace: q.workspace, Object: string(q.workspace) + "/plan", Body: body,
	}, keep, err
}

// marked names a limit on a day; 0 is any day.
func marked(day, limit int64) string { return fmt.Sprintf("%d/%d", day, limit) }

package webhook

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/notice"
	"github.com/keyward/keyward/internal/store"
)

// told are the types of events that a kind of notice is made of.
var told = map[notice.Kind][]audit.Type{
	notice.KeyCreated:    {audit.APIKeyCreated},
	notice.KeyUpdated:    {audit.APIKeyUpdated},
	notice.KeyRotated:    {audit.APIKeyRotated},
	notice.KeyRevoked:    {audit.APIKeyRevoked, audit.APIKeyDeleted},
	notice.MemberRemoved: {audit.MemberRemoved},
	notice.PortalCreated: {audit.PortalSessionCreated},
}

// kindOf is the kind of notice that an event makes; "" for none.
func kindOf(t audit.Type) notice.Kind {
	for k, types := range told {
		if slices.Contains(types, t) {
			return k
		}
	}
	return ""
}

// Events are read in pages. Those of an endpoint are queued in transactions of queueAtOnce rows at most.
const (
	readAtOnce  = 1000
	queueAtOnce = 100
	lazily      = 1000 // events an endpoint's place may lie behind the log, where none of them concerns it
)

// The place of an endpoint that no event concerns follows the log all the same, because an archive of the log waits for
// it: at each look that of so many endpoints, and of each one so often.
const (
	followAtOnce = 100
	followEvery  = time.Hour
)

// follow has places be moved that were not for long.
func (s *Sender) follow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, e := range s.all {
		if e.followed > 0 && s.Elapsed()-e.followed < followEvery {
			continue
		}
		if n++; n > followAtOnce {
			return
		}
		e.news, e.follow, e.followed = true, true, s.Elapsed()+1
	}
}

// news reads on in the log, and notes which endpoints have something to queue. It tells whether endpoints have changed.
func (s *Sender) news(ctx context.Context) (changed bool, err error) {
	for more := true; more; {
		var page []store.EventPlace
		var head int64
		err := s.DB.Glance(ctx, func(v *store.View) (err error) {
			if head, err = v.LogHead(); err != nil || head <= s.position {
				return err
			}
			if s.position == 0 {
				return nil // at first every endpoint is looked at
			}
			page, err = v.EventsAfter(s.position, readAtOnce)
			return err
		})
		if err != nil {
			return changed, err
		}
		if s.position == 0 {
			s.position = head
			return true, nil
		}
		if more = len(page) == readAtOnce; len(page) > 0 {
			s.position = page[len(page)-1].Seq
		}
		changed = s.note(page) || changed
	}
	return changed, nil
}

func (s *Sender) note(page []store.EventPlace) (changed bool) {
	touched, all := map[id.Workspace]bool{}, false
	for _, e := range page {
		switch {
		case strings.HasPrefix(string(e.Type), "webhook."), e.Type == audit.WorkspaceDeleted:
			changed = true
		case kindOf(e.Type) != "":
			touched[e.Workspace], all = true, true
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.all {
		e.news = e.news || touched[e.Workspace] || e.Workspace == "" && all
	}
	return changed
}

// fill queues the next events that an endpoint wants, once its queue is low: a page of them. Its own worker does that,
// so the backlog of an endpoint that takes nothing stays in the log, and no other endpoint waits until it is queued.
func (s *Sender) fill(ctx context.Context, e *endpoint) error {
	hungry := false
	s.mark(func() { hungry = e.hungry(s.Elapsed()) })
	if !hungry {
		return nil
	}
	err := s.fillPage(ctx, e)
	if errors.Is(err, store.ErrQueueFull) {
		s.mark(func() { e.full = s.Elapsed() + s.Pace.Tick })
		return nil
	}
	if err != nil && !errors.Is(err, store.ErrNotLeader) {
		s.complain(ctx, "notices were not queued, and will be", err)
	}
	return err
}

// hungry tells whether events may be queued for an endpoint now.
func (e *endpoint) hungry(now time.Duration) bool {
	return e.news && e.low && max(e.full, e.rest) <= now
}

// mark changes an endpoint in memory.
func (s *Sender) mark(set func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	set()
}

// fillPage queues a page of events. News that the log brings meanwhile stays news.
func (s *Sender) fillPage(ctx context.Context, e *endpoint) (err error) {
	e.place.Lock()
	defer e.place.Unlock()
	follow := false
	s.mark(func() {
		follow = e.follow
		e.news, e.follow = false, false
	})
	more := false
	defer func() {
		s.mark(func() {
			e.news = e.news || more || err != nil
			e.follow = e.follow || follow && err != nil
		})
	}()
	var row notice.Endpoint
	var events []audit.Event
	var upTo int64
	err = s.DB.View(ctx, func(v *store.View) (err error) {
		if row, err = v.Webhook(e.name); err != nil {
			return err
		}
		var types []audit.Type
		for _, k := range row.Kinds {
			types = append(types, told[k]...)
		}
		events, upTo, err = v.NoticedEvents(row.Workspace, types, row.Seq, queueAtOnce)
		return err
	})
	if errors.Is(err, store.ErrNotFound) || err == nil && !row.IsActive {
		return nil
	}
	if err != nil {
		return err
	}
	more = len(events) == queueAtOnce
	read := len(events)
	events = slices.DeleteFunc(events, func(e audit.Event) bool { return e.Seq <= row.Since[kindOf(e.Type)].Seq })
	behind := upTo - row.Seq
	if read == 0 && behind < lazily && (behind == 0 || !follow) {
		return nil
	}
	var all []notice.Delivery
	for i := range events {
		d, err := deliveryOf(&events[i])
		if err != nil {
			return err
		}
		all = append(all, d)
	}
	return s.queue(ctx, e, &row, store.Place{Seq: upTo, Looked: row.Looked, Key: row.LookedKey}, all, nil)
}

// queue writes deliveries and the place up to which they come. The caller holds the endpoint's place.
func (s *Sender) queue(
	ctx context.Context, e *endpoint, row *notice.Endpoint, to store.Place, all []notice.Delivery, levels []store.Level,
) error {
	for i := range all {
		all[i].ID = id.Delivery(s.IDs.Next())
	}
	err := s.DB.Count(ctx, func(c *store.Counting) error {
		for _, l := range levels {
			if err := c.PutLevel(row.ID, l); err != nil {
				return err
			}
		}
		return c.Queue(s.Node, row, to, all)
	})
	if err == nil && len(all) > 0 {
		s.mark(func() {
			e.due = min(e.due, s.Elapsed())
			e.low = e.low && len(all) < lowBelow
		})
	}
	return err
}

// metadata is the part of an event's metadata that notices are made of. The values of fields stay in the log.
type metadata struct {
	Target string                     `json:"target"`
	After  map[string]json.RawMessage `json:"after"`
	Before map[string]json.RawMessage `json:"before"`
	Note   map[string]json.RawMessage `json:"note"`
}

// deliveryOf makes the notice of an event: ids, times, and the names of fields.
func deliveryOf(e *audit.Event) (notice.Delivery, error) {
	var m metadata
	if err := json.Unmarshal([]byte(e.Metadata), &m); err != nil {
		return notice.Delivery{}, err
	}
	kind := kindOf(e.Type)
	data := map[string]any{"workspaceId": string(e.Workspace), "actorId": e.ActorID}
	object := m.Target
	switch kind {
	case notice.MemberRemoved:
		data["userId"] = m.Target
		object = string(e.Workspace) + "/" + m.Target
		copyOf(data, "keys", m.Note)
	case notice.PortalCreated:
		data["portalSessionId"] = m.Target
		copyOf(data, "userId", m.After)
		copyOf(data, "expiresAt", m.After)
	default:
		data["apiKeyId"] = m.Target
		keyData(data, kind, e.Type, &m)
	}
	body, err := notice.Body(kind, e.CreatedAt, data)
	return notice.Delivery{Event: string(e.ID), Kind: kind, Workspace: e.Workspace, Object: object, Body: body}, err
}

func keyData(data map[string]any, kind notice.Kind, t audit.Type, m *metadata) {
	switch kind {
	case notice.KeyCreated:
		copyOf(data, "userId", m.After)
		copyOf(data, "environment", m.After)
		copyOf(data, "expiresAt", m.After)
	case notice.KeyUpdated:
		data["changed"] = slices.Sorted(maps.Keys(m.After))
		copyOf(data, "isActive", m.After)
		copyOf(data, "expiresAt", m.After)
	case notice.KeyRotated:
		copyOf(data, "overlapSeconds", m.Note)
		copyOf(data, "expiresAt", m.After)
	case notice.KeyRevoked:
		if data["reason"] = "revoked"; t == audit.APIKeyDeleted {
			data["reason"] = "deleted"
		}
	}
}

func copyOf(data map[string]any, name string, from map[string]json.RawMessage) {
	if raw, there := from[name]; there {
		data[name] = raw
	}
}

// daysAhead are the days before the end of a key at which notices tell of it; 0 is the end itself.
var daysAhead = []int{30, 7, 1, 0}

// lookAtEnds queues the notices of keys whose end comes or has come, for as many of the endpoints in toLook as a step
// has time for. The others have their turn in the next step. An endpoint with more than a page goes behind the others.
func (s *Sender) lookAtEnds(ctx context.Context) error {
	var all []error
	idle := idleAtOnce
	for len(s.toLook) > 0 && !s.over() {
		e := s.toLook[0]
		s.toLook = s.toLook[1:]
		more, err := s.lookAtKeys(ctx, e, &idle)
		if more {
			s.toLook = append(s.toLook, e)
		}
		if !errors.Is(err, store.ErrQueueFull) && !errors.Is(err, store.ErrNotFound) {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// moment is when a key is so many days before its end.
type moment struct {
	store.ExpiringKey
	at   time.Time
	days int
}

const (
	keysAtOnce = 100
	rarely     = 10 * time.Minute // an endpoint's place in time is moved, where there is nothing to tell
	idleAtOnce = 20               // places that a step moves for that alone: those of all endpoints are due together
)

// lookAtKeys queues the moments since the last look, in their order: a page of them. more tells whether there may be
// more. The moments follow from the present expiry of each key: a moment that had passed when the expiry was set is
// left out. idle is how many places may still be moved in this step though there is nothing to tell.
func (s *Sender) lookAtKeys(ctx context.Context, e *endpoint, idle *int) (more bool, err error) {
	e.place.Lock()
	defer e.place.Unlock()
	var row notice.Endpoint
	var moments []moment
	var now time.Time
	cut := false
	err = s.DB.View(ctx, func(v *store.View) (err error) {
		if row, err = v.Webhook(e.name); err != nil {
			return err
		}
		now = v.Floor()
		moments, cut, err = momentsOf(v, &row, now)
		return err
	})
	if err != nil || !row.IsActive || now.Before(row.Looked) || len(moments) == 0 && now.Sub(row.Looked) < rarely {
		return false, err
	}
	if len(moments) == 0 {
		if *idle == 0 {
			return false, nil
		}
		*idle--
	}
	to := store.Place{Seq: row.Seq, Looked: now, Key: store.LastKey}
	if cut {
		last := moments[len(moments)-1]
		to.Looked, to.Key = last.at, last.ID
	}
	all, err := deliveriesOf(moments)
	if err == nil {
		err = s.queue(ctx, e, &row, to, all, nil)
	}
	return cut && err == nil, err
}

// momentsOf lists the next ones, and tells whether there may be more.
func momentsOf(v *store.View, e *notice.Endpoint, now time.Time) (all []moment, cut bool, err error) {
	for _, days := range daysAhead {
		kind := notice.KeyExpired
		if days > 0 {
			kind = notice.KeyExpiring
		}
		if !e.Wants(kind) {
			continue
		}
		after, key := e.Looked, e.LookedKey
		if since := e.Since[kind].At; since.After(after) {
			after, key = since, store.LastKey
		}
		ahead := time.Duration(days) * 24 * time.Hour
		keys, err := v.KeysExpiring(e.Workspace, after.Add(ahead), key, now.Add(ahead), keysAtOnce)
		if err != nil {
			return nil, false, err
		}
		for _, k := range keys {
			all = append(all, moment{k, k.ExpiresAt.Add(-ahead), days})
		}
		cut = cut || len(keys) == keysAtOnce
	}
	slices.SortFunc(all, func(a, b moment) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.ID, b.ID)) })
	if len(all) > keysAtOnce {
		all, cut = all[:keysAtOnce], true
	}
	return all, cut, nil
}

func deliveriesOf(moments []moment) (all []notice.Delivery, err error) {
	for _, m := range moments {
		kind, data := notice.KeyExpired, map[string]any{
			"workspaceId": string(m.Workspace), "apiKeyId": string(m.ID), "userId": string(m.User),
			"expiresAt": notice.Stamp(m.ExpiresAt),
		}
		if m.days > 0 {
			kind, data["daysLeft"] = notice.KeyExpiring, m.days
		}
		body, err := notice.Body(kind, m.at, data)
		if err != nil {
			return nil, err
		}
		all = append(all, notice.Delivery{
			Event: notice.Derived(kind, m.ID, m.ExpiresAt.UnixMilli(), m.days), Kind: kind, Workspace: m.Workspace,
			Object: string(m.ID), Body: body,
		})
	}
	return all, nil
}

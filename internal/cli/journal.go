package cli

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
)

// entry is a line of the log's export, as far as it can take something away.
type entry struct {
	ID          string    `json:"id"`
	WorkspaceID *string   `json:"workspaceId"`
	EventType   string    `json:"eventType"`
	CreatedAt   time.Time `json:"createdAt"`
	Metadata    struct {
		Target string `json:"target"`
		After  struct {
			IsActive       *bool   `json:"isActive"`
			DisabledBy     *string `json:"disabledBy"`
			ByManageOthers *bool   `json:"disabledByManageOthers"`
			SwitchedOffBy  *string `json:"switchedOffBy"`
			ByServiceKey   *bool   `json:"switchedOffByServiceKey"`
		} `json:"after"`
	} `json:"metadata"`
}

// journal repeats on a restored database what was taken away after its backup was made.
type journal struct {
	tx       *store.Tx
	ids      *id.Generator
	paused   map[id.Key]bool // worked in the backup, and was disabled since
	off      map[id.Workspace]bool
	stopped  map[id.Key]bool // for good: what is enabled later does not come back, since its value in the backup is an old one
	repeated int
	left     int // events after the backup that take nothing away, or that a restore cannot repeat
	owners   []string
}

// repeat reads an export and repeats the events that came after an instant, in one transaction. The events of the backup's last
// instant are repeated too: what is taken away twice stays away.
func (d *database) repeat(ctx context.Context, path string, after time.Time) (j *journal, err error) {
	entries, err := readJournal(path, after)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	j = &journal{}
	if len(entries) == 0 {
		return j, nil
	}
	err = d.Update(ctx, func(tx *store.Tx) error {
		*j = journal{tx: tx, ids: id.NewGenerator(tx.Now, rand.Reader), paused: make(map[id.Key]bool),
			off: make(map[id.Workspace]bool), stopped: make(map[id.Key]bool)}
		for i := range entries {
			if err := j.apply(&entries[i]); err != nil {
				return fmt.Errorf("repeat event %s: %w", entries[i].ID, err)
			}
		}
		return nil
	})
	return j, err
}

func readJournal(path string, after time.Time) (entries []entry, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20)
	for n := 1; lines.Scan(); n++ {
		var e entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil || e.ID == "" || e.EventType == "" || e.CreatedAt.IsZero() {
			return nil, fmt.Errorf("line %d is no event: want what keyward logs --format ndjson writes", n)
		}
		if !e.CreatedAt.Before(after) {
			entries = append(entries, e)
		}
	}
	// The export is newest first unless it was asked for otherwise.
	if n := len(entries); n > 1 && entries[0].CreatedAt.After(entries[n-1].CreatedAt) {
		slices.Reverse(entries)
	}
	return entries, lines.Err()
}

// apply repeats one event. What it is about may be younger than the backup: then there is nothing to take away.
func (j *journal) apply(e *entry) error {
	var done bool
	var err error
	target := e.Metadata.Target
	switch audit.Type(e.EventType) {
	case audit.APIKeyDeleted:
		done, err = true, j.tx.DeleteKey(id.Key(target))
	case audit.APIKeyRevoked, audit.APIKeyRotated, audit.APIKeyUpdated:
		done, err = j.key(e, id.Key(target))
	case audit.MemberRemoved:
		done, err = j.member(e, id.User(target))
	case audit.WorkspaceDeleted:
		done, err = true, j.tx.DeleteWorkspace(id.Workspace(target))
	case audit.WorkspaceUpdated:
		done, err = j.workspace(e, id.Workspace(target))
	case audit.ServiceKeyDeleted:
		done, err = true, j.tx.DeleteServiceKey(id.ServiceKey(target))
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if !done {
		j.left++
		return nil
	}
	j.repeated++
	return j.record(e)
}

// key stops a key, or lets it work again where it was enabled again. A rotation gave it a value that only the lost database knew, so
// the one in the backup ends.
func (j *journal) key(e *entry, name id.Key) (done bool, err error) {
	k, err := j.tx.Key(name)
	if err != nil {
		return false, err
	}
	switch audit.Type(e.EventType) {
	case audit.APIKeyRevoked:
		k.Disable(e.mark())
		k.Revoked, j.stopped[name] = true, true
	case audit.APIKeyRotated:
		k.Disable(e.mark())
		j.stopped[name] = true
	default:
		return j.update(e, k)
	}
	k.UpdatedAt = j.tx.Now()
	return true, j.tx.UpdateKey(k)
}

// update repeats that a key was disabled, or by whose right. What the backup has disabled stays so, since an enabling is a grant by
// somebody whose own standing a journal does not bring back; what the journal itself has disabled is enabled as it was.
func (j *journal) update(e *entry, k apikey.Key) (done bool, err error) {
	after := e.Metadata.After
	switch {
	case after.IsActive != nil && *after.IsActive:
		if !j.paused[k.ID] || j.stopped[k.ID] {
			return false, nil
		}
		k.Enable()
		delete(j.paused, k.ID)
	case after.IsActive != nil || after.DisabledBy != nil:
		worked := k.IsActive
		if !k.Disable(e.mark()) {
			return true, nil
		}
		if worked {
			j.paused[k.ID] = true
		}
	default:
		return false, nil
	}
	k.UpdatedAt = j.tx.Now()
	return true, j.tx.UpdateKey(k)
}

// mark is by whom a key was disabled. What an event does not tell counts as by the greater right.
func (e *entry) mark() apikey.Mark {
	m := apikey.Mark{At: e.CreatedAt, Right: true}
	if after := e.Metadata.After; after.DisabledBy != nil {
		m.By, m.Right = *after.DisabledBy, after.ByManageOthers == nil || *after.ByManageOthers
	}
	return m
}

// member takes a member out again, whose keys stop with that. An owner stays, since a workspace needs one: that is said.
func (j *journal) member(e *entry, user id.User) (bool, error) {
	ws := j.place(e)
	m, err := j.tx.Member(ws, user)
	if err != nil {
		return false, err
	}
	role, err := j.tx.Role(ws, m.Role)
	if err != nil {
		return false, err
	}
	if role.System == account.Owner {
		j.owners = append(j.owners, string(user))
		return false, nil
	}
	return true, j.tx.RemoveMember(ws, user)
}

func (j *journal) workspace(e *entry, ws id.Workspace) (bool, error) {
	after := e.Metadata.After
	w, err := j.tx.Workspace(ws)
	switch {
	case err != nil:
		return false, err
	case after.IsActive != nil && *after.IsActive:
		if !j.off[ws] {
			return false, nil
		}
		w.SwitchOn()
		delete(j.off, ws)
	case after.IsActive != nil || after.SwitchedOffBy != nil:
		j.off[ws] = j.off[ws] || w.IsActive
		o := account.SwitchedOff{At: e.CreatedAt, Operator: true}
		if after.SwitchedOffBy != nil {
			o.By, o.Operator = *after.SwitchedOffBy, after.ByServiceKey == nil || *after.ByServiceKey
		}
		w.SwitchOff(o)
	default:
		return false, nil
	}
	w.UpdatedAt = j.tx.Now()
	return true, j.tx.PutWorkspace(w)
}

func (j *journal) place(e *entry) id.Workspace {
	if e.WorkspaceID == nil {
		return ""
	}
	return id.Workspace(*e.WorkspaceID)
}

func (j *journal) record(e *entry) error {
	metadata, err := json.Marshal(map[string]any{"credential": map[string]string{"type": "restore"}, "target": e.Metadata.Target,
		"note": map[string]string{"event": e.ID}})
	if err != nil {
		return err
	}
	return j.tx.Record(audit.Event{ID: id.Event(j.ids.Next()), Workspace: j.place(e), Type: audit.Type(e.EventType), Target: e.Metadata.Target,
		Description: "repeated by a restore, from the journal", ActorID: "restore", Metadata: string(metadata)})
}

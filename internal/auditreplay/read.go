// Package auditreplay owns how an export of the log is repeated on a database that was restored from an older backup. It does not own the
// log, nor the rules by which something was allowed at its time (control).
package auditreplay

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/text"
)

// Entry is a line of the log's export.
type Entry struct {
	ID          id.Event   `json:"id"`
	WorkspaceID *string    `json:"workspaceId"`
	EventType   audit.Type `json:"eventType"`
	CreatedAt   time.Time  `json:"createdAt"`
	Metadata    struct {
		Target string  `json:"target"`
		Before members `json:"before"`
		After  members `json:"after"`
	} `json:"metadata"`
}

// members are the fields of an object as the log shows them.
type members map[string]json.RawMessage

func (e *Entry) workspace() id.Workspace {
	if e.WorkspaceID == nil {
		return ""
	}
	return id.Workspace(*e.WorkspaceID)
}

// longest is how many bytes a line may have: a change of a hundred keys is a hundred lines, each with a key's metadata.
const longest = 4 << 20

// Read reads an export in NDJSON, which is newest first unless it was asked for otherwise, and gives it oldest first. Several exports in
// one file, each in either order, are one.
func Read(r io.Reader) ([]Entry, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, longest)
	var all []Entry
	for n := 1; lines.Scan(); n++ {
		var e Entry
		if err := json.Unmarshal(text.WithoutBOM(lines.Bytes()), &e); err != nil || e.ID == "" || e.EventType == "" || e.CreatedAt.IsZero() {
			return nil, fmt.Errorf("line %d is no event: want what keyward logs --format ndjson --limit 0 writes", n)
		}
		all = append(all, e)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return inOrder(all), nil
}

// inOrder turns an export that is newest first. Times rise from most events to the next, and not from all: they fall where a wrong clock
// was put right. Of two events of one instant the ids tell.
func inOrder(all []Entry) []Entry {
	falls := 0
	for i := 1; i < len(all); i++ {
		falls += cmp.Or(all[i-1].CreatedAt.Compare(all[i].CreatedAt), cmp.Compare(all[i-1].ID, all[i].ID))
	}
	if falls > 0 {
		slices.Reverse(all)
	}
	return all
}

// ErrGap says that events may lie between the backup and the journal.
var ErrGap = errors.New("it does not reach back to the backup's last event, so that what happened in between is not known: " +
	"export the whole log (keyward logs --format ndjson --limit 0)")

// After gives the entries that a log does not have, in their order and each once. last is the newest event of that log, "" for an empty
// one, and has tells whether an event is in it.
func After(all []Entry, last id.Event, has func(id.Event) bool) ([]Entry, error) {
	seen := make(map[id.Event]bool)
	var later []Entry
	for _, e := range all {
		if !seen[e.ID] && !has(e.ID) {
			later = append(later, e)
		}
		seen[e.ID] = true
	}
	if len(later) > 0 && last != "" && !seen[last] {
		return nil, ErrGap
	}
	return later, nil
}

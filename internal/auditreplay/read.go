// Package auditreplay owns how an export of the log is repeated on a database that was restored from an older backup.
// It does not own the log, nor the rules by which something was allowed at its time (control).
package auditreplay

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/text"
)

// Entry is a line of the log's export.
type Entry struct {
	Seq         int64      `json:"seq"` // in an archive alone
	ID          id.Event   `json:"id"`
	WorkspaceID *string    `json:"workspaceId"`
	EventType   audit.Type `json:"eventType"`
	CreatedAt   time.Time  `json:"createdAt"`
	Metadata    struct {
		Target string  `json:"target"`
		Before members `json:"before"`
		After  members `json:"after"`
		Note   note    `json:"note"`
	} `json:"metadata"`
}

// note is what the log says of a removal: what became of the member's keys. Settlement is "" in the log of an earlier
// version.
type note struct {
	Settlement  apikey.SettlementKind `json:"settlement,omitempty"`
	Heir        id.User               `json:"heir,omitempty"`
	Permissions []string              `json:"permissions,omitempty"`
	Bounded     bool                  `json:"bounded,omitempty"`
	Event       id.Event              `json:"event,omitempty"`      // that was repeated
	URLChanged  bool                  `json:"urlChanged,omitempty"` // of a webhook
	// keys that were settled otherwise, by events of their own
	Overridden []id.Key `json:"overridden,omitempty"`
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

// Read reads exports in NDJSON, which are newest first unless they were asked for otherwise, and archives of the log,
// and gives their events oldest first and each once. Several in one file, each in either order, are one.
func Read(r io.Reader) ([]Entry, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, longest)
	var exported, archived []Entry
	left := segment{}
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(text.WithoutBOM(lines.Bytes()))
		if len(line) == 0 {
			continue
		}
		if cut, ok := audit.SegmentHeader(line); ok && left.whole() {
			left = segment{cut.From, cut.To}
			continue
		}
		var e Entry
		if err := json.Unmarshal(line, &e); err != nil || e.ID == "" || e.EventType == "" || e.CreatedAt.IsZero() {
			return nil, fmt.Errorf(
				"line %d is no event: want what keyward logs --format ndjson --limit 0 writes, or an archive", n,
			)
		}
		if left.whole() {
			exported = append(exported, e)
			continue
		}
		if e.Seq != left.next {
			return nil, fmt.Errorf("line %d: event %d of the archive is missing", n, left.next)
		}
		left.next++
		archived = append(archived, e)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if !left.whole() {
		return nil, fmt.Errorf("the archive ends before event %d: it is not whole", left.next)
	}
	return behindArchives(archived, inOrder(exported)), nil
}

// segment counts the remaining events of an archive.
type segment struct{ next, last int64 }

func (s segment) whole() bool { return s.next == 0 || s.next > s.last }

// ErrGap says that events may lie between the backup and the journal.
var ErrGap = errors.New(
	"it does not reach back to the backup's last event, so that what happened in between is not known: " +
		"export the whole log (keyward logs --format ndjson --limit 0)",
)

// ErrEmpty says that a journal has no event: an export that met a full disk, for instance.
var ErrEmpty = errors.New("it is empty: export the log again (keyward logs --format ndjson --limit 0)")

// After gives the entries that a log does not have, in their order and each once. last is the newest event of that log,
// "" for an empty one, and has tells whether an event is in it.
func After(all []Entry, last id.Event, has func(id.Event) bool) ([]Entry, error) {
	if len(all) == 0 {
		return nil, ErrEmpty
	}
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

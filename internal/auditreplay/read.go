// Package auditreplay owns how an export of the log is repeated on a database that was restored from an older backup.
// It does not own the log, nor the rules by which something was allowed at its time (control).
package auditreplay

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/text"
)

// Entry is a line of the log's export.
type Entry struct {
	Seq         int64      `json:"seq"`  // 0 in an export of a part of the log, or of an earlier program
	Hash        string     `json:"hash"` // likewise
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

	place place
	event audit.Event // as its hash covers it; the zero value where the line has no hash
}

// place is where a line stands.
type place struct {
	file    string // "" where there is one alone
	line    int
	archive bool
}

func (p place) String() string {
	if p.file == "" {
		return fmt.Sprintf("line %d", p.line)
	}
	return fmt.Sprintf("line %d of %s", p.line, p.file)
}

func (e *Entry) numbered() bool { return e.event.Seq > 0 }

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

// File is an export or an archive, or several one behind the other. Its name stands in errors.
type File struct {
	Name string
	io.Reader
}

// Read reads exports in NDJSON, which are newest first unless they were asked for otherwise, and archives of the log,
// and gives their events oldest first. Several in one file, each in either order, are one. An event comes twice only
// where all are numbered, for After to see whether both are the same.
func Read(files ...File) ([]Entry, error) {
	var exported, archived []Entry
	for _, f := range files {
		if len(files) == 1 {
			f.Name = ""
		}
		found, err := readFile(f)
		if err != nil {
			return nil, err
		}
		for i := range found {
			if found[i].place.archive {
				archived = append(archived, found[i])
			} else {
				exported = append(exported, found[i])
			}
		}
	}
	if !slices.ContainsFunc(exported, func(e Entry) bool { return !e.numbered() }) {
		all := slices.Concat(archived, exported)
		slices.SortStableFunc(all, func(a, b Entry) int { return cmp.Compare(a.Seq, b.Seq) })
		return all, nil
	}
	return behindArchives(archived, inOrder(exported)), nil
}

func readFile(f File) (all []Entry, err error) {
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, longest)
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
		e, err := readEntry(line, place{f.Name, n, !left.whole()})
		if err != nil {
			return nil, err
		}
		if !left.whole() {
			if e.Seq != left.next {
				return nil, fmt.Errorf("%s: event %d of the archive is missing", e.place, left.next)
			}
			left.next++
		}
		all = append(all, e)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if !left.whole() {
		return nil, fmt.Errorf("the archive ends before event %d: it is not whole", left.next)
	}
	return all, nil
}

func readEntry(line []byte, at place) (e Entry, err error) {
	if line[0] == '{' && !json.Valid(line) {
		return e, fmt.Errorf("%s is cut off or damaged: export the log again (keyward logs --format ndjson --limit 0); where "+
			"that can't be done, remove the line, and know that what it told is lost", at)
	}
	if err := json.Unmarshal(line, &e); err != nil || e.ID == "" || e.EventType == "" || e.CreatedAt.IsZero() {
		return e, fmt.Errorf(
			"%s is no event: want what keyward logs --format ndjson --limit 0 writes, or an archive", at,
		)
	}
	e.place = at
	if e.Seq > 0 && e.Hash != "" {
		if e.event, err = audit.ReadEvent(line); err != nil {
			return e, fmt.Errorf("%s: %w", at, err)
		}
	}
	return e, nil
}

// segment counts the remaining events of an archive.
type segment struct{ next, last int64 }

func (s segment) whole() bool { return s.next == 0 || s.next > s.last }

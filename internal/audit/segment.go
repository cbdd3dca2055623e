package audit

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/keyward/keyward/internal/id"
)

// Cut is a range of events that an archive holds and the log may drop. SHA256 is that of the archive's file.
type Cut struct {
	From   int64  `json:"from"`
	To     int64  `json:"to"`
	Before string `json:"before"` // the hash of the event before the range, in hexadecimal
	Last   string `json:"last"`   // the hash of the last event of the range
	SHA256 string `json:"sha256,omitempty"`
}

// segmentHeader is the first line of an archive.
type segmentHeader struct {
	Format string `json:"format"`
	Cut
}

const segmentFormat = "keyward log segment 1"

// segmentLine is an event in an archive: the members of an export, and what its hash covers beside them.
type segmentLine struct {
	Seq         int64           `json:"seq"`
	ID          id.Event        `json:"id"`
	Workspace   *id.Workspace   `json:"workspaceId"`
	Type        Type            `json:"eventType"`
	Description string          `json:"eventDescription"`
	ActorID     string          `json:"actorId"`
	ActorEmail  *string         `json:"actorEmail"`
	CreatedAt   string          `json:"createdAt"`
	Metadata    json.RawMessage `json:"metadata,omitempty"`
	Hash        string          `json:"hash"`
}

const segmentTime = "2006-01-02T15:04:05.000Z"

// ErrSegment says that an archive is not what was written.
var ErrSegment = errors.New("the archive is not what was written")

// Hex writes a hash as archives and events do.
func Hex(h [32]byte) string { return hex.EncodeToString(h[:]) }

// WriteSegmentHeader begins an archive.
func WriteSegmentHeader(w io.Writer, c Cut) error {
	c.SHA256 = ""
	return writeLine(w, segmentHeader{segmentFormat, c})
}

// WriteSegmentEvent adds an event. It fails where the line would not be read back as the same event.
func WriteSegmentEvent(w io.Writer, e *Event, before [32]byte) error {
	l := segmentLine{Seq: e.Seq, ID: e.ID, Type: e.Type, Description: e.Description, ActorID: e.ActorID,
		CreatedAt: e.CreatedAt.UTC().Format(segmentTime), Metadata: json.RawMessage(e.Metadata), Hash: Hex(e.Hash)}
	if e.Workspace != "" {
		l.Workspace = &e.Workspace
	}
	if e.ActorEmail != "" {
		l.ActorEmail = &e.ActorEmail
	}
	var line bytes.Buffer
	if err := writeLine(&line, l); err != nil {
		return fmt.Errorf("event %d: %w", e.Seq, err)
	}
	back, err := ReadEvent(line.Bytes())
	if err != nil {
		return err
	}
	if back.Chain(before) != e.Hash {
		return fmt.Errorf("event %d can't be archived: it would be read back as another", e.Seq)
	}
	_, err = w.Write(line.Bytes())
	return err
}

func writeLine(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false) // the hash covers the metadata byte by byte
	return e.Encode(v)
}

// ReadEvent reads a line of an archive, or of an export that gives each event its number and its hash.
func ReadEvent(line []byte) (e Event, err error) {
	var l segmentLine
	if err := json.Unmarshal(line, &l); err != nil {
		return e, fmt.Errorf("%w: %w", ErrSegment, err)
	}
	e = Event{
		Seq: l.Seq, ID: l.ID, Type: l.Type, Description: l.Description, ActorID: l.ActorID, Metadata: string(l.Metadata),
	}
	if l.Workspace != nil {
		e.Workspace = *l.Workspace
	}
	if l.ActorEmail != nil {
		e.ActorEmail = *l.ActorEmail
	}
	if e.CreatedAt, err = time.Parse(segmentTime, l.CreatedAt); err != nil {
		return e, fmt.Errorf("%w: event %d: %w", ErrSegment, l.Seq, err)
	}
	hash, err := hex.DecodeString(l.Hash)
	if err != nil || len(hash) != len(e.Hash) {
		return e, fmt.Errorf("%w: event %d has no hash", ErrSegment, l.Seq)
	}
	copy(e.Hash[:], hash)
	return e, nil
}

// SegmentHeader reads a line that begins an archive; ok is false for any other.
func SegmentHeader(line []byte) (c Cut, ok bool) {
	var h segmentHeader
	if !bytes.Contains(line, []byte(segmentFormat)) || json.Unmarshal(line, &h) != nil {
		return c, false
	}
	return h.Cut, h.Format == segmentFormat && h.From >= 1 && h.To >= h.From
}

// longestLine bounds a line of an archive.
const longestLine = 16 << 20

// ReadSegment walks an archive's own chain and gives its header; each is called with every event and may be nil.
func ReadSegment(r io.Reader, each func(*Event) error) (Cut, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, longestLine)
	lines.Scan()
	h, ok := SegmentHeader(lines.Bytes())
	if !ok {
		return Cut{}, errors.Join(fmt.Errorf("%w: the first line is no header of an archive", ErrSegment), lines.Err())
	}
	first, err := hex.DecodeString(h.Before)
	if err != nil || len(first) != 32 {
		return Cut{}, fmt.Errorf("%w: the header names no hash", ErrSegment)
	}
	before := [32]byte(first)
	next := h.From
	for ; lines.Scan(); next++ {
		e, err := ReadEvent(lines.Bytes())
		if err != nil {
			return Cut{}, err
		}
		switch {
		case e.Seq != next:
			return Cut{}, fmt.Errorf("%w: event %d is missing", ErrSegment, next)
		case e.Chain(before) != e.Hash:
			return Cut{}, fmt.Errorf("%w: event %d was changed", ErrSegment, next)
		}
		before = e.Hash
		if each == nil {
			continue
		}
		if err := each(&e); err != nil {
			return Cut{}, err
		}
	}
	if err := lines.Err(); err != nil {
		return Cut{}, err
	}
	if next != h.To+1 || Hex(before) != h.Last {
		return Cut{}, fmt.Errorf("%w: it does not end with event %d", ErrSegment, h.To)
	}
	return h, nil
}

// CutOf reads the cut that an event of the type LogArchived tells of.
func CutOf(e *Event) (Cut, error) {
	var m struct {
		Archive Cut `json:"note"`
	}
	err := json.Unmarshal([]byte(e.Metadata), &m)
	if err == nil && (m.Archive.From < 1 || m.Archive.To < m.Archive.From || len(m.Archive.Last) != 64) {
		err = errors.New("it tells of no range")
	}
	if err != nil {
		return Cut{}, fmt.Errorf("event %d: %w", e.Seq, err)
	}
	return m.Archive, nil
}

package feedhttp

import (
	"bytes"
	"fmt"
)

// A reader of short lines is told a key that is like the one before by its own members alone.

// sameKeyLine is a key that is in all other members as that of the last line `key` before it in the answer. Most keys
// of an installation differ from others in these members alone, so that their lines are less than half as long.
type sameKeyLine struct {
	ID        string   `json:"id"`
	UserID    string   `json:"userId,omitempty"` // left out where it is the same, too
	Digest    []byte   `json:"digest"`
	Second    string   `json:"secondDigest,omitempty"`
	ExpiresAt *instant `json:"expiresAt,omitempty"`
	Name      string   `json:"name,omitempty"`
}

// isRare tells whether a key has a member that no other key may be told to share.
func (l *keyLine) isRare() bool {
	return len(l.AllowedIPs) > 0 || len(l.Previous) > 0 || len(l.Metadata) > 0
}

// isLike tells whether a key can be told by a sameKeyLine after the line of b, which is not rare.
func (l *keyLine) isLike(b *keyLine) bool {
	return l.WorkspaceID == b.WorkspaceID && l.Environment == b.Environment && l.PermissionSet == b.PermissionSet &&
		l.IsActive == b.IsActive && l.IsRevoked == b.IsRevoked && l.IsOrphan == b.IsOrphan && l.Period == b.Period &&
		l.PerMinute == b.PerMinute && l.PerDay == b.PerDay && (l.UserID == b.UserID || l.UserID != "") && !l.isRare()
}

// become makes another key of the present one, which is like the last whole line, whose user is given.
func (l *keyLine) become(s *sameKeyLine, user string) {
	l.ID = s.ID
	l.UserID = user
	l.Digest = s.Digest
	l.Second = s.Second
	l.ExpiresAt = s.ExpiresAt
	l.Name = s.Name
	if s.UserID != "" {
		l.UserID = s.UserID
	}
}

// lineOf gives the line of a key, which may be told by its own members alone.
func (w *writer) lineOf(l *keyLine) line {
	if w.short && w.based && l.isLike(&w.base) {
		w.same = sameKeyLine{
			ID: l.ID, Digest: l.Digest, Second: l.Second, ExpiresAt: l.ExpiresAt, Name: l.Name,
		}
		if l.UserID != w.base.UserID {
			w.same.UserID = l.UserID
		}
		return line{SameKey: &w.same}
	}
	w.base = *l
	w.based = !l.isRare()
	return line{Key: l}
}

// parse reads a line. That of a key is there until the next one is read.
func (r *reader) parse(text []byte) (*line, error) {
	key := r.usual.Key
	switch {
	case r.based && r.keys.readSame(text, key, r.user):
		return &r.usual, nil
	case bytes.HasPrefix(text, keyLineBegin):
		r.based = false // the line may be read in part
		if r.keys.read(text, key) {
			r.begin()
			return &r.usual, nil
		}
	}
	one, err := parseLine(text)
	if err != nil {
		return nil, err
	}
	switch {
	case one.Key != nil:
		*key = *one.Key
		r.begin()
	case one.SameKey != nil && !r.based:
		return nil, fmt.Errorf("%w: a key is like another one, which was not told", ErrUnanswered)
	case one.SameKey != nil:
		key.become(one.SameKey, r.user)
	default:
		return one, nil
	}
	return &r.usual, nil
}

// begin notes the whole line of a key, which lines after it may be like.
func (r *reader) begin() {
	r.user = r.usual.Key.UserID
	r.based = !r.usual.Key.isRare()
}

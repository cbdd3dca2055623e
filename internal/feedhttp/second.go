package feedhttp

import (
	"slices"

	"github.com/keyward/keyward/internal/keyfmt"
)

// digests says which digest of a value a reader is told: as it is in the feed, or the second one.
type digests int

const (
	stored      digests = iota // as it is at rest; a foreign one is told to no reader
	secondAlone                // the feed has second digests alone, in their place
	second                     // under a key of the value's workspace
)

// of gives the digest that is told; ok is false where none is.
func (d digests) of(is, also *keyfmt.Stored) (sum []byte, ok bool) {
	switch {
	case is.Pepper.IsForeign(): // a weak value could be guessed from it
		return nil, false
	case d != second:
		return is.Sum[:], true
	}
	return also.Sum[:], also.Pepper != ""
}

// digests derives the keys of a reader's workspaces, once, and says which digests it is told.
func (s *Source) digests(q *Question) digests {
	if !q.asked && s.Keys != nil && q.isBound() {
		q.keys = s.Keys(renamed[string](q.Reach.Workspaces))
	}
	q.asked = true
	switch {
	case len(q.keys) == 0:
		return stored
	case s.Bound:
		return secondAlone
	}
	return second
}

// Untold is about how many keys within the reader's bounds it is not told the values of.
func (s *Source) Untold(q *Question) int64 {
	if s.CountUntold == nil {
		return 0
	}
	return s.CountUntold(&q.Reach, s.digests(q) != stored)
}

// forReader gives the settings as a reader is told them: with its keys.
func (s *Source) forReader(settings *Settings, q *Question) *Settings {
	own := *settings
	own.FollowerModes = renamed[string](q.Modes)
	if s.digests(q) == stored {
		return &own
	}
	for i := range q.keys {
		k := &q.keys[i]
		own.WorkspaceKeys = append(own.WorkspaceKeys, WorkspaceKey{k.Workspace, string(k.Pepper), k.Key[:]})
	}
	return &own
}

// Keys reads the keys of workspaces in settings; nil for a reader that is told no second digests.
func (s *Settings) Keys() (keys []keyfmt.WorkspaceKey, ok bool) {
	for _, k := range s.WorkspaceKeys {
		one := keyfmt.WorkspaceKey{Workspace: k.WorkspaceID, Pepper: keyfmt.PepperID(k.Pepper)}
		if copy(one.Key[:], k.Key) != len(one.Key) || len(k.Key) != len(one.Key) {
			return nil, false
		}
		keys = append(keys, one)
	}
	return keys, true
}

// KeysOf gives those of the keys that are of the workspaces.
func KeysOf(keys []keyfmt.WorkspaceKey, workspaces []string) (list []keyfmt.WorkspaceKey) {
	for i := range keys {
		if slices.Contains(workspaces, keys[i].Workspace) {
			list = append(list, keys[i])
		}
	}
	return list
}

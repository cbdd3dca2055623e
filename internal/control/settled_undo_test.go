package control_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/id"
)

// undoable is a removal with the keys as they were before it.
type undoable struct {
	id      id.Settlement
	user    string
	heir    string // of a transfer
	before  map[id.Key]apikey.Key
	ended   bool // the user is a member again
	touched bool // a key was changed since, or was to be
	narrow  bool // the heir has another role
}

// leaves notes a removal, which takes the keys of the one who leaves from earlier removals.
func (h *history) leaves(user, heir, keys string, removal id.Settlement) {
	for _, u := range h.gone {
		for name := range u.before {
			if string(h.now[name].User) == user {
				u.touched = true
			}
		}
		u.narrow = u.narrow || u.heir == user
	}
	if removal == "" {
		return
	}
	u := &undoable{id: removal, user: user, before: map[id.Key]apikey.Key{}}
	if strings.HasPrefix(keys, "transfer:") {
		u.heir = heir
	}
	for name, k := range h.now {
		if string(k.User) == user {
			u.before[name] = k
		}
	}
	h.gone = append(h.gone, u)
}

// comes notes that a user is a member, with any role.
func (h *history) comes(user string) {
	for _, u := range h.gone {
		u.ended = u.ended || u.user == user
		u.narrow = u.narrow || u.heir == user
	}
}

// touches notes a change of a key.
func (h *history) touches(name id.Key, changed bool) {
	for _, u := range h.gone {
		if _, of := u.before[name]; of && changed {
			u.touched = true
		}
	}
}

// undo undoes a removal. Where it does, every key is as it was before, and none was touched since. Where it refuses,
// nothing changes.
func (h *history) undo(n *settledNode, want map[id.Key]apikey.Key) {
	h.Helper()
	if len(h.gone) == 0 {
		return
	}
	u := h.gone[len(h.gone)-1-h.random.IntN(min(2, len(h.gone)))]
	_, err := n.RestoreMember(context.Background(), n.root, h.ws, u.user, string(u.id))
	h.told = append(h.told, fmt.Sprintf("the removal of %s is undone: %v", u.user, err))
	final := u.ended || u.touched
	switch {
	case err == nil && final:
		h.Fatalf("a removal is undone past a change: %+v", u)
	case err == nil:
		h.tries["undone"]++
		h.heir = ""
		h.comes(u.user)
		for name, k := range u.before {
			want[name] = k
		}
	case codeOf(err) != "conflict":
		h.Fatalf("refused with %v", err)
	case final:
		h.tries["past undoing"]++
	case !u.narrow && !strings.Contains(err.Error(), "still being written"):
		h.Fatalf("a removal that nothing has touched is not undone: %v", err)
	}
	h.adoptTimes(want)
}

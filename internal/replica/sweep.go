package replica

import "github.com/keyward/keyward/internal/id"

// sweepBatch bounds how long a sweep keeps other writers waiting.
const sweepBatch = 1024

// Sweep gives back the memory of workspaces that are gone and of the marks that deleted objects leave. Marks are forgotten up to the
// revision settled: the caller knows that no change up to it, and no initial load from before it, can still come. It answers how
// many keys and marks it let go. Readers do not notice it.
func (r *Replica) Sweep(settled int64) int {
	n := r.sweepWorkspaces()
	return n + r.sweepMarks(settled)
}

func (r *Replica) sweepWorkspaces() int {
	total := 0
	for {
		n, more := r.sweepSome()
		total += n
		if !more {
			return total
		}
	}
}

// sweepSome takes a batch of keys out of the workspaces that are gone.
func (r *Replica) sweepSome() (n int, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.leaving) > 0 {
		w := r.leaving[len(r.leaving)-1]
		for w.keys != nil {
			if n == sweepBatch {
				return n, true
			}
			k := w.keys
			r.setKey(k, nil)
			delete(r.keys, k.id)
			n++
		}
		for name, ro := range w.roles {
			ro.state.Store(nil)
			delete(r.roles, name)
		}
		w.roles, w.members = nil, nil
		r.leaving = r.leaving[:len(r.leaving)-1]
	}
	return n, false
}

// mark says that a key or a workspace is gone as of a revision. Its node stays, so that an older change does not bring it back, until
// the mark is forgotten. Nodes of roles, members and service keys stay without marks: they are few.
type mark struct {
	revision  int64
	key       id.Key
	workspace id.Workspace
}

func (r *Replica) sweepMarks(settled int64) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := r.marks[:0]
	for _, m := range r.marks {
		if m.revision > settled {
			kept = append(kept, m)
			continue
		}
		// What has come back since is no longer gone.
		if n := r.keys[m.key]; n != nil && n.home == nil && n.revision == m.revision {
			delete(r.keys, m.key)
		}
		if w := r.workspaces[m.workspace]; w != nil && w.gone {
			delete(r.workspaces, m.workspace)
		}
	}
	n := len(r.marks) - len(kept)
	clear(r.marks[len(kept):])
	r.marks = kept
	return n
}

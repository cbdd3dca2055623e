package replica

import "unsafe"

// Memory is the memory of a replica, in bytes, without the nodes of workspaces, roles, members and service keys.
type Memory struct {
	Records int64
	Tables  int64
	Texts   int64
	Hints   int64
}

// Total is the sum.
func (m Memory) Total() int64 { return m.Records + m.Tables + m.Texts + m.Hints }

// Memory returns the memory of the replica.
func (r *Replica) Memory() Memory {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Memory{
		Records: int64(r.records.chunks.len()) * int64(unsafe.Sizeof([recordsInChunk]record{})),
		Tables:  r.values.bytes() + r.ids.bytes(),
		Texts:   r.arena.size,
		Hints:   r.hints.bytes(),
	}
}

// Package installation owns the condition of the installation as its operator sees it: the facts of the process and of
// the database together, and the conditions that need attention. It does not own the facts (server, cluster, control),
// nor how they are shown.
package installation

import (
	"context"
	"time"

	"github.com/keyward/keyward/internal/cluster"
	"github.com/keyward/keyward/internal/control"
)

// Machine holds the facts that the answering process knows without a question to the database.
type Machine struct {
	Version     string
	Database    string // sqlite or postgres
	Bytes       int64  // of the database on disk
	Free        int64  // on its disk
	FreeKnown   bool
	Full        bool      // the last write found no room
	ReadOnly    bool      // the last write found a disk or a server that takes none
	Certificate time.Time // its end; zero without TLS
	Keys        int       // that verifications know
	BackupsOwn  bool      // keyward backup can copy the database
}

// Reader reads the condition. All of its parts are needed.
type Reader struct {
	Control *control.Service
	Nodes   interface {
		Members(ctx context.Context) ([]cluster.Member, error)
	}
	Machine func(context.Context) Machine
}

// Condition is the installation at one moment.
type Condition struct {
	Machine
	control.Installation
	Nodes     []cluster.Member
	Attention []Attention
}

// Read gives the condition to a service key that may manage the installation.
func (r *Reader) Read(ctx context.Context, c control.Caller) (Condition, error) {
	var out Condition
	var err error
	if out.Installation, err = r.Control.Installation(ctx, c); err != nil {
		return Condition{}, err
	}
	if out.Nodes, err = r.Nodes.Members(ctx); err != nil {
		return Condition{}, r.Control.Unavailable(err)
	}
	out.Machine = r.Machine(ctx)
	out.Attention = Judge(&out)
	return out, nil
}

// Ready counts the nodes that answer verifications.
func (c *Condition) Ready() (n int) {
	for i := range c.Nodes {
		if m := &c.Nodes[i]; answers(m) {
			n++
		}
	}
	return n
}

func answers(m *cluster.Member) bool {
	return !m.Fenced && m.Applied >= 0 && m.Lacks == "" && m.Skew.Abs() <= cluster.SkewToStop
}

package verifycodec

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/verify"
	"github.com/keyward/keyward/internal/wire"
)

// Question converts a decoded question, or returns a fault that names its field; under is its path in the body, with
// a dot at its end.
func (c *Codec) Question(in *wire.Verify, under string) (q verify.Question, err error) {
	if !in.Key.Set {
		return q, fault.Invalid(under+"key", "must be given")
	}
	q.Key = in.Key.Value
	if err := withoutNUL(in, under); err != nil {
		return q, err
	}
	if q.Demand, err = c.demand(in.Permissions, under+"permissions"); err != nil {
		return q, err
	}
	cost := in.Cost.Or(1)
	if cost < 0 || cost > MaxCost {
		return q, fault.Invalid(under+"cost", "must be between 0 and %d", MaxCost)
	}
	q.Cost = int(cost)
	if in.IP.Set {
		if q.IP, err = netip.ParseAddr(in.IP.Value); err != nil || q.IP.Zone() != "" {
			return q, fault.Invalid(under+"ip", "must be an IPv4 or IPv6 address")
		}
	}
	q.Where, err = where(in, under)
	return q, err
}

// withoutNUL refuses what strictjson refuses in a body, so that a question in Go is judged the same.
func withoutNUL(in *wire.Verify, under string) error {
	field := ""
	switch {
	case hasNUL(in.Key.Value):
		field = "key"
	case hasNUL(in.IP.Value):
		field = "ip"
	case hasNUL(in.Environment.Value):
		field = "environment"
	}
	for i, name := range in.WorkspaceID.Names {
		if field == "" && hasNUL(string(name)) {
			field = fmt.Sprintf("workspaceId[%d]", i)
		}
	}
	if field != "" {
		return fault.Invalid(under+field, "must not hold the character U+0000")
	}
	return nil
}

func hasNUL(s string) bool { return strings.IndexByte(s, 0) >= 0 }

// where reads the demand for an environment and for workspaces.
func where(in *wire.Verify, under string) (r account.Reach, err error) {
	if in.Environment.Set {
		if r.Environments, err = Environment(in.Environment.Value, under+"environment"); err != nil {
			return r, err
		}
	}
	if in.WorkspaceID.Set {
		r.Workspaces, err = Workspaces(in.WorkspaceID.Names, under+"workspaceId", in.WorkspaceID.List)
	}
	return r, err
}

// Environment reads a demand for an environment, or gives a fault that names the field.
func Environment(name, field string) ([]keyfmt.Environment, error) {
	list, ok := account.OnlyEnvironment(name)
	if !ok {
		return nil, fault.Invalid(field, "must be live or test")
	}
	return list, nil
}

// Workspaces reads a demand for one of several workspaces, or gives a fault that names the field; indexed says that the
// field is a list.
func Workspaces[T ~string](names []T, field string, indexed bool) ([]id.Workspace, error) {
	if n := len(names); n < 1 || n > account.MaxReach {
		return nil, fault.Invalid(field, "must name 1 to %d workspaces; leave it out for no demand", account.MaxReach)
	}
	out := make([]id.Workspace, len(names))
	for i, name := range names {
		name := string(id.Canonical(name))
		if _, ok := id.Parse(name); !ok {
			if indexed {
				field = fmt.Sprintf("%s[%d]", field, i)
			}
			return nil, fault.Invalid(field, "must be the id of a workspace")
		}
		out[i] = id.Workspace(name)
	}
	return out, nil
}

// Questions are those of a decoded batch, all of them or a fault.
func (c *Codec) Questions(in *wire.VerifyBatch) ([]verify.Question, error) {
	if n := len(in.Items); n < 1 || n > MaxBatch {
		return nil, fault.Invalid("items", "must hold 1 to %d items", MaxBatch)
	}
	questions := make([]verify.Question, len(in.Items))
	for i := range in.Items {
		var err error
		if questions[i], err = c.Question(&in.Items[i], fmt.Sprintf("items[%d].", i)); err != nil {
			return nil, err
		}
	}
	return questions, nil
}

func (c *Codec) demand(in wire.Demand, field string) (d perm.Demand, err error) {
	all := ".all"
	if in.List {
		all = ""
	}
	if d.All, err = c.demanded(in.All, field, all); err != nil {
		return d, err
	}
	if in.Any != nil && len(in.Any) == 0 {
		return d, fault.Invalid(
			field+".any", "must name at least one permission: a key holds none of none; leave it out for no demand",
		)
	}
	d.Any, err = c.demanded(in.Any, field, ".any")
	return d, err
}

// demanded reads a list of permissions, which is a member of a field. Their names are put together for a fault alone.
func (c *Codec) demanded(names []string, field, member string) (perm.Set, error) {
	set, unknown, ok := c.catalogue.Set(names)
	if !ok {
		return set, fault.Invalid(fmt.Sprintf("%s%s[%d]", field, member, unknown), "is not in the catalogue of permissions")
	}
	return set, nil
}

package httpapi

import (
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/wire"
)

func (a *api) keyRefusals(x *exchange) (wire.Refusals, error) {
	limit, err := x.query.number("limit", 1, control.MostRefusals)
	if err != nil {
		return wire.Refusals{}, err
	}
	all, err := a.Control.KeyRefusals(x.ctx(), x.caller, x.r.PathValue("id"), limit)
	return wire.Refusals{Refusals: mapped(all, shownRefusal)}, err
}

func (a *api) workspaceRefusals(x *exchange) (wire.Refusals, error) {
	limit, err := x.query.number("limit", 1, control.MostRefusals)
	if err != nil {
		return wire.Refusals{}, err
	}
	all, err := a.Control.WorkspaceRefusals(x.ctx(), x.caller, x.r.PathValue("workspaceId"), limit)
	return wire.Refusals{Refusals: mapped(all, func(r control.Refusal) wire.Refusal {
		out := shownRefusal(r)
		out.KeyID, out.Name = string(r.Key), r.KeyName
		return out
	})}, err
}

func (a *api) allRefusals(x *exchange) (wire.Refusals, error) {
	limit, err := x.query.number("limit", 1, control.MostRefusals)
	if err != nil {
		return wire.Refusals{}, err
	}
	all, err := a.Control.Refusals(x.ctx(), x.caller, limit)
	return wire.Refusals{Refusals: mapped(all, func(r control.Refusal) wire.Refusal {
		out := shownRefusal(r)
		out.WorkspaceID, out.KeyID, out.Name = string(r.Workspace), string(r.Key), r.KeyName
		return out
	})}, err
}

func shownRefusal(r control.Refusal) wire.Refusal {
	return wire.Refusal{
		At: wire.Time(r.At), Code: r.Code, Why: r.Why, Demanded: wire.Demanded{All: r.All, Any: r.Any},
		IP:    wire.TextOrNull(r.IP),
		Value: valueName(r.Previous),
	}
}

package httpapi

import (
	"strings"

	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/strictjson"
	"github.com/keyward/keyward/internal/verify"
	"github.com/keyward/keyward/internal/verifycodec"
	"github.com/keyward/keyward/internal/wire"
)

// explainKey returns the course of a verification of the key's current value, step by step. It spends nothing and is
// no use of the key.
func (a *api) explainKey(x *exchange) (wire.Explanation, error) {
	q, err := a.demanded(x.query)
	if err != nil {
		return wire.Explanation{}, err
	}
	k, err := a.Control.GetKey(x.ctx(), x.caller, x.r.PathValue("id"))
	if err != nil {
		return wire.Explanation{}, err
	}
	code, steps := a.Engine.Explain(k.Value.Digest.Sum, q, a.Catalogue.Names)
	if code == verify.Unavailable {
		return wire.Explanation{}, unavailable()
	}
	return wire.Explanation{Verdict: string(code), Steps: mapped(steps, func(s verify.Step) wire.ExplainedStep {
		return wire.ExplainedStep{Code: string(s.Code), Reached: s.Reached, Passed: s.Passed, Why: s.Why}
	})}, nil
}

// demanded reads a question of verification from parameters, by the rules of its body.
func (a *api) demanded(q query) (none verify.Question, err error) {
	in := wire.Verify{Key: strictjson.Optional[string]{Set: true}}
	for _, name := range []string{"permission", "any", "workspaceId"} {
		for _, value := range q.repeated[name] {
			if value == "" {
				return none, fault.Invalid(name, "must not be empty")
			}
		}
	}
	in.Permissions = wire.Demand{All: q.repeated["permission"], Any: q.repeated["any"]}
	for _, ws := range q.repeated["workspaceId"] {
		in.WorkspaceID.Set, in.WorkspaceID.Names = true, append(in.WorkspaceID.Names, wire.ID(ws))
	}
	if in.IP.Value, err = q.word("ip"); err != nil {
		return none, err
	}
	if in.Environment.Value, err = q.word("environment"); err != nil {
		return none, err
	}
	in.IP.Set, in.Environment.Set = in.IP.Value != "", in.Environment.Value != ""
	cost := 1
	if _, given := q.values["cost"]; given {
		if cost, err = q.number("cost", 0, verifycodec.MaxCost); err != nil {
			return none, err
		}
	}
	in.Cost = strictjson.Optional[int64]{Set: true, Value: int64(cost)}
	asked, err := a.codec.Question(&in, "")
	return asked, asParameter(err)
}

// asParameter names the parameter instead of the member of a body that has another name.
func asParameter(err error) error {
	f := fault.From(err)
	if err == nil || len(f.Details) == 0 {
		return err
	}
	field, message := f.Details[0].Field, f.Details[0].Message
	for member, parameter := range map[string]string{"permissions.all[": "permission", "permissions.any[": "any"} {
		if strings.HasPrefix(field, member) {
			return fault.Invalid(parameter, "%s", message)
		}
	}
	return err
}

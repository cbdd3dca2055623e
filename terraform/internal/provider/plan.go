package provider

import (
	"reflect"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keyward/keyward"
)

// planModel is the plan of a workspace: its quotas and shared limits.
type planModel struct {
	RequestsPerMinute types.Int64   `tfsdk:"requests_per_minute"`
	RequestsPerDay    types.Int64   `tfsdk:"requests_per_day"`
	MaxKeys           types.Int64   `tfsdk:"max_keys"`
	MaxMembers        types.Int64   `tfsdk:"max_members"`
	MaxRoles          types.Int64   `tfsdk:"max_roles"`
	MaxEventsPerDay   types.Int64   `tfsdk:"max_events_per_day"`
	CeilingPerKey     *ceilingModel `tfsdk:"ceiling_per_key"`
}

type ceilingModel struct {
	RequestsPerMinute  types.Int64 `tfsdk:"requests_per_minute"`
	RequestsPerDay     types.Int64 `tfsdk:"requests_per_day"`
	MaxLifetimeSeconds types.Int64 `tfsdk:"max_lifetime_seconds"`
}

func planAttribute() schema.SingleNestedAttribute {
	bound := func(description string) schema.Int64Attribute {
		return schema.Int64Attribute{Optional: true, MarkdownDescription: description + " Null is no bound."}
	}
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: "Plan of the workspace: quotas, and limits that all of its keys share. It needs a service key with the scope " +
			"`manage`. If it is not set, Terraform leaves the plan as it is.",
		Attributes: map[string]schema.Attribute{
			"requests_per_minute": bound("Requests of all keys together in any 60 seconds."),
			"requests_per_day":    bound("Requests of all keys together in a day of UTC."),
			"max_keys":            bound("Number of keys, whether they work or not."),
			"max_members":         bound("Number of members."),
			"max_roles":           bound("Number of roles beside the system roles."),
			"max_events_per_day":  bound("Number of changes in a day of UTC."),
			"ceiling_per_key": schema.SingleNestedAttribute{
				Optional: true, MarkdownDescription: "The most that a single new key may have.",
				Attributes: map[string]schema.Attribute{
					"requests_per_minute":  bound("Requests in any 60 seconds."),
					"requests_per_day":     bound("Requests in a day of UTC."),
					"max_lifetime_seconds": bound("Lifetime in seconds."),
				},
			},
		},
	}
}

// show fills the model from the server's answer.
func (p *planModel) show(plan keyward.Plan) {
	p.RequestsPerMinute, p.RequestsPerDay = number(plan.RequestsPerMinute), number(plan.RequestsPerDay)
	p.MaxKeys, p.MaxMembers, p.MaxRoles = number(plan.MaxKeys), number(plan.MaxMembers), number(plan.MaxRoles)
	p.MaxEventsPerDay = number(plan.MaxEventsPerDay)
	c := plan.CeilingPerKey
	if c == nil {
		c = &keyward.Ceiling{}
	}
	if p.CeilingPerKey == nil && *c == (keyward.Ceiling{}) {
		return
	}
	p.CeilingPerKey = &ceilingModel{
		number(c.RequestsPerMinute), number(c.RequestsPerDay), number(c.MaxLifetimeSeconds),
	}
}

// wanted is the plan as the API takes it.
func (p *planModel) wanted() keyward.Plan {
	out := keyward.Plan{
		RequestsPerMinute: p.RequestsPerMinute.ValueInt64Pointer(), RequestsPerDay: p.RequestsPerDay.ValueInt64Pointer(),
		MaxKeys: p.MaxKeys.ValueInt64Pointer(), MaxMembers: p.MaxMembers.ValueInt64Pointer(),
		MaxRoles: p.MaxRoles.ValueInt64Pointer(), MaxEventsPerDay: p.MaxEventsPerDay.ValueInt64Pointer(),
	}
	if c := p.CeilingPerKey; c != nil {
		out.CeilingPerKey = &keyward.Ceiling{
			RequestsPerMinute: c.RequestsPerMinute.ValueInt64Pointer(), RequestsPerDay: c.RequestsPerDay.ValueInt64Pointer(),
			MaxLifetimeSeconds: c.MaxLifetimeSeconds.ValueInt64Pointer(),
		}
	}
	return out
}

// differs reports whether the server has another plan.
func (p *planModel) differs(plan keyward.Plan) bool {
	is := *p
	is.CeilingPerKey = nil
	is.show(plan)
	wanted := *p
	if c := wanted.CeilingPerKey; c != nil &&
		*c == (ceilingModel{types.Int64Null(), types.Int64Null(), types.Int64Null()}) {
		wanted.CeilingPerKey = nil
	}
	return !reflect.DeepEqual(is, wanted)
}

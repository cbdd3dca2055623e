package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
)

// sameMeaning plans no change where the configured text means the same as that of the state.
type sameMeaning struct{ same func(a, b string) bool }

// Description says so in a plan.
func (sameMeaning) Description(context.Context) string {
	return "another spelling of the same value is no change"
}

// MarkdownDescription is Description.
func (m sameMeaning) MarkdownDescription(ctx context.Context) string { return m.Description(ctx) }

// PlanModifyString keeps the text of the state.
func (m sameMeaning) PlanModifyString(
	_ context.Context, req planmodifier.StringRequest, resp *planmodifier.StringResponse,
) {
	if !unset(req.StateValue) && !unset(req.PlanValue) &&
		m.same(req.StateValue.ValueString(), req.PlanValue.ValueString()) {
		resp.PlanValue = req.StateValue
	}
}

// PlanModifySet keeps the set of the state.
func (m sameMeaning) PlanModifySet(_ context.Context, req planmodifier.SetRequest, resp *planmodifier.SetResponse) {
	if !unset(req.StateValue) && !unset(req.PlanValue) {
		resp.PlanValue = settleSet(req.StateValue, stringsOf(req.PlanValue), m.same)
		if !resp.PlanValue.Equal(req.StateValue) {
			resp.PlanValue = req.PlanValue
		}
	}
}

func unset(v interface {
	IsNull() bool
	IsUnknown() bool
}) bool {
	return v.IsNull() || v.IsUnknown()
}

// frozen replaces the key for other permissions, and says why: a key's permissions never change.
type frozen struct{}

// Description says so in a plan.
func (frozen) Description(context.Context) string {
	return "the permissions of a key are frozen, so that another set makes a new key"
}

// MarkdownDescription is Description.
func (m frozen) MarkdownDescription(ctx context.Context) string { return m.Description(ctx) }

// PlanModifySet plans the replacement.
func (frozen) PlanModifySet(_ context.Context, req planmodifier.SetRequest, resp *planmodifier.SetResponse) {
	if req.State.Raw.IsNull() || req.Plan.Raw.IsNull() || req.PlanValue.Equal(req.StateValue) {
		return
	}
	resp.RequiresReplace = true
	resp.Diagnostics.AddAttributeWarning(req.Path, "The API key will be replaced: its permissions are frozen",
		"A key keeps the permissions that it was made with. Other permissions mean a new key with a new id and a new value, and "+
			"the end of this one. Each place that holds the value needs the new one: let it be replaced together with the key "+
			"(lifecycle { replace_triggered_by = [...] } with the key's id). With create_before_destroy the new key is made before this one ends.")
}

// wholeLimits plans a given pair of limits as it is, and keeps that of the state if none is given.
type wholeLimits struct{}

// Description says so in a plan.
func (wholeLimits) Description(context.Context) string {
	return "limits that are not given stay as they are"
}

// MarkdownDescription is Description.
func (m wholeLimits) MarkdownDescription(ctx context.Context) string { return m.Description(ctx) }

// PlanModifyObject plans the limits.
func (wholeLimits) PlanModifyObject(
	_ context.Context, req planmodifier.ObjectRequest, resp *planmodifier.ObjectResponse,
) {
	switch {
	case !req.ConfigValue.IsNull():
		resp.PlanValue = req.ConfigValue
	case !req.State.Raw.IsNull():
		resp.PlanValue = req.StateValue
	}
}

// valueVersion replaces the object for a new version of the value, but for the first version after an import: the value
// of an imported key is not known, and stays.
type valueVersion struct{}

// Description says so in a plan.
func (valueVersion) Description(context.Context) string {
	return "another version makes a new key with a new value"
}

// MarkdownDescription is Description.
func (m valueVersion) MarkdownDescription(ctx context.Context) string { return m.Description(ctx) }

// PlanModifyInt64 plans the replacement.
func (valueVersion) PlanModifyInt64(
	_ context.Context, req planmodifier.Int64Request, resp *planmodifier.Int64Response,
) {
	switch {
	case req.State.Raw.IsNull() || req.Plan.Raw.IsNull() || req.PlanValue.Equal(req.StateValue):
	case req.StateValue.IsNull():
		resp.Diagnostics.AddAttributeWarning(req.Path, "The imported key keeps its value",
			"The first value_wo_version after an import is written down alone. A later change of it replaces the key.")
	case req.PlanValue.IsNull():
		resp.Diagnostics.AddAttributeWarning(req.Path, "The key keeps its value",
			"Without value_wo_version the key stays as it is. The next version that is set will be written down alone, as after an import.")
	default:
		resp.RequiresReplace = true
	}
}

// pathOf names an attribute of the object.
func pathOf(name string) path.Path { return path.Root(name) }

package provider

import (
	"context"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/setplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keyward/keyward"
)

// Metadata names the resource.
func (*apiKeyResource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_api_key"
}

// Schema describes the resource.
func (*apiKeyResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "An API key of a member. The provider sends the SHA-256 of `value_wo` to the server, so that the value itself is in " +
			"no state and no plan, and never reaches the server before its first use. The token must be a service key with the scope `manage`.",
		Attributes: apiKeyAttributes(),
	}
}

func apiKeyAttributes() map[string]schema.Attribute {
	kept := []planmodifier.String{stringplanmodifier.UseStateForUnknown()}
	return map[string]schema.Attribute{
		"id":           fixed("Id of the key."),
		"workspace_id": workspaceAttribute(),
		"user_id":      once("Id of the member whose key it is."),
		"name":         schema.StringAttribute{Required: true, MarkdownDescription: "Name of the key, 1 to 255 characters."},
		"environment": schema.StringAttribute{
			Optional: true, Computed: true, Default: stringdefault.StaticString(string(keyward.EnvironmentLive)),
			MarkdownDescription: "`live` (default) or `test`. Another value replaces the key.",
			Validators:          []validator.String{oneOf{string(keyward.EnvironmentLive), string(keyward.EnvironmentTest)}},
			PlanModifiers:       []planmodifier.String{stringplanmodifier.RequiresReplace()},
		},
		"permissions": schema.SetAttribute{
			Optional: true, Computed: true, ElementType: types.StringType,
			MarkdownDescription: "Permissions of the key, within those of the member. **They are frozen: another set replaces the key.** " +
				"Default: all that the member holds when the key is made. `[]` is a key that only identifies.",
			PlanModifiers: []planmodifier.Set{setplanmodifier.UseStateForUnknown(), frozen{}},
		},
		"expires_at": schema.StringAttribute{
			Optional: true, Computed: true,
			MarkdownDescription: "End of the key: a time in RFC 3339, a date, or `never`. Default: the longest that the workspace allows, else `never`. " +
				"An expiry that is no longer set stays as it is.",
			Validators:    []validator.String{moment(true)},
			PlanModifiers: append(kept, sameMeaning{sameInstant}),
		},
		"rate_limit": schema.SingleNestedAttribute{
			Optional: true, Computed: true, Attributes: limitAttributes(true),
			MarkdownDescription: "Limits of the key. `{}` is unlimited. Default: those of the workspace. Limits that are no longer set stay as they are.",
			PlanModifiers:       []planmodifier.Object{wholeLimits{}},
		},
		"description": schema.StringAttribute{Optional: true, MarkdownDescription: "Description, at most 500 characters."},
		"metadata": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "Your own data about the key: a JSON object, at most 4 KiB, as `jsonencode({...})` makes one. Verifications answer it. " +
				"Put no secrets into it.",
			Validators: []validator.String{checked{want: "a JSON object", check: func(s string) error {
				_, err := metadataOf(types.StringValue(s))
				return err
			}}},
			PlanModifiers: []planmodifier.String{sameMeaning{exactJSON}},
		},
		"allowed_ips": networks(),
		"is_active": schema.BoolAttribute{
			Optional: true, Computed: true,
			MarkdownDescription: "Whether the key works. If it is not set, Terraform leaves it as it is, and warns about a key that was disabled: " +
				"a leaked key that a colleague disabled stays so.",
		},
		"value_wo": schema.StringAttribute{
			Optional: true, WriteOnly: true, Sensitive: true,
			MarkdownDescription: "Value of the key: write-only, in no state and no plan. Take it from `ephemeral.keyward_key_value`. A new key needs it.",
			Validators:          []validator.String{checked{want: "the value of a key", check: checkValue}},
		},
		"value_wo_version": schema.Int64Attribute{
			Optional: true,
			MarkdownDescription: "Version of `value_wo`: any number. Another one replaces the key by one with the new value. It is set together " +
				"with `value_wo`.",
			PlanModifiers: []planmodifier.Int64{valueVersion{}},
		},
		"key":        fixed("The value, masked, such as `kw_live_AbCd…wxyz`."),
		"created_at": fixed("Time of the creation."),
		"disabled_by": schema.StringAttribute{Computed: true,
			MarkdownDescription: "User, or id of the service key, that disabled the key."},
		"disabled_at": schema.StringAttribute{Computed: true, MarkdownDescription: "Time at which the key was disabled."},
	}
}

// ValidateConfig holds the parts of the value against each other.
func (r *apiKeyResource) ValidateConfig(
	ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse,
) {
	value := read[types.String](ctx, req.Config, "value_wo", &resp.Diagnostics)
	version := read[types.Int64](ctx, req.Config, "value_wo_version", &resp.Diagnostics)
	environment := read[types.String](ctx, req.Config, "environment", &resp.Diagnostics)
	if !value.IsNull() && version.IsNull() {
		resp.Diagnostics.AddAttributeError(path.Root("value_wo_version"), "The version is missing",
			"Set value_wo_version together with value_wo: 1, for instance. Raise it for a new value.")
	}
	if unset(value) || environment.IsUnknown() {
		return
	}
	wanted := environment.ValueString()
	if environment.IsNull() {
		wanted = string(keyward.EnvironmentLive)
	}
	if of := environmentOf(value.ValueString()); of != "" && of != wanted {
		resp.Diagnostics.AddAttributeError(path.Root("value_wo"), "The value is of another environment",
			"The value is that of a key of the environment "+of+", and the key is to be "+wanted+".")
	}
}

// ModifyPlan plans the workspace, keeps a disabled key disabled, and asks for a value where a key is to be made.
func (r *apiKeyResource) ModifyPlan(
	ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse,
) {
	if req.Plan.Raw.IsNull() {
		return
	}
	r.planWorkspace(ctx, req, resp)
	if planActive(ctx, req, resp) {
		by := read[types.String](ctx, req.State, "disabled_by", &resp.Diagnostics).ValueString()
		resp.Diagnostics.AddAttributeWarning(path.Root("is_active"), "The API key is disabled",
			"It was disabled by "+either(by, "an unknown caller")+". The plan leaves it so: set is_active = true to enable it.")
	}
	if req.State.Raw.IsNull() { // a replacement is planned as a creation, too
		value := read[types.String](ctx, req.Config, "value_wo", &resp.Diagnostics)
		if value.IsNull() && !resp.Diagnostics.HasError() {
			missingValue(resp.Diagnostics.AddAttributeError)
		}
		return
	}
	if end, err := instant(
		read[types.String](ctx, req.State, "expires_at", &resp.Diagnostics).ValueString(),
	); err == nil &&
		end.Before(time.Now()) {
		resp.Diagnostics.AddAttributeWarning(path.Root("expires_at"), "The API key has expired",
			"It ended at "+stamp(end)+". Set another expires_at, or raise value_wo_version for a new key.")
	}
	was := read[types.Bool](ctx, req.State, "is_active", &resp.Diagnostics)
	if read[types.Bool](ctx, resp.Plan, "is_active", &resp.Diagnostics).Equal(was) {
		keep(ctx, &req, resp, "disabled_by", &resp.Diagnostics)
		keep(ctx, &req, resp, "disabled_at", &resp.Diagnostics)
	}
}

// keep plans the text of the state.
func keep(
	ctx context.Context, req *resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse, name string,
	diags *diag.Diagnostics,
) {
	text := read[types.String](ctx, req.State, name, diags)
	diags.Append(resp.Plan.SetAttribute(ctx, path.Root(name), text)...)
}

func missingValue(add func(path.Path, string, string)) {
	add(path.Root("value_wo"), "The value is missing",
		"A new key needs a value: take it from the ephemeral resource keyward_key_value, and set value_wo_version as well.")
}

func either(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

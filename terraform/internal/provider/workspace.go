package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keyward/keyward"
)

type workspaceResource struct{ configured }

type workspaceModel struct {
	ID                    types.String `tfsdk:"id"`
	Name                  types.String `tfsdk:"name"`
	IsActive              types.Bool   `tfsdk:"is_active"`
	Owner                 *ownerModel  `tfsdk:"owner"`
	OwnerID               types.String `tfsdk:"owner_id"`
	PermissionMode        types.String `tfsdk:"permission_mode"`
	SelfRotation          types.String `tfsdk:"self_rotation"`
	RequireExpiry         types.Bool   `tfsdk:"require_expiry"`
	MaxKeyLifetimeSeconds types.Int64  `tfsdk:"max_key_lifetime_seconds"`
	DefaultRateLimit      types.Object `tfsdk:"default_rate_limit"`
	Plan                  *planModel   `tfsdk:"plan"`
}

type ownerModel struct {
	UserID      types.String `tfsdk:"user_id"`
	Email       types.String `tfsdk:"email"`
	DisplayName types.String `tfsdk:"display_name"`
}

// Metadata names the resource.
func (*workspaceResource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_workspace"
}

// Schema describes the resource.
func (*workspaceResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "A workspace: a tenant with its members, roles and keys. **Destroying it deletes everything in it, and its keys " +
			"stop at once:** consider `lifecycle { prevent_destroy = true }`.",
		Attributes: workspaceAttributes(),
	}
}

func workspaceAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"id":   fixed("Id of the workspace."),
		"name": schema.StringAttribute{Required: true, MarkdownDescription: "Name of the workspace, 1 to 100 characters."},
		"is_active": schema.BoolAttribute{
			Optional: true, Computed: true,
			MarkdownDescription: "Whether the keys of the workspace work. If it is not set, Terraform leaves it as it is, and warns about a " +
				"workspace that was switched off.",
		},
		"owner": schema.SingleNestedAttribute{
			Optional: true,
			MarkdownDescription: "First member, with the role Owner. A service key must name one. It is used at the creation alone: change owners " +
				"with `keyward_member` afterwards.",
			Attributes: map[string]schema.Attribute{
				"user_id": schema.StringAttribute{Required: true,
					MarkdownDescription: "Id of the user, as your platform names them."},
				"email":        schema.StringAttribute{Required: true, MarkdownDescription: "Email address."},
				"display_name": schema.StringAttribute{Optional: true, MarkdownDescription: "Name for people."},
			},
		},
		"owner_id": fixed("Id of the user who became the owner at the creation."),
		"permission_mode": schema.StringAttribute{
			Optional: true, Computed: true, Default: stringdefault.StaticString(string(keyward.PermissionModeFrozen)),
			MarkdownDescription: "`frozen` (default): keys keep the permissions that they were made with. `capped`: of these, keys have those that " +
				"their creator still holds.",
			Validators: []validator.String{oneOf{string(keyward.PermissionModeFrozen), string(keyward.PermissionModeCapped)}},
		},
		"self_rotation": schema.StringAttribute{
			Optional: true, Computed: true, Default: stringdefault.StaticString(string(keyward.SelfRotationAllowed)),
			MarkdownDescription: "Whether a key may rotate itself: `allowed` (default) or `forbidden`.",
			Validators: []validator.String{
				oneOf{string(keyward.SelfRotationAllowed), string(keyward.SelfRotationForbidden)},
			},
		},
		"require_expiry": schema.BoolAttribute{
			Optional: true, Computed: true, Default: booldefault.StaticBool(false),
			MarkdownDescription: "Whether every new key needs an expiry. Default: `false`.",
		},
		"max_key_lifetime_seconds": schema.Int64Attribute{
			Optional: true, MarkdownDescription: "Longest lifetime of a key's value, in seconds. Default: no bound.",
		},
		"default_rate_limit": schema.SingleNestedAttribute{
			Optional: true, Attributes: limitAttributes(false),
			MarkdownDescription: "Limits of a new key that names none. Default: unlimited.",
		},
		"plan": planAttribute(),
	}
}

// ModifyPlan keeps the state of a workspace that was switched off outside, and says so.
func (r *workspaceResource) ModifyPlan(
	ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse,
) {
	if req.Plan.Raw.IsNull() {
		return
	}
	if planActive(ctx, req, resp) {
		resp.Diagnostics.AddAttributeWarning(path.Root("is_active"), "The workspace is switched off",
			"None of its keys work. The plan leaves it so: set is_active = true to switch it on.")
	}
	if req.State.Raw.IsNull() {
		return
	}
	was := read[types.Object](ctx, req.State, "owner", &resp.Diagnostics)
	wanted := read[types.Object](ctx, req.Plan, "owner", &resp.Diagnostics)
	if !wanted.IsNull() && !was.IsNull() && !wanted.Equal(was) {
		resp.Diagnostics.AddAttributeWarning(path.Root("owner"), "The owner stays as it is",
			"The owner of a workspace is named at its creation alone. Make another owner with keyward_member and the role Owner.")
	}
}

// planActive plans is_active where it is not configured: a new object is active, and one that exists stays as it is. It
// reports whether the object is off, and stays so although the configuration does not say it.
func planActive(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) bool {
	if !read[types.Bool](ctx, req.Config, "is_active", &resp.Diagnostics).IsNull() {
		return false
	}
	is := types.BoolValue(true)
	if !req.State.Raw.IsNull() {
		is = read[types.Bool](ctx, req.State, "is_active", &resp.Diagnostics)
	}
	resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root("is_active"), is)...)
	return !is.ValueBool() && !resp.Diagnostics.HasError()
}

func (m *workspaceModel) show(w keyward.Workspace) {
	m.ID, m.Name, m.OwnerID = types.StringValue(w.ID), settle(m.Name, w.Name, equal), types.StringValue(w.OwnerID)
	m.IsActive, m.RequireExpiry = types.BoolValue(w.IsActive), types.BoolValue(w.Settings.RequireExpiry)
	m.PermissionMode = types.StringValue(string(w.Settings.PermissionMode))
	m.SelfRotation = types.StringValue(string(w.Settings.SelfRotation))
	m.MaxKeyLifetimeSeconds = number(w.Settings.MaxKeyLifetimeSeconds)
	fresh := w.Settings.DefaultRateLimit
	if m.DefaultRateLimit.IsNull() && unlimited(fresh) {
		m.DefaultRateLimit = types.ObjectNull(limitsType)
	} else {
		m.DefaultRateLimit = limits(fresh)
	}
	if m.Plan != nil {
		m.Plan.show(w.Plan)
	}
}

func (m *workspaceModel) settings() keyward.SettingsUpdate {
	out := keyward.SettingsUpdate{
		PermissionMode:        keyward.Set(keyward.PermissionMode(m.PermissionMode.ValueString())),
		SelfRotation:          keyward.Set(keyward.SelfRotation(m.SelfRotation.ValueString())),
		RequireExpiry:         keyward.Set(m.RequireExpiry.ValueBool()),
		MaxKeyLifetimeSeconds: keyward.Null[int64](), DefaultRateLimit: keyward.Null[keyward.Limits](),
	}
	if !m.MaxKeyLifetimeSeconds.IsNull() {
		out.MaxKeyLifetimeSeconds = keyward.Set(m.MaxKeyLifetimeSeconds.ValueInt64())
	}
	if !m.DefaultRateLimit.IsNull() {
		out.DefaultRateLimit = wantedLimits(m.DefaultRateLimit)
	}
	return out
}

// Create makes the workspace, and then its plan. A plan that is refused leaves the workspace in the state, tainted.
func (r *workspaceResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var m workspaceModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !r.ready(&resp.Diagnostics) {
		return
	}
	in := keyward.CreateWorkspaceRequest{Name: m.Name.ValueString(), Settings: m.settings()}
	if o := m.Owner; o != nil {
		in.Owner = &keyward.Owner{
			UserID: o.UserID.ValueString(), Email: o.Email.ValueString(), DisplayName: o.DisplayName.ValueString(),
		}
	}
	w, err := r.client.CreateWorkspace(ctx, in)
	if err != nil {
		explain(&resp.Diagnostics, "create the workspace", err)
		return
	}
	wanted := m
	m.Plan = nil
	m.show(w)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
	wanted.ID = m.ID
	r.finish(ctx, &wanted, w, resp.State.Set, &resp.Diagnostics)
}

// finish brings an existing workspace to the plan and the switch that are wanted, and writes the state.
func (r *workspaceResource) finish(
	ctx context.Context, m *workspaceModel, w keyward.Workspace, set func(context.Context, any) diag.Diagnostics,
	diags *diag.Diagnostics,
) {
	var err error
	if m.Plan != nil && m.Plan.differs(w.Plan) {
		if w, err = r.client.PutPlan(ctx, w.ID, m.Plan.wanted()); err != nil {
			explain(diags, "set the workspace's plan", err)
			return
		}
	}
	if !m.IsActive.IsUnknown() && !m.IsActive.IsNull() && m.IsActive.ValueBool() != w.IsActive {
		change := keyward.WorkspaceUpdate{IsActive: keyward.Set(m.IsActive.ValueBool())}
		updated, err := r.client.UpdateWorkspace(ctx, w.ID, change)
		if err != nil {
			explain(diags, "switch the workspace on or off", err)
			return
		}
		w = updated.Workspace
	}
	m.show(w)
	diags.Append(set(ctx, m)...)
}

// Read shows the workspace as it is now.
func (r *workspaceResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var m workspaceModel
	resp.Diagnostics.Append(req.State.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !r.ready(&resp.Diagnostics) {
		return
	}
	w, err := r.client.GetWorkspace(ctx, m.ID.ValueString())
	switch {
	case gone(err):
		resp.State.RemoveResource(ctx)
	case err != nil:
		explain(&resp.Diagnostics, "read the workspace", err)
	default:
		m.show(w)
		resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
	}
}

// Update changes the workspace in place.
func (r *workspaceResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var was, m workspaceModel
	resp.Diagnostics.Append(req.State.Get(ctx, &was)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !r.ready(&resp.Diagnostics) {
		return
	}
	change := keyward.WorkspaceUpdate{Settings: m.settings()}
	if !m.Name.Equal(was.Name) {
		change.Name = keyward.Set(m.Name.ValueString())
	}
	updated, err := r.client.UpdateWorkspace(ctx, was.ID.ValueString(), change)
	if err != nil {
		explain(&resp.Diagnostics, "change the workspace", err)
		return
	}
	r.finish(ctx, &m, updated.Workspace, resp.State.Set, &resp.Diagnostics)
}

// Delete deletes the workspace with everything in it.
func (r *workspaceResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var m workspaceModel
	resp.Diagnostics.Append(req.State.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !r.ready(&resp.Diagnostics) {
		return
	}
	if _, err := r.client.DeleteWorkspace(ctx, m.ID.ValueString()); err != nil && !gone(err) {
		explain(&resp.Diagnostics, "delete the workspace "+m.Name.ValueString(), err)
	}
}

// ImportState takes the id of the workspace.
func (r *workspaceResource) ImportState(
	ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse,
) {
	resource.ImportStatePassthroughID(ctx, path.Root("id"), req, resp)
}

package provider

import (
	"context"
	"errors"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keyward/keyward"
)

type roleResource struct{ configured }

type roleModel struct {
	ID          types.String `tfsdk:"id"`
	WorkspaceID types.String `tfsdk:"workspace_id"`
	Name        types.String `tfsdk:"name"`
	Description types.String `tfsdk:"description"`
	Permissions types.Set    `tfsdk:"permissions"`
}

// Metadata names the resource.
func (*roleResource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_role"
}

// Schema describes the resource.
func (*roleResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "A role: a named set of permissions that members of a workspace hold. Keys keep the permissions that they " +
			"were made with when a role changes. The system roles Owner, Admin, Member and Viewer cannot be changed: read them with the " +
			"data source `keyward_role`.",
		Attributes: map[string]schema.Attribute{
			"id":           fixed("Id of the role."),
			"workspace_id": workspaceAttribute(),
			"name": schema.StringAttribute{
				Required: true, MarkdownDescription: "Name of the role, unique in the workspace, 1 to 60 characters.",
			},
			"description": schema.StringAttribute{Optional: true, MarkdownDescription: "Description, at most 500 characters."},
			"permissions": schema.SetAttribute{
				Required: true, ElementType: types.StringType,
				MarkdownDescription: "Permissions of the role, such as `calls:read`. The token must hold each of them.",
			},
		},
	}
}

// ModifyPlan plans the workspace.
func (r *roleResource) ModifyPlan(
	ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse,
) {
	r.planWorkspace(ctx, req, resp)
}

// show fills the model from the server's answer.
func (m *roleModel) show(role keyward.Role) {
	m.ID, m.WorkspaceID = types.StringValue(role.ID), settle(m.WorkspaceID, role.WorkspaceID, strings.EqualFold)
	m.Name = settle(m.Name, role.Name, equal)
	m.Description = shownText(m.Description, role.Description)
	m.Permissions = setOf(role.Permissions)
}

// shownText is null for no text, unless the configuration has the empty one.
func shownText(prior types.String, fresh string) types.String {
	if fresh == "" && !prior.IsNull() && !prior.IsUnknown() && prior.ValueString() == "" {
		return prior
	}
	return optional(fresh)
}

// Create makes the role.
func (r *roleResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var m roleModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !r.ready(&resp.Diagnostics) {
		return
	}
	workspace := r.workspaceOf(m.WorkspaceID, &resp.Diagnostics)
	if workspace == "" {
		return
	}
	role, err := r.client.CreateRole(ctx, workspace, keyward.CreateRoleRequest{
		Name: m.Name.ValueString(), Description: m.Description.ValueString(), Permissions: stringsOf(m.Permissions),
	})
	if err != nil {
		explain(&resp.Diagnostics, "create the role", err)
		if errors.Is(err, keyward.ErrConflict) {
			resp.Diagnostics.AddAttributeWarning(path.Root("name"), "The role may be there already",
				"To manage a role that is there, import it by WORKSPACE_ID/ROLE_ID.")
		}
		return
	}
	m.show(role)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

// Read shows the role as it is now.
func (r *roleResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var m roleModel
	resp.Diagnostics.Append(req.State.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !r.ready(&resp.Diagnostics) {
		return
	}
	role, err := r.client.GetRole(ctx, m.WorkspaceID.ValueString(), m.ID.ValueString())
	switch {
	case gone(err):
		resp.State.RemoveResource(ctx)
	case err != nil:
		explain(&resp.Diagnostics, "read the role", err)
	default:
		m.show(role)
		resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
	}
}

// Update changes the role in place.
func (r *roleResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var was, m roleModel
	resp.Diagnostics.Append(req.State.Get(ctx, &was)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !r.ready(&resp.Diagnostics) {
		return
	}
	var change keyward.RoleUpdate
	if !m.Name.Equal(was.Name) {
		change.Name = keyward.Set(m.Name.ValueString())
	}
	if !m.Description.Equal(was.Description) {
		change.Description = orNull(m.Description)
	}
	if !m.Permissions.Equal(was.Permissions) {
		change.Permissions = keyward.Set(stringsOf(m.Permissions))
	}
	role, err := r.client.UpdateRole(ctx, was.WorkspaceID.ValueString(), was.ID.ValueString(), change)
	if err != nil {
		explain(&resp.Diagnostics, "change the role", err)
		return
	}
	m.show(role)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

// Delete deletes the role.
func (r *roleResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var m roleModel
	resp.Diagnostics.Append(req.State.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !r.ready(&resp.Diagnostics) {
		return
	}
	_, err := r.client.DeleteRole(ctx, m.WorkspaceID.ValueString(), m.ID.ValueString())
	if err != nil && !gone(err) {
		explain(&resp.Diagnostics, "delete the role "+m.Name.ValueString(), err)
	}
}

// ImportState takes WORKSPACE_ID/ROLE_ID, or the id alone in the workspace of the provider.
func (r *roleResource) ImportState(
	ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse,
) {
	r.importIn(ctx, req, resp, "id")
}

// importIn takes WORKSPACE_ID/NAME into the attribute workspace_id and a second one.
func (c *configured) importIn(
	ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse, second string,
) {
	standard := ""
	if c.session != nil {
		standard = c.workspace
	}
	workspace, name, ok := split(req.ID, standard)
	if !ok {
		resp.Diagnostics.AddError("The id is not usable", "Want WORKSPACE_ID/"+second+", for example "+
			"019a5c3e-7b10-7a44-9c1d-2f6b8e0d4a11/... The workspace can be left out if the provider has one.")
		return
	}
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("workspace_id"), workspace)...)
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root(second), name)...)
}

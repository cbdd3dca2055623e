package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keyward/keyward"
)

type roleData struct{ configuredData }

type roleDataModel struct {
	ID          types.String `tfsdk:"id"`
	WorkspaceID types.String `tfsdk:"workspace_id"`
	Name        types.String `tfsdk:"name"`
	Description types.String `tfsdk:"description"`
	Permissions types.Set    `tfsdk:"permissions"`
	IsSystem    types.Bool   `tfsdk:"is_system"`
	IsDefault   types.Bool   `tfsdk:"is_default"`
	MemberCount types.Int64  `tfsdk:"member_count"`
}

func roleAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"id": shown("Id of the role."), "workspace_id": shown("Id of the workspace."), "name": shown("Name of the role."),
		"description": shown("Description."), "permissions": shownSet("Permissions of the role."),
		"is_system": shownBool(
			"Whether it is one of the system roles Owner, Admin, Member and Viewer, which cannot be changed.",
		),
		"is_default":   shownBool("Whether it is the default role."),
		"member_count": shownNumber("Number of members who hold it."),
	}
}

func shownRole(r keyward.Role) roleDataModel {
	return roleDataModel{
		ID: types.StringValue(r.ID), WorkspaceID: types.StringValue(r.WorkspaceID), Name: types.StringValue(r.Name),
		Description: optional(r.Description), Permissions: setOf(r.Permissions), IsSystem: types.BoolValue(r.IsSystem),
		IsDefault: types.BoolValue(r.IsDefault), MemberCount: types.Int64Value(int64(r.MemberCount)),
	}
}

// Metadata names the data source.
func (*roleData) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_role"
}

// Schema describes the data source.
func (*roleData) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	attributes := roleAttributes()
	attributes["id"], attributes["name"] = found("Id of the role."), found("Name of the role, such as `Viewer`.")
	attributes["workspace_id"] = inWorkspace()
	resp.Schema = schema.Schema{
		MarkdownDescription: "A role of a workspace, by its id or its name: also a system role.", Attributes: attributes,
	}
}

// Read finds the role.
func (d *roleData) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m roleDataModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !d.ready(&resp.Diagnostics) || !idOrName(m.ID, m.Name, &resp.Diagnostics) {
		return
	}
	workspace := d.workspaceOf(m.WorkspaceID, &resp.Diagnostics)
	if workspace == "" {
		return
	}
	var r keyward.Role
	ok := true
	if id := m.ID.ValueString(); id != "" {
		var err error
		if r, err = d.client.GetRole(ctx, workspace, id); err != nil {
			explain(&resp.Diagnostics, "read the role "+id, err)
			return
		}
	} else if r, ok = single(d.client.AllRoles(ctx, workspace, keyward.ListOptions{Limit: 100}), "role",
		m.Name.ValueString(),
		func(r keyward.Role) string { return r.Name }, &resp.Diagnostics); !ok {
		return
	}
	one := shownRole(r)
	resp.Diagnostics.Append(resp.State.Set(ctx, &one)...)
}

type rolesData struct{ configuredData }

type rolesModel struct {
	WorkspaceID types.String    `tfsdk:"workspace_id"`
	Roles       []roleDataModel `tfsdk:"roles"`
}

// Metadata names the data source.
func (*rolesData) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_roles"
}

// Schema describes the data source.
func (*rolesData) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{MarkdownDescription: "All roles of a workspace.", Attributes: map[string]schema.Attribute{
		"workspace_id": inWorkspace(),
		"roles": schema.ListNestedAttribute{Computed: true, MarkdownDescription: "The roles.",
			NestedObject: schema.NestedAttributeObject{Attributes: roleAttributes()}},
	}}
}

// Read lists the roles.
func (d *rolesData) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m rolesModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !d.ready(&resp.Diagnostics) {
		return
	}
	workspace := d.workspaceOf(m.WorkspaceID, &resp.Diagnostics)
	if workspace == "" {
		return
	}
	var err error
	if m.Roles, err = collect(d.client.AllRoles(ctx, workspace, keyward.ListOptions{Limit: 100}), shownRole); err != nil {
		explain(&resp.Diagnostics, "read the roles", err)
		return
	}
	m.WorkspaceID = types.StringValue(workspace)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

type memberData struct{ configuredData }

type memberDataModel struct {
	WorkspaceID types.String `tfsdk:"workspace_id"`
	UserID      types.String `tfsdk:"user_id"`
	Email       types.String `tfsdk:"email"`
	DisplayName types.String `tfsdk:"display_name"`
	RoleID      types.String `tfsdk:"role_id"`
	RoleName    types.String `tfsdk:"role_name"`
	IsOwner     types.Bool   `tfsdk:"is_owner"`
	KeyCount    types.Int64  `tfsdk:"key_count"`
}

func memberAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"workspace_id": shown("Id of the workspace."), "user_id": shown("Id of the user."), "email": shown("Email address."),
		"display_name": shown("Name for people."), "role_id": shown("Id of the member's role."),
		"role_name": shown("Name of the member's role."), "is_owner": shownBool("Whether the role is Owner."),
		"key_count": shownNumber("Number of keys."),
	}
}

func shownMember(m keyward.Member) memberDataModel {
	return memberDataModel{
		WorkspaceID: types.StringValue(m.WorkspaceID), UserID: types.StringValue(m.UserID), Email: types.StringValue(m.Email),
		DisplayName: optional(m.DisplayName), RoleID: types.StringValue(m.RoleID), RoleName: types.StringValue(m.RoleName),
		IsOwner: types.BoolValue(m.IsOwner), KeyCount: types.Int64Value(int64(m.KeyCount)),
	}
}

// Metadata names the data source.
func (*memberData) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_member"
}

// Schema describes the data source.
func (*memberData) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	attributes := memberAttributes()
	attributes["workspace_id"] = inWorkspace()
	attributes["user_id"] = schema.StringAttribute{Required: true, MarkdownDescription: "Id of the user."}
	resp.Schema = schema.Schema{MarkdownDescription: "A member of a workspace.", Attributes: attributes}
}

// Read finds the member.
func (d *memberData) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m memberDataModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !d.ready(&resp.Diagnostics) {
		return
	}
	workspace := d.workspaceOf(m.WorkspaceID, &resp.Diagnostics)
	if workspace == "" {
		return
	}
	member, err := d.client.GetMember(ctx, workspace, m.UserID.ValueString())
	if err != nil {
		explain(&resp.Diagnostics, "read the member "+m.UserID.ValueString(), err)
		return
	}
	m = shownMember(member)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

type membersData struct{ configuredData }

type membersModel struct {
	WorkspaceID types.String      `tfsdk:"workspace_id"`
	RoleID      types.String      `tfsdk:"role_id"`
	Members     []memberDataModel `tfsdk:"members"`
}

// Metadata names the data source.
func (*membersData) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_members"
}

// Schema describes the data source.
func (*membersData) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{MarkdownDescription: "The members of a workspace.",
		Attributes: map[string]schema.Attribute{
			"workspace_id": inWorkspace(),
			"role_id":      asked("Only the members with this role."),
			"members": schema.ListNestedAttribute{Computed: true, MarkdownDescription: "The members.",
				NestedObject: schema.NestedAttributeObject{Attributes: memberAttributes()}},
		}}
}

// Read lists the members.
func (d *membersData) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m membersModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !d.ready(&resp.Diagnostics) {
		return
	}
	workspace := d.workspaceOf(m.WorkspaceID, &resp.Diagnostics)
	if workspace == "" {
		return
	}
	m.WorkspaceID, m.Members = types.StringValue(workspace), []memberDataModel{}
	for member, err := range d.client.AllMembers(ctx, workspace, keyward.ListOptions{Limit: 100}) {
		if err != nil {
			explain(&resp.Diagnostics, "read the members", err)
			return
		}
		if m.RoleID.IsNull() || m.RoleID.ValueString() == member.RoleID {
			m.Members = append(m.Members, shownMember(member))
		}
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

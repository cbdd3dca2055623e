package provider

import (
	"context"
	"iter"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keyward/keyward"
)

// shown is an attribute that a data source answers.
func shown(description string) schema.StringAttribute {
	return schema.StringAttribute{Computed: true, MarkdownDescription: description}
}

func shownBool(description string) schema.BoolAttribute {
	return schema.BoolAttribute{Computed: true, MarkdownDescription: description}
}

func shownNumber(description string) schema.Int64Attribute {
	return schema.Int64Attribute{Computed: true, MarkdownDescription: description}
}

func shownSet(description string) schema.SetAttribute {
	return schema.SetAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: description}
}

// asked is an attribute that chooses.
func asked(description string) schema.StringAttribute {
	return schema.StringAttribute{Optional: true, MarkdownDescription: description}
}

// found is an attribute by which an object is found, or that is answered.
func found(description string) schema.StringAttribute {
	return schema.StringAttribute{Optional: true, Computed: true, MarkdownDescription: description}
}

func inWorkspace() schema.StringAttribute {
	return found("Id of the workspace. Default: that of the provider.")
}

// collect reads a list to its end.
func collect[T, M any](list iter.Seq2[T, error], show func(T) M) (out []M, err error) {
	out = []M{}
	for item, err := range list {
		if err != nil {
			return nil, err
		}
		out = append(out, show(item))
	}
	return out, nil
}

// single returns the one object of a list that has the name, whatever its case.
func single[T any](list iter.Seq2[T, error], kind, name string, nameOf func(T) string,
	diags *diag.Diagnostics) (one T, ok bool) {
	n := 0
	for item, err := range list {
		if err != nil {
			explain(diags, "look for the "+kind, err)
			return one, false
		}
		if strings.EqualFold(nameOf(item), name) {
			one = item
			n++
		}
	}
	switch n {
	case 0:
		diags.AddAttributeError(path.Root("name"), "There is no such "+kind,
			"No "+kind+" that the token sees is named "+name+".")
	case 1:
		return one, true
	default:
		diags.AddAttributeError(path.Root("name"), "The name is not unique", "Several have the name "+name+": use the id.")
	}
	return one, false
}

// idOrName reports whether exactly one of both is given, and adds an error if not.
func idOrName(id, name types.String, diags *diag.Diagnostics) bool {
	if (id.ValueString() == "") != (name.ValueString() == "") {
		return true
	}
	diags.AddError("Want id or name", "Set one of them.")
	return false
}

type workspaceData struct{ configuredData }

type workspaceDataModel struct {
	ID                    types.String `tfsdk:"id"`
	Name                  types.String `tfsdk:"name"`
	IsActive              types.Bool   `tfsdk:"is_active"`
	OwnerID               types.String `tfsdk:"owner_id"`
	PermissionMode        types.String `tfsdk:"permission_mode"`
	SelfRotation          types.String `tfsdk:"self_rotation"`
	RequireExpiry         types.Bool   `tfsdk:"require_expiry"`
	MaxKeyLifetimeSeconds types.Int64  `tfsdk:"max_key_lifetime_seconds"`
	CreatedAt             types.String `tfsdk:"created_at"`
}

// Metadata names the data source.
func (*workspaceData) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_workspace"
}

// Schema describes the data source.
func (*workspaceData) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{MarkdownDescription: "A workspace, by its id or its name.",
		Attributes: map[string]schema.Attribute{
			"id": found("Id of the workspace."), "name": found("Name of the workspace."),
			"is_active": shownBool("Whether the keys of the workspace work."), "owner_id": shown("Id of the owner."),
			"permission_mode": shown("`frozen` or `capped`."), "self_rotation": shown("`allowed` or `forbidden`."),
			"require_expiry":           shownBool("Whether every new key needs an expiry."),
			"max_key_lifetime_seconds": shownNumber("Longest lifetime of a key's value in seconds, or null."),
			"created_at":               shown("Time of the creation."),
		}}
}

// Read finds the workspace.
func (d *workspaceData) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m workspaceDataModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !d.ready(&resp.Diagnostics) || !idOrName(m.ID, m.Name, &resp.Diagnostics) {
		return
	}
	var w keyward.Workspace
	ok := true
	if id := m.ID.ValueString(); id != "" {
		var err error
		if w, err = d.client.GetWorkspace(ctx, id); err != nil {
			explain(&resp.Diagnostics, "read the workspace "+id, err)
			return
		}
	} else if w, ok = single(d.client.AllWorkspaces(ctx, keyward.ListOptions{Limit: 100}), "workspace",
		m.Name.ValueString(),
		func(w keyward.Workspace) string { return w.Name }, &resp.Diagnostics); !ok {
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &workspaceDataModel{
		ID: types.StringValue(w.ID), Name: types.StringValue(w.Name), IsActive: types.BoolValue(w.IsActive),
		OwnerID: types.StringValue(w.OwnerID), PermissionMode: types.StringValue(string(w.Settings.PermissionMode)),
		SelfRotation:          types.StringValue(string(w.Settings.SelfRotation)),
		RequireExpiry:         types.BoolValue(w.Settings.RequireExpiry),
		MaxKeyLifetimeSeconds: number(w.Settings.MaxKeyLifetimeSeconds),
		CreatedAt:             types.StringValue(stamp(w.CreatedAt)),
	})...)
}

type permissionsData struct{ configuredData }

type permissionsModel struct {
	Resource    types.String      `tfsdk:"resource"`
	Action      types.String      `tfsdk:"action"`
	Names       types.Set         `tfsdk:"names"`
	Permissions []permissionModel `tfsdk:"permissions"`
}

type permissionModel struct {
	Name        types.String `tfsdk:"name"`
	Resource    types.String `tfsdk:"resource"`
	Action      types.String `tfsdk:"action"`
	Description types.String `tfsdk:"description"`
}

// Metadata names the data source.
func (*permissionsData) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_permissions"
}

// Schema describes the data source.
func (*permissionsData) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{MarkdownDescription: "The permissions of the server's catalogue, in its order.",
		Attributes: map[string]schema.Attribute{
			"resource": asked("Only the permissions of this resource, such as `calls`."),
			"action":   asked("Only the permissions with this action, such as `read`."),
			"names":    shownSet("Names of the permissions."),
			"permissions": schema.ListNestedAttribute{Computed: true, MarkdownDescription: "The permissions.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"name": shown("Name, such as `calls:read`."), "resource": shown("Resource."), "action": shown("Action."),
					"description": shown("Description."),
				}}},
		}}
}

// Read lists the permissions.
func (d *permissionsData) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m permissionsModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !d.ready(&resp.Diagnostics) {
		return
	}
	all, err := d.client.ListPermissions(ctx)
	if err != nil {
		explain(&resp.Diagnostics, "read the catalogue", err)
		return
	}
	names := []string{}
	m.Permissions = []permissionModel{}
	for _, p := range all {
		if !m.Resource.IsNull() && p.Resource != m.Resource.ValueString() || !m.Action.IsNull() &&
			p.Action != m.Action.ValueString() {
			continue
		}
		names = append(names, p.Name)
		m.Permissions = append(m.Permissions, permissionModel{
			types.StringValue(p.Name), types.StringValue(p.Resource), types.StringValue(p.Action), optional(p.Description),
		})
	}
	m.Names = setOf(names)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

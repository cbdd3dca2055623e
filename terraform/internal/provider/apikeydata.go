package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keyward/keyward"
)

type apiKeyDataModel struct {
	ID          types.String `tfsdk:"id"`
	WorkspaceID types.String `tfsdk:"workspace_id"`
	UserID      types.String `tfsdk:"user_id"`
	Name        types.String `tfsdk:"name"`
	Environment types.String `tfsdk:"environment"`
	Permissions types.Set    `tfsdk:"permissions"`
	ExpiresAt   types.String `tfsdk:"expires_at"`
	RateLimit   types.Object `tfsdk:"rate_limit"`
	Description types.String `tfsdk:"description"`
	Metadata    types.String `tfsdk:"metadata"`
	AllowedIPs  types.Set    `tfsdk:"allowed_ips"`
	IsActive    types.Bool   `tfsdk:"is_active"`
	Key         types.String `tfsdk:"key"`
	CreatedAt   types.String `tfsdk:"created_at"`
	LastUsedAt  types.String `tfsdk:"last_used_at"`
	DisabledBy  types.String `tfsdk:"disabled_by"`
	DisabledAt  types.String `tfsdk:"disabled_at"`
}

func apiKeyDataAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"id": shown("Id of the key."), "workspace_id": shown("Id of the workspace."),
		"user_id": shown("Id of the member whose key it is."), "name": shown("Name of the key."),
		"environment": shown("`live` or `test`."), "permissions": shownSet("Permissions of the key."),
		"expires_at": shown("End of the key, or `never`."),
		"rate_limit": schema.SingleNestedAttribute{Computed: true,
			MarkdownDescription: "Limits of the key. Null is unlimited.",
			Attributes: map[string]schema.Attribute{
				"requests_per_minute": shownNumber("Requests in any 60 seconds, at most."),
				"requests_per_day":    shownNumber("Requests in a day of UTC, at most."),
			}},
		"description": shown("Description."), "metadata": shown("Your own data about the key: a JSON object."),
		"allowed_ips": shownSet("Networks from which the key works; empty for all."),
		"is_active":   shownBool("Whether the key is enabled."),
		"key":         shown("The value, masked."), "created_at": shown("Time of the creation."),
		"last_used_at": shown("Time of the last use, or null."),
		"disabled_by":  shown("User, or id of the service key, that disabled the key."),
		"disabled_at":  shown("Time at which the key was disabled."),
	}
}

func shownKey(k keyward.APIKey) apiKeyDataModel {
	m := apiKeyDataModel{
		ID: types.StringValue(k.ID), WorkspaceID: types.StringValue(k.WorkspaceID), UserID: types.StringValue(k.UserID),
		Name: types.StringValue(k.Name), Environment: types.StringValue(string(k.Environment)),
		Permissions: setOf(k.Permissions),
		ExpiresAt:   types.StringValue(expiry(k.ExpiresAt)), RateLimit: limits(k.RateLimit),
		Description: optional(k.Description),
		Metadata:    types.StringValue("{}"), AllowedIPs: setOf(k.AllowedIPs), IsActive: types.BoolValue(k.IsActive),
		Key: types.StringValue(k.Key), CreatedAt: types.StringValue(stamp(k.CreatedAt)), DisabledBy: optional(k.DisabledBy),
		LastUsedAt: types.StringNull(), DisabledAt: types.StringNull(),
	}
	if len(k.Metadata) > 0 {
		m.Metadata = types.StringValue(jsonOf(k.Metadata))
	}
	if k.LastUsedAt != nil {
		m.LastUsedAt = types.StringValue(stamp(*k.LastUsedAt))
	}
	if k.DisabledAt != nil {
		m.DisabledAt = types.StringValue(stamp(*k.DisabledAt))
	}
	return m
}

type apiKeyData struct{ configuredData }

// Metadata names the data source.
func (*apiKeyData) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_api_key"
}

// Schema describes the data source.
func (*apiKeyData) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	attributes := apiKeyDataAttributes()
	attributes["id"] = schema.StringAttribute{Required: true, MarkdownDescription: "Id of the key."}
	resp.Schema = schema.Schema{MarkdownDescription: "An API key, without its value.", Attributes: attributes}
}

// Read finds the key.
func (d *apiKeyData) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m apiKeyDataModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !d.ready(&resp.Diagnostics) {
		return
	}
	k, err := d.client.GetKey(ctx, m.ID.ValueString())
	if err != nil {
		explain(&resp.Diagnostics, "read the API key "+m.ID.ValueString(), err)
		return
	}
	m = shownKey(k)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

type apiKeysData struct{ configuredData }

type apiKeysModel struct {
	WorkspaceID types.String      `tfsdk:"workspace_id"`
	UserID      types.String      `tfsdk:"user_id"`
	Status      types.String      `tfsdk:"status"`
	Environment types.String      `tfsdk:"environment"`
	Permission  types.String      `tfsdk:"permission"`
	Search      types.String      `tfsdk:"search"`
	APIKeys     []apiKeyDataModel `tfsdk:"api_keys"`
}

// Metadata names the data source.
func (*apiKeysData) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_api_keys"
}

// Schema describes the data source.
func (*apiKeysData) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "The API keys of a workspace that meet every given condition, the newest first, without their values.",
		Attributes: map[string]schema.Attribute{
			"workspace_id": inWorkspace(),
			"user_id":      asked("Only the keys of this member."),
			"status":       asked("Only keys of this status: `active`, `expiring`, `expired` or `disabled`."),
			"environment":  asked("Only keys of this environment: `live` or `test`."),
			"permission":   asked("Only keys that hold this permission."),
			"search":       asked("Only keys whose name or user matches this text."),
			"api_keys": schema.ListNestedAttribute{Computed: true, MarkdownDescription: "The keys.",
				NestedObject: schema.NestedAttributeObject{Attributes: apiKeyDataAttributes()}},
		},
	}
}

// Read lists the keys.
func (d *apiKeysData) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m apiKeysModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !d.ready(&resp.Diagnostics) {
		return
	}
	workspace := d.workspaceOf(m.WorkspaceID, &resp.Diagnostics)
	if workspace == "" {
		return
	}
	var err error
	m.APIKeys, err = collect(d.client.AllKeys(ctx, keyward.ListKeysOptions{
		WorkspaceID: workspace, UserID: m.UserID.ValueString(), Status: keyward.KeyStatus(m.Status.ValueString()),
		Environment: keyward.Environment(m.Environment.ValueString()), Permission: m.Permission.ValueString(),
		Search: m.Search.ValueString(), Limit: 100,
	}), shownKey)
	if err != nil {
		explain(&resp.Diagnostics, "read the API keys", err)
		return
	}
	m.WorkspaceID = types.StringValue(workspace)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

package provider

import (
	"context"
	"encoding/json"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keyward/keyward"
)

// apiKeyEphemeral is an API key for the time of one plan or apply.
type apiKeyEphemeral struct{ configuredEphemeral }

// The lifetime of an ephemeral key. It ends by itself if OpenTofu is killed before it can close the key.
const (
	leastSeconds    = 60
	mostSeconds     = 3600
	standardSeconds = 900
)

// openKey is the name under which an open key is noted for its closing.
const openKey = "api_key_id"

type apiKeyEphemeralModel struct {
	WorkspaceID types.String `tfsdk:"workspace_id"`
	UserID      types.String `tfsdk:"user_id"`
	Name        types.String `tfsdk:"name"`
	Environment types.String `tfsdk:"environment"`
	Permissions types.Set    `tfsdk:"permissions"`
	AllowedIPs  types.Set    `tfsdk:"allowed_ips"`
	ExpiresIn   types.Int64  `tfsdk:"expires_in_seconds"`
	ID          types.String `tfsdk:"id"`
	Key         types.String `tfsdk:"key"`
	ExpiresAt   types.String `tfsdk:"expires_at"`
	Value       types.String `tfsdk:"value"`
}

// Metadata names the ephemeral resource.
func (*apiKeyEphemeral) Metadata(_ context.Context, req ephemeral.MetadataRequest, resp *ephemeral.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_api_key"
}

// Schema describes the ephemeral resource.
func (*apiKeyEphemeral) Schema(_ context.Context, _ ephemeral.SchemaRequest, resp *ephemeral.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "An API key for the time of one plan or apply, to configure another provider, for instance. It is made anew by " +
			"each plan and each apply, **also by a plan**, and deleted at their end. If OpenTofu is killed before, the key ends by its expiry, " +
			"an hour later at most.",
		Attributes: map[string]schema.Attribute{
			"workspace_id": schema.StringAttribute{Optional: true, Computed: true,
				MarkdownDescription: "Id of the workspace. Default: that of the provider."},
			"user_id": schema.StringAttribute{Required: true, MarkdownDescription: "Id of the member whose key it is."},
			"name": schema.StringAttribute{
				Optional: true, Computed: true, MarkdownDescription: "Name of the key. Default: `OpenTofu`.",
			},
			"environment": schema.StringAttribute{
				Optional: true, Computed: true, MarkdownDescription: "`live` (default) or `test`.",
				Validators: []validator.String{oneOf{string(keyward.EnvironmentLive), string(keyward.EnvironmentTest)}},
			},
			"permissions": schema.SetAttribute{
				Required: true, ElementType: types.StringType,
				MarkdownDescription: "Permissions of the key, within those of the member.",
			},
			"allowed_ips": schema.SetAttribute{
				Optional: true, ElementType: types.StringType,
				MarkdownDescription: "Networks (CIDR) or addresses from which the key works.",
			},
			"expires_in_seconds": schema.Int64Attribute{
				Optional: true, Computed: true, MarkdownDescription: "Lifetime of the key in seconds, 60 to 3600. Default: 900. It is not prolonged: " +
					"a longer apply needs a longer one.",
				Validators: []validator.Int64{between{leastSeconds, mostSeconds}},
			},
			"id":         schema.StringAttribute{Computed: true, MarkdownDescription: "Id of the key."},
			"key":        schema.StringAttribute{Computed: true, MarkdownDescription: "The value, masked."},
			"expires_at": schema.StringAttribute{Computed: true, MarkdownDescription: "End of the key."},
			"value":      schema.StringAttribute{Computed: true, Sensitive: true, MarkdownDescription: "The value."},
		},
	}
}

// Open makes the key.
func (e *apiKeyEphemeral) Open(ctx context.Context, req ephemeral.OpenRequest, resp *ephemeral.OpenResponse) {
	var m apiKeyEphemeralModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !e.ready(&resp.Diagnostics) {
		return
	}
	workspace := e.workspaceOf(m.WorkspaceID, &resp.Diagnostics)
	if workspace == "" {
		return
	}
	if m.ExpiresIn.IsNull() {
		m.ExpiresIn = types.Int64Value(standardSeconds)
	}
	until := time.Now().Add(time.Duration(m.ExpiresIn.ValueInt64()) * time.Second)
	created, err := e.client.CreateKey(ctx, keyward.CreateKeyRequest{
		WorkspaceID: workspace, UserID: m.UserID.ValueString(), Name: either(m.Name.ValueString(), "OpenTofu"),
		Permissions: keyward.Permissions(stringsOf(m.Permissions)...), ExpiresAt: &until,
		Environment: keyward.Environment(m.Environment.ValueString()), AllowedIPs: stringsOf(m.AllowedIPs),
	})
	if err != nil {
		explain(&resp.Diagnostics, "make the ephemeral API key", err)
		return
	}
	k := created.APIKey
	id, err := json.Marshal(k.ID)
	if err != nil {
		resp.Diagnostics.AddError("Cannot note the ephemeral API key", err.Error())
		return
	}
	resp.Diagnostics.Append(resp.Private.SetKey(ctx, openKey, id)...)
	m.WorkspaceID, m.Name, m.Environment = types.StringValue(k.WorkspaceID), types.StringValue(k.Name),
		types.StringValue(string(k.Environment))
	m.ID, m.Key, m.ExpiresAt = types.StringValue(k.ID), types.StringValue(k.Key), types.StringValue(expiry(k.ExpiresAt))
	m.Value = types.StringValue(created.Key.Reveal())
	resp.Diagnostics.Append(resp.Result.Set(ctx, &m)...)
}

// Close deletes the key.
func (e *apiKeyEphemeral) Close(ctx context.Context, req ephemeral.CloseRequest, resp *ephemeral.CloseResponse) {
	noted, diags := req.Private.GetKey(ctx, openKey)
	resp.Diagnostics.Append(diags...)
	var id string
	if json.Unmarshal(noted, &id) != nil || id == "" || !e.ready(&resp.Diagnostics) {
		return
	}
	if _, err := e.client.DeleteKey(ctx, id); err != nil && !gone(err) {
		explain(&resp.Diagnostics, "delete the ephemeral API key "+id, err)
	}
}

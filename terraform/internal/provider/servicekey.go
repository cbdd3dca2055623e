package provider

import (
	"context"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	ephemeralschema "github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keyward/keyward"
)

type serviceKeyResource struct{ configured }

type serviceKeyModel struct {
	ID           types.String `tfsdk:"id"`
	Name         types.String `tfsdk:"name"`
	Scopes       types.Set    `tfsdk:"scopes"`
	WorkspaceIDs types.Set    `tfsdk:"workspace_ids"`
	Environments types.Set    `tfsdk:"environments"`
	AllowedIPs   types.Set    `tfsdk:"allowed_ips"`
	ExpiresAt    types.String `tfsdk:"expires_at"`
	Key          types.String `tfsdk:"key"`
	CreatedAt    types.String `tfsdk:"created_at"`
}

// Metadata names the resource.
func (*serviceKeyResource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_service_key"
}

// Schema describes the resource.
func (*serviceKeyResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	words := func(description string) schema.SetAttribute {
		return schema.SetAttribute{
			Optional: true, ElementType: types.StringType, MarkdownDescription: description + " Another set replaces the key.",
			PlanModifiers: []planmodifier.Set{replacedSet()},
		}
	}
	scopes := words("Scopes: `verify`, `revoke`, `follow`, `portal`, `manage`, `root`.")
	scopes.Optional, scopes.Required = false, true
	resp.Schema = schema.Schema{
		MarkdownDescription: "A service key: a credential of an operator, or of a service that verifies keys. The token must have the scope `root`. " +
			"The server makes the value and tells it once, so that **the apply that makes the key is the only chance to keep its value**: read it with " +
			"`ephemeral.keyward_service_key_value`, and pass it on to a secret store. The API has no change of a service key: each change " +
			"replaces it.",
		Attributes: map[string]schema.Attribute{
			"id":            fixed("Id of the service key."),
			"name":          once("Name of the service key."),
			"scopes":        scopes,
			"workspace_ids": words("Workspaces that the key reaches. Default: all."),
			"environments":  words("Environments that the key reaches: `live`, `test`. Default: both."),
			"allowed_ips":   networks(replacedSet()),
			"expires_at": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "End of the key: a time in RFC 3339, or a date. Default: it does not expire. Another time replaces the key.",
				Validators:          []validator.String{moment(false)},
				PlanModifiers:       []planmodifier.String{sameMeaning{sameInstant}, stringplanmodifier.RequiresReplace()},
			},
			"key":        fixed("The value, masked, such as `kw_svc_AbCd…wxyz`."),
			"created_at": fixed("Time of the creation."),
		},
	}
}

func (m *serviceKeyModel) show(k keyward.ServiceKey) {
	m.ID, m.Name, m.Key = types.StringValue(k.ID), settle(m.Name, k.Name, equal), types.StringValue(k.Key)
	m.Scopes, m.CreatedAt = setOf(k.Scopes), types.StringValue(stamp(k.CreatedAt))
	m.WorkspaceIDs = settleSet(m.WorkspaceIDs, k.WorkspaceIDs, strings.EqualFold)
	var environments []string
	for _, e := range k.Environments {
		environments = append(environments, string(e))
	}
	m.Environments = settleSet(m.Environments, environments, equal)
	m.AllowedIPs = settleSet(m.AllowedIPs, k.AllowedIPs, sameNetwork)
	if k.ExpiresAt == nil {
		m.ExpiresAt = types.StringNull()
		return
	}
	m.ExpiresAt = settle(m.ExpiresAt, stamp(*k.ExpiresAt), sameInstant)
}

// Create makes the service key, and keeps its value in the memory of this process.
func (r *serviceKeyResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var m serviceKeyModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !r.ready(&resp.Diagnostics) {
		return
	}
	in := keyward.CreateServiceKeyRequest{
		Name: m.Name.ValueString(), WorkspaceIDs: listOf(m.WorkspaceIDs), AllowedIPs: listOf(m.AllowedIPs),
	}
	for _, s := range stringsOf(m.Scopes) {
		in.Scopes = append(in.Scopes, keyward.Scope(s))
	}
	if !m.Environments.IsNull() {
		in.Environments = []keyward.Environment{}
	}
	for _, e := range stringsOf(m.Environments) {
		in.Environments = append(in.Environments, keyward.Environment(e))
	}
	var err error
	if in.ExpiresAt, err = expiryTime(m.ExpiresAt); err != nil {
		resp.Diagnostics.AddAttributeError(path.Root("expires_at"), "Cannot create the service key", err.Error())
		return
	}
	created, err := r.client.CreateServiceKey(ctx, in)
	if err != nil {
		explain(&resp.Diagnostics, "create the service key", err)
		return
	}
	r.issue(created.ServiceKey.ID, created.Key)
	m.show(created.ServiceKey)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

// listOf is the list of a set: nil for null, and empty for the empty set, which the server refuses by name.
func listOf(set types.Set) []string {
	if set.IsNull() {
		return nil
	}
	return append([]string{}, stringsOf(set)...)
}

// Read looks for the service key in the list, since the API has no question for a single one.
func (r *serviceKeyResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var m serviceKeyModel
	resp.Diagnostics.Append(req.State.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !r.ready(&resp.Diagnostics) {
		return
	}
	for k, err := range r.client.AllServiceKeys(ctx, keyward.ListOptions{Limit: 100}) {
		if err != nil {
			explain(&resp.Diagnostics, "read the service keys", err)
			return
		}
		if k.ID == m.ID.ValueString() {
			m.show(k)
			resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
			return
		}
	}
	resp.State.RemoveResource(ctx)
}

// Update is never called with a change: every attribute replaces the key.
func (r *serviceKeyResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	resp.State.Raw = req.Plan.Raw
}

// Delete deletes the service key. The key with which the provider itself calls stays.
func (r *serviceKeyResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var m serviceKeyModel
	resp.Diagnostics.Append(req.State.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !r.ready(&resp.Diagnostics) {
		return
	}
	me, err := r.client.Me(ctx, "")
	if err == nil && me.Credential.ID == m.ID.ValueString() {
		resp.Diagnostics.AddError("Cannot delete the service key "+m.Name.ValueString(),
			"The provider calls with this key. Give the provider another token first, or take the key out of the state.")
		return
	}
	if _, err := r.client.DeleteServiceKey(ctx, m.ID.ValueString()); err != nil && !gone(err) {
		explain(&resp.Diagnostics, "delete the service key "+m.Name.ValueString(), err)
	}
}

// ImportState takes the id of the service key.
func (r *serviceKeyResource) ImportState(
	ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse,
) {
	resource.ImportStatePassthroughID(ctx, path.Root("id"), req, resp)
}

// serviceKeyValueEphemeral hands on the value of a service key within the apply that made it.
type serviceKeyValueEphemeral struct{ configuredEphemeral }

type serviceKeyValueModel struct {
	ServiceKeyID types.String `tfsdk:"service_key_id"`
	Value        types.String `tfsdk:"value"`
}

// Metadata names the ephemeral resource.
func (*serviceKeyValueEphemeral) Metadata(
	_ context.Context, req ephemeral.MetadataRequest, resp *ephemeral.MetadataResponse,
) {
	resp.TypeName = req.ProviderTypeName + "_service_key_value"
}

// Schema describes the ephemeral resource.
func (*serviceKeyValueEphemeral) Schema(_ context.Context, _ ephemeral.SchemaRequest, resp *ephemeral.SchemaResponse) {
	resp.Schema = ephemeralschema.Schema{
		MarkdownDescription: "The value of a service key, in the apply that makes the key and in no other: null in every later plan and apply. Pass " +
			"it to a write-only argument, whose version changes with the key.",
		Attributes: map[string]ephemeralschema.Attribute{
			"service_key_id": ephemeralschema.StringAttribute{Required: true,
				MarkdownDescription: "Id of a `keyward_service_key`."},
			"value": ephemeralschema.StringAttribute{Computed: true, Sensitive: true,
				MarkdownDescription: "The value, or null."},
		},
	}
}

// Open returns the value, if this process has made the key.
func (e *serviceKeyValueEphemeral) Open(
	ctx context.Context, req ephemeral.OpenRequest, resp *ephemeral.OpenResponse,
) {
	var m serviceKeyValueModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !e.ready(&resp.Diagnostics) {
		return
	}
	m.Value = types.StringNull()
	if value, ok := e.value(m.ServiceKeyID.ValueString()); ok {
		m.Value = types.StringValue(value.Reveal())
	}
	resp.Diagnostics.Append(resp.Result.Set(ctx, &m)...)
}

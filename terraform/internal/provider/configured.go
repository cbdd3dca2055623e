package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// configured is the part of a resource that knows the provider's session. It is nil while only schemas are asked for.
type configured struct{ *session }

// Configure takes the session of the provider.
func (c *configured) Configure(
	_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse,
) {
	c.take(req.ProviderData, &resp.Diagnostics)
}

func (c *configured) take(data any, diags *diag.Diagnostics) {
	if data == nil {
		return
	}
	s, ok := data.(*session)
	if !ok {
		diags.AddError("The provider has a fault", fmt.Sprintf("its data is a %T", data))
		return
	}
	c.session = s
}

// configuredData is configured for data sources.
type configuredData struct{ configured }

// Configure takes the session of the provider.
func (c *configuredData) Configure(
	_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse,
) {
	c.take(req.ProviderData, &resp.Diagnostics)
}

// configuredEphemeral is configured for ephemeral resources.
type configuredEphemeral struct{ configured }

// Configure takes the session of the provider.
func (c *configuredEphemeral) Configure(
	_ context.Context, req ephemeral.ConfigureRequest, resp *ephemeral.ConfigureResponse,
) {
	c.take(req.ProviderData, &resp.Diagnostics)
}

// ready reports whether there is a client, and adds an error if there is none.
func (c *configured) ready(diags *diag.Diagnostics) bool {
	if c.session != nil && c.client != nil {
		return true
	}
	diags.AddError("The provider is not configured yet",
		"Its endpoint or token is known after the apply only. Apply the resources that they come from first, with -target.")
	return false
}

// workspaceOf returns the workspace that an object names, else that of the provider. It adds an error if there is
// neither.
func (c *configured) workspaceOf(named types.String, diags *diag.Diagnostics) string {
	if id := named.ValueString(); id != "" {
		return id
	}
	if c.session != nil && c.workspace != "" {
		return c.workspace
	}
	diags.AddAttributeError(path.Root("workspace_id"), "The workspace is missing",
		"Set workspace_id here, or in the provider's configuration.")
	return ""
}

// getter is a plan, a state or a configuration.
type getter interface {
	GetAttribute(ctx context.Context, at path.Path, target any) diag.Diagnostics
}

// read returns one attribute.
func read[T attr.Value](ctx context.Context, from getter, name string, diags *diag.Diagnostics) (value T) {
	diags.Append(from.GetAttribute(ctx, path.Root(name), &value)...)
	return value
}

// planWorkspace plans the provider's workspace for a new object that names none.
func (c *configured) planWorkspace(
	ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse,
) {
	if req.Plan.Raw.IsNull() || !req.State.Raw.IsNull() {
		return
	}
	named := read[types.String](ctx, req.Config, "workspace_id", &resp.Diagnostics)
	if !named.IsNull() || resp.Diagnostics.HasError() {
		return
	}
	if id := c.workspaceOf(named, &resp.Diagnostics); id != "" {
		resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root("workspace_id"), types.StringValue(id))...)
	}
}

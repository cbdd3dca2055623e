// Command store is a provider for the tests with OpenTofu. Its one resource writes a write-only argument to a file, as
// the provider of a secret store does. It knows nothing of Keyward.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

func main() {
	opts := providerserver.ServeOpts{Address: "registry.terraform.io/keyward/store", ProtocolVersion: 6}
	if err := providerserver.Serve(context.Background(), newStore, opts); err != nil {
		fmt.Fprintln(os.Stderr, "terraform-provider-store:", err)
		os.Exit(1)
	}
}

type store struct{}

func newStore() provider.Provider { return store{} }

// Metadata names the provider.
func (store) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "store"
}

// Schema is empty: the provider has no settings.
func (store) Schema(context.Context, provider.SchemaRequest, *provider.SchemaResponse) {}

// Configure does nothing.
func (store) Configure(context.Context, provider.ConfigureRequest, *provider.ConfigureResponse) {}

// DataSources returns none.
func (store) DataSources(context.Context) []func() datasource.DataSource { return nil }

// Resources returns the one resource.
func (store) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{func() resource.Resource { return secret{} }}
}

// secret is a file with a secret.
type secret struct{}

type secretModel struct {
	File           types.String `tfsdk:"file"`
	ValueWO        types.String `tfsdk:"value_wo"`
	ValueWOVersion types.Int64  `tfsdk:"value_wo_version"`
}

// Metadata names the resource.
func (secret) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_secret"
}

// Schema describes the resource.
func (secret) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{Attributes: map[string]schema.Attribute{
		"file":             schema.StringAttribute{Required: true},
		"value_wo":         schema.StringAttribute{Required: true, WriteOnly: true},
		"value_wo_version": schema.Int64Attribute{Required: true},
	}}
}

// write writes the value, which is in the configuration alone, and returns what the state keeps.
func write(ctx context.Context, config tfsdk.Config, plan tfsdk.Plan, diags *diag.Diagnostics) (m secretModel) {
	var value types.String
	diags.Append(config.GetAttribute(ctx, path.Root("value_wo"), &value)...)
	diags.Append(plan.Get(ctx, &m)...)
	if diags.HasError() {
		return m
	}
	if err := os.WriteFile(m.File.ValueString(), []byte(value.ValueString()), 0o600); err != nil {
		diags.AddError("Cannot write the secret", err.Error())
	}
	return m
}

// Create writes the file.
func (secret) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	m := write(ctx, req.Config, req.Plan, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

// Update writes the file again.
func (secret) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	m := write(ctx, req.Config, req.Plan, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

// Read changes nothing.
func (secret) Read(context.Context, resource.ReadRequest, *resource.ReadResponse) {}

// Delete removes the file.
func (secret) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var m secretModel
	resp.Diagnostics.Append(req.State.Get(ctx, &m)...)
	if err := os.Remove(m.File.ValueString()); err != nil {
		resp.Diagnostics.AddError("Cannot remove the secret", err.Error())
	}
}

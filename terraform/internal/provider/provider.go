// Package provider is the Terraform provider of Keyward: the schemas of its resources, ephemeral resources and data
// sources, and the calls of the Go client behind them. It keeps no value of a key in state or plan: values pass through
// write-only arguments and ephemeral resources alone.
package provider

import (
	"context"
	"os"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keyward/keyward"
)

// The environment variables that the command line of Keyward reads as well, and the default of the first.
const (
	envURL       = "KEYWARD_URL"
	envToken     = "KEYWARD_TOKEN"
	envWorkspace = "KEYWARD_WORKSPACE"

	defaultURL = "http://127.0.0.1:8080"
)

// New returns the function that makes a provider of this version.
func New(version string) func() provider.Provider {
	return func() provider.Provider { return &keywardProvider{version: version} }
}

type keywardProvider struct{ version string }

type providerModel struct {
	Endpoint    types.String `tfsdk:"endpoint"`
	Token       types.String `tfsdk:"token"`
	WorkspaceID types.String `tfsdk:"workspace_id"`
}

// session is a configured provider: a client, and the values of the service keys that this process has made.
type session struct {
	client    *keyward.Client
	workspace string // the default workspace; "" for none

	mu     sync.Mutex
	issued map[string]keyward.Secret // by the id of the service key
}

// issue keeps the value of a new service key until the process ends.
func (s *session) issue(id string, value keyward.Secret) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.issued[id] = value
}

// value returns the value of a service key that this process has made.
func (s *session) value(id string) (keyward.Secret, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.issued[id]
	return v, ok
}

// Metadata names the provider.
func (p *keywardProvider) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName, resp.Version = "keyward", p.version
}

// Schema describes the configuration of the provider.
func (p *keywardProvider) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Manages workspaces, roles, members, service keys and API keys of a [Keyward](https://github.com/keyward/keyward) " +
			"server. The value of a key never enters the state or a plan.",
		Attributes: map[string]schema.Attribute{
			"endpoint": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "URL of the server, such as `https://keys.example.com`. Default: the environment variable `KEYWARD_URL`, " +
					"else `" + defaultURL + "`.",
			},
			"token": schema.StringAttribute{
				Optional: true, Sensitive: true,
				MarkdownDescription: "Token of the caller. `keyward_api_key` needs a service key with the scope `manage`, and " +
					"`keyward_service_key` one with the scope `root`. Default: the environment variable `KEYWARD_TOKEN`.",
			},
			"workspace_id": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "Workspace of every object that names none itself. Default: the environment variable " +
					"`KEYWARD_WORKSPACE`, as an id.",
			},
		},
	}
}

// Configure makes the client. An unknown endpoint or token leaves the provider without one, and each call then says so.
func (p *keywardProvider) Configure(ctx context.Context, req provider.ConfigureRequest,
	resp *provider.ConfigureResponse) {
	var m providerModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	s := &session{workspace: given(m.WorkspaceID, envWorkspace, ""), issued: map[string]keyward.Secret{}}
	resp.ResourceData, resp.DataSourceData, resp.EphemeralResourceData = s, s, s
	if m.Endpoint.IsUnknown() || m.Token.IsUnknown() {
		return
	}
	token := given(m.Token, envToken, "")
	if token == "" {
		resp.Diagnostics.AddAttributeError(path.Root("token"), "The token is missing",
			"Set token in the provider's configuration, or the environment variable "+envToken+".")
		return
	}
	client, err := keyward.New(given(m.Endpoint, envURL, defaultURL),
		keyward.WithToken(token), keyward.WithUserAgent("terraform-provider-keyward/"+p.version))
	if err != nil {
		resp.Diagnostics.AddError("The provider's configuration is not usable", err.Error())
		return
	}
	s.client = client
}

// given returns the configured text, else that of the environment, else a default.
func given(configured types.String, env, otherwise string) string {
	if v := configured.ValueString(); v != "" {
		return v
	}
	if v := os.Getenv(env); v != "" {
		return v
	}
	return otherwise
}

// Resources lists the resources.
func (p *keywardProvider) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{
		func() resource.Resource { return &workspaceResource{} },
		func() resource.Resource { return &roleResource{} },
		func() resource.Resource { return &memberResource{} },
		func() resource.Resource { return &apiKeyResource{} },
		func() resource.Resource { return &serviceKeyResource{} },
	}
}

// EphemeralResources lists the ephemeral resources.
func (p *keywardProvider) EphemeralResources(context.Context) []func() ephemeral.EphemeralResource {
	return []func() ephemeral.EphemeralResource{
		func() ephemeral.EphemeralResource { return &keyValueEphemeral{} },
		func() ephemeral.EphemeralResource { return &apiKeyEphemeral{} },
		func() ephemeral.EphemeralResource { return &serviceKeyValueEphemeral{} },
	}
}

// DataSources lists the data sources.
func (p *keywardProvider) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{
		func() datasource.DataSource { return &workspaceData{} },
		func() datasource.DataSource { return &roleData{} },
		func() datasource.DataSource { return &rolesData{} },
		func() datasource.DataSource { return &memberData{} },
		func() datasource.DataSource { return &membersData{} },
		func() datasource.DataSource { return &apiKeyData{} },
		func() datasource.DataSource { return &apiKeysData{} },
		func() datasource.DataSource { return &permissionsData{} },
	}
}

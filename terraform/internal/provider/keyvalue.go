package provider

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keyward/keyward/internal/keyfmt"
)

// keyValueEphemeral makes the value of a key on this machine. It asks no server.
type keyValueEphemeral struct{}

type keyValueModel struct {
	Environment types.String `tfsdk:"environment"`
	Prefix      types.String `tfsdk:"prefix"`
	Value       types.String `tfsdk:"value"`
	SHA256      types.String `tfsdk:"sha256"`
	Masked      types.String `tfsdk:"masked"`
}

// Metadata names the ephemeral resource.
func (*keyValueEphemeral) Metadata(
	_ context.Context, req ephemeral.MetadataRequest, resp *ephemeral.MetadataResponse,
) {
	resp.TypeName = req.ProviderTypeName + "_key_value"
}

// Schema describes the ephemeral resource.
func (*keyValueEphemeral) Schema(_ context.Context, _ ephemeral.SchemaRequest, resp *ephemeral.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "A new value of an API key, in Keyward's format, made on this machine: 256 random bits and a checksum. Each plan and " +
			"each apply makes another one, and forgets it. Give it to `value_wo` of `keyward_api_key` and, in the same apply, to the write-only " +
			"argument of a secret store.",
		Attributes: map[string]schema.Attribute{
			"environment": schema.StringAttribute{
				Optional: true, MarkdownDescription: "`live` (default) or `test`: the same as that of the key.",
				Validators: []validator.String{oneOf{string(keyfmt.Live), string(keyfmt.Test)}},
			},
			"prefix": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "Prefix of the server's keys, as its setting `KEYWARD_KEY_PREFIX` has it. Default: `" +
					keyfmt.DefaultPrefix + "`.",
				Validators: []validator.String{checked{want: "a prefix of keys", check: func(s string) error {
					_, err := keyfmt.NewFormat(s)
					return err
				}}},
			},
			"value": schema.StringAttribute{Computed: true, Sensitive: true, MarkdownDescription: "The value."},
			"sha256": schema.StringAttribute{Computed: true,
				MarkdownDescription: "SHA-256 of the value, in hexadecimal digits."},
			"masked": schema.StringAttribute{Computed: true, MarkdownDescription: "The value, masked, as the server shows it."},
		},
	}
}

// Open makes the value.
func (*keyValueEphemeral) Open(ctx context.Context, req ephemeral.OpenRequest, resp *ephemeral.OpenResponse) {
	var m keyValueModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	format, err := keyfmt.NewFormat(either(m.Prefix.ValueString(), keyfmt.DefaultPrefix))
	if err != nil {
		resp.Diagnostics.AddAttributeError(pathOf("prefix"), "The prefix is not usable", err.Error())
		return
	}
	value, err := format.Mint(rand.Reader, keyfmt.Environment(either(m.Environment.ValueString(), string(keyfmt.Live))))
	if err != nil {
		resp.Diagnostics.AddError("Cannot make a value", err.Error())
		return
	}
	digest := sha256.Sum256([]byte(value.Reveal()))
	m.Value, m.SHA256 = types.StringValue(value.Reveal()), types.StringValue(hex.EncodeToString(digest[:]))
	m.Masked = types.StringValue(format.Mask(value))
	resp.Diagnostics.Append(resp.Result.Set(ctx, &m)...)
}

// formatOf returns the format that a text has by its prefix.
func formatOf(value string) (keyfmt.Format, bool) {
	format, err := keyfmt.NewFormat(keyfmt.PrefixOf(value))
	return format, err == nil
}

// environmentOf is that of a value of our format; "" for other values.
func environmentOf(value string) string {
	if format, ok := formatOf(value); ok {
		if env, ok := format.Parse(value); ok {
			return string(env)
		}
	}
	return ""
}

// maskOf shows a value of our format as the server does; "" for other values.
func maskOf(value string) string {
	if format, ok := formatOf(value); ok && environmentOf(value) != "" {
		return format.Mask(keyfmt.NewSecret(value))
	}
	return ""
}

// checkValue refuses values that no server would ever verify. It never repeats one.
func checkValue(value string) error {
	format, err := keyfmt.NewFormat(keyfmt.DefaultPrefix)
	if err != nil {
		return err
	}
	switch env := environmentOf(value); {
	case env == string(keyfmt.Service):
		return errors.New("this is the value of a service key")
	case env != "", format.MayBeForeign(value):
		return nil
	}
	return errors.New("want a value of ephemeral.keyward_key_value, or one of another system: 16 to 512 visible ASCII characters " +
		"that do not begin as a key of Keyward does")
}

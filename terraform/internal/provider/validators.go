package provider

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
)

// checked refuses a text for which the function returns an error.
type checked struct {
	want  string
	check func(string) error
}

// Description says what is wanted.
func (c checked) Description(context.Context) string { return c.want }

// MarkdownDescription is Description.
func (c checked) MarkdownDescription(context.Context) string { return c.want }

// ValidateString asks the function.
func (c checked) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if unset(req.ConfigValue) {
		return
	}
	if err := c.check(req.ConfigValue.ValueString()); err != nil {
		resp.Diagnostics.AddAttributeError(req.Path, "The value is not usable", err.Error())
	}
}

// oneOf admits certain words.
type oneOf []string

// Description lists them.
func (o oneOf) Description(context.Context) string { return "one of " + strings.Join(o, ", ") }

// MarkdownDescription is Description.
func (o oneOf) MarkdownDescription(ctx context.Context) string { return o.Description(ctx) }

// ValidateString refuses every other word.
func (o oneOf) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if !unset(req.ConfigValue) && !slices.Contains(o, req.ConfigValue.ValueString()) {
		resp.Diagnostics.AddAttributeError(req.Path, "The value is not usable", "Want "+o.Description(ctx)+".")
	}
}

// between admits numbers of a range.
type between struct{ least, most int64 }

// Description says the range.
func (b between) Description(context.Context) string { return b.text() }

// MarkdownDescription is Description.
func (b between) MarkdownDescription(ctx context.Context) string { return b.Description(ctx) }

// ValidateInt64 refuses numbers outside.
func (b between) ValidateInt64(_ context.Context, req validator.Int64Request, resp *validator.Int64Response) {
	if n := req.ConfigValue.ValueInt64(); !unset(req.ConfigValue) && (n < b.least || n > b.most) {
		resp.Diagnostics.AddAttributeError(req.Path, "The number is not usable", b.text())
	}
}

func (b between) text() string {
	return "Want a number from " + strconv.FormatInt(b.least, 10) + " to " + strconv.FormatInt(b.most, 10) + "."
}

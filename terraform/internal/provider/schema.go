package provider

import (
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/setplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// maxLimit is the greatest number of requests that a limit can name.
const maxLimit = 1_000_000_000

// fixed is a text that the server decides once.
func fixed(description string) schema.StringAttribute {
	return schema.StringAttribute{
		Computed: true, MarkdownDescription: description,
		PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
	}
}

// once is a required text, with which the object is replaced.
func once(description string) schema.StringAttribute {
	return schema.StringAttribute{
		Required: true, MarkdownDescription: description + " Another value replaces the object.",
		PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
	}
}

// workspaceAttribute names the workspace of an object.
func workspaceAttribute() schema.StringAttribute {
	return schema.StringAttribute{
		Optional: true, Computed: true,
		MarkdownDescription: "Id of the workspace. Default: that of the provider. Another value replaces the object.",
		PlanModifiers: []planmodifier.String{
			stringplanmodifier.UseStateForUnknown(), stringplanmodifier.RequiresReplace(),
		},
	}
}

// networks is a set of networks from which a key works.
func networks(modifiers ...planmodifier.Set) schema.SetAttribute {
	return schema.SetAttribute{
		Optional: true, ElementType: types.StringType,
		MarkdownDescription: "Networks (CIDR) or addresses from which the key works, at most 64. Default: it works from anywhere.",
		PlanModifiers:       append([]planmodifier.Set{sameMeaning{sameNetwork}}, modifiers...),
	}
}

// replacedSet replaces the object for another set.
func replacedSet() planmodifier.Set { return setplanmodifier.RequiresReplace() }

// limitAttributes are the members of a pair of limits. computed lets the server set them.
func limitAttributes(computed bool) map[string]schema.Attribute {
	limit := func(span string) schema.Int64Attribute {
		return schema.Int64Attribute{
			Optional: true, Computed: computed, MarkdownDescription: "Requests in " + span + ", at most. Null is unlimited.",
			Validators: []validator.Int64{between{1, maxLimit}},
		}
	}
	return map[string]schema.Attribute{
		"requests_per_minute": limit("any 60 seconds"), "requests_per_day": limit("a day of UTC"),
	}
}

// moment checks an expiry.
func moment(orNever bool) validator.String {
	want := "a time such as 2027-01-31T08:00:00Z, or a date such as 2027-01-31"
	return checked{want: want, check: func(s string) error {
		if orNever && s == never {
			return nil
		}
		_, err := instant(s)
		return err
	}}
}

package provider

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keyward/keyward"
)

type memberResource struct{ configured }

type memberModel struct {
	WorkspaceID   types.String `tfsdk:"workspace_id"`
	UserID        types.String `tfsdk:"user_id"`
	Email         types.String `tfsdk:"email"`
	DisplayName   types.String `tfsdk:"display_name"`
	RoleID        types.String `tfsdk:"role_id"`
	KeysOnDestroy types.String `tfsdk:"keys_on_destroy"`
	IsOwner       types.Bool   `tfsdk:"is_owner"`
}

// Metadata names the resource.
func (*memberResource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_member"
}

// Schema describes the resource.
func (*memberResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "A member: a user's place in a workspace, with one role. API keys belong to members.",
		Attributes: map[string]schema.Attribute{
			"workspace_id": workspaceAttribute(),
			"user_id":      once("Id of the user, as your platform names them."),
			"email":        schema.StringAttribute{Required: true, MarkdownDescription: "Email address."},
			"display_name": schema.StringAttribute{Optional: true, MarkdownDescription: "Name for people."},
			"role_id":      schema.StringAttribute{Required: true, MarkdownDescription: "Id of the member's role."},
			"keys_on_destroy": schema.StringAttribute{
				Optional: true, Computed: true, Default: stringdefault.StaticString(string(keyward.StopKeys)),
				MarkdownDescription: "Effect of a removal on the member's keys: `stop` (default), `keep`, or `transfer:USER_ID`, which gives " +
					"them to another member as far as that member holds their permissions.",
				Validators: []validator.String{checked{want: "stop, keep or transfer:USER_ID", check: checkKeysMode}},
			},
			"is_owner": schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether the role is Owner."},
		},
	}
}

func checkKeysMode(s string) error {
	to, transfer := strings.CutPrefix(s, string(keyward.TransferKeys("")))
	if s == string(keyward.StopKeys) || s == string(keyward.KeepKeys) || transfer && to != "" {
		return nil
	}
	return errors.New("want stop, keep or transfer:USER_ID")
}

// ModifyPlan plans the workspace.
func (r *memberResource) ModifyPlan(
	ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse,
) {
	r.planWorkspace(ctx, req, resp)
}

func (m *memberModel) show(member keyward.Member) {
	m.UserID = types.StringValue(member.UserID)
	m.WorkspaceID = settle(m.WorkspaceID, member.WorkspaceID, strings.EqualFold)
	m.Email, m.RoleID = settle(m.Email, member.Email, equal), settle(m.RoleID, member.RoleID, strings.EqualFold)
	m.DisplayName, m.IsOwner = shownText(m.DisplayName, member.DisplayName), types.BoolValue(member.IsOwner)
	if m.KeysOnDestroy.IsNull() {
		m.KeysOnDestroy = types.StringValue(string(keyward.StopKeys))
	}
}

// Create adds the member. It does not take over a user who is a member already.
func (r *memberResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var m memberModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !r.ready(&resp.Diagnostics) {
		return
	}
	workspace, user := r.workspaceOf(m.WorkspaceID, &resp.Diagnostics), m.UserID.ValueString()
	if workspace == "" {
		return
	}
	switch _, err := r.client.GetMember(ctx, workspace, user); {
	case err == nil:
		resp.Diagnostics.AddAttributeError(path.Root("user_id"), "The user is a member already", fmt.Sprintf(
			"To manage the member, import it: tofu import keyward_member.NAME '%s/%s'.", workspace, user))
		return
	case !gone(err) && !errors.Is(err, keyward.ErrPermissionDenied):
		explain(&resp.Diagnostics, "look for the member", err)
		return
	}
	member, _, err := r.client.PutMember(ctx, workspace, user, keyward.PutMemberRequest{
		Email: m.Email.ValueString(), DisplayName: orNull(m.DisplayName), RoleID: m.RoleID.ValueString(),
	})
	if err != nil {
		r.refused(resp.Diagnostics.AddAttributeError, err)
		explain(&resp.Diagnostics, "add the member", err)
		return
	}
	m.show(member)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

// refused points at the role where the server knows no such object in the workspace: the workspace itself was found.
func (r *memberResource) refused(add func(path.Path, string, string), err error) {
	if gone(err) {
		add(path.Root("role_id"), "The role or the workspace does not exist",
			"The server knows no such workspace, or no such role in it.")
	}
}

// Read shows the member as it is now.
func (r *memberResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var m memberModel
	resp.Diagnostics.Append(req.State.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !r.ready(&resp.Diagnostics) {
		return
	}
	member, err := r.client.GetMember(ctx, m.WorkspaceID.ValueString(), m.UserID.ValueString())
	switch {
	case gone(err):
		resp.State.RemoveResource(ctx)
	case err != nil:
		explain(&resp.Diagnostics, "read the member", err)
	default:
		m.show(member)
		resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
	}
}

// Update changes the member in place.
func (r *memberResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var was, m memberModel
	resp.Diagnostics.Append(req.State.Get(ctx, &was)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !r.ready(&resp.Diagnostics) {
		return
	}
	var change keyward.MemberUpdate
	if !m.Email.Equal(was.Email) {
		change.Email = keyward.Set(m.Email.ValueString())
	}
	if !m.DisplayName.Equal(was.DisplayName) {
		change.DisplayName = orNull(m.DisplayName)
	}
	if !m.RoleID.Equal(was.RoleID) {
		change.RoleID = keyward.Set(m.RoleID.ValueString())
	}
	workspace, user := was.WorkspaceID.ValueString(), was.UserID.ValueString()
	member, err := r.client.GetMember(ctx, workspace, user)
	if err == nil && change != (keyward.MemberUpdate{}) {
		member, err = r.client.UpdateMember(ctx, workspace, user, change)
	}
	if err != nil {
		r.refused(resp.Diagnostics.AddAttributeError, err)
		explain(&resp.Diagnostics, "change the member", err)
		return
	}
	m.show(member)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

// Delete removes the member.
func (r *memberResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var m memberModel
	resp.Diagnostics.Append(req.State.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !r.ready(&resp.Diagnostics) {
		return
	}
	how := keyward.RemoveMemberOptions{Keys: keyward.KeysMode(m.KeysOnDestroy.ValueString())}
	_, err := r.client.RemoveMember(ctx, m.WorkspaceID.ValueString(), m.UserID.ValueString(), how)
	if err != nil && !gone(err) {
		explain(&resp.Diagnostics, "remove the member "+m.UserID.ValueString(), err)
	}
}

// ImportState takes WORKSPACE_ID/USER_ID, or the user alone in the workspace of the provider.
func (r *memberResource) ImportState(
	ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse,
) {
	r.importIn(ctx, req, resp, "user_id")
}

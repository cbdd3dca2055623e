package provider

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keyward/keyward"
)

type apiKeyResource struct{ configured }

type apiKeyModel struct {
	ID             types.String `tfsdk:"id"`
	WorkspaceID    types.String `tfsdk:"workspace_id"`
	UserID         types.String `tfsdk:"user_id"`
	Name           types.String `tfsdk:"name"`
	Environment    types.String `tfsdk:"environment"`
	Permissions    types.Set    `tfsdk:"permissions"`
	ExpiresAt      types.String `tfsdk:"expires_at"`
	RateLimit      types.Object `tfsdk:"rate_limit"`
	Description    types.String `tfsdk:"description"`
	Metadata       types.String `tfsdk:"metadata"`
	AllowedIPs     types.Set    `tfsdk:"allowed_ips"`
	IsActive       types.Bool   `tfsdk:"is_active"`
	ValueWO        types.String `tfsdk:"value_wo"`
	ValueWOVersion types.Int64  `tfsdk:"value_wo_version"`
	Key            types.String `tfsdk:"key"`
	CreatedAt      types.String `tfsdk:"created_at"`
	DisabledBy     types.String `tfsdk:"disabled_by"`
	DisabledAt     types.String `tfsdk:"disabled_at"`
}

// show fills the model from the server's answer. The value itself is not in it, and stays null.
func (m *apiKeyModel) show(k keyward.APIKey) {
	m.ID, m.WorkspaceID = types.StringValue(k.ID), settle(m.WorkspaceID, k.WorkspaceID, strings.EqualFold)
	m.UserID, m.Name = types.StringValue(k.UserID), settle(m.Name, k.Name, equal)
	m.Environment, m.Permissions = types.StringValue(string(k.Environment)), setOf(k.Permissions)
	m.ExpiresAt = settle(m.ExpiresAt, expiry(k.ExpiresAt), sameInstant)
	m.RateLimit = limits(k.RateLimit)
	m.Description = shownText(m.Description, k.Description)
	switch text := jsonOf(k.Metadata); {
	case len(k.Metadata) > 0 || m.Metadata.ValueString() != "" && sameJSON(m.Metadata.ValueString(), "{}"):
		m.Metadata = settle(m.Metadata, text, sameJSON)
	default:
		m.Metadata = types.StringNull()
	}
	m.AllowedIPs = settleSet(m.AllowedIPs, k.AllowedIPs, sameNetwork)
	m.IsActive, m.Key, m.CreatedAt = types.BoolValue(k.IsActive), types.StringValue(k.Key),
		types.StringValue(stamp(k.CreatedAt))
	m.DisabledBy, m.DisabledAt = optional(k.DisabledBy), types.StringNull()
	if k.DisabledAt != nil {
		m.DisabledAt = types.StringValue(stamp(*k.DisabledAt))
	}
	m.ValueWO = types.StringNull()
}

// request is the key as the import takes it, with the digest of its value.
func (m *apiKeyModel) request(value string) (keyward.ImportKey, error) {
	in := keyward.ImportKey{
		UserID: m.UserID.ValueString(), Name: m.Name.ValueString(),
		Environment: keyward.Environment(m.Environment.ValueString()),
		RateLimit:   wantedLimits(m.RateLimit), Description: m.Description.ValueString(), AllowedIPs: stringsOf(m.AllowedIPs),
		MaskedKey: maskOf(value), Rehash: maskOf(value) == "",
	}
	digest := sha256.Sum256([]byte(value))
	in.SHA256 = hex.EncodeToString(digest[:])
	if !unset(m.Permissions) {
		in.Permissions = keyward.Permissions(stringsOf(m.Permissions)...)
	}
	if !unset(m.IsActive) && !m.IsActive.ValueBool() {
		in.IsActive = m.IsActive.ValueBoolPointer()
	}
	var badExpiry, badMetadata error
	in.ExpiresAt, badExpiry = expiryTime(m.ExpiresAt)
	in.Metadata, badMetadata = metadataOf(m.Metadata)
	return in, errors.Join(badExpiry, badMetadata)
}

// Create imports the key by the digest of value_wo, which is in the configuration alone.
func (r *apiKeyResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var m apiKeyModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...)
	value := read[types.String](ctx, req.Config, "value_wo", &resp.Diagnostics).ValueString()
	if resp.Diagnostics.HasError() || !r.ready(&resp.Diagnostics) {
		return
	}
	if value == "" {
		missingValue(resp.Diagnostics.AddAttributeError)
		return
	}
	workspace := r.workspaceOf(m.WorkspaceID, &resp.Diagnostics)
	if workspace == "" {
		return
	}
	in, err := m.request(value)
	if err != nil {
		resp.Diagnostics.AddError("Cannot create the API key", err.Error())
		return
	}
	id := r.bring(ctx, workspace, in, resp)
	if id == "" {
		return
	}
	// The state has the id from here on, so that a lost answer below loses no key.
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("id"), id)...)
	k, err := r.client.GetKey(ctx, id)
	if err != nil {
		explain(&resp.Diagnostics, "read the new API key", err)
		return
	}
	m.show(k)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

// bring imports one key and returns its id, or "" with an error. If no answer came, it looks for the key by its mask.
func (r *apiKeyResource) bring(
	ctx context.Context, workspace string, in keyward.ImportKey, resp *resource.CreateResponse,
) (id string) {
	const action = "create the API key"
	out, err := r.client.ImportKeys(ctx, keyward.ImportKeysRequest{
		WorkspaceID: workspace, APIKeys: []keyward.ImportKey{in},
	})
	var refused *keyward.Error
	switch {
	case err == nil && len(out.Imported) == 1:
		return out.Imported[0].ID
	case err == nil && len(out.Errors) == 1:
		e := out.Errors[0]
		answer := keyward.Error{
			Status: statusOf(e.Code), Code: e.Code, Message: "the server refused the key", Details: e.Details,
		}
		explain(&resp.Diagnostics, action, &answer)
		return ""
	case err == nil:
		resp.Diagnostics.AddError("Cannot "+action, "The server's answer names neither the key nor an error.")
		return ""
	case !errors.As(err, &refused) || refused.Code == keyward.CodeOutcomeUnknown:
		if id := r.lookFor(ctx, workspace, in); id != "" {
			return id
		}
	}
	explain(&resp.Diagnostics, action, err)
	return ""
}

// lookFor finds the key that an import made although its answer was lost; "" for none.
func (r *apiKeyResource) lookFor(ctx context.Context, workspace string, in keyward.ImportKey) string {
	if in.MaskedKey == "" {
		return ""
	}
	for k, err := range r.client.AllKeys(ctx,
		keyward.ListKeysOptions{WorkspaceID: workspace, UserID: in.UserID, Limit: 100}) {
		if err != nil {
			return ""
		}
		if k.Key == in.MaskedKey && k.Name == in.Name {
			return k.ID
		}
	}
	return ""
}

// Read shows the key as it is now. A key that was deleted leaves the state, and a disabled one is shown as such.
func (r *apiKeyResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var m apiKeyModel
	resp.Diagnostics.Append(req.State.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !r.ready(&resp.Diagnostics) {
		return
	}
	k, err := r.client.GetKey(ctx, m.ID.ValueString())
	switch {
	case gone(err):
		resp.State.RemoveResource(ctx)
	case err != nil:
		explain(&resp.Diagnostics, "read the API key", err)
	default:
		m.show(k)
		resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
	}
}

// change collects the fields that differ.
func (m *apiKeyModel) change(was *apiKeyModel) (u keyward.KeyUpdate, differs bool, err error) {
	u.ID = was.ID.ValueString()
	if !m.Name.Equal(was.Name) {
		u.Name, differs = keyward.Set(m.Name.ValueString()), true
	}
	if !unset(m.IsActive) && !m.IsActive.Equal(was.IsActive) {
		u.IsActive, differs = keyward.Set(m.IsActive.ValueBool()), true
	}
	if !unset(m.ExpiresAt) && !m.ExpiresAt.Equal(was.ExpiresAt) {
		differs = true
		if u.ExpiresAt, err = expiryField(m.ExpiresAt); err != nil {
			return u, differs, err
		}
	}
	if !unset(m.RateLimit) && !m.RateLimit.Equal(was.RateLimit) {
		u.RateLimit, differs = wantedLimits(m.RateLimit), true
	}
	if !m.Description.Equal(was.Description) {
		u.Description, differs = orNull(m.Description), true
	}
	if !m.Metadata.Equal(was.Metadata) {
		metadata, err := metadataOf(m.Metadata)
		if err != nil {
			return u, differs, err
		}
		if u.Metadata, differs = keyward.Set(metadata), true; metadata == nil {
			u.Metadata = keyward.Null[map[string]any]()
		}
	}
	if !m.AllowedIPs.Equal(was.AllowedIPs) {
		u.AllowedIPs, differs = keyward.Set(append([]string{}, stringsOf(m.AllowedIPs)...)), true
	}
	return u, differs, nil
}

// Update changes the key in place.
func (r *apiKeyResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var was, m apiKeyModel
	resp.Diagnostics.Append(req.State.Get(ctx, &was)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !r.ready(&resp.Diagnostics) {
		return
	}
	u, differs, err := m.change(&was)
	if err != nil {
		resp.Diagnostics.AddError("Cannot change the API key", err.Error())
		return
	}
	if differs {
		out, err := r.client.UpdateKeys(ctx, []keyward.KeyUpdate{u})
		if err == nil && len(out.Errors) > 0 {
			e := out.Errors[0]
			err = &keyward.Error{
				Status: statusOf(e.Code), Code: e.Code, Message: "the server refused the change", Details: e.Details,
			}
		}
		if err != nil {
			explain(&resp.Diagnostics, "change the API key", err)
			return
		}
	}
	k, err := r.client.GetKey(ctx, u.ID)
	if err != nil {
		explain(&resp.Diagnostics, "read the API key after its change", err)
		return
	}
	m.show(k)
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}

// Delete deletes the key. It stops at once.
func (r *apiKeyResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var m apiKeyModel
	resp.Diagnostics.Append(req.State.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !r.ready(&resp.Diagnostics) {
		return
	}
	if _, err := r.client.DeleteKey(ctx, m.ID.ValueString()); err != nil && !gone(err) {
		explain(&resp.Diagnostics, "delete the API key "+m.Name.ValueString(), err)
	}
}

// ImportState takes the id of the key. Its value is not known, and stays as it is.
func (r *apiKeyResource) ImportState(
	ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse,
) {
	resource.ImportStatePassthroughID(ctx, path.Root("id"), req, resp)
}

// statusOf is the HTTP status that belongs to the code of a refused item.
func statusOf(code keyward.ErrorCode) int {
	switch code {
	case keyward.CodePermissionDenied, keyward.CodePermissionEscalation:
		return 403
	case keyward.CodeNotFound:
		return 404
	case keyward.CodeConflict, keyward.CodeLimitReached:
		return 409
	}
	return 400
}

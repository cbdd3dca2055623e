package keyward

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// Member is a user's place in a workspace.
type Member struct {
	WorkspaceID string `json:"workspaceId"`
	UserID      string `json:"userId"`
	Email       string `json:"email"`
	// DisplayName is empty when there is none.
	DisplayName string    `json:"displayName"`
	RoleID      string    `json:"roleId"`
	RoleName    string    `json:"roleName"`
	IsOwner     bool      `json:"isOwner"`
	KeyCount    int       `json:"keyCount"`
	CreatedAt   time.Time `json:"createdAt"`
	UpdatedAt   time.Time `json:"updatedAt"`
}

// PutMemberRequest is the wanted state of a member.
type PutMemberRequest struct {
	Email       string        `json:"email"`
	DisplayName Field[string] `json:"displayName,omitzero"`
	RoleID      string        `json:"roleId"`
}

// MemberUpdate changes a member. An absent field stays.
type MemberUpdate struct {
	RoleID Field[string] `json:"roleId,omitzero"`
	Email  Field[string] `json:"email,omitzero"`
	// DisplayName null clears it.
	DisplayName Field[string] `json:"displayName,omitzero"`
}

type memberAnswer struct {
	Member Member `json:"member"`
}

// MemberPage is a page of members.
type MemberPage struct {
	Members    []Member   `json:"members"`
	Pagination Pagination `json:"pagination"`
}

// ListMembers gives a page of a workspace's members.
func (c *Client) ListMembers(ctx context.Context, workspaceID string, opts ListOptions) (MemberPage, error) {
	return invoke[MemberPage](ctx, c, get(url.Values(opts.query()), "workspaces", workspaceID, "members"))
}

// AllMembers yields every member from opts.Cursor on, page after page, and ends with the first error.
func (c *Client) AllMembers(ctx context.Context, workspaceID string, opts ListOptions) iter.Seq2[Member, error] {
	return walkList(opts, func(at ListOptions) ([]Member, Pagination, error) {
		page, err := c.ListMembers(ctx, workspaceID, at)
		return page.Members, page.Pagination, err
	})
}

// GetMember gives one member.
func (c *Client) GetMember(ctx context.Context, workspaceID, userID string) (Member, error) {
	answer, err := invoke[memberAnswer](ctx, c, get(nil, "workspaces", workspaceID, "members", userID))
	return answer.Member, err
}

// PutMember adds a member, or changes a present one; added reports which. Changing the role of a present member also
// needs members:role-change.
func (c *Client) PutMember(
	ctx context.Context, workspaceID, userID string, req PutMemberRequest,
) (member Member, added bool, err error) {
	k := put(req, "workspaces", workspaceID, "members", userID)
	answer, status, err := invokeStatus[memberAnswer](ctx, c, k)
	return answer.Member, status == http.StatusCreated, err
}

// UpdateMember changes the given fields. It is never retried.
func (c *Client) UpdateMember(
	ctx context.Context, workspaceID, userID string, update MemberUpdate,
) (Member, error) {
	k := patch(update, "workspaces", workspaceID, "members", userID)
	answer, err := invoke[memberAnswer](ctx, c, k)
	return answer.Member, err
}

// KeysMode decides about a removed member's keys.
type KeysMode string

// The modes without an argument: the keys stop, which is the default, or go on.
const (
	StopKeys KeysMode = "stop"
	KeepKeys KeysMode = "keep"
)

// TransferKeys gives the keys to another member: those that lie within that member's permissions; the others stop.
func TransferKeys(userID string) KeysMode { return KeysMode("transfer:" + userID) }

// RemoveMemberOptions set how a member is removed. The zero value stops the keys.
type RemoveMemberOptions struct {
	Keys KeysMode
	// DryRun reports the effect and changes nothing.
	DryRun bool
}

// Removal is the removed member and the outcome for the keys.
type Removal struct {
	UserID     string      `json:"removed"`
	Keys       RemovedKeys `json:"keys"`
	Revocation *Revocation `json:"revocation"`
}

// RemovedKeys counts a removed member's keys by their outcome.
type RemovedKeys struct {
	Stopped     int `json:"stopped"`
	Kept        int `json:"kept"`
	Transferred int `json:"transferred"`
}

// RemoveMember removes a member. 409 conflict refuses the last owner.
func (c *Client) RemoveMember(
	ctx context.Context, workspaceID, userID string, removal RemoveMemberOptions, opts ...ChangeOption,
) (Removal, error) {
	q := query{}.text("keys", string(removal.Keys))
	if removal.DryRun {
		q.flag("dryRun", &removal.DryRun)
	}
	k := del("workspaces", workspaceID, "members", userID)
	k.query = url.Values(q)
	return invoke[Removal](ctx, c, k.with(opts))
}

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

// RemovalReason says why a member is removed.
type RemovalReason string

// The reasons.
const (
	ReasonLeft   RemovalReason = "left" // the default
	ReasonLeaked RemovalReason = "leaked"
)

// RemoveMemberOptions set how a member is removed. The zero value stops the keys.
type RemoveMemberOptions struct {
	Keys KeysMode
	// Reason is written into the log. After ReasonLeaked the removal cannot be undone.
	Reason RemovalReason
	// DryRun reports the effect and changes nothing.
	DryRun bool
	// Overrides treat single keys otherwise than the rest, 200 at most.
	Overrides []KeyOverride
}

// KeyOverride says what becomes of one key of a removed member.
type KeyOverride struct {
	ID   string   `json:"id"`
	Keys KeysMode `json:"keys"`
}

// Removal is the removed member and the outcome for the keys.
type Removal struct {
	UserID string      `json:"removed"`
	Keys   RemovedKeys `json:"keys"`
	// RemovalID is by which RestoreMember undoes the removal, until RestorableUntil. It is empty, and the time nil,
	// where the removal cannot be undone.
	RemovalID       string      `json:"removalId"`
	RestorableUntil *time.Time  `json:"restorableUntil"`
	Revocation      *Revocation `json:"revocation"`
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
	q := query{}.text("keys", string(removal.Keys)).text("reason", string(removal.Reason))
	if removal.DryRun {
		q.flag("dryRun", &removal.DryRun)
	}
	k := del("workspaces", workspaceID, "members", userID)
	k.query = url.Values(q)
	if len(removal.Overrides) > 0 {
		k.body = struct {
			Overrides []KeyOverride `json:"overrides"`
		}{removal.Overrides}
	}
	return invoke[Removal](ctx, c, k.with(opts))
}

// Restoration is a member who is back, and the outcome for the keys.
type Restoration struct {
	Member Member       `json:"member"`
	Keys   RestoredKeys `json:"keys"`
}

// RestoredKeys counts the keys of a member who is back by their outcome.
type RestoredKeys struct {
	// Enabled work again.
	Enabled int `json:"enabled"`
	// Returned had been kept or transferred, and are the member's again.
	Returned int `json:"returned"`
	// Unchanged had been disabled before the removal.
	Unchanged int `json:"unchanged"`
}

// RestoreMember undoes a removal within ten minutes, as a whole or not at all: 409 conflict says why not. It is for the
// caller that removed the member and for owners, and never retried.
func (c *Client) RestoreMember(ctx context.Context, workspaceID, userID, removalID string) (Restoration, error) {
	k := post(map[string]string{"removalId": removalID}, "workspaces", workspaceID, "members", userID, "restore")
	return invoke[Restoration](ctx, c, k)
}

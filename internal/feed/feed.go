// Package feed owns the change: the message to a reader of the one log after a transaction has committed, and the port
// by which a reader follows that log (Source). It does not own the readers (replica, follow) nor the writer (store).
package feed

import (
	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/id"
)

// Change says that one object is now so, or is gone. Exactly one of the pointers, or one of the Gone fields, is set.
// Rows are whole: applying the newest Change of an object is enough.
type Change struct {
	Revision int64 // the Seq of the transaction's last event; 0 while everything is being loaded

	Workspace  *account.Workspace
	Role       *account.Role
	Member     *account.Member
	Key        *apikey.Key
	ServiceKey *account.ServiceKey
	// Settlement covers keys whose Key does not say it yet. Key itself is told as its row is.
	Settlement *apikey.Settlement

	WorkspaceGone  id.Workspace // with everything in it
	RoleGone       id.Role
	MemberGone     *MemberID
	KeyGone        id.Key
	ServiceKeyGone id.ServiceKey
	SettlementGone id.Settlement // it was done long ago

	// In is where a role, a key or a settlement that is gone was, and the first workspace of the bounds of a service
	// key that is gone. It is "" where that is not known, and where a service key was bound to no workspace.
	In id.Workspace
}

// MemberID names a member.
type MemberID struct {
	Workspace id.Workspace
	User      id.User
}

package store

import (
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/id"
)

// Page is a part of a list.
type Page struct {
	Limit int    // at most so many; 0 is no limit
	After string // the id of the last item seen, "" at first
}

// KeyFilter selects keys of one workspace, newest first.
type KeyFilter struct {
	Workspace id.Workspace
	User      id.User // "" for everybody's
	Active    *bool   // nil for both
	Search    string  // part of the name, description, user id, masked value or id, in any case; every character stands for itself
	Page
}

// LogFilter selects events. The zero value selects the installation's own events, which belong to no workspace.
type LogFilter struct {
	Workspace id.Workspace
	All       bool   // of every workspace, and the installation's own
	Search    string // part of the type, description, actor or metadata, in any case; every character stands for itself
	Type      string
	Actor     string
	From, To  time.Time // From <= event < To; zero for none
	Ascending bool
	Limit     int // 0 is no limit
	Offset    int
	AfterSeq  int64 // the Seq of the last event seen, 0 at first
}

// Replay is what is kept of a request that carried an idempotency key.
type Replay struct {
	RequestHash [32]byte
	Key         id.Key
	CreatedAt   time.Time
}

// View reads one snapshot. It is valid within its function only.
type View struct{ now time.Time }

func (v *View) Now() time.Time { return v.now }
func (v *View) Workspace(ws id.Workspace) (account.Workspace, error) {
	return account.Workspace{}, errLater
}
func (v *View) Workspaces(p Page) ([]account.Workspace, error) { return nil, errLater }
func (v *View) Member(ws id.Workspace, u id.User) (account.Member, error) {
	return account.Member{}, errLater
}
func (v *View) Members(ws id.Workspace, p Page) ([]account.Member, error) { return nil, errLater }
func (v *View) MembersWithRole(ws id.Workspace, r id.Role, limit int) ([]account.Member, error) {
	return nil, errLater
}
func (v *View) Role(ws id.Workspace, r id.Role) (account.Role, error) {
	return account.Role{}, errLater
}
func (v *View) Roles(ws id.Workspace, p Page) ([]account.Role, error) { return nil, errLater }
func (v *View) RoleNamed(ws id.Workspace, folded string) (account.Role, error) {
	return account.Role{}, errLater
}
func (v *View) SystemRole(ws id.Workspace, s account.SystemRole) (account.Role, error) {
	return account.Role{}, errLater
}
func (v *View) Key(k id.Key) (apikey.Key, error)                        { return apikey.Key{}, errLater }
func (v *View) Keys(f KeyFilter) ([]apikey.Key, error)                  { return nil, errLater }
func (v *View) KeysOf(ws id.Workspace, u id.User) ([]apikey.Key, error) { return nil, errLater }
func (v *View) Creator(ws id.Workspace, u id.User) (email, displayName string, err error) {
	return "", "", errLater
}
func (v *View) ServiceKey(k id.ServiceKey) (account.ServiceKey, error) {
	return account.ServiceKey{}, errLater
}
func (v *View) ServiceKeys(p Page) ([]account.ServiceKey, error)         { return nil, errLater }
func (v *View) Idempotent(actor, key string) (Replay, error)             { return Replay{}, errLater }
func (v *View) Logs(f LogFilter) ([]audit.Event, error)                  { return nil, errLater }
func (v *View) LogCount(f LogFilter) (int64, error)                      { return 0, errLater }
func (v *View) LogTypes(ws id.Workspace, all bool) ([]audit.Type, error) { return nil, errLater }

// Tx is a View that can write. What it wrote, it reads.
type Tx struct{ *View }

func (tx *Tx) PutWorkspace(w account.Workspace) error                         { return errLater }
func (tx *Tx) DeleteWorkspace(ws id.Workspace) error                          { return errLater }
func (tx *Tx) PutRole(r account.Role, folded string) error                    { return errLater }
func (tx *Tx) DeleteRole(ws id.Workspace, r id.Role) error                    { return errLater }
func (tx *Tx) PutMember(m account.Member) error                               { return errLater }
func (tx *Tx) RemoveMember(ws id.Workspace, u id.User) error                  { return errLater }
func (tx *Tx) InsertKey(k apikey.Key) error                                   { return errLater }
func (tx *Tx) UpdateKey(k apikey.Key) error                                   { return errLater }
func (tx *Tx) DeleteKey(k id.Key) error                                       { return errLater }
func (tx *Tx) PutServiceKey(k account.ServiceKey) error                       { return errLater }
func (tx *Tx) DeleteServiceKey(k id.ServiceKey) error                         { return errLater }
func (tx *Tx) PutIdempotent(actor, key string, hash [32]byte, k id.Key) error { return errLater }
func (tx *Tx) Record(e audit.Event) error                                     { return errLater }
func (tx *Tx) Savepoint(fn func() error) error                                { return errLater }

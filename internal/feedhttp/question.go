package feedhttp

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/replica"
)

// Question holds the wishes of a reader, beside its cursor.
type Question struct {
	Reach    account.Reach // of the service key that asks: nothing outside is told
	Name     bool          // the names of keys are wanted
	Metadata bool          // and their metadata
	Second   bool          // and the second digests, for followers of the reader
	// Fieldless says that the reader names no fields: Position takes those that its cursor was made with.
	Fieldless bool
	Nonce     string // is repeated at the end of the answer
	// Short says that the reader of a snapshot reads short lines: those of keys that are like the one before, and the
	// number of keys at the beginning.
	Short bool

	Modes []account.FollowerMode // that the service key gives leave for

	asked bool // keys is set
	keys  []keyfmt.WorkspaceKey

	settings *Settings // of which ofKind is the kind
	ofKind   string    // in its cursors
	shared   string    // among readers: the whole digest
}

// shortLines is how a reader says that it reads short lines. A source that knows none of them passes it over, as it
// would not a parameter of the query.
const shortLines = "application/x-ndjson; keys=short"

// ReadsShort tells whether the values of Accept say that a reader reads short lines.
func ReadsShort(accept []string) bool {
	for one := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		kind, params, err := mime.ParseMediaType(one)
		if err == nil && kind == "application/x-ndjson" && params["keys"] == "short" {
			return true
		}
	}
	return false
}

// isBound tells whether the reader is bound to so few workspaces that it is told second digests where there is a
// pepper: under keys that are derived for those workspaces.
func (q *Question) isBound() bool {
	return q.Reach.Workspaces != nil && len(q.Reach.Workspaces) <= replica.MaxBound
}

// peppers names those from which the keys of the reader are derived; nil where it is told digests as they are stored.
func (q *Question) peppers() (list []keyfmt.PepperID) {
	for i := range q.keys {
		if !slices.Contains(list, q.keys[i].Pepper) {
			list = append(list, q.keys[i].Pepper)
		}
	}
	return list
}

// mayAsk tells whether a scope lets its holder ask a follower. A service key that also holds manage or root asks the
// server itself: its digest is in no feed.
func mayAsk(s account.Scope) bool { return s == account.ScopeVerify || s == account.ScopeFollow }

// concerns tells whether a change may be told. The end of an object is told if its former place is not known.
func (q *Question) concerns(c *feed.Change) bool {
	in := func(ws id.Workspace) bool { return ws == "" || q.Reach.Workspace(ws) }
	switch {
	case c.Workspace != nil:
		return in(c.Workspace.ID)
	case c.Role != nil:
		return in(c.Role.Workspace)
	case c.Member != nil:
		return in(c.Member.Workspace)
	case c.Key != nil:
		return q.Reach.Covers(c.Key.Workspace, c.Key.Environment)
	case c.Settlement != nil:
		return in(c.Settlement.Workspace)
	case c.ServiceKey != nil:
		k := c.ServiceKey
		outer := account.Bounds{Reach: q.Reach}
		inner := account.Bounds{Reach: k.Bounds.Reach}
		greater := func(s account.Scope) bool { return s == account.ScopeManage || s == account.ScopeRoot }
		return slices.ContainsFunc(k.Scopes, mayAsk) && !slices.ContainsFunc(k.Scopes, greater) &&
			len(inner.Beyond(&outer)) == 0
	case c.WorkspaceGone != "":
		return in(c.WorkspaceGone)
	case c.MemberGone != nil:
		return in(c.MemberGone.Workspace)
	case c.ServiceKeyGone != "":
		return q.Reach.Workspaces == nil || c.In != "" && in(c.In)
	}
	return in(c.In)
}

// kind is a digest of all that decides about the lines of an answer: a cursor of another kind is of another
// history.
func (q *Question) kind(settings [32]byte) string {
	text, err := json.Marshal(struct {
		Settings     [32]byte
		Workspaces   []string
		Environments []string
		Name         bool
		Metadata     bool
		Second       bool              `json:",omitzero"`
		Peppers      []keyfmt.PepperID `json:",omitzero"`
		Modes        []string          `json:",omitzero"`
	}{
		settings, renamed[string](q.Reach.Workspaces), renamed[string](q.Reach.Environments), q.Name, q.Metadata,
		q.Second, q.peppers(), renamed[string](q.Modes),
	})
	if err != nil { // it is made of text alone
		panic(err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// digest is the same for settings that are the same.
func (s *Settings) digest() [32]byte {
	text, err := json.Marshal(s)
	if err != nil { // it is made of text alone
		panic(err)
	}
	return sha256.Sum256(text)
}

const cursorForm = "1"

// writeCursor gives a cursor as text.
func writeCursor(c feed.Cursor, kind string) string {
	text := strings.Join(
		[]string{cursorForm, strconv.FormatInt(c.Revision, 10), hex.EncodeToString(c.Hash[:]), kind, c.Epoch}, "|",
	)
	return base64url.EncodeToString([]byte(text))
}

// readCursor reads the text of writeCursor. An error of a text that is no cursor is not feed.ErrHistory.
func readCursor(text, kind string) (c feed.Cursor, err error) {
	raw, err := base64url.DecodeString(text)
	parts := strings.SplitN(string(raw), "|", 5)
	if err != nil || len(parts) != 5 || parts[0] != cursorForm {
		return c, ErrNoCursor
	}
	c.Revision, err = strconv.ParseInt(parts[1], 10, 64)
	hash, hashErr := hex.DecodeString(parts[2])
	if err != nil || c.Revision < 0 || hashErr != nil || len(hash) != len(c.Hash) {
		return c, ErrNoCursor
	}
	c.Hash, c.Epoch = [32]byte(hash), parts[4]
	if parts[3] != kind {
		return c, fmt.Errorf("%w: the settings of the source, or what is asked for, are others than before", feed.ErrHistory)
	}
	return c, nil
}

// ErrNoCursor says that a text is no cursor.
var ErrNoCursor = errors.New("no cursor of the feed")

// milliseconds is a duration that is never told as longer than it is.
func milliseconds(d time.Duration) int64 { return max(0, d.Milliseconds()) }

// wholeMilliseconds is a duration that is never told as shorter than it is.
func wholeMilliseconds(d time.Duration) int64 {
	return max(0, (d + time.Millisecond - 1).Milliseconds())
}

package wire

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// FollowerLeases is the body of POST /feed/leases.
type FollowerLeases struct {
	Incarnation string          `json:"incarnation"`
	Leases      []FollowerLease `json:"leases"`
}

// FollowerLease is a question about the minute of a key, of its workspace, or of both.
type FollowerLease struct {
	Number          int64       `json:"number"`
	KeyID           Place       `json:"keyId"`
	Cost            int64       `json:"cost"`
	Minute          AskedMinute `json:"minute,omitzero"`
	WorkspaceMinute AskedMinute `json:"workspaceMinute,omitzero"`
}

// AskedMinute is a limit that a question is about, nil where it is not. It is left out then, and never null.
type AskedMinute struct{ Of *FollowerMinute }

// IsZero has it left out.
func (m AskedMinute) IsZero() bool { return m.Of == nil }

// MarshalJSONTo writes the limit.
func (m AskedMinute) MarshalJSONTo(e *jsontext.Encoder) error { return json.MarshalEncode(e, m.Of) }

// UnmarshalJSONFrom reads an object.
func (m *AskedMinute) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	m.Of = &FollowerMinute{}
	return json.UnmarshalDecode(d, m.Of)
}

// FollowerMinute is one limit of such a question.
type FollowerMinute struct {
	Want     int64           `json:"want"`
	Ahead    bool            `json:"ahead"`
	GiveBack []FollowerRest  `json:"giveBack,omitempty"`
	Owed     []FollowerOwing `json:"owed,omitempty"`
}

// FollowerRest is the part of a lease that was not spent.
type FollowerRest struct {
	Lease int64 `json:"lease"`
	Units int64 `json:"units"`
}

// FollowerOwing is an amount that was admitted without asking.
type FollowerOwing struct {
	SecondsAgo int64 `json:"secondsAgo"`
	Units      int64 `json:"units"`
}

// LeaseAnswers answers them, in their order.
type LeaseAnswers struct {
	Sharers int64         `json:"sharers"`
	Leases  []LeaseAnswer `json:"leases"`
}

// LeaseAnswer is the answer to one question; Error is a code of the contract, and then nothing was granted.
type LeaseAnswer struct {
	Error           string        `json:"error,omitempty"`
	Minute          *MinuteAnswer `json:"minute,omitempty"`
	WorkspaceMinute *MinuteAnswer `json:"workspaceMinute,omitempty"`
}

// MinuteAnswer is how one limit stands afterwards.
type MinuteAnswer struct {
	Granted   int64 `json:"granted"`
	Lease     int64 `json:"lease"`
	Charged   int64 `json:"charged"`
	ResetInMS int64 `json:"resetInMs"`
	RetryInMS int64 `json:"retryInMs"`
	KnownMS   int64 `json:"knownMs"`
}

// FollowerDays is the body of POST /feed/days.
type FollowerDays struct {
	Incarnation string        `json:"incarnation"`
	Number      int64         `json:"number"`
	Claims      []FollowerDay `json:"claims"`
}

// FollowerDay is a claim on a day of a key, or of a workspace that has a plan.
type FollowerDay struct {
	AccountID Place  `json:"accountId"`
	Day       string `json:"day"`
	Want      int64  `json:"want"`
	GiveBack  int64  `json:"giveBack"`
}

// DayAnswers answers them, in their order.
type DayAnswers struct {
	Claims []DayAnswer `json:"claims"`
}

// DayAnswer is how a day stands afterwards.
type DayAnswer struct {
	Granted  int64  `json:"granted"`
	Reserved int64  `json:"reserved"`
	Day      string `json:"day"`
}

// FollowerUses is the body of POST /feed/usage. Instants are Unix milliseconds.
type FollowerUses struct {
	Incarnation string            `json:"incarnation"`
	Number      int64             `json:"number"`
	Lost        int64             `json:"lost,omitempty"`
	Uses        []FollowerUse     `json:"uses,omitempty"`
	Previous    []FollowerEarlier `json:"previous,omitempty"`
	Refusals    []FollowerRefusal `json:"refusals,omitempty"`
}

// FollowerUse holds the uses of a key in a minute; without a key, the questions about values of no key.
type FollowerUse struct {
	KeyID       Place            `json:"keyId,omitempty"`
	WorkspaceID Place            `json:"workspaceId,omitempty"`
	StartMS     int64            `json:"startMs"`
	Counts      map[string]int64 `json:"counts"`
	UsedMS      int64            `json:"usedMs,omitempty"`
	TriedMS     int64            `json:"triedMs,omitempty"`
}

// FollowerEarlier is the last use of an earlier value of a key.
type FollowerEarlier struct {
	KeyID   Place `json:"keyId"`
	UntilMS int64 `json:"untilMs"`
	UsedMS  int64 `json:"usedMs"`
}

// FollowerRefusal is a verification that refused a key.
type FollowerRefusal struct {
	KeyID    Place    `json:"keyId"`
	AtMS     int64    `json:"atMs"`
	Seq      int64    `json:"seq"`
	Code     string   `json:"code"`
	Reason   string   `json:"reason,omitempty"`
	Previous bool     `json:"previous,omitempty"`
	All      []string `json:"all,omitempty"`
	Any      []string `json:"any,omitempty"`
	Missing  []string `json:"missing,omitempty"`
	IP       string   `json:"ip,omitempty"`
	Cost     int64    `json:"cost"`
	Number   int64    `json:"number,omitempty"`
}

// UsesTaken answers a report.
type UsesTaken struct {
	Taken bool `json:"taken"` // always true
}

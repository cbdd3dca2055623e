package keyward

import "context"

// FollowerLeases are questions of a follower about units of limits per minute.
type FollowerLeases struct {
	Incarnation string          `json:"incarnation"`
	Leases      []FollowerLease `json:"leases"`
}

// FollowerLease is a question about the minute of a key, of its workspace, or of both: then both are granted, or none.
type FollowerLease struct {
	// Number is of this question alone: the same number again gets the first answer.
	Number int64  `json:"number"`
	KeyID  string `json:"keyId"`
	// Cost is what has to fit; with 0, what fits is 1.
	Cost            int64           `json:"cost,omitzero"`
	Minute          *FollowerMinute `json:"minute,omitzero"`
	WorkspaceMinute *FollowerMinute `json:"workspaceMinute,omitzero"`
}

// FollowerMinute is one limit of such a question.
type FollowerMinute struct {
	// Want is 0 to look only, or the cost at least. Ahead says that the units are spent within two seconds, and not now
	// alone.
	Want  int64 `json:"want,omitzero"`
	Ahead bool  `json:"ahead,omitzero"`
	// GiveBack are parts of leases that were not spent, and Owed amounts that were admitted without asking.
	GiveBack []LeaseRest  `json:"giveBack,omitzero"`
	Owed     []LeaseOwing `json:"owed,omitzero"`
}

// LeaseRest is the part of a lease that was not spent.
type LeaseRest struct {
	Lease int64 `json:"lease"`
	Units int64 `json:"units"`
}

// LeaseOwing is an amount that was admitted without asking.
type LeaseOwing struct {
	SecondsAgo int64 `json:"secondsAgo,omitzero"`
	Units      int64 `json:"units"`
}

// LeaseAnswers answer the questions in their order.
type LeaseAnswers struct {
	// Sharers counts the processes that share a limit.
	Sharers int64         `json:"sharers"`
	Leases  []LeaseAnswer `json:"leases"`
}

// LeaseAnswer is the answer to one question. Error is not_found, conflict or unavailable, and then nothing was granted.
type LeaseAnswer struct {
	Error           ErrorCode     `json:"error"`
	Minute          *MinuteAnswer `json:"minute"`
	WorkspaceMinute *MinuteAnswer `json:"workspaceMinute"`
}

// MinuteAnswer is how one limit stands afterwards.
type MinuteAnswer struct {
	Granted int64 `json:"granted"`
	// Lease names units that may be given back; 0 where they were to be spent at once.
	Lease int64 `json:"lease"`
	// Charged is all that counts now. ResetInMS says when nothing of it counts any more, RetryInMS when the cost fits
	// (-1 for never), and KnownMS for how long a refusal need not be asked about again.
	Charged   int64 `json:"charged"`
	ResetInMS int64 `json:"resetInMs"`
	RetryInMS int64 `json:"retryInMs"`
	KnownMS   int64 `json:"knownMs"`
}

// LeaseMinutes takes units of limits per minute for a follower, by a service key with the scope follow. It is never
// retried: send the same numbers again yourself.
func (c *Client) LeaseMinutes(ctx context.Context, questions FollowerLeases) (LeaseAnswers, error) {
	questions.Leases = list(questions.Leases)
	return invoke[LeaseAnswers](ctx, c, post(questions, "feed", "leases"))
}

// FollowerDays is a batch of claims on days. A batch with the number of the last one does nothing, and gets its answer.
type FollowerDays struct {
	Incarnation string        `json:"incarnation"`
	Number      int64         `json:"number"`
	Claims      []FollowerDay `json:"claims"`
}

// FollowerDay is a claim on a day of a key, or of a workspace that has a plan.
type FollowerDay struct {
	AccountID string `json:"accountId"`
	// Day is a date in UTC, such as 2026-11-30.
	Day      string `json:"day"`
	Want     int64  `json:"want,omitzero"`
	GiveBack int64  `json:"giveBack,omitzero"`
}

// DayAnswers answer the claims in their order.
type DayAnswers struct {
	Claims []DayAnswer `json:"claims"`
}

// DayAnswer is how a day stands afterwards.
type DayAnswer struct {
	Granted  int64  `json:"granted"`
	Reserved int64  `json:"reserved"`
	Day      string `json:"day"`
}

// ReserveDays reserves units of limits per day for a follower, and gives some back, by a service key with the scope
// follow. It is never retried: send the same batch again yourself.
func (c *Client) ReserveDays(ctx context.Context, batch FollowerDays) (DayAnswers, error) {
	batch.Claims = list(batch.Claims)
	return invoke[DayAnswers](ctx, c, post(batch, "feed", "days"))
}

// FollowerUses is a batch of what a follower has counted. Instants are Unix milliseconds.
type FollowerUses struct {
	Incarnation string `json:"incarnation"`
	Number      int64  `json:"number"`
	// Lost counts uses that found no room since the last batch.
	Lost     int64             `json:"lost,omitzero"`
	Uses     []FollowerUse     `json:"uses,omitzero"`
	Previous []FollowerEarlier `json:"previous,omitzero"`
	Refusals []FollowerRefusal `json:"refusals,omitzero"`
}

// FollowerUse holds the uses of a key in a minute; without a key, the questions about values of no key.
type FollowerUse struct {
	KeyID       string                `json:"keyId,omitzero"`
	WorkspaceID string                `json:"workspaceId,omitzero"`
	StartMS     int64                 `json:"startMs"`
	Counts      map[VerdictCode]int64 `json:"counts"`
	UsedMS      int64                 `json:"usedMs,omitzero"`
	TriedMS     int64                 `json:"triedMs,omitzero"`
}

// FollowerEarlier is the last use of an earlier value of a key, known by the end of its overlap.
type FollowerEarlier struct {
	KeyID   string `json:"keyId"`
	UntilMS int64  `json:"untilMs"`
	UsedMS  int64  `json:"usedMs"`
}

// FollowerRefusal is a verification that refused a key.
type FollowerRefusal struct {
	KeyID    string      `json:"keyId"`
	AtMS     int64       `json:"atMs"`
	Seq      int64       `json:"seq,omitzero"`
	Code     VerdictCode `json:"code"`
	Reason   string      `json:"reason,omitzero"`
	Previous bool        `json:"previous,omitzero"`
	All      []string    `json:"all,omitzero"`
	Any      []string    `json:"any,omitzero"`
	Missing  []string    `json:"missing,omitzero"`
	IP       string      `json:"ip,omitzero"`
	Cost     int64       `json:"cost,omitzero"`
	Number   int64       `json:"number,omitzero"`
}

// ReportUses tells what a follower has counted, by a service key with the scope follow. A batch that comes again is
// done once; it is never retried here.
func (c *Client) ReportUses(ctx context.Context, batch FollowerUses) error {
	for i := range batch.Uses {
		if batch.Uses[i].Counts == nil {
			batch.Uses[i].Counts = map[VerdictCode]int64{}
		}
	}
	_, err := invoke[struct {
		Taken bool `json:"taken"`
	}](ctx, c, post(batch, "feed", "usage"))
	return err
}

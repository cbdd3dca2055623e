// Package refusal owns what is kept of a verification that refused a key: when, why in plain words, and what was asked.
// It does not own the decision (verify), where refusals are kept (store), nor who may read them (control).
package refusal

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/verdict"
)

// Reason tells apart refusals that have the same code.
type Reason uint8

// The reasons. NoReason is that of a code which has one reason only.
const (
	NoReason         Reason = iota
	KeyOff                  // DISABLED: the key itself
	WorkspaceOff            // DISABLED: its workspace
	CreatorGone             // DISABLED: its creator is no member
	OverlapEnded            // NOT_FOUND: an earlier value after its overlap
	OtherEnvironment        // NOT_FOUND: another environment was demanded
	OtherWorkspace          // NOT_FOUND: another workspace was demanded
	OutOfReach              // NOT_FOUND: the service key that asked is bound, and does not reach the key
	PlanSpent               // RATE_LIMITED, QUOTA_EXCEEDED: not the key's own limit, but that of its workspace's plan
)

var reasonNames = [...]string{
	NoReason: "", KeyOff: "keyOff", WorkspaceOff: "workspaceOff", CreatorGone: "creatorGone", OverlapEnded: "overlapEnded",
	OtherEnvironment: "otherEnvironment", OtherWorkspace: "otherWorkspace", OutOfReach: "outOfReach",
	PlanSpent: "planSpent",
}

// String is the reason's name in the API of the feed; "" for NoReason.
func (r Reason) String() string { return reasonNames[r] }

// ReasonOf finds a reason by its name.
func ReasonOf(name string) (Reason, bool) {
	i := slices.Index(reasonNames[:], name)
	return Reason(max(i, 0)), i >= 0
}

// Record is one refusal of a key that there is. It holds nothing of the value.
type Record struct {
	Key       [16]byte
	Workspace id.Workspace
	At        int64 // Unix milliseconds
	Code      verdict.Code
	Reason    Reason
	Earlier   bool // an earlier value was presented
	Demand    perm.Demand
	Missing   perm.Set   // with INSUFFICIENT_PERMISSIONS
	IP        netip.Addr // zero where it was not told
	Cost      int
	Number    int64 // the expiry or the end of the overlap in Unix milliseconds, or the limit that was used up
	Seq       int64 // tells records of one millisecond apart; a Ring sets it
}

// Why says in plain words why the key was refused. names gives the names of permissions in the catalogue's order;
// networks are those of the key where they are known.
func (r *Record) Why(names func(perm.Set) []string, networks ...netip.Prefix) string {
	switch r.Code {
	case verdict.NotFound:
		return r.notFound()
	case verdict.Disabled:
		switch r.Reason {
		case WorkspaceOff:
			return "the workspace is switched off"
		case CreatorGone:
			return "the creator of the key is no member of the workspace any more"
		}
		return "the key is disabled"
	case verdict.Expired:
		return "the key expired at " + Instant(r.Number)
	case verdict.IPForbidden:
		return r.address(networks)
	case verdict.InsufficientPermissions:
		return r.lacking(names)
	case verdict.RateLimited:
		return r.spent(Minute)
	case verdict.QuotaExceeded:
		return r.spent(Day)
	}
	return string(r.Code)
}

func (r *Record) notFound() string {
	switch r.Reason {
	case OverlapEnded:
		return "this value was replaced, and its overlap ended at " + Instant(r.Number)
	case OtherEnvironment:
		return "the key is of another environment than the one asked for"
	case OtherWorkspace:
		return "the key is of another workspace than those asked for"
	case OutOfReach:
		return "the service key that asked is bound, and does not reach this key"
	}
	return "there is no such key"
}

// mostNetworks bounds how many networks a sentence names.
const mostNetworks = 5

func (r *Record) address(networks []netip.Prefix) string {
	switch {
	case !r.IP.IsValid() && len(networks) == 0:
		return "IP not allowed: none was given, and the key is bound to networks"
	case !r.IP.IsValid():
		return "IP not allowed: none was given, and the key is bound to " + describe(networks)
	case len(networks) == 0:
		return "IP not allowed: " + r.IP.String()
	}
	return "IP not allowed: " + r.IP.String() + " is not in " + describe(networks)
}

// describe names the first few of some networks.
func describe(list []netip.Prefix) string {
	var names []string
	for _, p := range list[:min(len(list), mostNetworks)] {
		names = append(names, p.String())
	}
	if more := len(list) - mostNetworks; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

func (r *Record) lacking(names func(perm.Set) []string) string {
	var parts []string
	if all := r.Demand.All.And(r.Missing); !all.IsEmpty() {
		parts = append(parts, "the key lacks "+strings.Join(names(all), ", "))
	}
	if !r.Demand.Any.IsEmpty() && r.Demand.Any.Within(r.Missing) {
		parts = append(parts, "the key holds none of "+strings.Join(names(r.Demand.Any), ", "))
	}
	return strings.Join(parts, "; ")
}

// The spans of limits, as sentences name them.
const (
	Minute = "in any 60 seconds"
	Day    = "a day"
)

// ofPlan tells a limit of a plan from one of a key.
const ofPlan = "that all keys of the workspace share"

// SharedRoom says how much of a limit is left that all keys of the workspace share.
func SharedRoom(remaining, limit int64, span string) string {
	return fmt.Sprintf("of %d %s %s, %d are left", limit, span, ofPlan, remaining)
}

// Room says how much of a limit is left.
func Room(remaining, limit int64, span string, cost int) string {
	return fmt.Sprintf("%d of %d %s are left, and the request costs %d", remaining, limit, span, cost)
}

func (r *Record) spent(span string) string {
	if r.Reason == PlanSpent {
		span += " " + ofPlan
	}
	if int64(r.Cost) > r.Number {
		return fmt.Sprintf("the request costs %d, more than the limit of %d %s", r.Cost, r.Number, span)
	}
	return fmt.Sprintf("the limit of %d %s is used up", r.Number, span)
}

// Instant shows Unix milliseconds as the API shows times.
func Instant(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }

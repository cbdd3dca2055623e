package installation

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/keyward/keyward/internal/cluster"
	"github.com/keyward/keyward/internal/control"
)

// Severity says how pressing something is.
type Severity string

// The severities, the most pressing first: requests are refused or will be at once, something is about to go wrong, or
// it is worth a look.
const (
	Critical Severity = "critical"
	Warning  Severity = "warning"
	Notice   Severity = "notice"
)

// Code names a condition that needs attention.
type Code string

// The codes.
const (
	NodeFenced        Code = "node_fenced"
	NodeLoading       Code = "node_loading"
	NodeDiffers       Code = "node_differs"
	NodeLacksPepper   Code = "node_lacks_pepper"
	ClockSkewed       Code = "clock_skewed"
	DiskFull          Code = "disk_full"
	DiskLow           Code = "disk_low"
	CertificateEnded  Code = "certificate_ended"
	CertificateEnds   Code = "certificate_ends"
	BackupMissing     Code = "backup_missing"
	BackupOld         Code = "backup_old"
	KeysWithoutExpiry Code = "keys_without_expiry"
)

// Codes lists all of them.
var Codes = []Code{
	NodeFenced, NodeLoading, NodeDiffers, NodeLacksPepper, ClockSkewed, DiskFull, DiskLow, CertificateEnded,
	CertificateEnds, BackupMissing, BackupOld, KeysWithoutExpiry,
}

// Attention is one condition that an operator has to look at.
type Attention struct {
	Code     Code
	Severity Severity
	Message  string // a sentence
	Action   string // a sentence with the remedy
	Subject  string // the node, or ""
}

// The bounds.
const (
	CertificateSoon = 14 * 24 * time.Hour
	BackupsEvery    = 7 * 24 * time.Hour
	mostNodes       = 20
	littleSpace     = 1 << 30
)

// Judge lists the conditions that need attention, the most pressing first.
func Judge(c *Condition) []Attention {
	out := judgeNodes(c)
	out = append(out, judgeDisk(c)...)
	out = append(out, judgeCertificate(c)...)
	out = append(out, judgeBackup(c)...)
	if n := c.WithoutExpiry; n > 0 {
		keys := strconv.FormatInt(n, 10) + " enabled keys never expire"
		switch {
		case n == 1:
			keys = "1 enabled key never expires"
		case n >= control.MostWithoutExpiry:
			keys = "At least " + keys
		}
		out = append(out, Attention{Code: KeysWithoutExpiry, Severity: Notice, Message: keys + ".",
			Action: "Give them an end, and have workspaces require one: requireExpiry in their settings."})
	}
	rank := []Severity{Critical, Warning, Notice}
	slices.SortStableFunc(out, func(a, b Attention) int {
		return cmp.Compare(slices.Index(rank, a.Severity), slices.Index(rank, b.Severity))
	})
	return out
}

func judgeNodes(c *Condition) (out []Attention) {
	for i := range c.Nodes[:min(len(c.Nodes), mostNodes)] {
		m := &c.Nodes[i]
		add := func(code Code, s Severity, message, action string) {
			out = append(out, Attention{code, s, message, action, m.Address})
		}
		switch {
		case m.Fenced:
			add(NodeFenced, Critical, "The node "+m.Address+" has fallen silent and answers no verification.",
				"Look at its process and at its way to the database. A node that is gone for good leaves the list by itself.")
			continue
		case m.Applied < 0:
			add(NodeLoading, Warning, "The node "+m.Address+" is still loading its keys.",
				"Wait. If it stays so, look at its log and at its memory.")
		}
		if m.Lacks != "" {
			add(NodeLacksPepper, Critical, "The node "+m.Address+" lacks the pepper "+m.Lacks+".",
				"Give it the KEYWARD_PEPPER or KEYWARD_PEPPER_PREVIOUS that the others have, and start it again.")
		}
		for _, setting := range m.Differs {
			add(NodeDiffers, Warning, "The node "+m.Address+" has another "+settingNames[setting]+" than the node that answers.",
				"Give all nodes the same settings.")
		}
		if skew := m.Skew.Abs(); skew >= cluster.SkewToTell {
			severity, more := Warning, "."
			if skew > cluster.SkewToStop {
				severity, more = Critical, ", and it is not ready."
			}
			add(ClockSkewed, severity,
				fmt.Sprintf("The clock of the node %s differs from the database's by %s%s", m.Address,
					skew.Round(100*time.Millisecond), more),
				"Set the clock: run chrony or systemd-timesyncd on each machine.")
		}
	}
	return out
}

var settingNames = map[string]string{
	cluster.SettingRootKey: "root key", cluster.SettingCatalogue: "catalogue", cluster.SettingPepper: "pepper",
}

func judgeDisk(c *Condition) []Attention {
	const action = "Make room, or move the database to a larger volume. Old events can be archived: KEYWARD_EVENTS_KEEP."
	switch {
	case c.Full:
		return []Attention{
			{DiskFull, Critical, "The disk is full: changes are refused, and verifications go on.", action, ""},
		}
	case c.ReadOnly:
		return []Attention{
			{DiskFull, Critical, "The storage of the database is read-only: changes are refused, and verifications go on.",
				"Find out why (the kernel's log, or default_transaction_read_only of PostgreSQL), and make it writable again.", ""},
		}
	case c.FreeKnown && c.Free < max(littleSpace, c.Bytes):
		return []Attention{{DiskLow, Warning, fmt.Sprintf("The disk of the database has %s left.", Size(c.Free)), action, ""}}
	}
	return nil
}

func judgeCertificate(c *Condition) []Attention {
	left := c.Certificate.Sub(c.Now)
	const action = "Renew the files that KEYWARD_TLS_CERT and KEYWARD_TLS_KEY name. They are read again within 10 seconds."
	switch {
	case c.Certificate.IsZero() || left > CertificateSoon:
		return nil
	case left <= 0:
		return []Attention{{CertificateEnded, Critical, "The TLS certificate has ended, and clients refuse it.", action, ""}}
	}
	return []Attention{{CertificateEnds, Warning, "The TLS certificate ends in " + days(left) + ".", action, ""}}
}

func judgeBackup(c *Condition) []Attention {
	action := "Run keyward backup FILE every day, and keep the file on another machine."
	if !c.BackupsOwn {
		action = "Run pg_dump or archive the write-ahead log, and then keyward backup --record, so that Keyward knows of it."
	}
	switch {
	case c.Backup.At.IsZero():
		return []Attention{{BackupMissing, Warning, "No backup is known of.", action, ""}}
	case c.Now.Sub(c.Backup.At) > BackupsEvery:
		return []Attention{{BackupOld, Warning, "The last backup was made " + days(c.Now.Sub(c.Backup.At)) +
			" ago.", action, ""}}
	}
	return nil
}

// days is a length of time, in whole days where it is more than one.
func days(d time.Duration) string {
	switch n := int(d / (24 * time.Hour)); {
	case n > 1:
		return strconv.Itoa(n) + " days"
	case n == 1:
		return "1 day"
	case d >= 2*time.Hour:
		return strconv.Itoa(int(d.Hours())) + " hours"
	}
	return "less than 2 hours"
}

// Size is a number of bytes in the unit that people read: "3.2 GiB".
func Size(n int64) string {
	units := []string{"KiB", "MiB", "GiB", "TiB"}
	if n < 1024 {
		return strconv.FormatInt(n, 10) + " bytes"
	}
	f, unit := float64(n), ""
	for _, unit = range units {
		if f /= 1024; f < 1024 {
			break
		}
	}
	return strconv.FormatFloat(f, 'f', 1, 64) + " " + unit
}

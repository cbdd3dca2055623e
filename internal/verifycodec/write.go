package verifycodec

import (
	"maps"
	"strconv"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/verify"
	"github.com/keyward/keyward/internal/wire"
)

// AppendVerdict writes a verdict as wire writes it, byte for byte. It allocates nothing where the texts in it are plain
// ASCII.
func (c *Codec) AppendVerdict(b []byte, v *verify.Verdict) ([]byte, error) {
	b = append(b, `{"valid":`...)
	b = strconv.AppendBool(b, v.Code == verify.Valid)
	b = append(append(append(b, `,"code":"`...), v.Code...), '"')
	if !v.Known() {
		return append(b, '}'), nil
	}
	k := &v.Key
	b = append(id.Append(append(b, `,"keyId":"`...), k.UUID), '"')
	var err error
	for _, m := range [...]struct{ name, text string }{
		{`,"workspaceId":`, string(k.Workspace)}, {`,"userId":`, string(k.User)},
		{`,"name":`, k.Name}, {`,"environment":`, string(k.Environment)},
	} {
		if m.text == "" {
			continue
		}
		if b, err = appendText(append(b, m.name...), m.text); err != nil {
			return b, err
		}
	}
	b = append(b, `,"permissions":`...)
	b = append(b, c.list(v.Permissions)...)
	if k.ExpiresAt != 0 && !time.UnixMilli(k.ExpiresAt).IsZero() {
		b = appendTime(append(b, `,"expiresAt":`...), k.ExpiresAt)
	}
	if k.Until != 0 && !time.UnixMilli(k.Until).IsZero() {
		b = appendTime(append(b, `,"previousKeyExpiresAt":`...), k.Until)
	}
	if b, err = appendObject(append(b, `,"metadata":`...), k.Metadata); err != nil {
		return b, err
	}
	if v.Code == verify.InsufficientPermissions {
		b = append(b, `,"missingPermissions":`...)
		b = append(b, c.list(v.Missing)...)
	}
	return append(appendLimits(b, &v.Limits), '}'), nil
}

func appendLimits(b []byte, s *ratelimit.Status) []byte {
	if !s.Any() {
		return b
	}
	b = append(b, `,"rateLimit":{`...)
	for _, one := range [...]struct {
		name string
		w    *ratelimit.Window
	}{{`"minute":`, &s.Minute}, {`"day":`, &s.Day}, {`"workspaceMinute":`, &s.WorkspaceMinute}, {`"workspaceDay":`,
		&s.WorkspaceDay}} {
		if one.w.Limit == 0 {
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = appendWindow(append(b, one.name...), one.w)
	}
	return append(b, '}')
}

func appendWindow(b []byte, w *ratelimit.Window) []byte {
	b = strconv.AppendInt(append(b, `{"limit":`...), w.Limit, 10)
	b = strconv.AppendInt(append(b, `,"remaining":`...), w.Remaining, 10)
	return append(appendTime(append(b, `,"resetAt":`...), w.ResetAt), '}')
}

// The times of four-digit years, in milliseconds since 1970, that appendTime writes itself.
const (
	yearZero    = -62_167_219_200_000
	year10000   = 253_402_300_800_000
	msOfDay     = 86_400_000
	daysToMarch = 719_468 // from 0000-03-01 to 1970-01-01
)

// appendTime writes a time in wire.TimeForm: an answer with two of them spent a fifth of its processor time in
// time.AppendFormat. Days become a date as in C++'s std::chrono: years begin in March, so that the leap day is the last
// of them, and lie in eras of 400 (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days).
func appendTime(b []byte, ms int64) []byte {
	if ms < yearZero || ms >= year10000 {
		return append(time.UnixMilli(ms).UTC().AppendFormat(append(b, '"'), wire.TimeForm), '"')
	}
	const daysOfEra = 146_097
	since := uint64(ms + daysToMarch*msOfDay + daysOfEra*msOfDay) // an era more, so that nothing is negative
	days, rest := since/msOfDay, since%msOfDay
	era, ofEra := days/daysOfEra, days%daysOfEra
	yearOfEra := (ofEra - ofEra/1460 + ofEra/36_524 - ofEra/146_096) / 365
	ofYear := ofEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	month := (5*ofYear + 2) / 153 // from March
	day := ofYear - (153*month+2)/5 + 1
	year := yearOfEra + (era-1)*400
	if month += 3; month > 12 {
		month, year = month-12, year+1
	}
	b = two(two(append(b, '"'), year/100), year%100)
	b = two(append(b, '-'), month)
	b = two(append(b, '-'), day)
	b = two(append(b, 'T'), rest/3_600_000)
	b = two(append(b, ':'), rest/60_000%60)
	b = two(append(b, ':'), rest/1000%60)
	thousandth := rest % 1000
	return append(b, '.', byte('0'+thousandth/100), byte('0'+thousandth/10%10), byte('0'+thousandth%10), 'Z', '"')
}

// two writes two digits.
func two(b []byte, n uint64) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }

// appendText writes a string: as it is where it is plain, else as wire does.
func appendText(b []byte, s string) ([]byte, error) {
	for i := 0; i < len(s); i++ {
		if !plain[s[i]] {
			text, err := wire.Marshal(s)
			return append(b, text...), err
		}
	}
	return append(append(append(b, '"'), s...), '"'), nil
}

// appendObject writes kept metadata: as it is where it is plain and packed, else as wire does, which may spell it anew.
func appendObject(b []byte, s string) ([]byte, error) {
	if s == "" {
		return append(b, "{}"...), nil
	}
	if !packed(s) {
		text, err := wire.Marshal(wire.Object(s))
		return append(b, text...), err
	}
	return append(b, s...), nil
}

// packed tells whether JSON text has strings of plain bytes only, and no space between its tokens.
func packed(s string) bool {
	inside := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			inside = !inside
		case !plain[c] || c == ' ' && !inside:
			return false
		}
	}
	return true
}

// maxLists bounds the lists that are kept as they are written.
const maxLists = 1024

// list gives a set's names as they are written. It is not to be written to.
func (c *Codec) list(s perm.Set) []byte {
	kept := c.lists.Load()
	if kept != nil {
		if b, ok := (*kept)[s]; ok {
			return b
		}
	}
	b := []byte{'['}
	for i, name := range c.catalogue.Names(s) { // names need no escape: see perm
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), name...), '"')
	}
	b = append(b, ']')
	if kept != nil && len(*kept) >= maxLists {
		return b
	}
	next := map[perm.Set][]byte{s: b}
	if kept != nil {
		maps.Copy(next, *kept)
	}
	c.lists.CompareAndSwap(kept, &next) // another's list was kept instead: this one is, the next time
	return b
}

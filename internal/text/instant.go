package text

import (
	"errors"
	"regexp"
	"strings"
	"time"
)

var (
	dateForm = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)
	timeForm = regexp.MustCompile(
		`^(\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2})(:\d{2}(?:[.,]\d{1,9})?)?(?:[Zz]|([+-]\d{2})(?::?(\d{2}))?)$`,
	)
)

// Instant reads a time of ISO 8601 in its extended form, or a date alone for its midnight in UTC. Seconds may be left
// out, and the offset from UTC is Z, +03, +0300 or +03:00. A time without an offset is refused, because it is another
// one in each place.
func Instant(s string) (time.Time, error) {
	if dateForm.MatchString(s) {
		return time.Parse(time.DateOnly, s)
	}
	part := timeForm.FindStringSubmatch(s)
	if part == nil {
		return time.Time{}, errors.New("want a time such as 2027-01-31T08:00:00Z, or a date such as 2027-01-31")
	}
	seconds, zone := part[2], "Z"
	if seconds == "" {
		seconds = ":00"
	}
	if hours, minutes := part[3], part[4]; hours != "" {
		zone = hours + ":" + minutes
		if minutes == "" {
			zone += "00"
		}
	}
	t, err := time.Parse(time.RFC3339Nano, strings.ToUpper(part[1])+seconds+zone)
	return t.UTC(), err
}

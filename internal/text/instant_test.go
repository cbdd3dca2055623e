package text

import (
	"testing"
	"time"
)

func TestInstantReadsEveryOffsetAndPrecisionOfISO8601(t *testing.T) {
	t.Parallel()
	at := time.Date(2027, 1, 31, 8, 30, 0, 0, time.UTC)
	for _, second := range []struct {
		text string
		add  time.Duration
	}{{"", 0}, {":00", 0}, {":07", 7 * time.Second}, {":07.25", 7250 * time.Millisecond}, {":07,25",
		7250 * time.Millisecond}} {
		for zone, offset := range map[string]time.Duration{
			"Z": 0, "+00": 0, "+0000": 0, "+00:00": 0, "-00": 0, "+03": 3 * time.Hour, "+0300": 3 * time.Hour,
			"+03:00": 3 * time.Hour,
			"-0330":  -210 * time.Minute, "-03:30": -210 * time.Minute,
		} {
			s := at.Add(offset).Format("2006-01-02T15:04") + second.text + zone
			if got, err := Instant(s); err != nil || !got.Equal(at.Add(second.add)) || got.Location() != time.UTC {
				t.Errorf("%s: %v, %v", s, got, err)
			}
		}
	}
	if got, err := Instant("2027-01-31t08:30:00z"); err != nil || !got.Equal(at) { // RFC 3339, section 5.6
		t.Errorf("in lower case: %v, %v", got, err)
	}
	for _, s := range []string{"", "2027", "2027-02-30", "2027-01-31T08:30", "2027-01-31T08Z", "2027-01-31 08:30Z",
		"2027-01-31T25:00Z",
		"2027-01-31T08:30:61Z", "2027-01-31T08:30+3", "2027-01-31T08:30+03:", "2027-01-31T08:30+99", "2027-01-31T08:30.5Z",
		"2027-01-31T08:30:00.Z", "2027-01-31T08:30:00Z ", "1801299600"} {
		if got, err := Instant(s); err == nil {
			t.Errorf("%q: %v", s, got)
		}
	}
}

package cli

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/text"
)

// The types of flags whose words have a form. A word is looked at when the command line is read, so that the error
// names the flag, and nothing is asked of a server before.

// none is the word that takes a bound away.
const none = "none"

// spanFlag is a duration, in days too.
type spanFlag string

// UnmarshalText is encoding.TextUnmarshaler.
func (f *spanFlag) UnmarshalText(word []byte) error {
	*f = spanFlag(word)
	_, err := span(string(word))
	return err
}

// value is the duration.
func (f spanFlag) value() time.Duration {
	d, err := span(string(f))
	if err != nil { // UnmarshalText has refused it
		panic(err)
	}
	return d
}

// boundFlag is a duration, or none for no bound; "" is not given.
type boundFlag string

// UnmarshalText is encoding.TextUnmarshaler.
func (f *boundFlag) UnmarshalText(word []byte) error {
	*f = boundFlag(word)
	if *f == "" || *f == none {
		return nil
	}
	_, err := span(string(word))
	return err
}

// seconds is the field of a request.
func (f boundFlag) seconds() keyward.Field[int64] {
	switch f {
	case "":
		return keyward.Field[int64]{}
	case none:
		return keyward.Null[int64]()
	}
	return keyward.Set(int64(spanFlag(f).value().Seconds()))
}

// whenFlag is a time: a date, an instant, or a span from now; "" is not given.
type whenFlag string

// UnmarshalText is encoding.TextUnmarshaler.
func (f *whenFlag) UnmarshalText(word []byte) error {
	*f = whenFlag(word)
	if *f == "" {
		return nil
	}
	_, err := when(string(word), time.Now())
	return err
}

// at is the time; zero where it is not given.
func (f whenFlag) at(now time.Time) time.Time {
	if f == "" {
		return time.Time{}
	}
	t, err := when(string(f), now)
	if err != nil { // UnmarshalText has refused it
		panic(err)
	}
	return t
}

// endFlag is a whenFlag, or none for no end.
type endFlag string

// UnmarshalText is encoding.TextUnmarshaler.
func (f *endFlag) UnmarshalText(word []byte) error {
	*f = endFlag(word)
	if *f == none {
		return nil
	}
	return new(whenFlag).UnmarshalText(word)
}

// field is the field of a request.
func (f endFlag) field(now time.Time) keyward.Field[time.Time] {
	switch f {
	case "":
		return keyward.Field[time.Time]{}
	case none:
		return keyward.Null[time.Time]()
	}
	return keyward.Set(whenFlag(f).at(now))
}

// pastFlag is a time whose span lies back; "" is not given.
type pastFlag string

// UnmarshalText is encoding.TextUnmarshaler.
func (f *pastFlag) UnmarshalText(word []byte) error {
	*f = pastFlag(word)
	if _, err := span(string(word)); err == nil {
		return nil
	}
	return new(whenFlag).UnmarshalText(word)
}

// at is the time; zero where it is not given.
func (f pastFlag) at(now time.Time) time.Time {
	if d, err := span(string(f)); err == nil {
		return now.Add(-d)
	}
	return whenFlag(f).at(now)
}

// limitFlag is a number, or none for no limit; "" is not given.
type limitFlag string

// UnmarshalText is encoding.TextUnmarshaler.
func (f *limitFlag) UnmarshalText(word []byte) error {
	*f = limitFlag(word)
	if *f == "" || *f == none {
		return nil
	}
	if _, err := strconv.Atoi(string(word)); err != nil {
		return fmt.Errorf("%q: want a number or none", word)
	}
	return nil
}

// field is the field of a request.
func (f limitFlag) field() keyward.Field[int] {
	switch f {
	case "":
		return keyward.Field[int]{}
	case none:
		return keyward.Null[int]()
	}
	n, err := strconv.Atoi(string(f))
	if err != nil { // UnmarshalText has refused it
		panic(err)
	}
	return keyward.Set(n)
}

// objectFlag is a JSON object; "" is not given.
type objectFlag map[string]any

// UnmarshalText is encoding.TextUnmarshaler.
func (f *objectFlag) UnmarshalText(word []byte) error {
	if len(word) == 0 {
		return nil
	}
	var m map[string]any
	if err := json.Unmarshal(word, &m); err != nil || m == nil {
		return fmt.Errorf("want a JSON object, such as %s", `'{"team": "voice"}'`)
	}
	*f = m
	return nil
}

// when reads a time that a person gives: a date, a time, or how long from now (12h, 30d).
func when(s string, now time.Time) (time.Time, error) {
	if t, err := text.Instant(s); err == nil {
		return t, nil
	}
	d, err := span(s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q: want a date (2027-01-31), a time (2027-01-31T12:00:00Z) or a span (12h, 30d)", s)
	}
	return now.Add(d), nil
}

// span reads a duration, in days too.
func span(s string) (time.Duration, error) {
	days := false
	number := s
	if n := len(s); n > 0 && s[n-1] == 'd' {
		days = true
		number = s[:n-1] + "h"
	}
	d, err := time.ParseDuration(number)
	if err != nil || d < 0 || days && d > 100*366*time.Hour {
		return 0, fmt.Errorf("%q: want a span such as 90s, 12h or 30d", s)
	}
	if days {
		d *= 24
	}
	return d, nil
}

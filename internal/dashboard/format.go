package dashboard

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// number writes 1234567 as 1,234,567.
func number[T int | int64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// many is "1 key", "3 keys"; a word that ends otherwise is given in both forms, "copy|copies".
func many[T int | int64](count T, word string) string {
	one, more, given := strings.Cut(word, "|")
	if !given {
		more = one + "s"
	}
	if count == 1 {
		return "1 " + one
	}
	return number(count) + " " + more
}

// moment is an instant as people read it: how long ago or from now, and exactly on a closer look.
type moment struct {
	ISO, Exact, Rel string
	Zero            bool
}

func (v *request) moment(t time.Time) moment { return momentAt(t, v.now) }

func momentAt(t, now time.Time) moment {
	if t.IsZero() {
		return moment{Rel: "never", Zero: true}
	}
	return moment{
		ISO: t.UTC().Format(time.RFC3339), Exact: t.UTC().Format("2 January 2006, 15:04:05 UTC"), Rel: relative(t.Sub(now)),
	}
}

func relative(d time.Duration) string {
	past := d < 0
	if past {
		d = -d
	}
	if d < 45*time.Second {
		if past {
			return "just now"
		}
		return "in a moment"
	}
	s := span(d)
	if past {
		return s + " ago"
	}
	return "in " + s
}

// span is a length of time in its largest unit.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return many(int(d.Round(time.Second)/time.Second), "second")
	case d < 90*time.Minute:
		return many(int((d+30*time.Second)/time.Minute), "minute")
	case d < 36*time.Hour:
		return many(int((d+30*time.Minute)/time.Hour), "hour")
	case d < 60*day:
		return many(int((d+12*time.Hour)/day), "day")
	case d < 345*day || d > 400*day && d < 700*day:
		return many(int((d+15*day)/(30*day)), "month")
	}
	return many(int((d+182*day)/(365*day)), "year")
}

// counted is a number that was not counted beyond a bound.
func counted(n, most int64) string {
	if n >= most {
		return number(most) + "+"
	}
	return number(n)
}

// short is a number for a narrow place: 1.2k, 3.4M.
func short(n int64) string {
	switch {
	case n < 1000:
		return strconv.FormatInt(n, 10)
	case n < 10_000:
		return strings.Replace(fmt.Sprintf("%.1fk", float64(n)/1000), ".0k", "k", 1)
	case n < 1_000_000:
		return fmt.Sprintf("%dk", n/1000)
	case n < 10_000_000:
		return strings.Replace(fmt.Sprintf("%.1fM", float64(n)/1e6), ".0M", "M", 1)
	}
	return fmt.Sprintf("%dM", n/1_000_000)
}

// browserName is a browser's common name, from its User-Agent.
func browserName(userAgent string) string {
	has := func(s string) bool { return strings.Contains(userAgent, s) }
	name, on := "", ""
	for _, b := range []struct{ mark, name string }{{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"},
		{"Chrome/", "Chrome"}, {"Safari/", "Safari"}, {"curl/", "curl"}} {
		if has(b.mark) {
			name = b.name
			break
		}
	}
	for _, o := range []struct{ mark, name string }{{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"},
		{"Windows", "Windows"}, {"Mac OS", "macOS"}, {"Linux", "Linux"}} {
		if has(o.mark) {
			on = o.name
			break
		}
	}
	switch {
	case name == "" && on == "":
		return "unknown"
	case on == "":
		return name
	case name == "":
		return on
	}
	return name + " on " + on
}

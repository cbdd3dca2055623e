package usage

import (
	"fmt"
	"time"
)

// Bucket holds the counts of one grain of time.
type Bucket struct {
	Start  int64 // Unix milliseconds
	Counts Counts
}

// Span is the part of time that a series shows: whole grains from From on, the last one ending at To; Unix
// milliseconds.
type Span struct {
	Grain    Grain
	From, To int64
}

// most bounds a series: a day of minutes, a month of hours, two years of days.
var most = [Grains]int64{24 * 60, 31 * 24, 732}

// usual is how much is shown where nothing is said of a beginning.
var usual = [Grains]int64{60, 24, 30}

// NewSpan rounds from down and to up to whole grains. A zero to is now; a zero from is an hour of minutes, a day of
// hours or thirty days before the end. An error names the parameter that is wrong: "from" or "to".
func NewSpan(g Grain, from, to, now time.Time) (Span, error) {
	length := g.Length().Milliseconds()
	end := now.UnixMilli() + 1
	if !to.IsZero() {
		end = to.UnixMilli()
	}
	s := Span{Grain: g, To: g.Start(end + length - 1)}
	s.From = s.To - usual[g]*length
	if !from.IsZero() {
		s.From = g.Start(from.UnixMilli())
	}
	switch {
	case !from.IsZero() && !to.IsZero() && !from.Before(to), s.From >= s.To:
		return s, &SpanError{"from", "must be before to"}
	case s.Len() > most[g]:
		return s, &SpanError{"from", fmt.Sprintf("is too early: at most %d %ss at a time%s", most[g], g, coarser(g))}
	case s.From < 0 || s.To > farthest:
		return s, &SpanError{"to", "is too far away"}
	}
	return s, nil
}

// farthest is the last instant that is asked for, the year 10000.
const farthest = 253402300800000

func coarser(g Grain) string {
	if g+1 < Grains {
		return ", or ask for granularity=" + (g + 1).String()
	}
	return ""
}

// SpanError names the field of a span that is wrong, and the reason.
type SpanError struct{ Field, Message string }

func (e *SpanError) Error() string { return e.Field + ": " + e.Message }

// Len is the number of buckets.
func (s Span) Len() int64 { return (s.To - s.From) / s.Grain.Length().Milliseconds() }

// Holds tells whether an instant lies in the span.
func (s Span) Holds(at int64) bool { return at >= s.From && at < s.To }

// Series is a bucket for each grain of a span, those in which nothing happened too.
type Series struct {
	Span
	Buckets []Bucket
}

// NewSeries has nothing in it yet.
func NewSeries(s Span) *Series {
	out := &Series{Span: s, Buckets: make([]Bucket, s.Len())}
	for i := range out.Buckets {
		out.Buckets[i].Start = s.From + int64(i)*s.Grain.Length().Milliseconds()
	}
	return out
}

// Add adds counts at an instant; an instant outside of the span is ignored.
func (s *Series) Add(at int64, c *Counts) {
	if s.Holds(at) {
		s.Buckets[(at-s.From)/s.Grain.Length().Milliseconds()].Counts.Add(c)
	}
}

// Total returns the counts of the whole span.
func (s *Series) Total() (c Counts) {
	for i := range s.Buckets {
		c.Add(&s.Buckets[i].Counts)
	}
	return c
}

package dashboard

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/usage"
)

// chart is a series as bars: the verified requests, and on them the refused ones. It is drawn in percent of its
// width, so that it fits every screen without a script, and given as a table to readers who do not see it.
type chart struct {
	About    string
	Slots    []slot
	Grid     []gridline
	Ticks    []tick
	Verified int64
	Refused  int64
	Codes    []codeCount
	Legend   []outcome
	Only     string // the one outcome that is drawn, "" for all
	Base     int    // where the bars stand, in pixels from the top
	Height   int
}

// slot is one bar, all of it in the form that SVG takes.
type slot struct {
	X, W       string // of the whole slot, in percent
	BarX, BarW string
	OKY, OKH   string // in pixels
	Parts      []part
	Label      string
	Tip        string
	Verified   int64
	Refused    int64
	Link       string // to the refusals of that time, "" where there is none

	at int64 // its beginning, in Unix milliseconds
}

// part is the share of one reason for refusals in a bar.
type part struct{ Y, H, Class, Link string }

// outcome is an entry of the legend, and where only it is drawn.
type outcome struct {
	Name, Class, Link string
	N                 int64
	On                bool
}

type gridline struct {
	Y     int
	Label string
}

type tick struct{ X, Anchor, Label string }

// codeCount is how often one verdict was given.
type codeCount struct {
	Code  string
	N     int64
	Share string // in percent of the refusals
}

const (
	chartTop    = 18
	chartBars   = 132
	chartBottom = 22
)

// draw makes a chart of a series. only is an outcome to draw alone, "" for all; every other one is taken out of the
// series.
func draw(about, only string, s *usage.Series) chart {
	c := chart{About: about, Base: chartTop + chartBars, Height: chartTop + chartBars + chartBottom, Only: only}
	whole := s.Total()
	for code := range usage.Codes {
		if n := whole[code]; n > 0 || code == usage.Verified {
			c.Legend = append(
				c.Legend,
				outcome{Name: outcomeWord(code), Class: outcomeClass(code), N: n, Link: code.String(), On: only == code.String()},
			)
		}
		if only != "" && only != code.String() {
			for i := range s.Buckets {
				s.Buckets[i].Counts[code] = 0
			}
		}
	}
	most := int64(1)
	for i := range s.Buckets {
		most = max(most, s.Buckets[i].Counts.Total())
	}
	step := gridStep(most)
	ceiling := (most + step - 1) / step * step
	for at := step; at <= ceiling; at += step {
		c.Grid = append(c.Grid, gridline{c.Base - int(at*chartBars/ceiling), short(at)})
	}
	width := 100 / float64(len(s.Buckets))
	for i := range s.Buckets {
		c.Slots = append(c.Slots, drawSlot(&s.Buckets[i], s.Grain, float64(i)*width, width, ceiling, c.Base))
	}
	total := s.Total()
	c.Verified, c.Refused = total[usage.Verified], total.Total()-total[usage.Verified]
	for code := usage.Verified + 1; code < usage.Codes; code++ {
		if n := total[code]; n > 0 {
			c.Codes = append(c.Codes, codeCount{code.String(), n, percent(100 * float64(n) / float64(c.Refused))})
		}
	}
	c.Ticks = ticks(s)
	return c
}

func drawSlot(b *usage.Bucket, g usage.Grain, x, width float64, ceiling int64, base int) slot {
	ok := b.Counts[usage.Verified]
	no := b.Counts.Total() - ok
	high := func(n int64) float64 {
		if n == 0 {
			return 0
		}
		return max(1.5, float64(n)*chartBars/float64(ceiling)) // something that happened is seen
	}
	okHigh := high(ok)
	s := slot{
		X: percent(x), W: percent(width), BarX: percent(x + width*.16), BarW: percent(width * .68), Verified: ok, Refused: no,
		OKY: pixels(float64(base) - okHigh), OKH: pixels(okHigh),
	}
	s.at = b.Start
	top := float64(base) - okHigh
	s.Label = bucketLabel(b.Start, g, true)
	s.Tip = s.Label + "\n" + number(ok) + " verified, " + number(no) + " refused"
	for code := usage.Verified + 1; code < usage.Codes; code++ {
		if n := b.Counts[code]; n > 0 {
			s.Tip += fmt.Sprintf("\n%s %s", number(n), outcomeWord(code))
			top -= high(n)
			s.Parts = append(s.Parts, part{pixels(top), pixels(high(n)), outcomeClass(code), code.String()})
		}
	}
	return s
}

// outcomeWord is an outcome in words.
func outcomeWord(c usage.Code) string {
	if c == usage.Verified {
		return "verified"
	}
	return inWords(c.String())
}

// inWords is a code of the API in words: "IP forbidden".
func inWords(code string) string {
	text := strings.ToLower(strings.ReplaceAll(code, "_", " "))
	if rest, found := strings.CutPrefix(text, "ip "); found {
		return "IP " + rest
	}
	return text
}

// outcomeClass is the colour of an outcome.
func outcomeClass(c usage.Code) string {
	if c == usage.Verified {
		return "ok"
	}
	return fmt.Sprintf("no n%d", int(c)%6)
}

func percent(f float64) string { return strconv.FormatFloat(f, 'f', 2, 64) + "%" }

func pixels(f float64) string { return strconv.FormatFloat(f, 'f', 1, 64) }

// gridStep is 1, 2 or 5 times a power of ten, with two to five lines up to most.
func gridStep(most int64) int64 {
	step := int64(1)
	for {
		for _, m := range []int64{1, 2, 5} {
			if most <= step*m*4 {
				return step * m
			}
		}
		step *= 10
	}
}

func bucketLabel(start int64, g usage.Grain, whole bool) string {
	t := time.UnixMilli(start).UTC()
	switch {
	case g == usage.Day:
		return t.Format("2 Jan")
	case whole:
		return t.Format("2 Jan, 15:04")
	}
	return t.Format("15:04")
}

// ticks names about five of the slots.
func ticks(s *usage.Series) []tick {
	n := len(s.Buckets)
	every := max(1, (n+4)/5)
	var out []tick
	for i := 0; i < n; i += every {
		out = append(
			out, tick{percent((float64(i) + .5) * 100 / float64(n)), "middle", bucketLabel(s.Buckets[i].Start, s.Grain, false)},
		)
	}
	return out
}

// spark is a series in the height of a line: a stroke for each bucket.
type spark struct {
	OK, No string // paths
	Title  string
}

const sparkHeight = 20

func drawSpark(s *usage.Series) spark {
	most := int64(1)
	for i := range s.Buckets {
		most = max(most, s.Buckets[i].Counts.Total())
	}
	var ok, no strings.Builder
	for i := range s.Buckets {
		verified := s.Buckets[i].Counts[usage.Verified]
		refused := s.Buckets[i].Counts.Total() - verified
		if verified+refused == 0 {
			continue
		}
		x, top := 3*i+1, sparkHeight-int(verified*sparkHeight/most)
		if verified > 0 {
			fmt.Fprintf(&ok, "M%d %dV%d", x, sparkHeight, min(top, sparkHeight-1))
		}
		if high := int(refused * sparkHeight / most); high > 0 || verified == 0 {
			fmt.Fprintf(&no, "M%d %dV%d", x, top, top-max(high, 1))
		}
	}
	total := s.Total()
	return spark{ok.String(), no.String(), many(total[usage.Verified], "verification") + " and " +
		many(total.Total()-total[usage.Verified], "refusal") + " in 30 days"}
}

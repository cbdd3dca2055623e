package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
)

// plot is a chart of lines over a common axis, or of bars where the series have no x.
type plot struct {
	name   string // part of the file's name
	title  string
	x, y   string // what the axes say
	logX   bool
	series []series
}

// series is one line; or, in a chart of bars, the bar of a name, with one point.
type series struct {
	name   string
	points []point
}

type point struct{ x, y float64 }

// bars makes a chart of bars.
func bars(name, title, unit string, all ...bar) plot {
	p := plot{name: name, title: title, y: unit}
	for _, b := range all {
		p.series = append(p.series, series{b.name, []point{{math.NaN(), b.value}}})
	}
	return p
}

type bar struct {
	name  string
	value float64
}

const (
	plotWidth, plotHeight = 640.0, 360.0
	plotLeft, plotBottom  = 80.0, 60.0
	plotTop, plotRight    = 40.0, 20.0
)

var colours = []string{"#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#475569", "#0891b2", "#be185d"}

// svg draws it.
func (p plot) svg() []byte {
	var b bytes.Buffer
	fmt.Fprintf(
		&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" font-family="sans-serif" font-size="12">`+"\n",
		plotWidth, plotHeight,
	)
	fmt.Fprintf(
		&b, `<rect width="100%%" height="100%%" fill="#fff"/><text x="%.0f" y="22" font-size="15">%s</text>`+"\n", plotLeft,
		html.EscapeString(p.title),
	)
	top := p.ticks(&b)
	if p.isBars() {
		p.drawBars(&b, top)
	} else {
		p.drawLines(&b, top)
	}
	fmt.Fprintln(&b, "</svg>")
	return b.Bytes()
}

func (p plot) isBars() bool { return len(p.series) > 0 && math.IsNaN(p.series[0].points[0].x) }

// ticks draws the vertical axis from 0 and answers its end.
func (p plot) ticks(b *bytes.Buffer) (top float64) {
	for _, s := range p.series {
		for _, at := range s.points {
			top = max(top, at.y)
		}
	}
	step := niceStep(top)
	top = max(step, math.Ceil(top/step)*step)
	for v := 0.0; v <= top+step/2; v += step {
		y := height(v, top)
		fmt.Fprintf(b, `<path d="M%.1f %.1fH%.1f" stroke="#ddd"/><text x="%.1f" y="%.1f" text-anchor="end">%s</text>`+"\n",
			plotLeft, y, plotWidth-plotRight, plotLeft-6, y+4, amount(v, ""))
	}
	fmt.Fprintf(b, `<text transform="translate(16 %.1f) rotate(-90)" text-anchor="middle">%s</text>`+"\n",
		(plotTop+plotHeight-plotBottom)/2, html.EscapeString(p.y))
	return top
}

// niceStep divides an axis into about five steps of 1, 2 or 5 times a power of ten.
func niceStep(top float64) float64 {
	if top <= 0 {
		return 1
	}
	raw := top / 5
	unit := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5} {
		if raw <= m*unit {
			return m * unit
		}
	}
	return 10 * unit
}

func height(v, top float64) float64 {
	return plotHeight - plotBottom - v/top*(plotHeight-plotBottom-plotTop)
}

func (p plot) drawBars(b *bytes.Buffer, top float64) {
	slot := (plotWidth - plotLeft - plotRight) / float64(len(p.series))
	for i, s := range p.series {
		v, x := s.points[0].y, plotLeft+slot*(float64(i)+0.5)
		y := height(v, top)
		fmt.Fprintf(
			b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`, x-slot*0.35, y, slot*0.7,
			plotHeight-plotBottom-y, colours[i%len(colours)],
		)
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, x, y-5, amount(v, ""))
		fmt.Fprintf(
			b, `<text x="%.1f" y="%.1f" text-anchor="middle" font-size="11">%s</text>`+"\n", x, plotHeight-plotBottom+18,
			html.EscapeString(s.name),
		)
	}
}

func (p plot) drawLines(b *bytes.Buffer, top float64) {
	scale := func(x float64) float64 { return x }
	if p.logX {
		scale = math.Log10
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, s := range p.series {
		for _, at := range s.points {
			low, high = min(low, scale(at.x)), max(high, scale(at.x))
		}
	}
	place := func(x float64) float64 {
		if high == low {
			return plotLeft
		}
		return plotLeft + (scale(x)-low)/(high-low)*(plotWidth-plotLeft-plotRight-20)
	}
	for i, s := range p.series {
		colour := colours[i%len(colours)]
		fmt.Fprintf(b, `<polyline fill="none" stroke="%s" stroke-width="2" points="`, colour)
		for _, at := range s.points {
			fmt.Fprintf(b, "%.1f,%.1f ", place(at.x), height(at.y, top))
		}
		fmt.Fprintln(b, `"/>`)
		for _, at := range s.points {
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`, place(at.x), height(at.y, top), colour)
			if i == 0 {
				fmt.Fprintf(
					b, `<text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, place(at.x), plotHeight-plotBottom+16,
					amount(at.x, ""),
				)
			}
		}
		fmt.Fprintf(
			b, `<text x="%.1f" y="%.1f" fill="%s">%s</text>`+"\n", plotLeft+float64(i%4)*135, plotHeight-10-float64(i/4)*14,
			colour, html.EscapeString(s.name),
		)
	}
	fmt.Fprintf(
		b, `<text x="%.1f" y="%.1f" text-anchor="end">%s</text>`+"\n", plotWidth-plotRight, plotHeight-26,
		html.EscapeString(p.x),
	)
}

package main

import (
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A quick run says nothing about time; it holds that every figure is still produced.
func TestEveryFigureIsProducedInAQuickRun(t *testing.T) {
	t.Parallel()
	program := programIn(t.TempDir())
	for _, b := range benches() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			l := &lab{log: io.Discard, base: t.TempDir(), program: program}
			l.shrink()
			r, err := b.run(t.Context(), l)
			if err != nil {
				t.Fatal(err)
			}
			if len(r.figures) == 0 {
				t.Error("no figure")
			}
			for _, f := range r.figures {
				if m := f.measure(); f.what == "" || f.value <= 0 || math.IsNaN(m) || math.IsInf(m, 0) ||
					f.baseline != 0 && f.against == "" {
					t.Errorf("no figure: %+v", f)
				}
			}
			out := t.TempDir()
			if err := writeReport(out, []outcome{{bench: b, result: r}}); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(filepath.Join(out, "summary.md"))
			if err != nil || strings.Count(string(text), "\n| ") != len(r.figures)+2 {
				t.Errorf("%v: %s", err, text)
			}
		})
	}
}

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// outcome is a bench that was run.
type outcome struct {
	bench
	result
	took time.Duration
}

var columns = []string{"measure", "value", "against", "baseline", "ratio", "must", "aim", ""}

// cells is a figure's row.
func (f figure) cells() []string {
	baseline, ratio, verdict := "", "", ""
	if f.baseline != 0 {
		baseline, ratio = amount(f.baseline, f.unit), fmt.Sprintf("%.2f", f.measure())
	}
	switch m := f.measure(); {
	case !f.must.held(m):
		verdict = "missed"
	case f.aim.n != 0 && f.aim.held(m):
		verdict = "reached"
	case f.must.n != 0:
		verdict = "held"
	}
	return []string{f.what, amount(f.value, f.unit), f.against, baseline, ratio, f.must.String(), f.aim.String(), verdict}
}

// amount writes a number with three digits that count.
func amount(v float64, unit string) string {
	text := fmt.Sprintf("%.3g", v)
	if v >= 100 {
		text = thousands(fmt.Sprintf("%.0f", v))
	}
	return strings.TrimSpace(text + " " + unit)
}

func thousands(digits string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func printTable(w io.Writer, all []outcome) {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	defer t.Flush()
	fmt.Fprintln(t, strings.Join(columns, "\t"))
	for _, o := range all {
		for _, f := range o.figures {
			fmt.Fprintln(t, strings.Join(f.cells(), "\t"))
		}
	}
}

// writeReport leaves summary.md and the plots in a folder.
func writeReport(dir string, all []outcome) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(
		&b, "# What was measured\n\n%s\n\nHow to repeat and read it: [docs/benchmarks.md](../../docs/benchmarks.md).\n",
		machine(),
	)
	for _, o := range all {
		fmt.Fprintf(&b, "\n## %s: %s\n\n", o.name, o.what)
		row := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
		row(columns)
		row([]string{"---", "---", "---", "---", "---", "---", "---", "---"})
		for _, f := range o.figures {
			row(f.cells())
		}
		for _, p := range o.plots {
			name := o.name + "-" + p.name + ".svg"
			if err := os.WriteFile(filepath.Join(dir, name), p.svg(), 0o644); err != nil {
				return err
			}
			fmt.Fprintf(&b, "\n![%s](%s)\n", p.title, name)
		}
	}
	return os.WriteFile(filepath.Join(dir, "summary.md"), b.Bytes(), 0o644)
}

// machine says where and how it was measured.
func machine() string {
	model := ""
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value) + ", "
				break
			}
		}
	}
	command := "bench " + strings.Join(os.Args[1:], " ")
	return fmt.Sprintf(
		"%s%d CPUs, %s/%s, %s, %s. Command: `%s`.", model, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(),
		time.Now().UTC().Format("2006-01-02"), strings.TrimSpace(command),
	)
}

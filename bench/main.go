// Command bench measures the figures of the documentation. Every figure stands beside its baseline, measured in turns
// in the same run, because machines are shared: a ratio says more than a number, and a second run more than one.
//
// It prints a table, and writes summary.md and a plot for each series into a folder. A new measurement is a function
// in a file of its own and a row in the list of all of them (registry.go).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == childWord {
		if err := child(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	l := &lab{log: os.Stderr}
	quick := flag.Bool("quick", false, "produce every figure in seconds, of sizes that say nothing")
	only := flag.String("only", "", "a regular expression: measure only what has such a name")
	out := flag.String("out", filepath.Join("bench", "out"), "the folder for the summary and the plots")
	dir := flag.String("dir", "", "a folder on the disk to measure (default: a temporary one)")
	flag.StringVar(&l.kept, "rows", "", "a folder in which databases of many keys are kept, and used again")
	flag.IntVar(&l.keys, "keys", 1_000_000, "keys in a large installation")
	flag.DurationVar(&l.span, "span", 2*time.Second, "how long each rate is measured in one round")
	flag.IntVar(&l.followers, "followers", 200, "followers in a large fleet")
	flag.IntVar(&l.rounds, "rounds", 5, "rounds in which a measure and its baseline take turns")
	flag.StringVar(&l.operations, "operations", "",
		"a regular expression: the operations beside which a quiet tenant is measured")
	list := flag.Bool("list", false, "say what can be measured")
	flag.Parse()
	if *quick {
		l.shrink()
	}
	if *list {
		for _, b := range benches() {
			fmt.Printf("%-12s %s\n", b.name, b.what)
		}
		return
	}
	if err := run(context.Background(), l, *only, *dir, *out); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures the chosen benchmarks, one after the other, and also reports the results before a failure.
func run(ctx context.Context, l *lab, only, dir, out string) error {
	chosen, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	if l.base, err = os.MkdirTemp(dir, "keyward-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(l.base)
	l.program = programIn(l.base)
	var all []outcome
	var failed error
	for _, b := range benches() {
		if !chosen.MatchString(b.name) {
			continue
		}
		fmt.Fprintf(l.log, "%s: %s\n", b.name, b.what)
		start := time.Now()
		r, err := b.run(ctx, l)
		if err != nil { // what has been measured is worth telling all the same
			failed = fmt.Errorf("%s: %w", b.name, err)
			break
		}
		all = append(all, outcome{bench: b, result: r, took: time.Since(start)})
	}
	printTable(os.Stdout, all)
	return errors.Join(failed, writeReport(out, all))
}

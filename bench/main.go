// Command bench measures what the documentation claims and prints a table. Figures are ratios against a baseline of the same run,
// since machines are shared: run it twice before believing a difference.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"text/tabwriter"
	"time"
)

var noAddress netip.Addr

func main() {
	keys := flag.Int("keys", 1_000_000, "keys in the large workspace")
	span := flag.Duration("span", 3*time.Second, "how long each rate is measured")
	dir := flag.String("dir", "", "a folder on the disk to measure (default: a temporary one)")
	flag.Parse()
	if err := run(context.Background(), *keys, *span, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, keys int, span time.Duration, dir string) error {
	base, err := os.MkdirTemp(dir, "keyward-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(base)
	t := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	defer t.Flush()
	fmt.Fprintln(t, "measure\tbaseline\tvalue\tratio")
	if err := groupCommit(ctx, t, base, span); err != nil {
		return fmt.Errorf("group commit: %w", err)
	}
	if err := scale(ctx, t, base, keys); err != nil {
		return fmt.Errorf("scale: %w", err)
	}
	return nil
}

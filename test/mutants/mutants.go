// Command mutants breaks promises of the code one at a time, and reports every break that no test notices.
//
// A mutant is a replacement in one file together with the test that must fail for it. The list lies in lists/*.txt;
// format.go describes its form. The tree itself stays as it is: the replacement reaches the compiler by an overlay (go
// help build, -overlay).
//
//	go run ./test/mutants                 all of them
//	go run ./test/mutants -part 3/20      a twentieth, as CI does
//	go run ./test/mutants -only lease     those whose name matches a regular expression
//	go run ./test/mutants -check          run none; report those that do not apply, compile or name a test
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	flag.StringVar(&o.part, "part", "1/1", "run the k-th of n equal parts: k/n, k from 1")
	flag.StringVar(&o.only, "only", "", "run the mutants whose name matches this regular expression")
	flag.BoolVar(&o.check, "check", false, "run none: report those that do not apply, do not compile or name no test")
	flag.DurationVar(&o.patience, "patience", 3*time.Minute, "the longest time for one mutant")
	flag.Parse()
	if err := run(ctx, ".", o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

type options struct {
	part, only string
	check      bool
	patience   time.Duration
}

// run tries the chosen mutants of the module in root. Its error names the survivors.
func run(ctx context.Context, root string, o options, out interface{ Write([]byte) (int, error) }) error {
	all, err := readLists(filepath.Join(root, "test", "mutants", "lists"))
	if err != nil {
		return err
	}
	chosen, err := choose(all, o)
	if err != nil {
		return err
	}
	if o.check {
		return check(root, chosen, out)
	}
	var survivors []string
	for i, m := range chosen {
		begin := time.Now()
		fate, detail := try(ctx, root, m, o.patience)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		fmt.Fprintf(out, "%3d/%d %-8s %5.1f s  %s\n", i+1, len(chosen), fate, time.Since(begin).Seconds(), m.name)
		if fate != killed && fate != hung {
			fmt.Fprintf(out, "%s\n", indent(detail))
			survivors = append(survivors, m.name)
		}
	}
	fmt.Fprintf(out, "%d mutants, %d killed\n", len(chosen), len(chosen)-len(survivors))
	if len(survivors) > 0 {
		return fmt.Errorf("not killed: %s", strings.Join(survivors, "; "))
	}
	return nil
}

// choose picks the mutants of one part whose name matches.
func choose(all []mutant, o options) ([]mutant, error) {
	var k, n int
	if _, err := fmt.Sscanf(o.part, "%d/%d", &k, &n); err != nil || k < 1 || k > n {
		return nil, fmt.Errorf("-part %q: want k/n with k from 1 to n", o.part)
	}
	only, err := regexp.Compile(o.only)
	if err != nil {
		return nil, fmt.Errorf("-only: %w", err)
	}
	var chosen []mutant
	for i, m := range all {
		if i%n == k-1 && only.MatchString(m.name) {
			chosen = append(chosen, m)
		}
	}
	return chosen, nil
}

// The fates of a mutant.
const (
	killed   = "killed"
	hung     = "hung" // killed by the time that a test may take; on a busy machine that may be the machine's fault
	survived = "SURVIVED"
	unsound  = "UNSOUND" // it does not apply, does not compile, or its test does not exist
)

// longest is how long a test may run: a break that has it hang is noticed all the same.
const longest = 30 * time.Second

// try runs one mutant's test with the replacement in place.
func try(ctx context.Context, root string, m mutant, patience time.Duration) (fate, detail string) {
	changed, err := m.apply(root)
	if err != nil {
		return unsound, err.Error()
	}
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return unsound, err.Error()
	}
	defer func() { _ = os.RemoveAll(dir) }()
	overlay, err := writeOverlay(root, dir, m.file, changed)
	if err != nil {
		return unsound, err.Error()
	}
	takes := max(m.takes, longest)
	ctx, cancel := context.WithTimeout(ctx, patience+takes-longest)
	defer cancel()
	environment, err := mutated(ctx, overlay)
	if err != nil {
		return unsound, err.Error()
	}
	environment = append(environment, m.with...)
	module := moduleOf(root, m.file)
	within, err := filepath.Rel(module, filepath.Join(root, filepath.Dir(m.file)))
	if err != nil {
		return unsound, err.Error()
	}
	// What does not compile is told here: a test that builds the command would fail of it, as if it had noticed the break.
	steps := [][]string{{"build", "-o", os.DevNull, "./" + within}}
	if buildsCommand(filepath.Join(module, m.pkg)) {
		steps = append(steps, []string{"list", "-trimpath", "-tags", "grpcnotrace", "-export", "-deps", "./cmd/keyward"})
	}
	for _, step := range steps {
		build := exec.CommandContext(ctx, "go", step...)
		build.Dir, build.Env = module, append(environment, "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return unsound, string(out)
		}
	}
	cmd := exec.CommandContext(
		ctx, "go", "test", "-count=1", "-vet=off", "-timeout="+takes.String(), "-run="+m.run, m.pkg,
	)
	cmd.Dir, cmd.Env = module, environment
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second
	raw, err := cmd.CombinedOutput()
	output := string(raw)
	switch {
	case strings.Contains(output, "[build failed]") || strings.Contains(output, "[setup failed]"):
		return unsound, output
	case strings.Contains(output, "[no tests to run]"):
		return unsound, "the test " + m.run + " does not exist in " + m.pkg
	case ctx.Err() != nil || strings.Contains(output, "*** Test killed"): // before it began, in its TestMain
		return unsound, "no answer within " + patience.String()
	case strings.Contains(output, "panic: test timed out"):
		return hung, output
	case err == nil:
		return survived, m.pkg + " " + m.run + " passes"
	}
	return killed, output // a failure or a panic
}

// buildsCommand reports whether the tests in a directory build the command. It is compiled before them then, because
// that takes longer than the tests may take.
func buildsCommand(dir string) bool {
	files, _ := filepath.Glob(filepath.Join(dir, "*_test.go")) // no error for this pattern
	return slices.ContainsFunc(files, func(file string) bool {
		text, err := os.ReadFile(file)
		return err == nil && strings.Contains(string(text), "rig.Build(")
	})
}

// moduleOf returns the directory of the module that a file of the tree belongs to.
func moduleOf(root, file string) string {
	for dir := filepath.Dir(file); dir != "."; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(root, dir, "go.mod")); err == nil {
			return filepath.Join(root, dir)
		}
	}
	return root
}

// mutated gives the environment of a test. A test that builds the command itself builds it with the overlay, too:
// otherwise it would start the command as it is, and no break could fail it.
func mutated(ctx context.Context, overlay string) ([]string, error) {
	set, err := exec.CommandContext(ctx, "go", "env", "GOFLAGS").Output() // of the environment or of go env -w
	if err != nil {
		return nil, fmt.Errorf("go env GOFLAGS: %w", err)
	}
	return append(os.Environ(), "GOFLAGS="+strings.TrimSpace(string(set)+" -overlay="+overlay)), nil
}

func indent(s string) string {
	return "        " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n        ")
}

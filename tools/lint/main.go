// Command lint runs the analyzers that CI asks for beside go vet and staticcheck: errors are compared and wrapped as
// errors, rows and statements are closed, and no parameter or result is there for nothing.
//
//	go build -C tools -o ../bin/lint ./lint && bin/lint ./...
//
// golangci-lint has all of these and a hundred more, most of which staticcheck.conf and internal/archtest cover
// already. This command takes a fraction of the time to build.
package main

import (
	"fmt"
	"go/token"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/polyfloyd/go-errorlint/errorlint"
	"github.com/ryanrolds/sqlclosecheck/pkg/analyzer"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/multichecker"
	"mvdan.cc/unparam/check"
)

// The modes in which the command calls itself, since the multichecker ends the process.
const (
	parameters = "parameters"
	analyzers  = "analyzers"
)

func main() {
	if len(os.Args) > 1 {
		switch mode, args := os.Args[1], os.Args[2:]; mode {
		case parameters:
			os.Exit(unusedParameters(args))
		case analyzers:
			os.Args = append(os.Args[:1], args...)
			multichecker.Main(heeding(errorlint.NewAnalyzer()), heeding(analyzer.NewAnalyzer()))
		}
	}
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, "lint:", err)
		os.Exit(1)
	}
	failed := false
	for _, mode := range []string{parameters, analyzers} {
		c := exec.Command(self, append([]string{mode}, os.Args[1:]...)...)
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		if err := c.Run(); err != nil {
			fmt.Fprintf(os.Stderr, "lint: %s: %v\n", mode, err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

// heeding has an analyzer pass over lines that end with a comment such as //nolint:errorlint // because.
func heeding(a *analysis.Analyzer) *analysis.Analyzer {
	run := a.Run
	a.Run = func(pass *analysis.Pass) (any, error) {
		excused := map[string]bool{}
		for _, file := range pass.Files {
			for _, group := range file.Comments {
				for _, c := range group.List {
					if strings.HasPrefix(c.Text, "//nolint:"+a.Name+" // ") {
						excused[line(pass, c.Pos())] = true
					}
				}
			}
		}
		report := pass.Report
		pass.Report = func(d analysis.Diagnostic) {
			if !excused[line(pass, d.Pos)] {
				report(d)
			}
		}
		return run(pass)
	}
	return a
}

func line(pass *analysis.Pass, at token.Pos) string {
	p := pass.Fset.Position(at)
	return p.Filename + ":" + strconv.Itoa(p.Line)
}

// unusedParameters looks at functions that are not exported, tests aside.
func unusedParameters(args []string) int {
	found, err := check.UnusedParams(false, false, false, args...)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	code := 0
	for _, f := range found {
		if strings.Contains(f, "always receives") {
			continue // a parameter that says what is meant is worth its place, and the next call may say something else
		}
		fmt.Fprintln(os.Stderr, f)
		code = 1
	}
	return code
}

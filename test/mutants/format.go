package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// mutant is one break and the test that must notice it. In a list it reads
//
//	== A lease is spent after its end
//	file internal/ratelimit/pool.go
//	test ./internal/ratelimit TestALeaseEnds
//	-	if now >= lease.end {
//	+	if false {
//
// A line "keeps R4" or "keeps README: Frozen" says which promise the mutant breaks: see promises.go. A line "takes 2m"
// is for a test that takes longer than others, and "with NAME=value" sets a variable of its environment.
//
// The lines with - must stand in the file exactly once, in a row; those with + take their place, and there may be none.
// Empty lines, and lines that begin with #, are for people.
type mutant struct {
	name  string
	keeps []string      // the promises that it breaks
	file  string        // below the module's root
	pkg   string        // of the test, below the module's directory: terraform is one of its own
	run   string        // as go test -run takes it
	takes time.Duration // how long the test may take; 0 for longest
	with  []string      // variables of its environment
	old   []string
	new   []string
	at    string // place in the list, for errors
}

// readLists reads every list in a folder, in the order of their names.
func readLists(dir string) ([]mutant, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		return nil, err
	}
	slices.Sort(paths)
	var all []mutant
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		list, err := parse(filepath.Base(path), string(text))
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	names := map[string]string{}
	for _, m := range all {
		if names[m.name] != "" {
			return nil, fmt.Errorf("%s: the name %q stands in %s, too", m.at, m.name, names[m.name])
		}
		names[m.name] = m.at
	}
	return all, nil
}

func parse(list, text string) ([]mutant, error) {
	var all []mutant
	for i, line := range strings.Split(text, "\n") {
		at := fmt.Sprintf("%s:%d", list, i+1)
		name, begins := strings.CutPrefix(line, "== ")
		if begins {
			all = append(all, mutant{name: strings.TrimSpace(name), at: at})
			continue
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if len(all) == 0 {
			return nil, fmt.Errorf("%s: want == and a name first", at)
		}
		if err := all[len(all)-1].line(line); err != nil {
			return nil, fmt.Errorf("%s: %w", at, err)
		}
	}
	for _, m := range all {
		if m.file == "" || m.pkg == "" || len(m.old) == 0 {
			return nil, fmt.Errorf("%s: %q: want file, test, and lines with -", m.at, m.name)
		}
	}
	return all, nil
}

func (m *mutant) line(line string) error {
	word, rest, _ := strings.Cut(line, " ")
	switch {
	case line[0] == '-':
		m.old = append(m.old, line[1:])
	case line[0] == '+':
		m.new = append(m.new, line[1:])
	case word == "keeps":
		m.keeps = append(m.keeps, strings.TrimSpace(rest))
	case word == "with":
		m.with = append(m.with, strings.TrimSpace(rest))
	case word == "takes":
		d, err := time.ParseDuration(strings.TrimSpace(rest))
		if err != nil || d <= longest {
			return fmt.Errorf("want takes and more than %s, not %q", longest, line)
		}
		m.takes = d
	case word == "file":
		m.file = strings.TrimSpace(rest)
	case word == "test":
		pkg, run, ok := strings.Cut(strings.TrimSpace(rest), " ")
		if !ok {
			return fmt.Errorf("want test PACKAGE PATTERN, not %q", line)
		}
		m.pkg = pkg
		m.run = strings.TrimSpace(run)
	default:
		return fmt.Errorf("want keeps, takes, with, file, test, - or +, not %q", line)
	}
	return nil
}

// apply gives the file's text with the replacement in place.
func (m mutant) apply(root string) (string, error) {
	raw, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		return "", err
	}
	text := string(raw)
	before := "\n" + strings.Join(m.old, "\n") + "\n"
	after := "\n"
	if len(m.new) > 0 {
		after += strings.Join(m.new, "\n") + "\n"
	}
	switch n := strings.Count(text, before); n {
	case 1:
		return strings.Replace(text, before, after, 1), nil
	default:
		return "", fmt.Errorf("%s: the lines to replace stand %d times in %s, want once", m.at, n, m.file)
	}
}

// writeOverlay writes the changed file and the overlay that names it, and gives the overlay's path.
func writeOverlay(root, dir, file, changed string) (string, error) {
	original, err := filepath.Abs(filepath.Join(root, file))
	if err != nil {
		return "", err
	}
	replacement := filepath.Join(dir, filepath.Base(file))
	if err := os.WriteFile(replacement, []byte(changed), 0o600); err != nil {
		return "", err
	}
	raw, err := json.Marshal(map[string]map[string]string{"Replace": {original: replacement}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, raw, 0o600)
}

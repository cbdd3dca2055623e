package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var (
	numberedPromise = regexp.MustCompile(`(?m)^\| (R\d+) \|`)
	readmePromise   = regexp.MustCompile(`(?m)^- \*\*([^*]+?)\.?\*\*`)
)

// promises lists what the product promises to people: the numbered ones of docs/limits.md, and each line of "What you
// can rely on" of the README by its first words.
func promises(root string) ([]string, error) {
	page, err := os.ReadFile(filepath.Join(root, "docs", "limits.md"))
	if err != nil {
		return nil, err
	}
	var all []string
	for i, m := range numberedPromise.FindAllStringSubmatch(string(page), -1) {
		if want := fmt.Sprintf("R%d", i+1); m[1] != want {
			return nil, fmt.Errorf("docs/limits.md: %s stands where %s is due", m[1], want)
		}
		all = append(all, m[1])
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		return nil, err
	}
	_, section, _ := strings.Cut(string(readme), "\n## What you can rely on\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, m := range readmePromise.FindAllStringSubmatch(section, -1) {
		all = append(all, "README: "+m[1])
	}
	return all, nil
}

// unkept names the promises that no mutant breaks, and what mutants name that is no promise.
func unkept(promised []string, all []mutant) (wrong []string) {
	for _, p := range promised {
		if !slices.ContainsFunc(all, func(m mutant) bool { return slices.Contains(m.keeps, p) }) {
			wrong = append(wrong, fmt.Sprintf("no mutant keeps %q", p))
		}
	}
	for _, m := range all {
		for _, p := range m.keeps {
			if !slices.Contains(promised, p) {
				wrong = append(wrong, fmt.Sprintf("%s keeps %q, which is no promise", m.name, p))
			}
		}
	}
	return wrong
}

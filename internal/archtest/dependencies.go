package archtest

import (
	"fmt"
	"slices"
	"strings"
)

// Requirements lists the modules that a go.mod requires directly: those without the comment "// indirect".
func Requirements(gomod string) []string {
	var modules []string
	inBlock := false
	for line := range strings.Lines(gomod) {
		line = strings.TrimSpace(line)
		switch {
		case line == "require (":
			inBlock = true
			continue
		case line == ")":
			inBlock = false
			continue
		case strings.HasPrefix(line, "require "):
			line = strings.TrimPrefix(line, "require ")
		case !inBlock:
			continue
		}
		words := strings.Fields(line)
		if len(words) >= 2 && words[0] != "//" && !strings.Contains(line, "// indirect") {
			modules = append(modules, words[0])
		}
	}
	return modules
}

// Described lists the modules that have a row in a table of dependencies: rows begin with the module's path in
// backquotes.
func Described(document string) []string {
	var modules []string
	for line := range strings.Lines(document) {
		rest, ok := strings.CutPrefix(line, "| `")
		if !ok {
			continue
		}
		module, _, ok := strings.Cut(rest, "`")
		if ok {
			modules = append(modules, module)
		}
	}
	return modules
}

// Dependencies compares a go.mod with the document that gives the reason for each module in it.
func Dependencies(gomod, document string) []string {
	required, described := Requirements(gomod), Described(document)
	var wrong []string
	for _, module := range required {
		if !slices.Contains(described, module) {
			wrong = append(wrong, fmt.Sprintf("%s is required and has no row that says what for", module))
		}
	}
	for i, module := range described {
		if !slices.Contains(required, module) {
			wrong = append(wrong, fmt.Sprintf("%s has a row and is not required", module))
		}
		if slices.Contains(described[:i], module) {
			wrong = append(wrong, fmt.Sprintf("%s has two rows", module))
		}
	}
	return wrong
}

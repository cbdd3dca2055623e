package archtest

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// Sentence is one sentence of a comment.
type Sentence struct {
	Path string // of the file, relative to the module's root
	Line int    // of the comment's first line
	Text string
}

// Indefinite reports whether the sentence has an indefinite pronoun: a reader has to find out first which thing is
// meant.
func (s Sentence) Indefinite() bool { return indefinite.MatchString(s.Text) }

var (
	indefinite = regexp.MustCompile(
		`(?i)\b(who|whom|what|whoever|whatever|nobody|somebody|anybody|everybody|someone|anyone|everyone)\b`)
	ends = regexp.MustCompile(`[.!?:;]\s+`)
)

// fewestWords is the length from which on a text counts as a sentence.
const fewestWords = 3

// Sentences reads the comments of every Go file under root. Directives and indented lines, which are code or tables, do
// not count.
func Sentences(root fs.FS) ([]Sentence, error) {
	var all []Sentence
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return enter(root, name)
		case path.Ext(name) != ".go":
			return nil
		}
		found, err := sentencesOf(root, name)
		all = append(all, found...)
		return err
	})
	return all, err
}

func sentencesOf(root fs.FS, name string) (all []Sentence, err error) {
	source, err := fs.ReadFile(root, name)
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", name, err)
	}
	for _, group := range file.Comments {
		line := set.Position(group.Pos()).Line
		for _, text := range splitSentences(group.Text()) {
			all = append(all, Sentence{Path: name, Line: line, Text: text})
		}
	}
	return all, nil
}

// splitSentences splits a comment's text, which is without its slashes and directives.
func splitSentences(text string) (all []string) {
	var lines []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "\t") && !strings.HasPrefix(line, "    ") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	for _, sentence := range ends.Split(strings.Join(lines, " "), -1) {
		if len(strings.Fields(sentence)) >= fewestWords {
			all = append(all, strings.TrimSpace(sentence))
		}
	}
	return all
}

// Package text owns the accepted content of a line of text from outside: names, descriptions, e-mail addresses. It
// does not own the fields.
package text

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// maxMarks is how many combining marks may follow one another: more than any script needs.
const maxMarks = 8

// Line normalises s to NFC and returns an error if it is not one line of at most max runes (and 4·max bytes): control
// and format characters (line breaks, escapes, direction overrides, zero-width ones), private and unassigned ones,
// and piles of marks are refused.
func Line(s string, max int) (string, error) {
	if !utf8.ValidString(s) {
		return "", fmt.Errorf("is not valid UTF-8")
	}
	if len(s) > 16*max {
		return "", fmt.Errorf("is longer than %d characters", max)
	}
	s = norm.NFC.String(s)
	if n := utf8.RuneCountInString(s); n > max || len(s) > 4*max {
		return "", fmt.Errorf("is longer than %d characters", max)
	}
	marks, before := 0, rune(0)
	for _, r := range s {
		if !printable(r) && !joins(r, before) {
			return "", fmt.Errorf("holds a character that does not print (U+%04X)", r)
		}
		if !unicode.Is(unicode.M, r) {
			marks = 0
		} else if marks++; marks > maxMarks {
			return "", fmt.Errorf("piles more than %d marks on one character", maxMarks)
		}
		before = r
	}
	return s, nil
}

// Name is Line for something that must not be blank.
func Name(s string, max int) (string, error) {
	if strings.TrimSpace(s) == "" {
		return "", fmt.Errorf("must not be empty")
	}
	return Line(s, max)
}

// joins lets the zero-width joiner through where it binds one emoji to the next.
func joins(r, before rune) bool {
	return r == 0x200D && (unicode.Is(unicode.So, before) || unicode.Is(unicode.Sk, before) || before == 0xFE0F)
}

// printable refuses characters that are invisible or steer a terminal.
func printable(r rune) bool {
	switch {
	case unicode.Is(unicode.Cc, r),
		unicode.Is(unicode.Cf, r),
		unicode.Is(unicode.Co, r),
		unicode.Is(unicode.Zl, r),
		unicode.Is(unicode.Zp, r):
		return false
	}
	return r != utf8.RuneError
}

// Email checks only that the text is a line with one @ inside and no blanks: the receiver of mail there is not ours
// to know.
func Email(s string) (string, error) {
	s, err := Name(s, 320)
	if err != nil {
		return "", err
	}
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at == len(s)-1 || strings.ContainsFunc(s, unicode.IsSpace) {
		return "", fmt.Errorf("must be an e-mail address")
	}
	return s, nil
}

// Fold gives the form under which two names count as the same: case-folded NFC without blanks at the ends.
func Fold(s string) string {
	return norm.NFC.String(cases.Fold().String(norm.NFC.String(strings.TrimSpace(s))))
}

// Search gives the form in which a part of a text is looked for: lower-case NFC.
func Search(s string) string { return strings.ToLower(norm.NFC.String(s)) }

// WithoutBOM leaves out the byte order mark that some editors put at the start of a file: it is no part of the text.
func WithoutBOM(b []byte) []byte { return bytes.TrimPrefix(b, []byte("\uFEFF")) }

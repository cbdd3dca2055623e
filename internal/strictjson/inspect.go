package strictjson

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/keyward/keyward/internal/fault"
)

// opens is 1 for a token that begins an array or an object, which the decoder's stack has by then.
func opens(t jsontext.Token) int {
	if t.Kind() == '[' || t.Kind() == '{' {
		return 1
	}
	return 0
}

// inspect walks the whole text, including parts that are stored as they are, and refuses parts that the grammar
// allows and Keyward does not.
func inspect(data []byte, screens []Screen) error {
	d := jsontext.NewDecoder(bytes.NewBuffer(data))
	for {
		token, err := d.ReadToken()
		if err != nil {
			return syntactic(d, err)
		}
		if err := inspectToken(d, token, screens); err != nil {
			return err
		}
		if d.StackDepth() == 0 {
			break
		}
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return fault.Invalid(Body, "has something after the JSON document")
	}
	return nil
}

func inspectToken(d *jsontext.Decoder, token jsontext.Token, screens []Screen) error {
	// In an array the length of the parent counts the elements that were read, this one included.
	if parent := d.StackDepth() - opens(token); parent > 0 {
		if kind, n := d.StackIndex(parent); kind == '[' && n > MaxElements {
			return fault.Invalid(here(d), "is one of more than %d elements", MaxElements)
		}
	}
	switch token.Kind() {
	case '"':
		if strings.IndexByte(token.String(), 0) >= 0 {
			return fault.Invalid(here(d), "must not hold the character U+0000")
		}
		for _, screen := range screens {
			if err := screen(token.String(), func() string { return here(d) }); err != nil {
				return err
			}
		}
	case '0':
		if !exact(token.String()) {
			return fault.Invalid(here(d), "is a number beyond ±2^53, which not every client can read exactly")
		}
	case '{', '[':
		if d.StackDepth() > MaxDepth {
			return fault.Invalid(Body, "is nested more than %d deep", MaxDepth)
		}
	}
	return nil
}

// exact reports whether a double holds a number's text exactly. Every double beyond 2^53 is an integer.
func exact(text string) bool {
	if strings.ContainsAny(text, ".eE") {
		f, err := strconv.ParseFloat(text, 64)
		return err == nil && math.Abs(f) < MaxInteger
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return err == nil && n >= -MaxInteger && n <= MaxInteger
}

// syntactic turns a grammar error into a fault; a member that stands twice is named.
func syntactic(d *jsontext.Decoder, err error) error {
	var s *jsontext.SyntacticError
	switch {
	case errors.Is(err, io.EOF):
		return fault.Invalid(Body, "must be a JSON document")
	case errors.As(err, &s) && errors.Is(err, jsontext.ErrDuplicateName):
		return fault.Invalid(pathWith(kindsOf(d), s.JSONPointer), "stands more than once")
	case errors.As(err, &s):
		return fault.Invalid(Body, "is not valid JSON: %s", wording(s))
	}
	return fault.Invalid(Body, "is not valid JSON").Because(err)
}

// wording describes a syntax error in our words, because the decoder's own message repeats parts of the text.
func wording(s *jsontext.SyntacticError) string {
	at := " at byte " + strconv.FormatInt(s.ByteOffset, 10)
	if errors.Is(s.Err, io.ErrUnexpectedEOF) {
		return "it ends too early"
	}
	if strings.Contains(s.Error(), "UTF-8") || strings.Contains(s.Error(), "surrogate") {
		return "text that is not Unicode" + at
	}
	return "unexpected text" + at
}

package strictjson

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxName bounds the part of a member's name that an answer repeats.
const maxName = 64

// here is the path of the token that the decoder has just read.
func here(d *jsontext.Decoder) string { return pathWith(kindsOf(d), d.StackPointer()) }

// kindsOf tells for each level of the stack whether it is an object or an array.
func kindsOf(d *jsontext.Decoder) []jsontext.Kind {
	kinds := make([]jsontext.Kind, d.StackDepth())
	for i := range kinds {
		kinds[i], _ = d.StackIndex(i + 1)
	}
	return kinds
}

// pathOf writes a pointer as a path where the levels' kinds are not known: no member that is read by name is a number.
func pathOf(p jsontext.Pointer) string {
	var kinds []jsontext.Kind
	for token := range p.Tokens() {
		kind := jsontext.Kind('{')
		if _, err := strconv.ParseUint(token, 10, 31); err == nil {
			kind = '['
		}
		kinds = append(kinds, kind)
	}
	return pathWith(kinds, p)
}

// pathWith writes a JSON Pointer (RFC 6901) as apiKeys[0].rateLimit.
func pathWith(kinds []jsontext.Kind, p jsontext.Pointer) string {
	var b strings.Builder
	level := 0
	for token := range p.Tokens() {
		switch {
		case level < len(kinds) && kinds[level] == '[':
			b.WriteString("[" + token + "]")
		case !plain(token):
			b.WriteString("[" + strconv.QuoteToASCII(clip(token)) + "]")
		case level > 0:
			b.WriteString("." + token)
		default:
			b.WriteString(token)
		}
		level++
	}
	if level == 0 {
		return Body
	}
	return b.String()
}

// plain tells whether a name can stand in a path as it is.
func plain(name string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c != '_' && c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return name != "" && len(name) <= maxName
}

func clip(name string) string {
	if len(name) <= maxName {
		return name
	}
	end := maxName
	for !utf8.RuneStart(name[end]) {
		end--
	}
	return name[:end] + "…"
}

package store

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Written gives the forms in which a part of a string, in lower case, may stand in the JSON of an event: as it is
// escaped now, and as it was while <, > and & were escaped, too.
func Written(text string) []string {
	form := func(forHTML bool) string {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(forHTML)
		_ = e.Encode(text) // a string can always be written
		return strings.ToLower(strings.Trim(strings.TrimSuffix(b.String(), "\n"), `"`))
	}
	return slices.Compact([]string{form(false), form(true)})
}

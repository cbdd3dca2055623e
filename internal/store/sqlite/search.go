package sqlite

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/text"
)

// separator stands between texts that are searched together; no text that is kept holds it.
const separator = "char(31)"

// Contains folds the columns as Unicode has it, and seeks with instr, which knows no pattern. That calls out of SQLite
// for every row, so a text of ASCII is sought with LIKE, which takes a third of the time: it folds ASCII by itself, and
// no other letter becomes one of ASCII when it is folded but two. The Kelvin sign is not kept, since texts are
// normalised (NFC); the capital I with a dot is, and is looked for where the text has an i.
func (d *Driver) Contains(wanted string, columns ...string) (condition string, args []any) {
	all := strings.Join(columns, " || "+separator+" || ")
	folded := "instr(" + fold + "(" + all + "), ?) > 0"
	if !ascii(wanted) {
		return folded, []any{wanted}
	}
	var likes []string
	pattern := "%" + literal.Replace(wanted) + "%"
	for _, c := range columns {
		likes, args = append(likes, c+` LIKE ? ESCAPE '\'`), append(args, pattern)
	}
	if strings.Contains(wanted, "i") {
		likes, args = append(likes, "instr("+all+", 'İ') > 0 AND "+folded), append(args, wanted)
	}
	return "(" + strings.Join(likes, " OR ") + ")", args
}

// literal escapes the special characters of LIKE.
var literal = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// Tells looks for the text as JSON writes it first, which is cheap, and has Go look at those events in which that is
// there.
func (d *Driver) Tells(wanted, column string) (condition string, args []any) {
	var written []string
	for _, w := range store.Written(wanted) {
		c, more := d.Contains(w, column)
		written, args = append(written, c), append(args, more...)
	}
	return "CASE WHEN " + strings.Join(
			written,
			" OR ",
		) + " THEN " + tells + "(" + column + ", ?) ELSE 0 END", append(
			args, wanted,
		)
}

// Position is instr.
func (d *Driver) Position(text, column string) string { return "instr(" + column + ", " + text + ")" }

// tells is the function that looks into an event.
const tells = "keyward_tells"

// tellsText reports whether an event's JSON holds a text in lower case.
func tellsText(event, wanted string) bool {
	d := json.NewDecoder(strings.NewReader(event))
	d.UseNumber()
	var members map[string]any
	if d.Decode(&members) != nil {
		return false
	}
	for name, about := range members {
		if object, ok := about.(map[string]any); ok && (name == "before" || name == "after") {
			delete(object, "environment")
		}
		if saysText(about, wanted) {
			return true
		}
	}
	return false
}

// saysText looks at every string, number and name of a member.
func saysText(v any, wanted string) bool {
	switch v := v.(type) {
	case string:
		return contains(beyondHead(v, wanted), wanted)
	case json.Number:
		return strings.Contains(strings.ToLower(v.String()), wanted)
	case []any:
		return slices.ContainsFunc(v, func(one any) bool { return saysText(one, wanted) })
	case map[string]any:
		for name, one := range v {
			if contains(name, wanted) || saysText(one, wanted) {
				return true
			}
		}
	}
	return false
}

// contains folds s as PostgreSQL's driver does: normal form C matters only where the text that is sought has more than
// ASCII.
func contains(s, wanted string) bool {
	if ascii(wanted) {
		return strings.Contains(strings.ToLower(s), wanted)
	}
	return strings.Contains(text.Search(s), wanted)
}

// beyondHead leaves out of a masked value that part of its head within which a whole match would lie.
func beyondHead(s, wanted string) string {
	if !strings.Contains(s, "…") {
		return s
	}
	m := head.FindStringSubmatch(s)
	if m == nil {
		return s
	}
	return s[max(0, len(m[1])+1-utf8.RuneCountInString(wanted)):]
}

// head finds the head of a masked value.
var head = regexp.MustCompile(`^([a-z][a-z0-9]{0,15}_(?:live|test|svc)_)[^…]{1,8}…`)

package sqlite

import "strings"

// separator stands between texts that are searched together; no text that is kept holds it.
const separator = "char(31)"

// Contains folds the columns as Unicode has it, and seeks with instr, which knows no pattern. That calls out of SQLite for every row, so
// a text of ASCII is sought with LIKE, which takes a third of the time: it folds ASCII by itself, and no other letter becomes one of
// ASCII when it is folded but two. The Kelvin sign is not kept, since texts are normalised (NFC); the capital I with a dot is, and is
// looked for where the text has an i.
func (d *Driver) Contains(text string, columns ...string) (condition string, args []any) {
	all := strings.Join(columns, " || "+separator+" || ")
	folded := "instr(" + fold + "(" + all + "), ?) > 0"
	if !ascii(text) {
		return folded, []any{text}
	}
	var likes []string
	pattern := "%" + literal.Replace(text) + "%"
	for _, c := range columns {
		likes, args = append(likes, c+` LIKE ? ESCAPE '\'`), append(args, pattern)
	}
	if strings.Contains(text, "i") {
		likes, args = append(likes, "instr("+all+", 'İ') > 0 AND "+folded), append(args, text)
	}
	return "(" + strings.Join(likes, " OR ") + ")", args
}

// literal takes the meaning from what LIKE knows.
var literal = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

package conversation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Values are the named values of a conversation.
type Values map[string]string

var reference = regexp.MustCompile(`\{[a-z][A-Za-z0-9]*\}`)

// Fill puts the values in the place of their names.
func (v Values) Fill(text string) (string, error) {
	var unknown []string
	out := reference.ReplaceAllStringFunc(text, func(r string) string {
		value, ok := v[r[1:len(r)-1]]
		if !ok {
			unknown = append(unknown, r)
		}
		return value
	})
	if unknown != nil {
		return "", fmt.Errorf("no value is known for %s", strings.Join(unknown, ", "))
	}
	return out, nil
}

func decode(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("not JSON: %w\n%s", err, text)
	}
	return v, nil
}

var placeholder = regexp.MustCompile(`^(?:<([a-z]+)(?: ([^>]+))?>)? ?(?:\$([a-z][A-Za-z0-9]*))?$`)

// forms of a text that a placeholder names; %s is its argument.
var forms = map[string]string{
	"uuid":   `^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`,
	"time":   `^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$`,
	"text":   `^.`,
	"key":    `^kw_%s_[0-9A-Za-z]{49}$`,
	"masked": `^kw_%s_[0-9A-Za-z]{4}…[0-9A-Za-z]{4}$`,
	"has":    `%s`,
}

// Match compares an answer with a pattern, keeps captures in v, and returns the differences.
func (v Values) Match(at string, want, got any) []string {
	switch w := want.(type) {
	case map[string]any:
		return v.matchObject(at, w, got)
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return []string{fmt.Sprintf("%s: want a list of %d, got %s", at, len(w), show(got))}
		}
		var wrong []string
		for i := range w {
			wrong = append(wrong, v.Match(fmt.Sprintf("%s[%d]", at, i), w[i], g[i])...)
		}
		return wrong
	case string:
		if m := placeholder.FindStringSubmatch(w); m != nil && w != "" {
			return v.matchPlaceholder(at, m, got)
		}
	}
	if want != got {
		return []string{fmt.Sprintf("%s: want %s, got %s", at, show(want), show(got))}
	}
	return nil
}

func (v Values) matchObject(at string, want map[string]any, got any) []string {
	g, ok := got.(map[string]any)
	if !ok {
		return []string{fmt.Sprintf("%s: want an object, got %s", at, show(got))}
	}
	var wrong []string
	for _, name := range sortedKeys(want) {
		if name == "<only>" {
			continue
		}
		value, there := g[name]
		switch {
		case want[name] == "<absent>" && there:
			wrong = append(wrong, fmt.Sprintf("%s.%s: want none, got %s", at, name, show(value)))
		case want[name] == "<absent>":
		case !there:
			wrong = append(wrong, fmt.Sprintf("%s.%s: is not there", at, name))
		default:
			wrong = append(wrong, v.Match(at+"."+name, want[name], value)...)
		}
	}
	if want["<only>"] == nil {
		return wrong
	}
	for _, name := range sortedKeys(g) {
		if _, wanted := want[name]; !wanted {
			wrong = append(wrong, fmt.Sprintf("%s.%s: want no such member, got %s", at, name, show(g[name])))
		}
	}
	return wrong
}

func (v Values) matchPlaceholder(at string, m []string, got any) []string {
	form, argument, name := m[1], m[2], m[3]
	text, isText := got.(string)
	if form != "" && form != "any" {
		pattern, known := forms[form]
		if !known {
			return []string{fmt.Sprintf("%s: <%s> is no placeholder", at, form)}
		}
		if strings.Contains(pattern, "%s") {
			pattern = fmt.Sprintf(pattern, regexp.QuoteMeta(argument))
		}
		if !isText || !regexp.MustCompile(pattern).MatchString(text) {
			return []string{fmt.Sprintf("%s: want <%s %s>, got %s", at, form, argument, show(got))}
		}
	}
	if name != "" {
		if !isText {
			text = show(got)
		}
		v[name] = text
	}
	return nil
}

// MatchBody compares the body of an answer of a media type with an expectation whose names are filled in.
func (v Values) MatchBody(media, want, body string) []string {
	switch {
	case strings.HasPrefix(media, "application/json"):
		return v.matchJSON("answer", want, body)
	case strings.HasPrefix(media, "application/x-ndjson"):
		lines, patterns := strings.Split(strings.TrimRight(body, "\n"), "\n"), strings.Split(want, "\n")
		if len(lines) != len(patterns) {
			return []string{fmt.Sprintf("want %d lines, got %d", len(patterns), len(lines))}
		}
		v.alike(patterns, lines)
		var wrong []string
		for i := range lines {
			wrong = append(wrong, v.matchJSON(fmt.Sprintf("line %d", i+1), patterns[i], lines[i])...)
		}
		return wrong
	}
	return matchLines(want, body)
}

// alike brings neighbouring lines about objects of one kind into the order of their patterns: a feed tells them in any
// order, as its source has them. A line that fits no pattern stays where it is left.
func (v Values) alike(patterns, lines []string) {
	kind := func(line string) string {
		name, _, _ := strings.Cut(line, ":")
		return strings.TrimSpace(name)
	}
	for i := range lines {
		for j := i; j < len(lines) && kind(patterns[j]) == kind(patterns[i]) && kind(lines[j]) == kind(lines[i]); j++ {
			if len(maps.Clone(v).matchJSON("", patterns[i], lines[j])) == 0 {
				lines[i], lines[j] = lines[j], lines[i]
				break
			}
		}
	}
}

func (v Values) matchJSON(at, want, got string) []string {
	pattern, err := decode([]byte(want))
	if err != nil {
		return []string{"the expectation: " + err.Error()}
	}
	value, err := decode([]byte(got))
	if err != nil {
		return []string{err.Error()}
	}
	return v.Match(at, pattern, value)
}

// matchLines compares text line by line; <any> stands for anything within a line.
func matchLines(want, got string) []string {
	w, g := strings.Split(want, "\n"), strings.Split(strings.TrimRight(strings.ReplaceAll(got, "\r\n", "\n"), "\n"), "\n")
	if len(w) != len(g) {
		return []string{fmt.Sprintf("want %d lines, got %d:\n%s", len(w), len(g), got)}
	}
	var wrong []string
	for i := range w {
		pattern := strings.ReplaceAll(regexp.QuoteMeta(w[i]), "<any>", ".*")
		if !regexp.MustCompile("^" + pattern + "$").MatchString(g[i]) {
			wrong = append(wrong, fmt.Sprintf("line %d: want %q, got %q", i+1, w[i], g[i]))
		}
	}
	return wrong
}

func show(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

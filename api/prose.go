package api

import (
	"html"
	"regexp"
	"strings"
)

var (
	code   = regexp.MustCompile("`([^`]+)`")
	strong = regexp.MustCompile(`\*\*([^*]+)\*\*`)
	weak   = regexp.MustCompile(`\*([^*]+)\*`)
)

// inline turns the little Markdown that descriptions use (code, strong, emphasis) into HTML. All else is escaped first.
func inline(s string) string {
	s = html.EscapeString(s)
	var out strings.Builder
	for {
		at := code.FindStringSubmatchIndex(s)
		if at == nil {
			break
		}
		out.WriteString(emphasis(s[:at[0]]))
		out.WriteString("<code>" + s[at[2]:at[3]] + "</code>")
		s = s[at[1]:]
	}
	out.WriteString(emphasis(s))
	return out.String()
}

func emphasis(s string) string {
	return weak.ReplaceAllString(strong.ReplaceAllString(s, "<strong>$1</strong>"), "<em>$1</em>")
}

// prose turns paragraphs and lists of lines that begin with "- " into HTML.
func prose(s string) string {
	var out strings.Builder
	for block := range strings.SplitSeq(strings.TrimSpace(s), "\n\n") {
		items, isList := strings.CutPrefix(block, "- ")
		if !isList {
			out.WriteString("<p>" + inline(block) + "</p>\n")
			continue
		}
		out.WriteString("<ul>\n")
		for item := range strings.SplitSeq(items, "\n- ") {
			out.WriteString("<li>" + inline(item) + "</li>\n")
		}
		out.WriteString("</ul>\n")
	}
	return out.String()
}

// anchor gives a heading the name by which a link finds it.
func anchor(s string) string { return strings.ReplaceAll(strings.ToLower(s), " ", "-") }

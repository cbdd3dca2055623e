package api

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:embed samples.txt
var samplesText string

// sample is one operation called in one language.
type sample struct{ ID, Name, Text string }

// languages are those of the samples, in their order. The first is made of the document, the others are written.
var languages = []struct{ id, name string }{{"curl", "curl"}, {"ts", "TypeScript"}, {"py", "Python"}, {"go", "Go"}}

// beginnings are the lines before the samples of each language, in the order of languages.
var beginnings = []sample{
	{"", "curl", "export KEYWARD_URL=http://127.0.0.1:8080 KEYWARD_TOKEN=kw_svc_..."},
	{"", "TypeScript", `import { Keyward } from "keyward";

const keyward = new Keyward({ url: process.env.KEYWARD_URL!, token: process.env.KEYWARD_TOKEN! });`},
	{"", "Python", `import os

from keyward import Keyward

keyward = Keyward(os.environ["KEYWARD_URL"], os.environ["KEYWARD_TOKEN"])`},
	{"", "Go", `import "github.com/keyward/keyward"

client, err := keyward.New(os.Getenv("KEYWARD_URL"), keyward.WithToken(os.Getenv("KEYWARD_TOKEN")))`},
}

// readSamples reads the written calls: by operation, and by language.
func readSamples(text string) (map[string]map[string]string, error) {
	out := map[string]map[string]string{}
	var of map[string]string
	for i, line := range strings.Split(text, "\n") {
		language, call, spaced := strings.Cut(line, " ")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case !spaced && out[line] == nil:
			of = map[string]string{}
			out[line] = of
		case spaced && of != nil && of[language] == "" && (language == "ts" || language == "py" || language == "go"):
			of[language] = call
		default:
			return nil, fmt.Errorf("samples.txt:%d: want the id of an operation, or ts, py or go and a call", i+1)
		}
	}
	return out, nil
}

// samples gives an operation in every language. One that no client calls is asked by HTTP.
func (w *writer) samplesOf(o *operation, secured bool) []sample {
	written := w.samples[o.ID]
	if written == nil {
		written = plain(o, secured)
	}
	var out []sample
	for _, l := range languages {
		text := written[l.id]
		if l.id == "curl" {
			text = curl(o, secured)
		}
		out = append(out, sample{l.id, l.name, text})
	}
	return out
}

// curl is the operation as a command. Parts of the path are variables of the shell.
func curl(o *operation, secured bool) string {
	var b strings.Builder
	b.WriteString("curl -sS")
	if o.Method != "GET" {
		b.WriteString(" -X " + o.Method)
	}
	b.WriteString(` "$KEYWARD_URL` + shellPath(o.Path) + `"`)
	if secured {
		b.WriteString(" \\\n  -H \"Authorization: Bearer $KEYWARD_TOKEN\"")
	}
	if o.Body != nil && len(o.Body.Examples) > 0 {
		quoted := strings.ReplaceAll(o.Body.Examples[0].Text, "'", `'\''`)
		b.WriteString(" \\\n  -H 'Content-Type: " + o.Body.Type + "' \\\n  -d '" + quoted + "'")
	}
	return b.String()
}

// shellPath puts a variable in the place of each part of a path that is to be filled in.
func shellPath(path string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(path, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		name, after, _ := strings.Cut(rest, "}")
		b.WriteString("$" + strings.ToUpper(name))
		path = after
	}
}

// plain is an operation that no client has, by the HTTP of each language.
func plain(o *operation, secured bool) map[string]string {
	if !secured {
		return map[string]string{
			"ts": "const answer = await fetch(`${process.env.KEYWARD_URL}" + o.Path + "`);",
			"py": `answer = urllib.request.urlopen(os.environ["KEYWARD_URL"] + "` + o.Path + `")`,
			"go": `answer, err := http.Get(os.Getenv("KEYWARD_URL") + "` + o.Path + `")`,
		}
	}
	return map[string]string{
		"ts": "const answer = await fetch(`${process.env.KEYWARD_URL}" + o.Path +
			"`, { headers: { authorization: `Bearer ${key}` } });",
		"py": `answer = urllib.request.urlopen(urllib.request.Request(os.environ["KEYWARD_URL"] + "` + o.Path +
			`", headers={"Authorization": "Bearer " + key}))`,
		"go": `request, err := http.NewRequestWithContext(ctx, "` + o.Method + `", os.Getenv("KEYWARD_URL")+"` + o.Path + `", nil)
request.Header.Set("Authorization", "Bearer "+key)
answer, err := http.DefaultClient.Do(request)`,
	}
}

// Package conversation reads the conversations under api/conversations, what a client says to a server and what the
// server answers, and compares answers with them. Tests play them against a server and against every client.
package conversation

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A conversation is what a client says to a server, and what the server answers: a txtar file in api/conversations. A
// line `-- name --` begins a section; what stands before the first one is a remark.
//
//	-- make a key --                        a request: method and path, headers, an empty line, the body
//	POST /api/v2/api-keys
//	Authorization: Bearer {ana}
//
//	{"name": "export", "userId": "ana"}
//	-- > 201 --                             what its answer has to be: status, headers, an empty line, the body
//	Cache-Control: no-store
//
//	{"success": true, "data": {"result": {"apiKey": {"id": "<uuid> $id"}, "key": "<key live> $key"}}}
//	-- include company --                   the sections of include/company.txtar stand here
//	-- wait 1100ms --                       nothing is said for so long
//
// Headers may be left out together with the empty line. A body without a Content-Type is sent as application/json; a
// Content-Type of <none> sends none. In place of the body a line `@body "text" * 3` sends a Go string, repeated.
//
// Anywhere in a request and in an expectation {name} stands for a value: {root}, {manager} and {verifier} are service
// keys, {tomorrow}, {nextYear} and {in2s} are times, and everything else was captured from an earlier answer.
//
// An expected JSON body is a pattern. An object matches one that has at least these members, or with the member
// "<only>": true exactly these; a list matches one of the same length; and a text can be a placeholder, a capture, or
// both with a blank between:
//
//	<any>      whatever is there        <uuid>       an id             <time>          RFC 3339, UTC, milliseconds
//	<absent>   no such member           <key live>   a whole key       <masked live>   a masked one (also: test, svc)
//	<text>     a text that is not empty <has word>   a text with word  $name           keeps the value as {name}
//
// Any other expected body is text, line by line, in which <any> stands for anything within the line; for
// application/x-ndjson each line is a pattern. A status can go on with `like` and the name of an earlier request: `-- >
// 404 like unknown id --` demands the same bytes as that one's answer had, but for the request id.

// Step is one section together with its expectation: a wait, an inclusion or an exchange.
type Step struct {
	Name string
	Line int

	Wait    time.Duration
	Include string

	Request Request
	Want    Expectation
}

// Request is what a client says, with the names of values in it.
type Request struct {
	Method, Target string
	Headers        []Header
	Body           string
	Repeat         int // of the body; 0 is none
}

// Header is one line of a head.
type Header struct{ Name, Value string }

// Expectation is what the answer has to be.
type Expectation struct {
	Status  int
	Like    string // name of the request whose answer this one equals
	Headers []Header
	Body    string
}

type section struct {
	name, text string
	line       int
}

var marker = regexp.MustCompile(`^-- (.+) --$`)

func sections(text string) []section {
	var all []section
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if m := marker.FindStringSubmatch(line); m != nil {
			all = append(all, section{name: m[1], line: i + 1})
		} else if len(all) > 0 {
			all[len(all)-1].text += line + "\n"
		}
	}
	return all
}

// Load reads the conversation of a name, without its ending, and those that it includes in their places.
func Load(dir, name string) ([]Step, error) {
	text, err := os.ReadFile(filepath.Join(dir, name+".txtar"))
	if err != nil {
		return nil, err
	}
	steps, err := Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var all []Step
	for _, s := range steps {
		if s.Include == "" {
			all = append(all, s)
			continue
		}
		included, err := Load(dir, filepath.Join("include", s.Include))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", s.Line, err)
		}
		all = append(all, included...)
	}
	return all, nil
}

// Parse reads the sections of a file. Every request has one expectation.
func Parse(text string) ([]Step, error) {
	var steps []Step
	open := false // the last step waits for its expectation
	for _, s := range sections(text) {
		verb, rest, _ := strings.Cut(s.name, " ")
		if open != (verb == ">") {
			return nil, fmt.Errorf("line %d: want %s", s.line, map[bool]string{true: "an expectation", false: "a request"}[open])
		}
		var err error
		switch verb {
		case ">":
			last := &steps[len(steps)-1]
			last.Want, err = parseExpectation(rest, s.text)
			open = false
		case "wait":
			var d time.Duration
			d, err = time.ParseDuration(rest)
			steps = append(steps, Step{Name: s.name, Line: s.line, Wait: d})
		case "include":
			steps = append(steps, Step{Name: s.name, Line: s.line, Include: rest})
		default:
			var r Request
			r, err = parseRequest(s.text)
			steps = append(steps, Step{Name: s.name, Line: s.line, Request: r})
			open = true
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", s.line, err)
		}
	}
	if open || len(steps) == 0 {
		return nil, fmt.Errorf("the last request has no expectation")
	}
	return steps, nil
}

var bodyForm = regexp.MustCompile(`^@body (".*")(?: \* ([0-9]+))?$`)

func parseRequest(text string) (Request, error) {
	first, rest, _ := strings.Cut(text, "\n")
	var r Request
	var ok bool
	if r.Method, r.Target, ok = strings.Cut(first, " "); !ok || !strings.HasPrefix(r.Target, "/") {
		return r, fmt.Errorf("%q: want a method and a path", first)
	}
	var err error
	if r.Headers, r.Body, err = parseHeaders(rest); err != nil {
		return r, err
	}
	if m := bodyForm.FindStringSubmatch(r.Body); m != nil {
		if r.Body, err = strconv.Unquote(m[1]); err != nil {
			return r, fmt.Errorf("@body %s: %w", m[1], err)
		}
		if m[2] != "" {
			r.Repeat, err = strconv.Atoi(m[2])
		}
	}
	return r, err
}

func parseExpectation(name, text string) (Expectation, error) {
	status, rest, _ := strings.Cut(name, " ")
	var e Expectation
	var err error
	if e.Status, err = strconv.Atoi(status); err != nil {
		return e, err
	}
	if rest != "" {
		var ok bool
		if e.Like, ok = strings.CutPrefix(rest, "like "); !ok {
			return e, fmt.Errorf("%q: want a status, or a status and `like` a request", name)
		}
	}
	e.Headers, e.Body, err = parseHeaders(text)
	return e, err
}

var headerForm = regexp.MustCompile(`^([A-Za-z_-]+): ?(.*)$`)

// parseHeaders reads headers, an empty line and a body, or a body alone.
func parseHeaders(text string) ([]Header, string, error) {
	if !headerForm.MatchString(strings.SplitN(text, "\n", 2)[0]) {
		return nil, strings.Trim(text, "\n"), nil
	}
	head, body, _ := strings.Cut(text, "\n\n")
	var all []Header
	for _, line := range strings.Split(strings.TrimSuffix(head, "\n"), "\n") {
		m := headerForm.FindStringSubmatch(line)
		if m == nil {
			return nil, "", fmt.Errorf("%q: want a header", line)
		}
		all = append(all, Header{m[1], m[2]})
	}
	return all, strings.Trim(body, "\n"), nil
}

package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"strings"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/text"
)

// remote holds the flags of every command that calls a server.
type remote struct {
	URL       string `env:"KEYWARD_URL" placeholder:"URL" help:"The server. Default: that of the profile, else http://127.0.0.1:8080."`
	Profile   string `placeholder:"NAME" help:"Use the server and the token of this profile of keyward login. [KEYWARD_PROFILE]"`
	TokenFile string `type:"path" placeholder:"FILE" help:"Read the token from a file instead of KEYWARD_TOKEN. It is never an argument."`
	JSON      bool   `name:"json" help:"Print JSON, for programs."`

	workspace string // of the profile, where one is used
}

// defaultURL is where a server listens by itself.
const defaultURL = "http://127.0.0.1:8080"

func (r *remote) client(a *app) (*keyward.Client, error) {
	with, err := r.caller()
	if err != nil {
		return nil, err
	}
	return r.dial(a, with)
}

// caller finds the server and the token of a command. A profile's token goes to the profile's server alone.
func (r *remote) caller() (profile, error) {
	named := cmp.Or(r.Profile, os.Getenv(profileEnv))
	if r.Profile == "" && (r.TokenFile != "" || named == "" && os.Getenv("KEYWARD_TOKEN") != "") {
		token, err := r.token()
		return profile{URL: cmp.Or(r.URL, defaultURL), Token: token}, err
	}
	if r.TokenFile != "" {
		return profile{}, usageError("--profile and --token-file each name a token: give one of them")
	}
	all, err := openProfiles()
	name := named
	if err == nil && name == "" {
		name = all.current()
	}
	if err != nil || name == "" { // a machine without a home has no profile
		return profile{}, usageError(
			"there is no token: keyward login keeps one, or set KEYWARD_TOKEN, or name a file with --token-file",
		)
	}
	with, err := all.load(name)
	if err != nil {
		return profile{}, err
	}
	if r.URL != "" && strings.TrimRight(r.URL, "/") != strings.TrimRight(with.URL, "/") {
		return profile{}, usageError(
			fmt.Sprintf("the token of the profile %s is for %s alone, and not for %s: leave --url and KEYWARD_URL out, or give "+
				"a token for that server", name, with.URL, visible(r.URL)),
		)
	}
	r.workspace = with.Workspace
	return with, nil
}

func (r *remote) dial(a *app, with profile) (*keyward.Client, error) {
	if strings.TrimSpace(with.URL) != with.URL {
		return nil, usageError("KEYWARD_URL or --url: begins or ends with a blank or a line break: take it out")
	}
	c, err := keyward.New(
		with.URL, keyward.WithToken(with.Token), keyward.WithUserAgent("keyward-cli/"+strings.ReplaceAll(a.version, " ", "")),
	)
	if err != nil {
		return nil, usageError(oneLine(err))
	}
	return c, nil
}

func (r *remote) token() (string, error) {
	if r.TokenFile == "" {
		token := os.Getenv("KEYWARD_TOKEN")
		switch {
		case strings.TrimSpace(token) != token:
			return "", usageError("KEYWARD_TOKEN: begins or ends with a blank or a line break: take it out")
		case token != "":
			return token, nil
		}
		return "", usageError("there is no token: set KEYWARD_TOKEN, or name a file with --token-file")
	}
	token, err := readSecret(r.TokenFile)
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	return token, nil
}

// readSecret reads a short file that holds one line.
func readSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	line, err := oneSecret(f)
	if err != nil && !errors.As(err, new(*fs.PathError)) {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return line, err
}

// oneSecret reads one line; further input is an error, never a part of the secret.
func oneSecret(r io.Reader) (string, error) {
	const most = 4 << 10
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return "", err
	}
	s := strings.TrimSpace(string(text.WithoutBOM(data)))
	switch {
	case len(data) > most || strings.ContainsAny(s, "\r\n"):
		return "", errors.New("want one line")
	case s == "":
		return "", errors.New("there is nothing in it: want one line")
	}
	return s, nil
}

// listing bounds a list.
type listing struct {
	Limit int `default:"100" placeholder:"N" help:"Show at most so many; 0 shows all."`
}

// gather takes a list's items up to the limit; more tells whether there are others.
func gather[T any](all iter.Seq2[T, error], limit int) (items []T, more bool, err error) {
	items = []T{}
	for item, err := range all {
		if err != nil {
			return nil, false, err
		}
		if limit > 0 && len(items) == limit {
			return items, true, nil
		}
		items = append(items, item)
	}
	return items, false, nil
}

// show prints a list in either form.
func show[T any](a *app, r *remote, l listing, all iter.Seq2[T, error], head []string, row func(T) []string) error {
	items, more, err := gather(all, l.Limit)
	if err != nil {
		return err
	}
	if r.JSON {
		return printJSON(a.Out, items)
	}
	t := newTable(head...)
	for _, item := range items {
		t.row(row(item)...)
	}
	t.print(a.Out)
	if more {
		fmt.Fprintf(a.Err, "There are more: --limit 0 shows all.\n")
	}
	return nil
}

// facts prints one object for people: a name and a value on each line.
func facts(w io.Writer, pairs ...string) {
	width := 0
	for i := 0; i < len(pairs); i += 2 {
		width = max(width, len(pairs[i]))
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		fmt.Fprintf(w, "%s  %s\n", paint(w, bold, fmt.Sprintf("%-*s", width, pairs[i])), visible(pairs[i+1]))
	}
}

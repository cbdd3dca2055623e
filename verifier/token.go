package verifier

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"

	"github.com/keyward/keyward/internal/keyfmt"
)

// checkToken says what is wrong with Token, or with the file that is there in its place.
func (c *Config) checkToken() error {
	switch {
	case c.Token != "" && c.TokenFile != "":
		return errors.New("Config.TokenFile: give either this or Config.Token")
	case c.TokenFile != "":
		if _, err := readToken(c.TokenFile); err != nil {
			return fmt.Errorf("Config.TokenFile: %w", err)
		}
	case !isToken(c.Token):
		return errors.New("Config.Token: want a service key")
	}
	return nil
}

func isToken(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// readToken reads a file with one line. The content is in no error.
func readToken(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	text := strings.TrimRight(string(b), "\r\n")
	if !isToken(text) {
		return "", errors.New("want a service key, on one line")
	}
	return text, nil
}

// token gives the token of each question.
func (c *Config) token() func() string {
	path := c.TokenFile
	if path == "" {
		return keyfmt.NewSecret(c.Token).Reveal
	}
	var last atomic.Pointer[string]
	return func() string {
		if text, err := readToken(path); err == nil {
			last.Store(&text)
		}
		if text := last.Load(); text != nil {
			return *text
		}
		return ""
	}
}

// version is that of this module in the program that imports it, for `keyward nodes`.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == "github.com/keyward/keyward" {
			return m.Version
		}
	}
	return info.Main.Version
}

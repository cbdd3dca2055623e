package config

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"github.com/keyward/keyward/internal/keyfmt"
)

// ImportSecret is the key of an HMAC by which another system kept its keys.
type ImportSecret struct {
	Name  string
	Value keyfmt.Secret
}

var secretName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)

// setImportSecrets reads name=value,name=value, or with @/path a file of lines name=value. A name with :hex or :base64
// behind it has a value that is not text. A value in a list holds no comma.
func setImportSecrets(c *Config, v string) error {
	parts := list(v)
	if path, ok := strings.CutPrefix(v, "@"); ok {
		raw, err := small(path)
		if err != nil {
			return err
		}
		if len(raw) == 0 {
			return emptyFile(path)
		}
		parts = nil
		for line := range strings.Lines(string(raw)) {
			if line = strings.TrimRight(line, "\r\n"); line != "" && !strings.HasPrefix(line, "#") {
				parts = append(parts, line)
			}
		}
	}
	var all []ImportSecret
	seen := make(map[string]bool)
	for i, part := range parts {
		s, err := importSecret(part)
		if err != nil {
			return fmt.Errorf("secret %d: %w", i+1, err)
		}
		if seen[s.Name] {
			return fmt.Errorf("secret %d: the name %s stands twice", i+1, s.Name)
		}
		seen[s.Name] = true
		all = append(all, s)
	}
	c.ImportSecrets = all
	return nil
}

// importSecret reads one of them. No error shows any of it but a name.
func importSecret(s string) (ImportSecret, error) {
	name, value, ok := strings.Cut(s, "=")
	if !ok {
		return ImportSecret{}, fmt.Errorf("want name=value")
	}
	name, encoding, _ := strings.Cut(name, ":")
	if !secretName.MatchString(name) {
		return ImportSecret{}, fmt.Errorf(
			"want a name of 1 to 32 lower-case letters, digits, _ and -, a letter first, before the =",
		)
	}
	raw, err := []byte(value), error(nil)
	switch encoding {
	case "":
	case "hex":
		raw, err = hex.DecodeString(value)
	case "base64":
		raw, err = base64.StdEncoding.DecodeString(value)
	default:
		return ImportSecret{}, fmt.Errorf("%s: want nothing, :hex or :base64 behind the name", name)
	}
	if err != nil {
		return ImportSecret{}, fmt.Errorf("%s: the value is not %s", name, encoding)
	}
	if len(raw) == 0 {
		return ImportSecret{}, fmt.Errorf("%s: the value is empty", name)
	}
	return ImportSecret{Name: name, Value: keyfmt.NewSecret(string(raw))}, nil
}

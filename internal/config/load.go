package config

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// Sources are where settings come from. The zero value has none, and Load answers Default.
type Sources struct {
	Flags   map[string]string // given flags, by name without dashes
	Environ []string          // NAME=value, as os.Environ gives it
}

// Load reads every source and checks the whole. An error is one line that begins with the name of the setting as it was
// given:
// --flag, KEYWARD_NAME, or FILE:LINE: name. It never holds the value of a secret.
func Load(s Sources) (Config, error) {
	c := Default()
	env := environment(s.Environ)
	given, err := fromFile(s.Flags[ConfigFlag], env[configEnv])
	if err != nil {
		return Config{}, err
	}
	names := make(map[string]string)
	for _, setting := range Settings() {
		v, ok := pick(setting, s.Flags, env, given)
		if !ok {
			continue
		}
		if broken := lineBreak(v.text); broken != "" {
			if setting.Env != "KEYWARD_PEPPER" {
				return Config{}, fmt.Errorf(
					"%s: %s a line break: take it out; \"$(cat FILE)\" leaves it out, and printf writes none", v.name, broken,
				)
			}
			c.Odd = append(
				c.Odd,
				fmt.Sprintf("%s: %s a line break, which is a part of the pepper, as keys are digested with it: keep it for as "+
					"long as there are such keys, and make the next pepper without one", v.name, broken),
			)
		}
		if err := setting.set(&c, v.text); err != nil {
			return Config{}, fmt.Errorf("%s: %w", v.name, err)
		}
		names[setting.Env] = v.name
	}
	c.Unknown = unknown(env)
	return c, c.check(func(env string) string {
		if name, ok := names[env]; ok {
			return name
		}
		return env
	})
}

// lineBreak names the edge at which a value has a line break, which is rarely meant; "" for none. Lists of a file may
// have some.
func lineBreak(v string) string {
	switch {
	case strings.Trim(v, "\r\n") == v:
		return ""
	case strings.TrimRight(v, "\r\n") == v:
		return "begins with"
	}
	return "ends with"
}

// value is a setting as it was given, and the name under which.
type value struct{ name, text string }

// pick takes the first source that has the setting. An empty value in the environment counts as none, as with most
// programs.
func pick(s Setting, flags, env map[string]string, file map[string]value) (value, bool) {
	if v, ok := flags[s.Flag()]; ok && s.Flag() != "" {
		return value{"--" + s.Flag(), v}, true
	}
	if v := env[s.Env]; v != "" {
		return value{s.Env, v}, true
	}
	v, ok := file[s.Key()]
	return v, ok
}

func environment(environ []string) map[string]string {
	env := make(map[string]string)
	for _, pair := range environ {
		if name, v, ok := strings.Cut(pair, "="); ok && strings.HasPrefix(name, prefix) {
			env[name] = v
		}
	}
	return env
}

// unknown lists names that look like a setting and are none. KEYWARD_URL and KEYWARD_TOKEN are the client's;
// Kubernetes sets names that begin with KEYWARD_PORT and KEYWARD_SERVICE for a service called keyward.
func unknown(env map[string]string) []string {
	known := []string{configEnv, "KEYWARD_URL", "KEYWARD_TOKEN"}
	for _, s := range Settings() {
		known = append(known, s.Env)
	}
	var names []string
	for name := range env {
		if !slices.Contains(known, name) && !strings.HasPrefix(name, "KEYWARD_PORT") &&
			!strings.HasPrefix(name, "KEYWARD_SERVICE") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// readable reports whether all users of the machine may read a file.
func readable(path string) (bool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return false, Explained(path, err)
	}
	return !info.IsDir() && info.Mode().Perm()&0o004 != 0, nil
}

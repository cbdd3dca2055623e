package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// profileEnv names the profile that commands use, where no flag does.
const profileEnv = "KEYWARD_PROFILE"

// profile is a server and a token for it, kept between commands. The token goes to that server alone.
type profile struct {
	URL       string `json:"url"`
	Token     string `json:"token"`
	Workspace string `json:"workspace,omitempty"` // for commands that name none
}

// profiles is the directory that holds one file for each profile, and the name of the one that is used where none is
// named.
type profiles struct{ dir string }

const (
	profileSuffix  = ".json"
	currentProfile = "current"
)

// noProfile says that there is no profile of a name.
type noProfile string

func (n noProfile) Error() string {
	return fmt.Sprintf(
		"there is no profile %q: keyward profiles lists those that are there, and keyward login makes one", string(n),
	)
}

func openProfiles() (profiles, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return profiles{}, fmt.Errorf("find the directory of profiles: %w", err)
	}
	return profiles{filepath.Join(dir, "keyward", "profiles")}, nil
}

var profileName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func (p profiles) path(name string) (string, error) {
	if !profileName.MatchString(name) {
		return "", usageError(
			fmt.Sprintf("--profile %q: want letters, digits, dots, dashes and underscores, 64 at most", visible(name)),
		)
	}
	return filepath.Join(p.dir, name+profileSuffix), nil
}

// load reads a profile. A file that others may read or write is refused, because they may have the token or have put
// another server in its place.
func (p profiles) load(name string) (out profile, err error) {
	path, err := p.path(name)
	if err != nil {
		return out, err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return out, noProfile(name)
	}
	if err != nil {
		return out, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return out, err
	}
	if err := private(info); err != nil {
		return out, fmt.Errorf(
			"the profile %s is not used: %w; chmod 600 %s if no one else has read it, else keyward login again", name, err, path,
		)
	}
	if err := json.NewDecoder(f).Decode(&out); err != nil {
		return out, fmt.Errorf("the profile %s cannot be read (%s): keyward login makes it anew", name, path)
	}
	return out, nil
}

// save writes a profile and makes it the one that is used. It takes the place of an earlier one as a whole.
func (p profiles) save(name string, with profile) error {
	path, err := p.path(name)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(with, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return err
	}
	if err := p.write(path, append(text, '\n')); err != nil {
		return err
	}
	return p.use(name)
}

func (p profiles) use(name string) error {
	return p.write(filepath.Join(p.dir, currentProfile), []byte(name+"\n"))
}

// write puts a file in the place of another. A new file is its owner's alone from the start.
func (p profiles) write(path string, text []byte) error {
	f, err := os.CreateTemp(p.dir, ".new-*") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// current is the name of the profile that is used where none is named; "" for none.
func (p profiles) current() string {
	text, err := os.ReadFile(filepath.Join(p.dir, currentProfile))
	name := strings.TrimSpace(string(text))
	if err != nil || !profileName.MatchString(name) {
		return ""
	}
	return name
}

// remove takes a profile away, with its token.
func (p profiles) remove(name string) error {
	path, err := p.path(name)
	if err != nil {
		return err
	}
	err = os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return noProfile(name)
	}
	if err == nil && p.current() == name {
		err = os.Remove(filepath.Join(p.dir, currentProfile))
	}
	return err
}

// names lists the profiles.
func (p profiles) names() ([]string, error) {
	entries, err := os.ReadDir(p.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), profileSuffix); ok && profileName.MatchString(name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out, nil
}

package config

import (
	"fmt"
	"strings"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/ratelimit/lease"
	"github.com/keyward/keyward/internal/ratelimit/redislimit"
)

func setRedis(c *Config, v string) error {
	if _, err := redislimit.ParseURL(v); err != nil {
		return err
	}
	c.Redis = keyfmt.NewSecret(v)
	return nil
}

// RedisCredentials reads the files of Redis's password and authorities, where there are any.
func (c *Config) RedisCredentials() (out redislimit.Credentials, err error) {
	if c.RedisPasswordFile != "" {
		password, err := ReadPassword(c.RedisPasswordFile)
		if err != nil {
			return out, err
		}
		out.Password = password.Reveal()
	}
	if c.RedisCAFile != "" {
		out.Authorities, err = ReadAuthorities(c.RedisCAFile)
	}
	return out, err
}

func setLimitMode(c *Config, v string) (err error) {
	c.LimitMode, err = lease.ParseMode(v)
	return err
}

// setLimitModes reads "<workspace>=<mode>", with a comma between several.
func setLimitModes(c *Config, v string) error {
	modes := map[id.Workspace]lease.Mode{}
	for _, one := range list(v) {
		workspace, mode, _ := strings.Cut(one, "=")
		workspace = id.Canonical(workspace)
		if _, ok := id.Parse(workspace); !ok {
			return fmt.Errorf("%q: want <workspace id>=<mode>", one)
		}
		if _, twice := modes[id.Workspace(workspace)]; twice {
			return fmt.Errorf("%q: this workspace stands here twice", one)
		}
		m, err := lease.ParseMode(mode)
		if err != nil {
			return fmt.Errorf("workspace %s: %w", workspace, err)
		}
		modes[id.Workspace(workspace)] = m
	}
	c.LimitModes = modes
	return nil
}

func setLimitPolicy(c *Config, v string) (err error) {
	c.LimitPolicy, err = lease.ParsePolicy(v)
	return err
}

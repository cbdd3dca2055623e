package config

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/accesslog"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/usage"
)

func setAddr(to *string, v string) error {
	_, port, err := net.SplitHostPort(v)
	if err != nil {
		return fmt.Errorf("%q: want host:port, such as 127.0.0.1:8080", v)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n > 65535 {
		return fmt.Errorf("%q: want a port from 0 to 65535 after the last colon", v)
	}
	*to = v
	return nil
}

func setWorkspaceCreation(c *Config, v string) error {
	if v != "anyone" && v != "operators" {
		return fmt.Errorf("%q: want anyone or operators", v)
	}
	c.AnyoneCreatesWorkspaces = v == "anyone"
	return nil
}

func setMCP(c *Config, v string) error {
	m := MCPMode(v)
	if m != MCPOff && m != MCPRead && m != MCPWrite {
		return fmt.Errorf("%q: want off, read or write", v)
	}
	c.MCP = m
	return nil
}

func setCount(to *int, v string) error {
	n, err := strconv.ParseUint(v, 10, 31)
	if err != nil || n < 1 {
		return fmt.Errorf("%q: want a whole number from 1", v)
	}
	*to = int(n)
	return nil
}

func setBool(to *bool, v string) error {
	b, err := strconv.ParseBool(v)
	if err != nil {
		return fmt.Errorf("%q: want true or false", v)
	}
	*to = b
	return nil
}

func setTrustedProxies(c *Config, v string) (err error) {
	c.TrustedProxies, err = prefixes(v)
	return err
}

func setWebhookNetworks(c *Config, v string) (err error) {
	c.WebhookNetworks, err = prefixes(v)
	return err
}

func prefixes(v string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, one := range list(v) {
		p, err := netip.ParsePrefix(one)
		if err != nil {
			a, errAddr := netip.ParseAddr(one)
			if errAddr != nil || a.Zone() != "" {
				return nil, fmt.Errorf("%q: want networks such as 10.0.0.0/8, separated by commas", one)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		if p != p.Masked() {
			return nil, fmt.Errorf("%q: has bits after the network: did you mean %s?", one, p.Masked())
		}
		all = append(all, p)
	}
	return all, nil
}

func setKeyPrefix(c *Config, v string) error {
	if _, err := keyfmt.NewFormat(v); err != nil {
		return fmt.Errorf("%q: want 1 to 16 lower-case letters and digits, a letter first", v)
	}
	c.KeyPrefix = v
	return nil
}

// checkPepper refuses a pepper that KEYWARD_PEPPER_PREVIOUS could not name later. The length of a pepper is the
// operator's choice.
func checkPepper(v string) error {
	if v == string(keyfmt.NoPepper) {
		return fmt.Errorf(
			"%q stands for no pepper in KEYWARD_PEPPER_PREVIOUS: want a random one, such as `openssl rand -base64 32` makes", v,
		)
	}
	if strings.Contains(v, ",") {
		return fmt.Errorf("holds a comma, which separates peppers in KEYWARD_PEPPER_PREVIOUS: want another one")
	}
	return nil
}

func setPepper(c *Config, v string) error {
	if err := checkPepper(v); err != nil {
		return err
	}
	c.Pepper = keyfmt.NewSecret(v)
	return nil
}

func setPepperPrevious(c *Config, v string) error {
	var all []keyfmt.Secret
	for i, one := range list(v) {
		if one != string(keyfmt.NoPepper) {
			if err := checkPepper(one); err != nil {
				return fmt.Errorf("pepper %d: %w", i+1, err)
			}
		}
		all = append(all, keyfmt.NewSecret(one))
	}
	c.PepperPrevious = all
	return nil
}

func setDrainDelay(c *Config, v string) error {
	const most = 10 * time.Minute
	d, err := time.ParseDuration(v)
	if err != nil {
		return fmt.Errorf("%q: want a duration such as 10s", v)
	}
	if d < 0 || d > most {
		return fmt.Errorf("%q: want a duration from 0s to 10m, such as 10s", v)
	}
	c.DrainDelay = d
	return nil
}

// setIdempotencyReveal ends with the day for which a repeated request is recognised at all.
func setIdempotencyReveal(c *Config, v string) error {
	d, err := time.ParseDuration(v)
	if err != nil || d < 0 || d > 24*time.Hour {
		return fmt.Errorf("%q: want a duration up to 24h, such as 10m, or 0 for never", v)
	}
	c.IdempotencyReveal = d
	return nil
}

func setMaxStaleness(c *Config, v string) error {
	const least, most = 100 * time.Millisecond, 10 * time.Minute
	d, err := time.ParseDuration(v)
	if err != nil {
		return fmt.Errorf("%q: want a duration such as 5s", v)
	}
	if d < least || d > most {
		return fmt.Errorf("%q: want a duration from 100ms to 10m, such as 5s", v)
	}
	c.MaxStaleness = d
	return nil
}

// setKept takes a duration in days too; 0 is not at all.
func setKept(c *Config, g usage.Grain, v string) error {
	const most = 10 * 366 * 24 * time.Hour
	text, unit := v, time.Duration(1)
	if days, ok := strings.CutSuffix(v, "d"); ok {
		text, unit = days+"h", 24
	}
	d, err := time.ParseDuration(text)
	if v == "0" {
		d, err = 0, nil
	}
	switch {
	case err != nil:
		return fmt.Errorf("%q: want a duration such as 48h or 90d, or 0 for not at all", v)
	case d < 0 || d > most/unit || d > 0 && d*unit < g.Length():
		return fmt.Errorf("%q: want a duration from one %s to ten years, or 0 for not at all", v, g)
	}
	c.UsageKept[g] = d * unit
	return nil
}

// setEventsKept takes a duration from one day on, since the quotas of a day count its events.
func setEventsKept(c *Config, v string) error {
	const day, most = 24 * time.Hour, 100 * 366 * 24 * time.Hour
	text, unit := v, time.Duration(1)
	if days, ok := strings.CutSuffix(v, "d"); ok {
		text, unit = days+"h", 24
	}
	d, err := time.ParseDuration(text)
	if v == "forever" {
		c.EventsKept = 0
		return nil
	}
	if err != nil || d > most/unit || d*unit < day {
		return fmt.Errorf("%q: want a duration from 1d to a hundred years such as 400d, or forever", v)
	}
	c.EventsKept = d * unit
	return nil
}

func setUsageWaiting(c *Config, v string) error {
	const least, most = 1000, 100_000_000
	n, err := strconv.Atoi(v)
	if err != nil || n < least || n > most {
		return fmt.Errorf("%q: want a number from %d to %d", v, least, most)
	}
	c.UsageWaiting = n
	return nil
}

func setBadCredentials(c *Config, v string) error {
	n, err := strconv.ParseUint(v, 10, 16)
	if err != nil {
		return fmt.Errorf("%q: want a number of attempts from 0, which sets no limit, to 65535", v)
	}
	c.BadCredentials = int(n)
	return nil
}

func setLogLevel(c *Config, v string) error {
	levels := map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	}
	level, ok := levels[strings.ToLower(v)]
	if !ok {
		return fmt.Errorf("%q: want debug, info, warn or error", v)
	}
	c.LogLevel = level
	return nil
}

func setLogFormat(c *Config, v string) error {
	if !slices.Contains([]string{"text", "json"}, v) {
		return fmt.Errorf("%q: want text or json", v)
	}
	c.LogFormat = v
	return nil
}

func setAccessLog(c *Config, v string) (err error) {
	c.AccessLog, err = accesslog.Parse(v)
	return err
}

// list splits at commas; blanks around a part do not count, nor do empty parts.
func list(v string) []string {
	var parts []string
	for part := range strings.SplitSeq(v, ",") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

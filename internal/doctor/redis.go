package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/ratelimit/redislimit"
)

const (
	limitsByPolicy = "limits per minute follow KEYWARD_LIMIT_POLICY on each node by itself"
	askTime        = 5 * time.Second
)

// Redis looks at what nodes share their limits over.
func Redis(ctx context.Context, cfg *config.Config, now func() time.Time) []Finding {
	if cfg.Redis.IsZero() {
		return nil
	}
	server, err := redislimit.ParseURL(cfg.Redis.Reveal())
	if err != nil {
		return []Finding{{Fail, "redis", err.Error(), "the server does not start", "correct KEYWARD_REDIS_URL"}}
	}
	if cfg.RedisCAFile != "" || cfg.RedisPasswordFile != "" {
		c, err := cfg.RedisCredentials()
		if err != nil {
			return []Finding{{Fail, "redis", err.Error(), "the server does not start", "correct the file"}}
		}
		server.Follow(c)
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	f := redislimit.Examine(ctx, server, now)
	if f.Err != nil {
		return []Finding{{Fail, "redis", "cannot be asked: " + f.Err.Error(), limitsByPolicy, adviceOn(f.Err.Error())}}
	}
	all := []Finding{ok("redis", "answers within %s", f.Took.Round(time.Millisecond))}
	if f.Untold != nil {
		all = append(all, Finding{Warn, "redis", "does not tell about itself: " + f.Untold.Error(),
			"a failover would not be noticed, and limits are lost with it",
			"give the user the command INFO: ACL SETUSER … +info"})
	}
	if f.Role == "slave" {
		all = append(all, Finding{Fail, "redis", "is a replica", "it takes no writes: " + limitsByPolicy,
			"name the primary, or redis+sentinel:// with the sentinels"})
	}
	if f.ClusterMode != server.Cluster && f.Untold == nil {
		said, is := "redis+cluster://", "no node of a cluster"
		if f.ClusterMode {
			said, is = "redis://", "a node of a cluster"
		}
		all = append(all, Finding{Fail, "redis", fmt.Sprintf("is %s, and KEYWARD_REDIS_URL says %s", is, said),
			"keys of other slots cannot be counted",
			"correct the scheme: redis:// for one server, redis+cluster:// for a cluster"})
	}
	if f.Bounded && f.Policy != "noeviction" {
		all = append(all, Finding{Warn, "redis",
			"throws keys away when its memory is full (maxmemory-policy " + f.Policy + ")",
			"a window of a limit that is thrown away admits a minute's requests once more",
			"give the limits a Redis of their own with maxmemory-policy noeviction"})
	}
	if len(f.Refused) > 0 {
		all = append(all, Finding{Fail, "redis", "refuses the user " + strings.Join(f.Refused, ", "), limitsByPolicy,
			"ACL SETUSER … ~keyward:* +@read +@write +eval +evalsha +time +info +ping"})
	}
	return all
}

// adviceOn says what helps against an error of Redis.
func adviceOn(said string) string {
	for part, advice := range map[string]string{
		"NOAUTH": "write the password into KEYWARD_REDIS_URL, or name its file in KEYWARD_REDIS_PASSWORD_FILE",
		"WRONGPASS": "correct the user or the password: in KEYWARD_REDIS_URL, or in the file of " +
			"KEYWARD_REDIS_PASSWORD_FILE",
		"without any pass": "Redis has no password: take it out of KEYWARD_REDIS_URL",
		"DB index":         "name a database that there is, as /0 at the end of KEYWARD_REDIS_URL",
		"NOPERM": "give the user the commands that limits need: ACL SETUSER … ~keyward:* +@read +@write +eval " +
			"+evalsha +time +info +ping",
		"x509":         "name the authority's file in KEYWARD_REDIS_CA_FILE, and use a host that the certificate names",
		"no such host": "correct the host in KEYWARD_REDIS_URL",
		"refused":      "start Redis, or correct the address in KEYWARD_REDIS_URL",
	} {
		if strings.Contains(said, part) {
			return advice
		}
	}
	return "see to it that this machine reaches the address in KEYWARD_REDIS_URL"
}

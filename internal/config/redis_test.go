package config_test

import (
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/ratelimit/redislimit"
)

func TestHowNodesShareTheirLimitsIsSaidStrictly(t *testing.T) {
	t.Parallel()
	const ws = "01a214e6-29d4-7000-bdc9-613aca1472b1"
	c, err := config.Load(config.Sources{Environ: env(
		t, "KEYWARD_REDIS_URL=redis+cluster://:hush@a:1,b:2", "KEYWARD_LIMIT_MODE=exact",
		"KEYWARD_LIMIT_MODES="+strings.ToUpper(ws)+"=local", "KEYWARD_LIMIT_POLICY=closed",
	)})
	if err != nil {
		t.Fatal(err)
	}
	if c.LimitMode != redislimit.Exact || c.LimitModes[ws] != redislimit.Local || len(c.LimitModes) != 1 ||
		c.LimitPolicy != redislimit.Closed ||
		c.Redis.IsZero() {
		t.Errorf("%v %v %v", c.LimitMode, c.LimitModes, c.LimitPolicy)
	}
	for pair, want := range map[string]string{
		"KEYWARD_LIMIT_MODE=often":                                               "want leased, exact or local",
		"KEYWARD_LIMIT_MODES=acme=local":                                         "want <workspace id>=<mode>",
		"KEYWARD_LIMIT_MODES=" + ws + "=":                                        "want leased, exact or local",
		"KEYWARD_LIMIT_MODES=" + ws + "=local," + strings.ToUpper(ws) + "=exact": "stands here twice",
		"KEYWARD_LIMIT_POLICY=maybe":                                             "want share, open or closed",
	} {
		_, err := config.Load(config.Sources{Environ: env(t, pair)})
		refused(t, err, want)
	}
}

package redislimit_test

import (
	"testing"
	"time"

	"github.com/keyward/keyward/internal/ratelimit/redislimit"
	"github.com/keyward/keyward/internal/rig"
	"github.com/redis/rueidis"
)

func TestTheLimitHoldsOverACluster(t *testing.T) {
	t.Parallel()
	servers := rig.StartRedisCluster(t, 3, speed)
	in := &installation{t: t, now: fast()}
	in.start(3, func(o *redislimit.Options) {
		o.Cluster = true
		o.Connect = connect(rueidis.ClientOption{InitAddress: []string{servers[0].Addr, servers[1].Addr, servers[2].Addr}})
	})
	limits := map[byte]int64{1: 5, 2: 50, 3: 500, 4: 7}
	in.hammer(130*time.Second, limits, 6)
	for key, limit := range limits {
		if most := in.got.most(key); most > limit || most < limit*6/10 {
			t.Errorf("limit %d: at most %d in a minute", limit, most)
		}
	}
	if s := in.nodes[0].Stats(); s.Epochs != 0 || s.Failures != 0 {
		t.Errorf("%+v", s)
	}
}

func TestAFailoverIsNoticedT88(t *testing.T) {
	t.Parallel()
	servers := rig.StartRedisSentinel(t, speed)
	in := &installation{t: t, now: fast()}
	in.start(3, func(o *redislimit.Options) {
		o.Connect = connect(rueidis.ClientOption{
			InitAddress: []string{servers.Addr}, Sentinel: rueidis.SentinelOption{MasterSet: servers.Name},
		})
	})
	limits := map[byte]int64{1: 30, 2: 300}
	var at time.Time
	in.during(300*time.Second, 40*time.Second, limits, func() {
		servers.Failover()
		rig.WaitFor(t, "the failover to be noticed", func() error {
			for _, n := range in.nodes {
				if s := n.Stats(); s.Epochs == 0 || s.Down {
					return errUp
				}
			}
			return nil
		})
		at = in.now()
	})
	in.overshoot(limits, at.Add(2*time.Second))
}

package redislimit

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// Facts are what a look at Redis tells.
type Facts struct {
	Err         error    // why nothing can be asked; nil where it can
	Untold      error    // why it does not tell about itself; the fields that follow are empty then
	Version     string   // of Redis
	Role        string   // master or slave
	Policy      string   // what goes when the memory is full
	Bounded     bool     // there is a bound of the memory
	ClusterMode bool     // it is a node of a cluster
	Refused     []string // the commands that limits need and this user may not give
	Took        time.Duration
}

// Examine connects once and asks what limits need. It leaves nothing behind but a key that ends within a second.
func Examine(ctx context.Context, s Server, now func() time.Time) (f Facts) {
	began := now()
	client, err := s.Connect()
	if err != nil {
		f.Err = err
		return f
	}
	defer client.Close()
	if f.Err = client.Do(ctx, client.B().Ping().Build()).Error(); f.Err != nil {
		return f
	}
	f.Took = now().Sub(began)
	f.about(ctx, client)
	scratch := "keyward:{doctor:" + rand.Text() + "}"
	for _, command := range []string{
		"GET {k}", "HGETALL {k}", "HINCRBY {k} n 1", "HDEL {k} n", "SET {k}s 1 PX 1000", "PEXPIRE {k} 1000", "TIME",
		"INFO replication", "EVAL return'1' 1 {k}",
		"EVALSHA 0 1 {k}",
	} {
		words := strings.Fields(strings.ReplaceAll(command, "{k}", scratch))
		answer := client.Do(ctx, client.B().Arbitrary(words...).Build())
		if err := answer.Error(); err != nil && strings.HasPrefix(err.Error(), "NOPERM") {
			f.Refused = append(f.Refused, words[0])
		}
	}
	return f
}

func (f *Facts) about(ctx context.Context, client rueidis.Client) {
	info, err := client.Do(ctx, client.B().Info().Build()).ToString()
	if err != nil {
		f.Untold = fmt.Errorf("INFO: %w", err)
		return
	}
	f.Version, f.Role, f.Policy = infoField(info, "redis_version"), infoField(info, "role"), infoField(
		info, "maxmemory_policy",
	)
	f.Bounded = infoField(info, "maxmemory") != "0"
	f.ClusterMode = infoField(info, "cluster_enabled") == "1"
}

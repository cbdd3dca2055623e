package redislimit_test

import (
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/ratelimit/redislimit"
)

func TestURLsAreReadStrictlyAndNeverRepeated(t *testing.T) {
	t.Parallel()
	for text, cluster := range map[string]bool{
		"redis://127.0.0.1": false, "redis://127.0.0.1:6379/3": false, "rediss://:s3cret@cache.example:6380": false,
		"redis://[::1]:6379":                false,
		"redis://user:p%40ss@cache.example": false, "redis+cluster://a:1,b:2,c:3": true,
		"redis+sentinel://a:1,b:2/main":    false,
		"rediss+sentinel://u:p@a:1/main/2": false,
	} {
		if s, err := redislimit.ParseURL(text); err != nil || s.Cluster != cluster {
			t.Errorf("%s: %+v, %v", text, s, err)
		}
	}
	for _, text := range []string{
		"", "127.0.0.1:6379", "http://a:1", "redis://", "redis://a:1,b:2", "redis://a:x", "redis://a/x", "redis://a/-1",
		"redis://s3cret@a",
		"redis+cluster://a:1/0", "redis+cluster://a:1,", "redis+sentinel://a:1", "redis+sentinel://a:1/", "redis+ring://a:1",
		"redis://u:s3cret@a:1:2", "redis://u:s3cret%zz@a", "redis://a b",
	} {
		if _, err := redislimit.ParseURL(text); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAServerThatIsNotThereHoldsNobodyUpAndIsFoundLater(t *testing.T) {
	t.Parallel()
	in := install(t, 1, nil)
	in.redis.Process().Kill()
	late := in.node("late", nil)
	if s := late.Stats(); !s.Down {
		t.Fatalf("%+v", s)
	}
	in.nodes = append(in.nodes, late)
	if !in.take(1, 1, 10, 1) {
		t.Error("nothing is admitted without Redis")
	}
	in.redis.Start()
	in.settled(2)
}

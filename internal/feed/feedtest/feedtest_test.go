package feedtest_test

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed/feedtest"
	"github.com/keyward/keyward/internal/id"
)

func TestTheModelDoesWhatEverySourceMust(t *testing.T) {
	t.Parallel()
	ids := id.NewGenerator(time.Now, rand.Reader)
	feedtest.Run(t, func(*testing.T) feedtest.Log {
		m := &feedtest.Model{Page: 7}
		put := func(k id.Key) { m.Put(apikey.Key{ID: k, Workspace: "w"}) }
		return feedtest.Log{Source: m, Touch: put, Drop: m.Drop, Forget: m.Forget, Put: func() id.Key {
			k := id.Key(ids.Next())
			put(k)
			return k
		}}
	})
}

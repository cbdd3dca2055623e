package cluster_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
)

// PostgreSQL's disk runs full while clients work: at first it refuses statements that need another page, and falls
// once its write-ahead log needs room. Acknowledged changes are there afterwards, and no key is said to be good for
// longer than the bound.
func TestAFullDiskOfPostgresLosesNothing(t *testing.T) {
	n := seed(t)
	c := on(t, pgtest.OnSmallDisk(t, 160))
	c.add(2)
	ws := c.workspace("Acme")
	l := c.begin(n, ws, 12)
	time.Sleep(time.Second)
	c.postgres.Fill(t)
	refused := func() error {
		_, err := c.nodes[0].client.CreateKey(t.Context(), request(ws, 0, 0))
		if !errors.Is(err, keyward.ErrUnavailable) {
			return fmt.Errorf("a creation: %v", err)
		}
		return nil
	}
	rig.WaitFor(t, "creations to be refused", refused)
	time.Sleep(either(60*time.Second, 2*staleness))
	c.postgres.Free(t)
	if !c.postgres.Runs() {
		t.Log("PostgreSQL fell, as it does without room for its log")
		if err := c.postgres.Up(); err != nil {
			t.Fatal(err)
		}
	}
	for _, node := range c.nodes {
		node.ready()
	}
	before := len(l.acknowledged())
	rig.WaitFor(t, "creations to be taken again", func() error {
		if now := len(l.acknowledged()); now <= before {
			return fmt.Errorf("%d", now)
		}
		return nil
	})
	l.end()
	for _, wrong := range l.h.stale(staleness) {
		t.Error(wrong)
	}
	l.settled(t)
	l.within(t, 1)
}

// All nodes of a large installation are killed and start at once, and the database bears it: they load in turns.
func TestNodesWithManyKeysRestartAtOnceT89(t *testing.T) {
	keys := 30_000
	if long() {
		keys = 1_000_000
	}
	c := on(t, pgtest.Own(t))
	c.add(3)
	ws := c.workspace("Acme")
	k := c.key(ws, 0, 0)
	for _, node := range c.nodes {
		node.kill()
	}
	// As many more as the one, under digests without known values.
	const part = 50_000 // as many as one statement has the time for
	for first := 1; first <= keys; first += part {
		c.postgres.Run(t, c.database, fmt.Sprintf(`INSERT INTO api_keys SELECT (jsonb_populate_record(k, jsonb_build_object(
			'id', gen_random_uuid()::text, 'digest', '\x' || md5(n::text) || md5('more' || n::text)))).*
			FROM api_keys k, generate_series(%[2]d, %[3]d) n WHERE k.id = '%[1]s'`, k.id, first, min(first+part-1, keys)))
	}
	c.postgres.Run(t, c.database, "ANALYZE")
	for _, node := range c.nodes {
		node.start()
	}
	began := time.Now()
	var waiting sync.WaitGroup
	for _, node := range c.nodes {
		waiting.Go(func() {
			for end := began.Add(3 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
				if err := node.client.Ready(t.Context()); err == nil {
					break
				} else if time.Now().After(end) {
					t.Errorf("%s is not ready: %v\n%s", node.name, err, node.process.Log())
					return
				}
			}
			t.Logf("%s was ready after %v", node.name, time.Since(began).Round(10*time.Millisecond))
		})
	}
	waiting.Wait()
	for _, node := range c.nodes {
		v, err := node.client.Verify(t.Context(), keyward.VerifyRequest{Key: k.value})
		if err != nil || !v.Valid {
			t.Errorf("%s: %v %v", node.name, v.Code, err)
		}
	}
	out, err := c.nodes[1].client.UpdateKeys(
		t.Context(), []keyward.KeyUpdate{{ID: k.id, IsActive: keyward.Set(false)}}, keyward.WaitAll(),
	)
	if err != nil || out.Revocation == nil || out.Revocation.Effective != "everywhere" {
		t.Fatalf("%v %+v", err, out.Revocation)
	}
	for _, node := range c.nodes {
		if v, err := node.client.Verify(t.Context(), keyward.VerifyRequest{Key: k.value}); err != nil ||
			v.Code != keyward.VerdictDisabled {
			t.Errorf("%s, after the answer: %v %v", node.name, v.Code, err)
		}
	}
	if len(pgtest.Run(t, c.postgres.URL(c.database), "SELECT id FROM api_keys LIMIT 1 OFFSET "+fmt.Sprint(keys))) != 1 {
		t.Error("the keys are not there")
	}
}

package control_test

import (
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/store"
)

// amount is one value of a limit or a lifetime: not given, null, or so much.
type amount struct {
	given bool
	n     int64 // 0 for null
}

func (a amount) input() (o control.Optional[int64]) {
	if !a.given {
		return o
	}
	return control.Optional[int64]{Set: true, Null: a.n == 0, Value: a.n}
}

// ceiled is a workspace under a random ceiling, and the keys of it.
type ceiled struct {
	*kit
	t       *rapid.T
	ws      string
	ceiling account.Ceiling
	keys    []control.Key
}

var (
	amounts  = rapid.SampledFrom([]amount{{}, {given: true}, {true, 5}, {true, 50}, {true, 500}})
	lifetime = map[int64]time.Duration{5: time.Hour, 50: 24 * time.Hour, 500: 90 * 24 * time.Hour}
)

func (c *ceiled) draw(label string) amount { return amounts.Draw(c.t, label) }

func (c *ceiled) plan() {
	minute, day, life := c.draw("ceiling per minute"), c.draw("ceiling per day"), c.draw("ceiling of life")
	life.given = true // an empty object is refused
	seconds := life.input()
	seconds.Value = int64(lifetime[life.n].Seconds())
	_, err := c.PutPlan(context.Background(), c.root, c.ws, control.PlanInput{Ceiling: control.Some(control.CeilingInput{
		PerMinute: minute.input(), PerDay: day.input(), MaxLifetimeSeconds: seconds})})
	if err != nil {
		c.t.Fatal(err)
	}
	c.ceiling = account.Ceiling{
		Limits: ratelimit.Limits{PerMinute: minute.n, PerDay: day.n}, MaxLifetime: lifetime[life.n],
	}
}

// asked draws what a key is asked for.
func (c *ceiled) asked() (limits control.Optional[control.LimitsInput], expires control.Optional[string]) {
	minute, day, life := c.draw("per minute"), c.draw("per day"), c.draw("life")
	if minute.given || day.given {
		limits = control.Some(control.LimitsInput{PerMinute: minute.input(), PerDay: day.input()})
	}
	if life.given {
		expires = control.Optional[string]{Set: true, Null: life.n == 0}
		if life.n != 0 {
			expires.Value = time.Now().Add(lifetime[life.n] - time.Minute).UTC().Format(time.RFC3339)
		}
	}
	return limits, expires
}

func (c *ceiled) stored(key id.Key) (k apikey.Key) {
	err := c.db.View(context.Background(), func(v *store.View) (err error) {
		k, err = v.Key(key)
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return k
}

// make goes through one of the doors by which keys come in.
func (c *ceiled) make() {
	limits, expires := c.asked()
	in := control.CreateKey{Workspace: c.ws, User: "owner", Name: "k", RateLimit: limits, ExpiresAt: expires}
	var made id.Key
	var err error
	if rapid.Bool().Draw(c.t, "imported") {
		done, failed, wrong := c.ImportKeys(
			context.Background(), c.root, c.ws, []control.ImportKey{{CreateKey: in, Generate: true}},
		)
		switch {
		case wrong != nil:
			c.t.Fatal(wrong)
		case len(failed) > 0:
			err = failed[0].Fault
		default:
			made = done[0].ID
		}
	} else {
		var out control.Revealed
		out, err = c.CreateKey(context.Background(), c.root, in)
		made = out.Key.ID
	}
	if err != nil {
		c.refused(err, limits, expires)
		return
	}
	k := c.stored(made)
	c.within("a new key", &k)
	c.keys = append(c.keys, control.Key{Key: k})
}

// refused wants a refusal to be the ceiling's, of a field that was given.
func (c *ceiled) refused(err error, limits control.Optional[control.LimitsInput], expires control.Optional[string]) {
	c.t.Helper()
	f := fault.From(err)
	if f.Code != fault.LimitReached || len(f.Details) == 0 {
		c.t.Fatalf("refused with %v", err)
	}
	given := map[string]bool{
		"ceilingPerKey.requestsPerMinute":  limits.Value.PerMinute.Set,
		"ceilingPerKey.requestsPerDay":     limits.Value.PerDay.Set,
		"ceilingPerKey.maxLifetimeSeconds": expires.Set,
	}
	for _, d := range f.Details {
		if !given[d.Field] {
			c.t.Fatalf("%v, and the field was left out", err)
		}
	}
}

func (c *ceiled) within(what string, k *apikey.Key) {
	c.t.Helper()
	l := c.ceiling.Limits
	if !ratelimit.Within(k.Limits.PerMinute, l.PerMinute) || !ratelimit.Within(k.Limits.PerDay, l.PerDay) ||
		!c.ceiling.Allows(k.ExpiresAt, k.Made()) {
		c.t.Fatalf("%s of %+v until %v is beyond %+v", what, k.Limits, k.ExpiresAt, c.ceiling)
	}
}

// change updates one of the keys: a field becomes wider only within the ceiling, and narrowing is never refused.
func (c *ceiled) change() {
	if len(c.keys) == 0 {
		return
	}
	was := c.stored(c.keys[rapid.IntRange(0, len(c.keys)-1).Draw(c.t, "which")].ID)
	limits, expires := c.asked()
	in := control.UpdateKey{ID: string(was.ID), RateLimit: limits, ExpiresAt: expires}
	if rapid.IntRange(0, 3).Draw(c.t, "switch") == 0 {
		in = control.UpdateKey{ID: string(was.ID), IsActive: control.Some(!was.IsActive)}
	}
	_, failed, err := c.UpdateKeys(context.Background(), c.root, []control.UpdateKey{in})
	if err != nil {
		c.t.Fatal(err)
	}
	now := c.stored(was.ID)
	if len(failed) > 0 {
		c.refused(failed[0].Fault, limits, expires)
		return
	}
	l := c.ceiling.Limits
	if n := now.Limits.PerMinute; !ratelimit.Within(n, was.Limits.PerMinute) && !ratelimit.Within(n, l.PerMinute) {
		c.t.Fatalf("from %d to %d a minute, beyond %d", was.Limits.PerMinute, n, l.PerMinute)
	}
	if n := now.Limits.PerDay; !ratelimit.Within(n, was.Limits.PerDay) && !ratelimit.Within(n, l.PerDay) {
		c.t.Fatalf("from %d to %d a day, beyond %d", was.Limits.PerDay, n, l.PerDay)
	}
	longer := now.ExpiresAt.IsZero() && !was.ExpiresAt.IsZero() ||
		!was.ExpiresAt.IsZero() && now.ExpiresAt.After(was.ExpiresAt)
	if longer && !c.ceiling.Allows(now.ExpiresAt, now.Made()) {
		c.t.Fatalf("from %v to %v, beyond %v", was.ExpiresAt, now.ExpiresAt, c.ceiling.MaxLifetime)
	}
}

// narrow takes something of each key away, which no ceiling refuses.
func (c *ceiled) narrow() {
	for _, k := range c.keys {
		one := control.Some(control.LimitsInput{PerMinute: control.Some(int64(1)), PerDay: control.Some(int64(1))})
		soon := control.Some(time.Now().Add(time.Minute).UTC().Format(time.RFC3339))
		for _, in := range []control.UpdateKey{{RateLimit: one}, {ExpiresAt: soon}, {IsActive: control.Some(false)}} {
			in.ID = string(k.ID)
			if _, failed, err := c.UpdateKeys(context.Background(), c.root, []control.UpdateKey{in}); err != nil ||
				len(failed) > 0 {
				c.t.Fatalf("narrowing was refused: %v %v", failed, err)
			}
		}
		if _, err := c.RotateKey(context.Background(), c.root, string(k.ID), 0); err != nil {
			c.t.Fatalf("a rotation that takes the old value away was refused: %v", err)
		}
	}
}

func TestAKeyIsMadeOrWidenedOnlyUnderThePlansCeiling(t *testing.T) {
	t.Parallel()
	k, _ := inWorkspace(t)
	rapid.Check(t, func(rt *rapid.T) {
		c := &ceiled{kit: k, t: rt, ws: k.found(rt)}
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			switch rapid.IntRange(0, 5).Draw(rt, "step") {
			case 0:
				c.plan()
			case 1, 2, 3:
				c.make()
			default:
				c.change()
			}
		}
		c.narrow()
	})
}

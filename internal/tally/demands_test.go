package tally_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/replica"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/usage"
	"github.com/keyward/keyward/internal/verify"
)

// demanding is a key that holds the first n permissions of the catalogue.
func (b *bench) demanding(n int) usage.ID {
	key := b.key()
	b.update(func(tx *store.Tx) error {
		if err := tx.DeleteKey(id.Key(id.Format(key))); err != nil {
			return err
		}
		return tx.InsertKey(apikey.Key{ID: id.Key(id.Format(key)), Workspace: b.ws, User: "ann", IsActive: true,
			Permissions: perm.Builtin().Known(permissionNames()[:n])})
	})
	return key
}

func permissionNames() []string { return perm.Builtin().Names(perm.Builtin().All()) }

func (b *bench) ask(key usage.ID, code verify.Code, d perm.Demand, at time.Time) {
	v := verify.Verdict{Code: code, Key: replica.View{UUID: key, Workspace: b.ws}}
	b.Record(at.UnixMilli(), d, &v)
}

// seen joins the store and the memory.
func (b *bench) seen(key usage.ID) (uses map[string]time.Time, counts map[string][2]int64) {
	b.t.Helper()
	counts = map[string][2]int64{}
	add := func(n store.PermissionCount) {
		sum := counts[n.Permission]
		counts[n.Permission] = [2]int64{sum[0] + n.Verified, sum[1] + n.Refused}
	}
	err := b.Settled(func() error {
		return b.db.View(context.Background(), func(v *store.View) (err error) {
			if uses, err = v.PermissionUses(id.Key(id.Format(key))); err != nil {
				return err
			}
			kept, err := v.PermissionCounts(b.ws, noon.AddDate(0, -1, 0), noon.AddDate(0, 1, 0))
			for _, n := range kept {
				add(n)
			}
			return err
		})
	})
	if err != nil {
		b.t.Fatal(err)
	}
	holds := perm.Builtin().Known(permissionNames()[:held])
	b.Permissions(key, func(demanded perm.Set, day time.Time) {
		for _, name := range perm.Builtin().Names(demanded.And(holds)) {
			if uses[name].Before(day) {
				uses[name] = day
			}
		}
	})
	b.PermissionCounts(b.ws, add)
	return uses, counts
}

const held = 40

// TestDemandedPermissionsAreCounted holds the use of permissions against a model: random demands, more of them than the
// buffer tells apart, on several days, written down at random moments. Memory and store together agree with
// the model together at every moment.
func TestDemandedPermissionsAreCounted(t *testing.T) {
	t.Parallel()
	b, r := newBench(t, 1<<16), rand.New(rand.NewPCG(15, 2))
	key, names := b.demanding(held), permissionNames()
	uses, counts := map[string]time.Time{}, map[string][2]int64{}
	for step := range 1500 {
		var all, either []string
		for range r.IntN(3) {
			all = append(all, names[r.IntN(held)])
		}
		for range r.IntN(3) {
			either = append(either, names[r.IntN(len(names))])
		}
		d := perm.Demand{All: perm.Builtin().Known(all), Any: perm.Builtin().Known(either)}
		at, code := noon.Add(time.Duration(r.IntN(3*24*60))*time.Minute), verify.Valid
		if step < 300 { // of one minute: more demands than it has cells
			at = noon
		}
		if r.IntN(3) == 0 {
			code = verify.InsufficientPermissions
		}
		b.ask(key, code, d, at)
		for _, name := range perm.Builtin().Names(d.All.Or(d.Any)) {
			n, day := counts[name], at.Truncate(24*time.Hour)
			if code != verify.Valid {
				counts[name] = [2]int64{n[0], n[1] + 1}
				continue
			}
			counts[name] = [2]int64{n[0] + 1, n[1]}
			if perm.Builtin().Known(names[:held]).Meets(perm.Builtin().Known([]string{name})) && uses[name].Before(day) {
				uses[name] = day
			}
		}
		if step == 299 || r.IntN(300) == 0 {
			gotUses, gotCounts := b.seen(key)
			if diff := cmp.Diff(uses, gotUses) + cmp.Diff(counts, gotCounts); diff != "" {
				t.Fatalf("after %d questions, before a flush: %s", step+1, diff)
			}
			b.flush()
		}
	}
	b.flush()
	gotUses, gotCounts := b.seen(key)
	if diff := cmp.Diff(uses, gotUses) + cmp.Diff(counts, gotCounts); diff != "" {
		t.Errorf("after all: %s", diff)
	}
}

// TestADemandCostsNothingToNote: a demand that was seen before allocates nothing.
func TestADemandCostsNothingToNote(t *testing.T) {
	b := newBench(t, 1<<16)
	key, names := b.demanding(held), permissionNames()
	v := verify.Verdict{Code: verify.Valid, Key: replica.View{UUID: key, Workspace: b.ws}}
	q := verify.Question{Demand: perm.Demand{All: perm.Builtin().Known(names[3:5])}}
	b.Record(noon.UnixMilli(), q.Demand, &v)
	if n := testing.AllocsPerRun(1000, func() { b.Record(noon.UnixMilli(), q.Demand, &v) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// TestDemandsWithoutANumber: a service that demands more sets than are numbered loses no count.
func TestDemandsWithoutANumber(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1<<16)
	key, names, total := b.demanding(held), permissionNames(), int64(0)
	for i := range 70 {
		for j := range 70 {
			if i == j {
				continue
			}
			d := perm.Demand{All: perm.Builtin().Known(names[i : i+1]), Any: perm.Builtin().Known(names[j : j+1])}
			b.ask(key, verify.Valid, d, noon)
			total += 2
		}
	}
	for _, when := range []string{"before", "after"} {
		sum := int64(0)
		_, counts := b.seen(key)
		for _, n := range counts {
			sum += n[0]
		}
		if sum != total {
			t.Errorf("%s a flush: %d uses of permissions, want %d", when, sum, total)
		}
		b.flush()
	}
}

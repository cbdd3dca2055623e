package verify_test

import (
	"context"
	crand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/replica"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/sqlite"
	"github.com/keyward/keyward/internal/verify"
)

// More deeds: the creator's role is changed, in a workspace where that narrows keys.
const (
	narrows deed = "take calls:read from the role"
	widens  deed = "give calls:read to the role"
)

// stored is an installation with a disk: changes go through the control plane, by several clients at once.
type stored struct {
	control *control.Service
	engine  *verify.Engine
	root    control.Caller
	places  [storedSubjects]place

	mu     sync.Mutex
	values []string // every value that was revealed; a history names them by their place here
}

// place is a workspace with one member, their role, and their key.
type place struct {
	workspace, role, key string
	hints                [2]atomic.Int64 // two values of late
}

const (
	storedSubjects = 4
	storedClients  = 8
	storedSteps    = 150 // of each client
)

// storedLaw is the model of a place: a plain state that a sequence of steps goes through.
type storedLaw struct {
	disabled, deleted, closed, narrowed bool
	value                               int
}

// storedStep is the input; its output is a code, or the value that a rotation revealed, or nil for a refused step.
type storedStep struct {
	place, value int
	deed         deed
}

func (s storedLaw) verdict(value int) verify.Code {
	switch {
	case s.deleted || value != s.value:
		return verify.NotFound
	case s.disabled || s.closed:
		return verify.Disabled
	case s.narrowed:
		return verify.InsufficientPermissions
	}
	return verify.Valid
}

func (s storedLaw) step(in storedStep, output any) (bool, storedLaw) {
	if in.deed == asks {
		return s.verdict(in.value) == output.(verify.Code), s
	}
	if output == nil {
		return true, s
	}
	switch in.deed {
	case disables, enables:
		s.disabled = in.deed == disables
	case closes, opens:
		s.closed = in.deed == closes
	case narrows, widens:
		s.narrowed = in.deed == narrows
	case rotates:
		s.value = output.(int)
	case deletes:
		s.deleted = true
	}
	return true, s
}

func (w *stored) model() porcupine.Model {
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			parts := make([][]porcupine.Operation, storedSubjects)
			for _, op := range history {
				n := op.Input.(storedStep).place
				parts[n] = append(parts[n], op)
			}
			return parts
		},
		Init: func() any { return storedLaw{value: -1} },
		Step: func(state, input, output any) (bool, any) {
			s, in := state.(storedLaw), input.(storedStep)
			if s.value < 0 { // the key's first value is the place's number
				s.value = in.place
			}
			return s.step(in, output)
		},
	}
}

func newStored(t *testing.T) *stored {
	t.Helper()
	ctx := t.Context()
	driver, err := sqlite.Open(filepath.Join(t.TempDir(), "history.db"), sqlite.Options{Lock: true})
	check(t, err)
	db, err := store.Open(
		ctx, driver, store.Options{Now: time.Now, Catalogue: catalogue, Fatal: func(err error) { t.Error(err) }},
	)
	check(t, err)
	t.Cleanup(func() { check(t, db.Close()) })
	r := replica.New()
	db.Subscribe(r.Apply)
	check(t, r.Load(func(tell func(feed.Change) error) error { return db.LoadAll(ctx, tell) }))
	r.MarkReady()
	format, err := keyfmt.NewFormat(keyfmt.DefaultPrefix)
	check(t, err)
	digester, err := keyfmt.NewDigester("")
	check(t, err)
	w := &stored{engine: verify.New(verify.Config{Replica: r, Format: format, Digests: digester, Now: time.Now}),
		control: control.New(control.Config{DB: db, Catalogue: catalogue, Format: format, Digester: digester,
			IDs: id.NewGenerator(time.Now, crand.Reader), Rand: crand.Reader})}
	secret, err := w.control.EnsureRoot(ctx, keyfmt.Secret{})
	check(t, err)
	var p verify.Principal
	w.engine.Authenticate(secret.Reveal(), ip("127.0.0.1"), &p)
	w.root = control.Caller{ServiceKey: p.Service.ID, Presented: p.Presented}
	for n := range w.places {
		w.settle(t, n)
	}
	return w
}

// settle makes a place: its workspace caps keys by the permissions of their creators.
func (w *stored) settle(t *testing.T, n int) {
	ctx, p := t.Context(), &w.places[n]
	ws, err := w.control.CreateWorkspace(ctx, w.root, control.CreateWorkspace{Name: fmt.Sprint("place ", n),
		Owner:    control.Some(control.OwnerInput{User: "owner", Email: "owner@example.org"}),
		Settings: control.Some(control.SettingsInput{PermissionMode: control.Some("capped")})})
	check(t, err)
	p.workspace = string(ws.ID)
	role, err := w.control.CreateRole(
		ctx, w.root, p.workspace, control.CreateRole{Name: "Caller", Permissions: []string{"calls:read", "calls:write"}},
	)
	check(t, err)
	p.role = string(role.ID)
	_, _, err = w.control.PutMember(
		ctx, w.root, p.workspace, "ann", control.PutMember{Email: "ann@example.org", Role: p.role},
	)
	check(t, err)
	key, err := w.control.CreateKey(ctx, w.root, control.CreateKey{Workspace: p.workspace, User: "ann", Name: "k"})
	check(t, err)
	p.key = string(key.Key.ID)
	p.hints[0].Store(int64(n)) // the first value of the place, since places are settled in turn
	w.reveal(p, key.Secret)
}

// reveal keeps a value, and gives its number.
func (w *stored) reveal(p *place, s keyfmt.Secret) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.values = append(w.values, s.Reveal())
	n := len(w.values) - 1
	p.hints[1].Store(p.hints[0].Load())
	p.hints[0].Store(int64(n))
	return n
}

func (w *stored) value(n int) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.values[n]
}

// do makes a deed true, and answers only when the store does.
func (w *stored) do(ctx context.Context, in storedStep) (output any) {
	p := &w.places[in.place]
	var err error
	switch in.deed {
	case asks:
		var v verify.Verdict
		w.engine.Check(&verify.Question{Key: w.value(in.value), Demand: all("calls:read"), Cost: 1}, &v)
		return v.Code
	case rotates:
		var r control.Revealed
		if r, err = w.control.RotateKey(ctx, w.root, p.key, 0); err == nil {
			return w.reveal(p, r.Secret)
		}
	case disables, enables:
		var failed []control.ItemError
		_, failed, err = w.control.UpdateKeys(
			ctx, w.root, []control.UpdateKey{{ID: p.key, IsActive: control.Some(in.deed == enables)}},
		)
		if len(failed) > 0 {
			return nil
		}
	case closes, opens:
		_, err = w.control.UpdateWorkspace(
			ctx, w.root, p.workspace, control.UpdateWorkspace{IsActive: control.Some(in.deed == opens)},
		)
	case narrows, widens:
		held := []string{"calls:write"}
		if in.deed == widens {
			held = append(held, "calls:read")
		}
		_, err = w.control.UpdateRole(ctx, w.root, p.workspace, p.role, control.UpdateRole{Permissions: control.Some(held)})
	case deletes:
		err = w.control.DeleteKey(ctx, w.root, p.key)
	}
	if err != nil {
		return nil
	}
	return true
}

// draw picks a step: mostly questions. A stop of a key is undone soon, and keys are deleted at the very end.
func (w *stored) draw(r *rand.Rand, last bool) storedStep {
	n := r.IntN(storedSubjects)
	in := storedStep{place: n, deed: asks, value: int(w.places[n].hints[r.IntN(2)].Load())}
	often := []deed{rotates, rotates, disables, closes, narrows, enables, enables, opens, opens, widens, widens}
	switch dice := r.IntN(100); {
	case dice < 30:
		in.deed = often[r.IntN(len(often))]
	case dice < 33 && last:
		in.deed = deletes
	}
	return in
}

func TestT25WhatTheStoreHasAnsweredHoldsForEveryVerificationCappedOnesToo(t *testing.T) {
	t.Parallel()
	soak(t, 1, storedHistory)
}

func storedHistory(t *testing.T, seed uint64) int {
	w := newStored(t)
	var clock, done atomic.Int64
	var histories [storedClients][]porcupine.Operation
	var wg sync.WaitGroup
	for client := range storedClients {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(client), 2500+seed))
			for range storedSteps {
				in := w.draw(r, done.Add(1) > storedClients*storedSteps*95/100)
				op := porcupine.Operation{ClientId: client, Input: in, Call: clock.Add(1)}
				op.Output = w.do(t.Context(), in)
				op.Return = clock.Add(1)
				histories[client] = append(histories[client], op)
			}
		})
	}
	wg.Wait()
	var history []porcupine.Operation
	seen := map[any]int{}
	for _, h := range histories {
		history = append(history, h...)
		for _, op := range h {
			if in := op.Input.(storedStep); in.deed == asks {
				seen[op.Output]++
			} else if op.Output != nil {
				seen[in.deed]++
			}
		}
	}
	if got := porcupine.CheckOperationsTimeout(w.model(), history, time.Minute); got != porcupine.Ok {
		t.Errorf("a history of %d operations is %s: no order of them explains the verdicts", len(history), got)
	}
	for _, want := range []any{verify.Valid, verify.Disabled, verify.NotFound, verify.InsufficientPermissions, rotates,
		disables, closes, narrows, widens} {
		if seen[want] == 0 {
			t.Errorf("the history has nothing of %v: %v", want, seen)
		}
	}
	t.Logf("%d operations: %v", len(history), seen)
	return len(history)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

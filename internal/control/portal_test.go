package control_test

import (
	"context"
	"crypto/rand"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/session"
)

// aProof is one by the key of this name, as it comes from the check of a request.
func aProof(key string) control.Proof {
	return control.Proof{Thumbprint: key, ID: rand.Text(), Until: time.Now().Add(time.Hour)}
}

// portal makes a portal session as the root, and gives the caller with its token.
func (k *kit) portal(t failer, in control.CreatePortal) control.Caller {
	t.Helper()
	made, err := k.CreatePortal(context.Background(), k.root, in)
	must(t, err)
	started, err := k.ExchangePortal(
		context.Background(), control.Caller{}, made.Secret.Reveal(), aProof("page"), "", true,
	)
	must(t, err)
	c, err := k.IdentifyPortal(context.Background(), control.Caller{}, made.ID, started.Token.Reveal(), aProof("page"))
	must(t, err)
	return c
}

// does is the set of permissions by which a caller acts.
func (c someone) does() names {
	if c.portal {
		return c.may
	}
	return c.holds
}

// throughPortal is a member in a portal session with every capability that their role admits, below a ceiling.
func (w *walk) throughPortal() (c someone, ok bool) {
	user := pick(w.T, w.members, "member")
	role := w.roles[w.members[user]]
	in := control.CreatePortal{Workspace: w.ws, User: user}
	for _, capability := range session.Capabilities() {
		if role[capability.Needs()] {
			in.Capabilities = append(in.Capabilities, string(capability))
		}
	}
	if !w.before.on || len(in.Capabilities) == 0 {
		return c, false
	}
	c = someone{portal: true, holds: role, may: role, reach: reach{user: user}}
	var ceiling control.PortalCeilingInput
	if rapid.Bool().Draw(w.T, "narrowed") {
		most := w.some()
		ceiling.Permissions, c.holds = control.Some(most), names{}
		for _, p := range most {
			if role[p] {
				c.holds[p] = true
			}
		}
	}
	if rapid.Bool().Draw(w.T, "limited") {
		c.reach.minute, c.reach.day = rapid.Int64Range(1, 20).Draw(w.T, "minute"), rapid.Int64Range(1, 20).Draw(w.T, "day")
		ceiling.RateLimit = control.Some(
			control.LimitsInput{PerMinute: control.Some(c.reach.minute), PerDay: control.Some(c.reach.day)},
		)
	}
	if ceiling.Permissions.Set || ceiling.RateLimit.Set {
		in.Ceiling = control.Some(ceiling)
	}
	c.Caller = w.k.portal(w.T, in)
	return c, true
}

// T111: of two pages that exchange one secret at once, one gets a token.
func TestT111ASecretIsExchangedByOneOfMany(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	made, err := k.CreatePortal(
		context.Background(), k.root, control.CreatePortal{Workspace: ws, User: "owner", Capabilities: []string{"keys:read"}},
	)
	must(t, err)
	answers := make(chan error)
	for range 8 {
		go func() {
			_, err := k.ExchangePortal(
				context.Background(), control.Caller{}, made.Secret.Reveal(), aProof(rand.Text()), "", true,
			)
			answers <- err
		}()
	}
	won := 0
	for range 8 {
		switch err := <-answers; {
		case err == nil:
			won++
		case !fault.Is(err, fault.Unauthenticated) && !fault.Is(err, fault.NotFound):
			t.Errorf("a loser is told %v", err)
		}
	}
	if won != 1 {
		t.Errorf("%d got a token", won)
	}
}

// A member has so many portal sessions at most: a further one ends the oldest.
func TestAPortalSessionTooManyEndsTheOldest(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	k, ws := inWorkspace(t)
	in := control.CreatePortal{Workspace: ws, User: "owner", Capabilities: []string{"keys:read"}}
	first := k.portal(t, in)
	for range session.MaxPortals - 1 {
		_, err := k.CreatePortal(ctx, k.root, in)
		must(t, err)
	}
	_, _, err := k.ListKeys(ctx, first, control.ListKeys{})
	must(t, err)
	_, err = k.CreatePortal(ctx, k.root, in)
	must(t, err)
	if _, _, err := k.ListKeys(ctx, first, control.ListKeys{}); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("the oldest one goes on: %v", err)
	}
}

// T111: a proof is good once, at every door.
func TestT111AProofIsSpentOnce(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	k, ws := inWorkspace(t)
	made, err := k.CreatePortal(
		ctx, k.root, control.CreatePortal{Workspace: ws, User: "owner", Capabilities: []string{"keys:read"}},
	)
	must(t, err)
	proof := aProof("page")
	started, err := k.ExchangePortal(ctx, control.Caller{}, made.Secret.Reveal(), proof, "", true)
	must(t, err)
	_, again := k.RenewPortal(ctx, control.Caller{}, made.ID, proof)
	_, other := k.IdentifyPortal(ctx, control.Caller{}, made.ID, started.Token.Reveal(), proof)
	for _, err := range []error{again, other} {
		if !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("a proof that was presented before: %v", err)
		}
	}
	_, err = k.RenewPortal(ctx, control.Caller{}, made.ID, aProof("page"))
	must(t, err)
}

// openToPortals are the operations that are open to portal sessions.
var openToPortals = []string{
	"CountKeys", "CreateKey", "DeleteKey", "DeleteKeys", "GetKey", "KeyLimits", "KeyRefusals", "KeyUsage", "ListKeys",
	"ListLogs", "Me",
	"RotateKey", "RotateKeyOnce", "Stands", "UpdateKeys",
}

// callerless are those that take of the caller only the place from which the request comes.
var callerless = []string{
	"ExchangePortal", "IdentifyPortal", "RedeemSignInLink", "Register", "RenewPortal", "SignInByPasskey", "StartSession",
}

// T111: every operation of the control plane is closed to portal sessions, with all capabilities, but for those that
// say by which they are opened.
func TestT111EveryOperationIsClosedToPortalSessionsUnlessItSaysOtherwise(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	in := control.CreatePortal{Workspace: ws, User: "owner"}
	for _, c := range session.Capabilities() {
		in.Capabilities = append(in.Capabilities, string(c))
	}
	c := k.portal(t, in)
	methods, closed := reflect.ValueOf(k.Service), 0
	for i := range methods.NumMethod() {
		name, method := methods.Type().Method(i).Name, methods.Method(i)
		of := method.Type()
		if of.NumIn() < 2 || of.In(1) != reflect.TypeFor[control.Caller]() || slices.Contains(callerless, name) {
			continue
		}
		args := []reflect.Value{reflect.ValueOf(t.Context()), reflect.ValueOf(c)}
		for j := 2; j < of.NumIn(); j++ {
			if of.In(j).Kind() != reflect.Slice || !of.IsVariadic() || j < of.NumIn()-1 {
				args = append(args, reflect.Zero(of.In(j)))
			}
		}
		out := method.Call(args)
		err, _ := out[len(out)-1].Interface().(error)
		f := fault.From(err)
		refused := err != nil && f.Code == fault.PermissionDenied && strings.Contains(f.Message, "closed to portal sessions")
		if refused == slices.Contains(openToPortals, name) {
			t.Errorf("%s answers a portal session: %v", name, err)
		}
		if refused {
			closed++
		}
	}
	if closed < 40 {
		t.Errorf("only %d operations are closed", closed)
	}
}

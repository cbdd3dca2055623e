package control_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/session"
)

// role makes a role of the workspace's own.
func (k *kit) role(t failer, ws, name string, permissions ...string) {
	t.Helper()
	_, err := k.CreateRole(context.Background(), k.root, ws, control.CreateRole{Name: name, Permissions: permissions})
	must(t, err)
}

// made is a credential, as an authenticator would have made it and its registration been checked.
func made(name string) control.NewPasskey {
	return control.NewPasskey{
		Name: name, Credential: []byte("credential " + name), PublicKey: []byte("key " + name), Handle: []byte("handle"),
		Answered: challenge(name),
	}
}

func challenge(of string) control.Challenge {
	return control.Challenge{Digest: sha256.Sum256([]byte(of)), Until: time.Now().Add(session.CeremonyLife)}
}

// enter signs in by a passkey that proves itself with the counter.
func (k *kit) enter(c control.Caller, name, answers string, counter uint32) (control.Started, error) {
	return k.SignInByPasskey(context.Background(), c, []byte("credential "+name), challenge(answers),
		func(*session.Passkey) (uint32, error) { return counter, nil })
}

// inside calls in a session.
func inside(s control.Started) control.Caller {
	return control.Caller{Person: control.Person{Workspace: s.Workspace, User: s.User}, Session: s.ID, Presented: s.Digest}
}

// T109: whoever may invite or reset lets in those alone who hold nothing beyond the caller, whatever the roles are; the
// same is asked again when the invitation is followed.
func TestT109NobodyIsLetInByOneWhoHoldsLess(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	k, _ := inWorkspace(t)
	names := []string{"calls:read", "calls:write", "chat:read", "roles:write", "billing:read"}
	subset := rapid.SliceOfDistinct(rapid.SampledFrom(names), rapid.ID[string])
	rapid.Check(t, func(r *rapid.T) {
		const user, caller = "mia", "carl"
		ws := k.found(r)
		holds, theirs := subset.Draw(r, "caller"), subset.Draw(r, "member")
		k.role(r, ws, caller, append(slices.Clone(holds), account.MembersInvite, account.MembersMFAReset)...)
		k.role(r, ws, user, theirs...)
		k.join(r, ws, caller, caller)
		k.join(r, ws, user, user)
		within := !slices.ContainsFunc(theirs, func(p string) bool { return !slices.Contains(holds, p) })
		i, err := k.InviteMember(ctx, as(ws, caller), ws, user)
		_, _, resetErr := k.ResetSignIn(ctx, as(ws, caller), ws, user)
		if within != (err == nil) || within != (resetErr == nil) {
			r.Fatalf("%v invites %v: %v, resets: %v", holds, theirs, err, resetErr)
		}
		if !within {
			if !fault.Is(err, fault.PermissionEscalation) || !fault.Is(resetErr, fault.PermissionEscalation) {
				r.Fatalf("refused with %v, %v", err, resetErr)
			}
			return
		}
		if _, err := k.LookAtInvitation(ctx, i.Code.Reveal()); !fault.Is(err, fault.Unauthenticated) {
			r.Fatalf("the reset left the invitation before it: %v", err)
		}
	})
}

// T109: an invitation ends with the membership of the invited, with the inviter's right to let them in, and with its
// time.
func TestT109AnInvitationEndsWithWhatItStandsOn(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	type scene struct {
		k      *kit
		ws     string
		caller control.Caller // who invites
	}
	admin := func(s *scene) { s.k.join(t, s.ws, "amy", "Admin"); s.caller = as(s.ws, "amy") }
	for name, c := range map[string]struct {
		before, after func(s *scene)
	}{
		"the member is removed": {admin, func(s *scene) {
			_, err := s.k.RemoveMember(ctx, s.k.root, s.ws, "mia", control.RemoveMember{})
			must(t, err)
		}},
		"the member leaves and comes back": {admin, func(s *scene) {
			_, err := s.k.RemoveMember(ctx, s.k.root, s.ws, "mia", control.RemoveMember{})
			must(t, err)
			s.k.join(t, s.ws, "mia", "Viewer")
		}},
		"the member is made an owner": {admin, func(s *scene) { s.k.join(t, s.ws, "mia", "Owner") }},
		"the inviter is made less":    {admin, func(s *scene) { s.k.join(t, s.ws, "amy", "Member") }},
		"the inviter leaves": {admin, func(s *scene) {
			_, err := s.k.RemoveMember(ctx, s.k.root, s.ws, "amy", control.RemoveMember{})
			must(t, err)
		}},
		"another invitation": {
			admin, func(s *scene) { _, err := s.k.InviteMember(ctx, s.k.root, s.ws, "mia"); must(t, err) },
		},
		"a sign-in by an operator's link": {admin, func(s *scene) {
			l, err := s.k.CreateSignInLink(ctx, s.k.root, control.CreateSignInLink{Workspace: s.ws, User: "mia"})
			must(t, err)
			_, err = s.k.RedeemSignInLink(ctx, control.Caller{}, l.Code.Reveal())
			must(t, err)
		}},
		"the workspace is deleted": {admin, func(s *scene) { must(t, s.k.DeleteWorkspace(ctx, s.k.root, s.ws)) }},
		"the inviting key is disabled": {func(s *scene) {
			key := s.k.key(t, s.ws, "owner")
			s.caller = by(key)
		}, func(s *scene) {
			_, failed, err := s.k.UpdateKeys(ctx, s.k.root,
				[]control.UpdateKey{{ID: string(s.caller.APIKey), IsActive: control.Some(false)}})
			must(t, err)
			if len(failed) > 0 {
				t.Fatal(failed)
			}
		}},
		"the inviting service key is deleted": {func(s *scene) {
			made, err := s.k.CreateServiceKey(ctx, s.k.root, control.CreateServiceKey{Name: "m", Scopes: []string{"manage"}})
			must(t, err)
			s.caller = operator(made)
		}, func(s *scene) { must(t, s.k.DeleteServiceKey(ctx, s.k.root, string(s.caller.ServiceKey))) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, ws := inWorkspace(t)
			s := &scene{k: k, ws: ws}
			c.before(s)
			k.join(t, ws, "mia", "Viewer")
			i, err := k.InviteMember(ctx, s.caller, ws, "mia")
			must(t, err)
			_, err = k.LookAtInvitation(ctx, i.Code.Reveal())
			must(t, err)
			c.after(s)
			if _, err := k.LookAtInvitation(ctx, i.Code.Reveal()); !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("it is shown: %v", err)
			}
			if _, err := k.Register(ctx, control.Caller{}, i.Code.Reveal(), made("one")); !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("it is followed: %v", err)
			}
		})
	}
}

// T12: an invitation is followed once, by a registration; who has signed in needs a reset.
func TestT12AnInvitationIsUsedUpByTheRegistration(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	k, ws := inWorkspace(t)
	k.join(t, ws, "mia", "Viewer")
	i, err := k.InviteMember(ctx, as(ws, "owner"), ws, "mia")
	must(t, err)
	for range 3 {
		who, err := k.LookAtInvitation(ctx, i.Code.Reveal())
		must(t, err)
		if diff := cmp.Diff(control.Invitee{Workspace: id.Workspace(ws), Name: "w", User: "mia"}, who); diff != "" {
			t.Error(diff)
		}
	}
	late := made("late")
	late.Answered.Until = time.Now().Add(-time.Second)
	if _, err := k.Register(ctx, control.Caller{}, i.Code.Reveal(), late); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a challenge that was too old: %v", err)
	}
	in, err := k.Register(ctx, control.Caller{}, i.Code.Reveal(), made("one"))
	must(t, err)
	if in.Method != session.ByPasskey || !slices.Equal(in.Bounds.Workspaces, []id.Workspace{id.Workspace(ws)}) {
		t.Errorf("the session is %s, bound to %v", in.Method, in.Bounds.Workspaces)
	}
	if _, err := k.Register(ctx, control.Caller{}, i.Code.Reveal(), made("two")); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("followed twice: %v", err)
	}
	if _, err := k.InviteMember(ctx, as(ws, "owner"), ws, "mia"); !fault.Is(err, fault.Conflict) {
		t.Errorf("invited after a sign-in: %v", err)
	}
	_, ended, err := k.ResetSignIn(ctx, as(ws, "owner"), ws, "mia")
	must(t, err)
	if ended != (control.EndedSignIn{Passkeys: 1, Sessions: 1}) {
		t.Errorf("the reset ended %+v", ended)
	}
	if err := k.Stands(ctx, inside(in)); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("the session after the reset: %v", err)
	}
	if _, err := k.enter(control.Caller{}, "one", "after", 9); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("the passkey after the reset: %v", err)
	}
}

// T71: the counter of a passkey goes up, or stays zero where it always was; a challenge is answered once.
func TestT71ACounterThatGoesBackIsRefusedAndInTheLog(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, c := range map[string]struct {
		counters []uint32
		in       []bool
	}{
		"it counts":          {[]uint32{1, 2, 9}, []bool{true, true, true}},
		"it never counts":    {[]uint32{0, 0, 0}, []bool{true, true, true}},
		"it goes back":       {[]uint32{5, 4, 6}, []bool{true, false, true}},
		"it stands still":    {[]uint32{5, 5}, []bool{true, false}},
		"it stops counting":  {[]uint32{5, 0}, []bool{true, false}},
		"it begins to count": {[]uint32{0, 1, 1}, []bool{true, true, false}},
		"it goes to its end": {[]uint32{1<<32 - 2, 1<<32 - 1, 0}, []bool{true, true, false}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, ws := inWorkspace(t)
			k.join(t, ws, "mia", "Viewer")
			i, err := k.InviteMember(ctx, k.root, ws, "mia")
			must(t, err)
			_, err = k.Register(ctx, control.Caller{}, i.Code.Reveal(), made("one"))
			must(t, err)
			refused := int64(0)
			for n, counter := range c.counters {
				_, err := k.enter(control.Caller{}, "one", string(rune('a'+n)), counter)
				if (err == nil) != c.in[n] {
					t.Errorf("counter %d: %v", counter, err)
				}
				if !c.in[n] {
					refused++
				}
				if _, err := k.enter(control.Caller{}, "one", string(rune('a'+n)), 1<<32-1); !fault.Is(err, fault.Unauthenticated) {
					t.Errorf("the challenge a second time: %v", err)
				}
			}
			logs, err := k.ListLogs(ctx, k.root, control.ListLogs{Workspace: ws, EventType: "passkey.refused", Limit: 10})
			must(t, err)
			if int64(len(logs.Events)) != refused {
				t.Errorf("%d refusals in the log, want %d", len(logs.Events), refused)
			}
		})
	}
}

// T109: who signs in by a passkey is confined to its workspace, whatever else the same person is.
func TestT109APasskeyReachesItsWorkspaceAlone(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	k, a := inWorkspace(t)
	b, err := k.CreateWorkspace(
		ctx, k.root,
		control.CreateWorkspace{Name: "b", Owner: control.Some(control.OwnerInput{User: "olga", Email: "o@example.org"})},
	)
	must(t, err)
	k.join(t, a, "amy", "Admin")
	k.join(t, a, "olga", "Viewer")
	i, err := k.InviteMember(ctx, as(a, "amy"), a, "olga")
	must(t, err)
	in, err := k.Register(ctx, control.Caller{}, i.Code.Reveal(), made("one"))
	must(t, err)
	again, err := k.enter(control.Caller{}, "one", "again", 1)
	must(t, err)
	for _, s := range []control.Started{in, again} {
		who, err := k.Identify(ctx, s.Token.Reveal())
		must(t, err)
		if diff := cmp.Diff([]control.Place{{ID: id.Workspace(a), Name: "w"}}, who.Workspaces); diff != "" {
			t.Errorf("places to switch to: %s", diff)
		}
		if _, err := k.SwitchWorkspace(ctx, inside(s), string(b.ID)); !fault.Is(err, fault.NotFound) {
			t.Errorf("switched over: %v", err)
		}
		if _, err := k.GetWorkspace(ctx, inside(s), string(b.ID)); !fault.Is(err, fault.NotFound) {
			t.Errorf("looked over: %v", err)
		}
		if _, err := k.AddPasskey(ctx, inside(s), made("more"+string(s.ID))); err != nil {
			t.Errorf("a second passkey: %v", err)
		}
	}
	must(t, k.EndSession(ctx, inside(again), string(in.ID)))
	added, err := k.enter(control.Caller{}, "more"+string(again.ID), "added", 1)
	must(t, err)
	if _, err := k.SwitchWorkspace(ctx, inside(added), string(b.ID)); !fault.Is(err, fault.NotFound) {
		t.Errorf("switched over by a passkey that was added: %v", err)
	}
}

// T107, T2: the bounds of the one who invites bind the one who is let in; a key with bounds of its own lets nobody in.
func TestT107AnInvitationHasTheBoundsOfTheInviter(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	k, ws := inWorkspace(t)
	k.join(t, ws, "mia", "Viewer")
	made1, err := k.CreateServiceKey(
		ctx, k.root,
		control.CreateServiceKey{Name: "m", Scopes: []string{"manage"}, AllowedIPs: control.Some([]string{"203.0.113.0/24"})},
	)
	must(t, err)
	office := operator(made1)
	office.Address = "203.0.113.7"
	i, err := k.InviteMember(ctx, office, ws, "mia")
	must(t, err)
	if _, err := k.Register(ctx, control.Caller{Address: "198.51.100.1"}, i.Code.Reveal(), made("one")); !fault.Is(
		err, fault.Unauthenticated,
	) {
		t.Errorf("followed from elsewhere: %v", err)
	}
	in, err := k.Register(ctx, control.Caller{Address: "203.0.113.9"}, i.Code.Reveal(), made("one"))
	must(t, err)
	if diff := cmp.Diff([]netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}, in.Bounds.AllowedIPs,
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	if _, err := k.enter(control.Caller{Address: "198.51.100.1"}, "one", "x", 1); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("signed in from elsewhere: %v", err)
	}
	k.join(t, ws, "max", "Viewer")
	for name, in := range map[string]control.CreateKey{
		"an expiry": {ExpiresAt: control.Some(time.Now().Add(time.Hour).UTC().Format(time.RFC3339))},
		"networks":  {AllowedIPs: control.Some([]string{"127.0.0.1/32"})},
		"a limit":   {RateLimit: control.Some(control.LimitsInput{PerDay: control.Some[int64](9)})},
	} {
		in.Workspace, in.User, in.Name = ws, "owner", name
		key, err := k.CreateKey(ctx, k.root, in)
		must(t, err)
		c := by(key)
		c.Address = "127.0.0.1"
		if _, err := k.InviteMember(ctx, c, ws, "max"); !fault.Is(err, fault.PermissionEscalation) {
			t.Errorf("a key with %s invites: %v", name, err)
		}
	}
	if _, err := k.InviteMember(ctx, by(k.key(t, ws, "owner")), ws, "max"); err != nil {
		t.Errorf("a key without bounds: %v", err)
	}
}

// A passkey whose owner cannot be proved signs in nobody, and who removes one signs the others out.
func TestAPasskeyThatIsRemovedIsOut(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	k, ws := inWorkspace(t)
	k.join(t, ws, "mia", "Viewer")
	k.join(t, ws, "eve", "Viewer")
	i, err := k.InviteMember(ctx, k.root, ws, "mia")
	must(t, err)
	in, err := k.Register(ctx, control.Caller{}, i.Code.Reveal(), made("one"))
	must(t, err)
	if _, err := k.SignInByPasskey(ctx, control.Caller{}, []byte("credential one"), challenge("forged"),
		func(*session.Passkey) (uint32, error) { return 7, errors.New("no") }); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a signature that is none: %v", err)
	}
	thief, err := k.enter(control.Caller{}, "one", "thief", 1)
	must(t, err)
	keys, err := k.ListPasskeys(ctx, inside(in))
	must(t, err)
	if len(keys) != 1 {
		t.Fatalf("%d passkeys", len(keys))
	}
	if _, err := k.RemovePasskey(ctx, as(ws, "eve"), string(keys[0].ID)); err == nil {
		t.Error("somebody else removes it")
	}
	_, err = k.RemovePasskey(ctx, inside(in), string(keys[0].ID))
	must(t, err)
	must(t, k.Stands(ctx, inside(in)))
	if err := k.Stands(ctx, inside(thief)); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("the session by the removed passkey: %v", err)
	}
	for n := range session.MaxPasskeys {
		_, err := k.AddPasskey(ctx, inside(in), made(string(rune('a'+n))))
		must(t, err)
	}
	if _, err := k.AddPasskey(ctx, inside(in), made("too many")); !fault.Is(err, fault.Conflict) {
		t.Errorf("more than the most: %v", err)
	}
}

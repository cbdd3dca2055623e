package control_test

import (
	"context"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/sqlite"
)

// asking is a workspace with an owner and two members who are signed in, a key by which a program asks, and a clock.
type asking struct {
	*kit
	ws                string
	ahead             atomic.Int64
	program           control.Revealed // a key of ada, an admin
	owner, ada, vic   control.Caller   // in sessions; vic is a viewer
	outsider, unknown control.Caller   // a member of another workspace in a session; ada without a session
}

func ask(t *testing.T) *asking {
	t.Helper()
	a := &asking{}
	driver, err := sqlite.Open(filepath.Join(t.TempDir(), "keyward.db"), sqlite.Options{Lock: true})
	must(t, err)
	now := func() time.Time { return time.Now().Add(time.Duration(a.ahead.Load())) }
	db, err := store.Open(context.Background(), driver, store.Options{Now: now, Catalogue: catalogue})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	a.kit = newKitOn(t, db)
	a.ws = a.found(t)
	a.join(t, a.ws, "ada", "Admin")
	a.join(t, a.ws, "vic", "Viewer")
	elsewhere := a.found(t)
	a.program = a.key(t, a.ws, "ada")
	a.owner, a.ada, a.vic = a.enter(t, a.ws, "owner"), a.enter(t, a.ws, "ada"), a.enter(t, a.ws, "vic")
	a.join(t, elsewhere, "out", "Admin")
	a.outsider, a.unknown = a.enter(t, elsewhere, "out"), person(a.ws, "ada")
	return a
}

// enter signs a member in.
func (a *asking) enter(t *testing.T, ws, user string) control.Caller {
	t.Helper()
	l, err := a.CreateSignInLink(context.Background(), a.root, control.CreateSignInLink{Workspace: ws, User: user})
	must(t, err)
	in, err := a.RedeemSignInLink(context.Background(), control.Caller{}, l.Code.Reveal())
	must(t, err)
	c := person(ws, user)
	c.Session, c.Presented, c.Until = in.ID, in.Digest, time.Time{}
	return c
}

func (a *asking) request(t *testing.T, c control.Caller, user string, permissions ...string) control.KeyRequest {
	t.Helper()
	r, err := a.RequestKey(context.Background(), c, control.CreateKey{
		Workspace: a.ws, User: user, Name: "nightly", Permissions: control.Some(permissions),
	})
	must(t, err)
	return r
}

func (a *asking) confirm(c control.Caller, r control.KeyRequest) (control.Revealed, error) {
	return a.ConfirmKeyRequest(context.Background(), c, string(r.ID))
}

func (a *asking) keys(t *testing.T) int {
	t.Helper()
	list, _, err := a.ListKeys(context.Background(), a.root, control.ListKeys{Workspace: a.ws})
	must(t, err)
	return len(list)
}

func TestT78ARequestedKeyIsMadeOnceByAMemberWhoIsSignedIn(t *testing.T) {
	t.Parallel()
	a, ctx := ask(t), context.Background()
	before := a.keys(t)
	r := a.request(t, by(a.program), "ada", "calls:read")
	if r.State != apikey.RequestPending || r.Request.Key == "" || r.ExpiresAt.Sub(r.CreatedAt) != 15*time.Minute {
		t.Errorf("the request: %+v", r.Request)
	}
	if n := a.keys(t); n != before {
		t.Errorf("%d keys before the confirmation, want %d", n, before)
	}
	if _, err := a.GetKey(ctx, a.root, string(r.Request.Key)); !fault.Is(err, fault.NotFound) {
		t.Errorf("the key before the confirmation: %v, want not_found", err)
	}
	made, err := a.confirm(a.ada, r)
	must(t, err)
	if made.Key.ID != r.Request.Key || made.Secret.IsZero() || made.Key.Name != "nightly" || !made.Key.IsActive {
		t.Errorf("made %+v", made.Key)
	}
	if names := catalogue.Names(made.Key.Permissions); strings.Join(names, " ") != "calls:read" {
		t.Errorf("permissions %v", names)
	}
	if _, err := a.confirm(a.ada, r); !fault.Is(err, fault.Conflict) {
		t.Errorf("confirmed twice: %v, want conflict", err)
	}
	got, err := a.GetKeyRequest(ctx, by(a.program), string(r.ID))
	must(t, err)
	if got.State != apikey.RequestConfirmed || got.Asker != "" {
		t.Errorf("afterwards: %+v", got.Request)
	}

	again, err := a.RequestRotation(ctx, by(a.program), string(made.Key.ID), 60)
	must(t, err)
	rotated, err := a.confirm(a.owner, again)
	must(t, err)
	if rotated.Key.ID != made.Key.ID || len(rotated.Key.Previous) != 1 || rotated.Secret.Reveal() == made.Secret.Reveal() {
		t.Errorf("rotated %+v", rotated.Key)
	}
	a.told(t, "api_key.requested", "api_key.created", "api_key.requested", "api_key.rotated")
}

// told holds the newest events of the program's workspace against the types, and that none holds a value.
func (a *asking) told(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	page, err := a.ListLogs(context.Background(), a.root, control.ListLogs{Workspace: a.ws, Limit: len(want)})
	must(t, err)
	for _, e := range page.Events {
		got = append([]string{string(e.Type)}, got...)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("events %v, want %v", got, want)
	}
}

// The link is no credential: whoever follows it is held to their own rights.
func TestT78ARequestIsConfirmedOnlyByWhoMayDoItThemself(t *testing.T) {
	t.Parallel()
	a, ctx := ask(t), context.Background()
	a.join(t, a.ws, "mia", "Member")
	mia := a.enter(t, a.ws, "mia")
	r := a.request(t, by(a.program), "ada", "calls:read")
	rotation, err := a.RequestRotation(ctx, by(a.program), string(a.program.Key.ID), 0)
	must(t, err)
	for name, c := range map[string]struct {
		by   control.Caller
		want fault.Code
	}{
		"the program itself":              {by(a.program), fault.PermissionDenied},
		"a member without a session":      {a.unknown, fault.PermissionDenied},
		"a service key without a session": {a.root, fault.PermissionDenied},
		"a viewer":                        {a.vic, fault.PermissionDenied},
		"a member, for another member":    {mia, fault.PermissionDenied},
		"a member of another workspace":   {a.outsider, fault.NotFound},
		"nobody":                          {control.Caller{}, fault.Unauthenticated},
		"a session with another credential": {
			control.Caller{Person: a.ada.Person, Session: a.owner.Session, Presented: a.ada.Presented}, fault.Unauthenticated,
		},
	} {
		for _, one := range []control.KeyRequest{r, rotation} {
			if _, err := a.confirm(c.by, one); !fault.Is(err, c.want) {
				t.Errorf("%s confirms: %v, want %s", name, err, c.want)
			}
			if _, err := a.FindKeyRequest(ctx, c.by, string(one.ID)); !fault.Is(err, c.want) {
				t.Errorf("%s sees the page: %v, want %s", name, err, c.want)
			}
		}
	}
	if _, err := a.GetKeyRequest(ctx, mia, string(r.ID)); !fault.Is(err, fault.PermissionDenied) {
		t.Errorf("another member reads the request: %v", err)
	}
	narrow, err := a.CreateRole(ctx, a.root, a.ws, control.CreateRole{Name: "Narrow", Permissions: []string{
		account.APIKeysRead, account.APIKeysWrite, account.APIKeysManageOthers,
	}})
	must(t, err)
	_, _, err = a.PutMember(ctx, a.root, a.ws, "mia", control.PutMember{Email: "m@example.org", Role: string(narrow.ID)})
	must(t, err)
	if _, err := a.confirm(mia, r); !fault.Is(err, fault.PermissionEscalation) {
		t.Errorf("a member who does not hold the permission: %v, want permission_escalation", err)
	}
	if _, err := a.confirm(a.owner, r); err != nil {
		t.Errorf("the owner, for another member: %v", err)
	}
}

func TestT78T96ARequestEndsWithWhatItStandsOn(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	disable := func(a *asking, t *testing.T) {
		_, failed, err := a.UpdateKeys(ctx, a.root,
			[]control.UpdateKey{{ID: string(a.program.Key.ID), IsActive: control.Some(false)}})
		if err != nil || len(failed) > 0 {
			t.Fatal(err, failed)
		}
	}
	for name, end := range map[string]struct {
		do   func(*asking, *testing.T, control.KeyRequest)
		want fault.Code
	}{
		"its 15 minutes": {func(a *asking, _ *testing.T, _ control.KeyRequest) {
			a.ahead.Store(int64(15*time.Minute + time.Second))
		}, fault.Conflict},
		"being declined": {func(a *asking, t *testing.T, r control.KeyRequest) {
			must(t, a.DeclineKeyRequest(ctx, a.ada, string(r.ID)))
			if err := a.DeclineKeyRequest(ctx, a.ada, string(r.ID)); !fault.Is(err, fault.Conflict) {
				t.Errorf("declined twice: %v", err)
			}
		}, fault.Conflict},
		"being withdrawn by the program": {func(a *asking, t *testing.T, r control.KeyRequest) {
			must(t, a.DeclineKeyRequest(ctx, by(a.program), string(r.ID)))
		}, fault.Conflict},
		"the asking key disabled": {func(a *asking, t *testing.T, _ control.KeyRequest) { disable(a, t) }, fault.Conflict},
		"the asking value rotated away": {func(a *asking, t *testing.T, _ control.KeyRequest) {
			_, err := a.RotateKey(ctx, a.root, string(a.program.Key.ID), 0)
			must(t, err)
		}, fault.Conflict},
		"the asking key deleted": {func(a *asking, t *testing.T, _ control.KeyRequest) {
			must(t, a.DeleteKey(ctx, a.root, string(a.program.Key.ID)))
		}, fault.Conflict},
		"an earlier end of the asking key": {func(a *asking, t *testing.T, _ control.KeyRequest) {
			_, failed, err := a.UpdateKeys(ctx, a.root, []control.UpdateKey{{
				ID: string(a.program.Key.ID), ExpiresAt: control.Some(time.Now().Add(time.Hour).Format(time.RFC3339)),
			}})
			if err != nil || len(failed) > 0 {
				t.Fatal(err, failed)
			}
		}, fault.Conflict},
		"a narrower role of its owner": {func(a *asking, t *testing.T, _ control.KeyRequest) {
			role, err := a.CreateRole(ctx, a.root, a.ws, control.CreateRole{Name: "R", Permissions: []string{"calls:write"}})
			must(t, err)
			_, _, err = a.PutMember(ctx, a.root, a.ws, "ada", control.PutMember{Email: "a@example.org", Role: string(role.ID)})
			must(t, err)
		}, fault.PermissionEscalation},
		"its owner leaving": {func(a *asking, t *testing.T, _ control.KeyRequest) {
			_, err := a.RemoveMember(ctx, a.root, a.ws, "ada", control.RemoveMember{})
			must(t, err)
		}, fault.NotFound},
		"the workspace switched off": {func(a *asking, t *testing.T, _ control.KeyRequest) {
			_, err := a.UpdateWorkspace(ctx, a.root, a.ws, control.UpdateWorkspace{IsActive: control.Some(false)})
			must(t, err)
		}, fault.Conflict},
		"the workspace deleted": {func(a *asking, t *testing.T, _ control.KeyRequest) {
			must(t, a.DeleteWorkspace(ctx, a.root, a.ws))
		}, fault.Unauthenticated},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := ask(t)
			r := a.request(t, by(a.program), "ada", "calls:read")
			end.do(a, t, r)
			before := a.ahead.Load()
			if _, err := a.confirm(a.owner, r); !fault.Is(err, end.want) {
				t.Errorf("confirmed after %s: %v, want %s", name, err, end.want)
			}
			a.ahead.Store(before)
		})
	}
}

func TestT78ARotationThatHappenedMeanwhileEndsTheRequest(t *testing.T) {
	t.Parallel()
	a, ctx := ask(t), context.Background()
	k := a.key(t, a.ws, "ada", "calls:read")
	r, err := a.RequestRotation(ctx, by(a.program), string(k.Key.ID), 0)
	must(t, err)
	a.ahead.Store(int64(time.Second))
	_, err = a.RotateKey(ctx, a.root, string(k.Key.ID), 0)
	must(t, err)
	if _, err := a.confirm(a.owner, r); !fault.Is(err, fault.Conflict) {
		t.Errorf("%v, want conflict", err)
	}
	shown, err := a.GetKeyRequest(ctx, by(a.program), string(r.ID))
	must(t, err)
	if shown.State != apikey.RequestExpired {
		t.Errorf("the program is told %s, want expired", shown.State)
	}
	list, _, err := a.ListKeyRequests(ctx, a.owner, control.ListKeyRequests{Workspace: a.ws})
	must(t, err)
	if len(list) != 0 {
		t.Errorf("the request is listed as one that waits: %s", list[0].State)
	}
}

// The bounds of the asking key hold, although the member who confirms has none.
func TestT78TheBoundsOfTheAskingKeyHoldForTheKeyThatIsConfirmed(t *testing.T) {
	t.Parallel()
	a, ctx := ask(t), context.Background()
	bounded, err := a.CreateKey(ctx, a.root, control.CreateKey{
		Workspace: a.ws, User: "ada", Name: "bounded", AllowedIPs: control.Some([]string{"203.0.113.0/24"}),
		ExpiresAt: control.Some(time.Now().Add(time.Hour).Format(time.RFC3339)),
		RateLimit: control.Some(control.LimitsInput{PerMinute: control.Some(int64(7))}),
	})
	must(t, err)
	c := by(bounded)
	c.Address = "203.0.113.9"
	wide := control.CreateKey{Workspace: a.ws, User: "ada", Name: "wide", ExpiresAt: control.Null[string]()}
	if _, err := a.RequestKey(ctx, c, wide); !fault.Is(err, fault.PermissionEscalation) {
		t.Errorf("a request beyond the asking key: %v, want permission_escalation", err)
	}
	made, err := a.confirm(a.owner, a.request(t, c, "ada", "calls:read"))
	must(t, err)
	k := made.Key
	if !k.ExpiresAt.Equal(bounded.Key.ExpiresAt) || k.Limits.PerMinute != 7 || len(k.AllowedIPs) != 1 {
		t.Errorf("the key is wider than the one that asked: %+v", k.Key)
	}

	scoped, err := a.CreateServiceKey(ctx, a.root, control.CreateServiceKey{
		Name: "test alone", Scopes: []string{"manage"}, Environments: control.Some([]string{"test"}),
	})
	must(t, err)
	r, err := a.RequestKey(ctx, operator(scoped), control.CreateKey{
		Workspace: a.ws, User: "ada", Name: "t", Environment: control.Some("test"), Permissions: control.Some([]string{}),
	})
	must(t, err)
	if made, err = a.confirm(a.ada, r); err != nil || !made.Key.Confined {
		t.Errorf("confined %v, %v: a caller of one environment asked for it", made.Key.Confined, err)
	}
}

func TestT78RequestsCountTowardsTheQuotasAndAreBounded(t *testing.T) {
	t.Parallel()
	a, ctx := ask(t), context.Background()
	_, err := a.PutPlan(ctx, a.root, a.ws, control.PlanInput{MaxKeys: control.Some(int64(3))})
	must(t, err)
	first := a.request(t, by(a.program), "ada")
	a.request(t, by(a.program), "ada")
	in := control.CreateKey{Workspace: a.ws, User: "ada", Name: "one more"}
	if _, err := a.RequestKey(ctx, by(a.program), in); !fault.Is(err, fault.LimitReached) {
		t.Errorf("a request beyond the plan: %v", err)
	}
	if _, err := a.CreateKey(ctx, a.root, in); !fault.Is(err, fault.LimitReached) {
		t.Errorf("a key beyond the plan: %v", err)
	}
	if _, err := a.confirm(a.ada, first); err != nil {
		t.Errorf("the confirmation of a key that was counted: %v", err)
	}
	_, err = a.PutPlan(ctx, a.root, a.ws, control.PlanInput{})
	must(t, err)
	for range apikey.MaxRequests - 1 {
		a.request(t, by(a.program), "ada")
	}
	if _, err := a.RequestKey(ctx, by(a.program), in); !fault.Is(err, fault.LimitReached) {
		t.Errorf("more than %d at once: %v", apikey.MaxRequests, err)
	}
	if _, err := a.RequestKey(ctx, a.owner, in); err != nil {
		t.Errorf("another actor: %v", err)
	}
}

// A service key that is bound to an environment sees no request for a key of the other one, by its id or in a list:
// of a rotation the key says which it is.
func TestT78ARequestIsSeenWithinTheReachOfItsReader(t *testing.T) {
	t.Parallel()
	a, ctx := ask(t), context.Background()
	made := a.request(t, by(a.program), "ada", "calls:read")
	rotation, err := a.RequestRotation(ctx, a.ada, string(a.program.Key.ID), 0)
	must(t, err)
	for environment, want := range map[string][]control.KeyRequest{
		"live": {rotation, made}, "test": nil,
	} {
		k, err := a.CreateServiceKey(ctx, a.root, control.CreateServiceKey{
			Name: environment, Scopes: []string{"manage"}, Environments: control.Some([]string{environment}),
		})
		must(t, err)
		c := operator(k)
		list, _, err := a.ListKeyRequests(ctx, c, control.ListKeyRequests{Workspace: a.ws})
		must(t, err)
		var ids []id.Request
		for i := range list {
			ids = append(ids, list[i].ID)
		}
		var wanted []id.Request
		for i := range want {
			wanted = append(wanted, want[i].ID)
		}
		if diff := cmp.Diff(wanted, ids); diff != "" {
			t.Errorf("%s lists %s", environment, diff)
		}
		for _, r := range []control.KeyRequest{rotation, made} {
			_, err := a.GetKeyRequest(ctx, c, string(r.ID))
			if (err == nil) != (want != nil) || err != nil && !fault.Is(err, fault.NotFound) {
				t.Errorf("%s gets a request: %v", environment, err)
			}
		}
	}
	if list, _, err := a.ListKeyRequests(ctx, a.owner, control.ListKeyRequests{}); err != nil || len(list) != 2 {
		t.Errorf("an owner lists %d requests, %v", len(list), err)
	}
	if list, _, err := a.ListKeyRequests(ctx, a.vic, control.ListKeyRequests{}); err != nil || len(list) != 0 {
		t.Errorf("a viewer lists %d requests, %v", len(list), err)
	}
	if _, err := a.confirm(a.ada, made); err != nil {
		t.Fatal(err)
	}
	if list, _, err := a.ListKeyRequests(ctx, a.ada, control.ListKeyRequests{}); err != nil || len(list) != 1 {
		t.Errorf("%d requests wait after one was confirmed, %v", len(list), err)
	}
}

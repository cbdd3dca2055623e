package control_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
)

// eventTypes are the kinds of event that the program has, as its source lists them.
func eventTypes(t *testing.T) (all []audit.Type) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../audit/audit.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
			if literal, ok := spec.Values[0].(*ast.BasicLit); ok {
				if kind, err := strconv.Unquote(literal.Value); err == nil && strings.Contains(kind, ".") {
					all = append(all, audit.Type(kind))
				}
			}
		}
		return true
	})
	if len(all) < 20 {
		t.Fatalf("only %d kinds of event were found", len(all))
	}
	return all
}

// spent is a workspace whose day has no events left, with a key, a member, a role of its own that nobody holds, and
// ways to change them.
type spent struct {
	*kit
	t    *testing.T
	ws   string
	key  control.Key
	role string

	asked control.KeyRequest
	hook  control.RevealedWebhook // with a delivery that has failed
}

func newSpent(t *testing.T) *spent {
	t.Helper()
	k, ws := inWorkspace(t)
	s := &spent{kit: k, t: t, ws: ws}
	k.join(t, ws, "mia", "Member")
	made := k.key(t, ws, "owner")
	s.key = made.Key
	minute := control.LimitsInput{PerMinute: control.Some(int64(60))}
	must(t, s.updateKey(control.UpdateKey{RateLimit: control.Some(minute)}))
	role, err := k.CreateRole(
		context.Background(), k.root, ws, control.CreateRole{Name: "Own", Permissions: []string{account.APIKeysWrite}},
	)
	must(t, err)
	s.role = string(role.ID)
	s.asked, err = k.RequestKey(context.Background(), k.root,
		control.CreateKey{Workspace: ws, User: "owner", Name: "asked"})
	must(t, err)
	s.hook, err = k.CreateWebhook(context.Background(), k.root,
		control.CreateWebhook{Workspace: ws, URL: "https://example.com"})
	must(t, err)
	_, err = k.TestWebhook(context.Background(), k.root, string(s.hook.ID))
	must(t, err)
	for _, on := range []bool{false, true} { // the delivery fails
		must(t, s.setWebhook(control.UpdateWebhook{IsActive: control.Some(on)}))
	}
	_, err = k.PutPlan(context.Background(), k.root, ws, control.PlanInput{MaxEventsPerDay: control.Some(int64(1))})
	must(t, err)
	return s
}

func (s *spent) updateKey(in control.UpdateKey) error {
	in.ID = string(s.key.ID)
	_, failed, err := s.UpdateKeys(context.Background(), s.root, []control.UpdateKey{in})
	if len(failed) > 0 {
		return failed[0].Fault
	}
	return err
}

func (s *spent) rotateKey(overlap int64) error {
	_, err := s.RotateKey(context.Background(), s.root, string(s.key.ID), overlap)
	return err
}

func (s *spent) toRole(name string) error {
	role := string(s.roles(s.t, s.ws)[name].ID)
	_, err := s.UpdateMember(context.Background(), s.root, s.ws, "mia", control.UpdateMember{Role: control.Some(role)})
	return err
}

func (s *spent) setRole(permissions ...string) error {
	_, err := s.UpdateRole(
		context.Background(), s.root, s.ws, s.role, control.UpdateRole{Permissions: control.Some(permissions)},
	)
	return err
}

func (s *spent) setWebhook(in control.UpdateWebhook) error {
	_, err := s.UpdateWebhook(context.Background(), s.root, string(s.hook.ID), in)
	return err
}

func (s *spent) setWorkspace(in control.UpdateWorkspace) error {
	_, err := s.UpdateWorkspace(context.Background(), s.root, s.ws, in)
	return err
}

// spentCases say of each kind of event of a workspace what is refused where the day's events are spent, and what is not
// because it takes something away.
var spentCases = map[audit.Type][]struct {
	name    string
	refused bool
	do      func(*spent) error
}{
	audit.WorkspaceUpdated: {
		{
			"another name", true,
			func(s *spent) error { return s.setWorkspace(control.UpdateWorkspace{Name: control.Some("other")}) },
		},
		{
			"switched off", false,
			func(s *spent) error { return s.setWorkspace(control.UpdateWorkspace{IsActive: control.Some(false)}) },
		},
	},
	audit.WorkspaceDeleted: {
		{"deleted", false, func(s *spent) error { return s.DeleteWorkspace(context.Background(), s.root, s.ws) }},
	},
	audit.MemberAdded: {{"added", true, func(s *spent) error {
		_, _, err := s.PutMember(
			context.Background(), s.root, s.ws, "eve", control.PutMember{Email: "eve@example.org", Role: s.role},
		)
		return err
	}}},
	audit.MemberUpdated: {
		{"promoted", true, func(s *spent) error { return s.toRole("Admin") }},
		{"demoted", false, func(s *spent) error { return s.toRole("Viewer") }},
	},
	audit.MemberRemoved: {{"removed", false, func(s *spent) error {
		_, err := s.RemoveMember(context.Background(), s.root, s.ws, "mia", control.RemoveMember{})
		return err
	}}},
	audit.MemberRestored: {{"restored", true, func(s *spent) error {
		out, err := s.RemoveMember(context.Background(), s.root, s.ws, "mia", control.RemoveMember{})
		if err == nil {
			_, err = s.RestoreMember(context.Background(), s.root, s.ws, "mia", string(out.Removal))
		}
		return err
	}}},
	audit.MemberInvited: {{"invited", true, func(s *spent) error {
		_, err := s.InviteMember(context.Background(), s.root, s.ws, "mia")
		return err
	}}},
	audit.MemberSignInReset: {{"reset", false, func(s *spent) error {
		_, _, err := s.ResetSignIn(context.Background(), s.root, s.ws, "mia")
		return err
	}}},
	audit.RoleCreated: {{"created", true, func(s *spent) error {
		_, err := s.CreateRole(
			context.Background(), s.root, s.ws, control.CreateRole{Name: "Other", Permissions: []string{account.APIKeysWrite}},
		)
		return err
	}}},
	audit.RoleUpdated: {
		{"more permissions", true, func(s *spent) error { return s.setRole(account.APIKeysWrite, account.APIKeysDelete) }},
		{"fewer permissions", false, func(s *spent) error { return s.setRole() }},
	},
	audit.RoleDeleted: {
		{"deleted", false, func(s *spent) error { return s.DeleteRole(context.Background(), s.root, s.ws, s.role) }},
	},
	audit.APIKeyCreated: {{"created", true, func(s *spent) error {
		_, err := s.CreateKey(context.Background(), s.root, control.CreateKey{Workspace: s.ws, User: "owner", Name: "k"})
		return err
	}}},
	audit.APIKeyRequested: {{"requested", true, func(s *spent) error {
		_, err := s.RequestKey(context.Background(), s.root, control.CreateKey{Workspace: s.ws, User: "owner", Name: "k"})
		return err
	}}},
	audit.APIKeyDeclined: {{"declined", false, func(s *spent) error {
		return s.DeclineKeyRequest(context.Background(), s.root, string(s.asked.ID))
	}}},
	audit.WebhookCreated: {{"created", true, func(s *spent) error {
		_, err := s.CreateWebhook(context.Background(), s.root,
			control.CreateWebhook{Workspace: s.ws, URL: "https://example.com"})
		return err
	}}},
	audit.WebhookUpdated: {
		{"another URL", true, func(s *spent) error {
			return s.setWebhook(control.UpdateWebhook{URL: control.Some("https://example.org")})
		}},
		{"switched off", false,
			func(s *spent) error { return s.setWebhook(control.UpdateWebhook{IsActive: control.Some(false)}) }},
	},
	audit.WebhookRotated: {{"rotated", true, func(s *spent) error {
		_, err := s.RotateWebhook(context.Background(), s.root, string(s.hook.ID), control.Optional[int64]{})
		return err
	}}},
	audit.WebhookTested: {{"tested", true, func(s *spent) error {
		_, err := s.TestWebhook(context.Background(), s.root, string(s.hook.ID))
		return err
	}}},
	audit.WebhookReplayed: {{"sent again", true, func(s *spent) error {
		all, _, err := s.ListDeliveries(context.Background(), s.root, string(s.hook.ID), "", control.Paging{})
		if err == nil {
			_, err = s.ReplayDelivery(context.Background(), s.root, string(s.hook.ID), string(all[0].ID))
		}
		return err
	}}},
	audit.WebhookDeleted: {{"deleted", false, func(s *spent) error {
		return s.DeleteWebhook(context.Background(), s.root, string(s.hook.ID))
	}}},
	audit.WebhookDisabled: {{"given up", false, func(s *spent) error {
		return s.DisableWebhook(context.Background(), s.hook.ID, "failing")
	}}},
	audit.APIKeyUpdated: {
		{"another name", true, func(s *spent) error { return s.updateKey(control.UpdateKey{Name: control.Some("other")}) }},
		{"a higher limit", true, func(s *spent) error {
			return s.updateKey(
				control.UpdateKey{RateLimit: control.Some(control.LimitsInput{PerMinute: control.Some(int64(61))})},
			)
		}},
		{"a lower limit", false, func(s *spent) error {
			return s.updateKey(
				control.UpdateKey{RateLimit: control.Some(control.LimitsInput{PerMinute: control.Some(int64(59))})},
			)
		}},
		{"an expiry", false, func(s *spent) error {
			return s.updateKey(control.UpdateKey{ExpiresAt: control.Some(time.Now().Add(time.Hour).UTC().Format(time.RFC3339))})
		}},
		{"narrower networks", false, func(s *spent) error {
			return s.updateKey(control.UpdateKey{AllowedIPs: control.Some([]string{"10.0.0.1"})})
		}},
		{"disabled", false, func(s *spent) error { return s.updateKey(control.UpdateKey{IsActive: control.Some(false)}) }},
	},
	audit.APIKeyRotated: {
		{"with overlap", true, func(s *spent) error { return s.rotateKey(60) }},
		{"without overlap", false, func(s *spent) error { return s.rotateKey(0) }},
	},
	audit.APIKeyDeleted: {
		{"deleted", false, func(s *spent) error { return s.DeleteKey(context.Background(), s.root, string(s.key.ID)) }},
	},
	audit.APIKeyRevoked: {{"revoked by its value", false, func(s *spent) error {
		return s.RevokeByValue(context.Background(), s.root, s.key.ID, s.key.Value.Digest.Sum)
	}}},
}

// outsidePlans are the kinds of event that belong to no workspace's plan.
var outsidePlans = []audit.Type{
	audit.WorkspaceCreated, audit.ServiceKeyCreated, audit.ServiceKeyUpdated, audit.ServiceKeyDeleted,
	audit.SessionStarted, audit.SessionEnded,
	audit.SignInLinkCreated, audit.TimeReset, audit.LogArchived, audit.PasskeyAdded, audit.PasskeyRemoved,
	audit.PasskeyRefused, audit.PortalSessionCreated, audit.PortalSessionStarted, audit.PortalSessionEnded,
}

// What takes something away is never refused by maxEventsPerDay and always leaves its event. Each kind of event is
// classified.
func TestMaxEventsPerDayNeverRefusesWhatTakesAway(t *testing.T) {
	t.Parallel()
	outside := map[audit.Type]bool{}
	for _, kind := range outsidePlans {
		outside[kind] = true
	}
	for _, kind := range eventTypes(t) {
		said, may := control.Planned(kind)
		if cases := spentCases[kind]; !said || len(cases) == 0 && !outside[kind] {
			t.Errorf("%s is not classified: say in planned what a plan holds it to, and here what it refuses", kind)
		}
		if outside[kind] && may {
			t.Errorf("%s may be refused, and is outside of plans", kind)
		}
		for _, c := range spentCases[kind] {
			t.Run(string(kind)+" "+c.name, func(t *testing.T) {
				t.Parallel()
				s := newSpent(t)
				before := s.count(kind)
				err := c.do(s)
				after := s.count(kind)
				switch {
				case c.refused && (!fault.Is(err, fault.LimitReached) || after != before):
					t.Errorf("it is not refused: %v, %d events", err, after-before)
				case !c.refused && (err != nil || after != before+1):
					t.Errorf("it is refused, or leaves no event: %v, %d events", err, after-before)
				}
			})
		}
	}
}

// count counts the events of a kind.
func (s *spent) count(kind audit.Type) (n int) {
	for _, e := range s.events(s.t) {
		if e.Type == kind {
			n++
		}
	}
	return n
}

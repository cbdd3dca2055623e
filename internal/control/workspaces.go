package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/text"
)

// CreateWorkspace makes a workspace with the four system roles and its owner as the first member.
func (s *Service) CreateWorkspace(ctx context.Context, c Caller, in CreateWorkspace) (account.Workspace, error) {
	var out account.Workspace
	err := s.update(ctx, c, func(tx *store.Tx, a *actor) error {
		if err := s.mayCreateWorkspace(a); err != nil {
			return err
		}
		name, badName := nameInput("name", in.Name, maxWorkspaceName)
		settings, badSettings := settingsInput(in.Settings, account.Settings{PermissionMode: account.Frozen})
		owner, badOwner := s.firstMember(tx.View, a, in.Owner)
		if err := fault.All(badName, badSettings, badOwner); err != nil {
			return err
		}
		out = account.Workspace{ID: id.Workspace(s.ids.Next()), Name: name, IsActive: true, OwnerID: owner.User,
			Settings: settings, CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
		return s.foundWorkspace(tx, a, out, owner)
	})
	return out, err
}

func (s *Service) mayCreateWorkspace(a *actor) error {
	switch {
	case a.service != nil:
		if err := a.manages(); err != nil {
			return err
		}
		return a.unbound("a key that is bound creates no workspace")
	case !a.reach.All():
		return a.unbound("a session that is bound creates no workspace")
	case !s.anyone:
		return scopeDenied(account.ScopeManage)
	case a.key != nil:
		return fault.New(fault.PermissionDenied, "an API key is bound to its workspace and cannot make another",
			fault.Detail{Field: "Authorization", Message: "a service key with the scope manage, or a person, is needed"})
	}
	return nil
}

// firstMember reads the owner: a person who calls owns what they make, a service key has to name somebody.
func (s *Service) firstMember(v *store.View, a *actor, in Optional[OwnerInput]) (account.Member, error) {
	if !in.Set || in.Null {
		if a.service != nil {
			return account.Member{}, fault.Invalid("owner", "must be given by a service key")
		}
		places, err := v.Memberships(a.user)
		if err != nil || len(places) == 0 {
			return account.Member{}, errors.Join(err, errCredentialRevoked())
		}
		m := places[0]
		for _, p := range places {
			if p.Workspace == a.workspace {
				m = p
			}
		}
		return account.Member{User: a.user, Email: m.Email, DisplayName: m.DisplayName}, nil
	}
	var m account.Member
	var user, email, display error
	m.User, user = userInput("owner.userId", in.Value.User)
	if user == nil && a.service == nil && m.User != a.user {
		user = fault.Invalid("owner.userId", "must be the person who calls")
	}
	m.Email, email = emailInput("owner.email", in.Value.Email)
	m.DisplayName, display = lineInput("owner.displayName", in.Value.DisplayName, maxDisplayName)
	return m, fault.All(user, email, display)
}

// foundWorkspace writes the workspace, its roles and its owner, with one event each for the workspace and the member.
func (s *Service) foundWorkspace(tx *store.Tx, a *actor, ws account.Workspace, owner account.Member) error {
	if err := tx.PutWorkspace(ws); err != nil {
		return err
	}
	for _, system := range account.SystemRoles() {
		r := account.Role{ID: id.Role(s.ids.Next()), Workspace: ws.ID, Name: string(system), Description: system.Describe(),
			Permissions: system.Permissions(s.cat), System: system, CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
		if err := tx.PutRole(r, text.Fold(r.Name)); err != nil {
			return err
		}
		if system == account.Owner {
			owner.Role = r.ID
		}
	}
	if err := s.record(tx, a, change{kind: audit.WorkspaceCreated, workspace: ws.ID, target: string(ws.ID),
		sentence: fmt.Sprintf("workspace %s created", quoted(ws.Name)), after: workspaceFields(ws)}); err != nil {
		return err
	}
	owner.Workspace, owner.CreatedAt, owner.UpdatedAt = ws.ID, tx.Now(), tx.Now()
	if err := tx.PutMember(owner); err != nil {
		return err
	}
	return s.record(tx, a, change{kind: audit.MemberAdded, workspace: ws.ID, target: string(owner.User),
		sentence: fmt.Sprintf("%s added as %s", owner.User, account.Owner),
		after:    memberFields(owner, string(account.Owner))})
}

// ListWorkspaces gives a page of the workspaces that the caller is in; all for a service key.
func (s *Service) ListWorkspaces(ctx context.Context, c Caller, in Paging) ([]account.Workspace, Page, error) {
	return listed(ctx, s, c, func(v *store.View, a *actor) ([]account.Workspace, Page, error) {
		needed := s.requireAnywhere(v, a, account.WorkspaceRead)
		if a.Within != "" {
			needed = s.allowed(a, account.WorkspaceRead)
		}
		if needed != nil {
			return nil, Page{}, needed
		}
		fetch := v.Workspaces
		switch {
		case a.Within != "":
			fetch = func(store.Page) ([]account.Workspace, error) { return oneWorkspace(v, id.Workspace(a.Within)) }
		case a.person():
			fetch = func(p store.Page) ([]account.Workspace, error) { return s.workspacesOf(v, a, p) }
		case a.reach.Workspaces != nil:
			fetch = func(p store.Page) ([]account.Workspace, error) { return within(v, a, p) }
		case a.service == nil:
			fetch = func(store.Page) ([]account.Workspace, error) { return oneWorkspace(v, a.workspace) }
		}
		return paged(s, "workspaces", in, func(w account.Workspace) string { return string(w.ID) }, fetch)
	})
}

func oneWorkspace(v *store.View, name id.Workspace) ([]account.Workspace, error) {
	ws, err := v.Workspace(name)
	return []account.Workspace{ws}, err
}

// GetWorkspace shows one workspace: a person's own whatever their role is.
func (s *Service) GetWorkspace(ctx context.Context, c Caller, workspace string) (account.Workspace, error) {
	var out account.Workspace
	err := s.view(ctx, c, func(v *store.View, a *actor) error {
		ws, err := s.resolveWorkspace(v, a, workspace)
		if err != nil {
			return err
		}
		if !a.person() {
			err = s.allowed(a, account.WorkspaceRead)
		}
		out = ws
		return err
	})
	return out, storageFault(err)
}

// authorizeWorkspace finds the workspace of a path, and then asks for the permission: who is not in it learns nothing
// of it.
func (s *Service) authorizeWorkspace(v *store.View, a *actor, workspace, permission string) (account.Workspace, error) {
	ws, err := s.resolveWorkspace(v, a, workspace)
	if err != nil {
		return ws, err
	}
	return ws, s.allowed(a, permission)
}

// allowed asks for a permission in the workspace that the caller has entered.
func (s *Service) allowed(a *actor, permission string) error {
	if err := a.wholly(permission); err != nil {
		return err
	}
	return s.need(a, permission)
}

// UpdateWorkspace changes name, settings, or whether the workspace's keys are good at all.
func (s *Service) UpdateWorkspace(
	ctx context.Context, c Caller, workspace string, in UpdateWorkspace,
) (account.Workspace, error) {
	var out account.Workspace
	err := s.update(ctx, c.in(workspace), func(tx *store.Tx, a *actor) error {
		was, err := s.authorizeWorkspace(tx.View, a, workspace, account.WorkspaceSettingsWrite)
		if err != nil {
			return err
		}
		ws := was
		var name, settings error
		if in.Name.Set {
			ws.Name, name = nameInput("name", in.Name.Value, maxWorkspaceName)
		}
		state := switchWorkspace(a, &ws, in.IsActive, tx.Now())
		ws.Settings, settings = settingsInput(in.Settings, was.Settings)
		if err := fault.All(name, state, settings); err != nil {
			return err
		}
		if err := mayUnfreeze(a, &was, &ws); err != nil {
			return err
		}
		if out = was; unchanged(workspaceFields(was), workspaceFields(ws)) {
			return nil
		}
		ws.UpdatedAt = tx.Now()
		out = ws
		if err := tx.PutWorkspace(ws); err != nil {
			return err
		}
		if was.IsActive && !ws.IsActive {
			if err := s.endPortalsAtOnce(tx, a, store.PortalFilter{Workspace: ws.ID}, string(ws.ID),
				"the workspace was switched off"); err != nil {
				return err
			}
		}
		return s.record(
			tx,
			a,
			change{kind: audit.WorkspaceUpdated, workspace: ws.ID, target: string(ws.ID), free: narrowed(was, ws),
				sentence: fmt.Sprintf("workspace %s updated", quoted(ws.Name)), before: workspaceFields(was),
				after: workspaceFields(ws)},
		)
	})
	return out, err
}

// switchWorkspace switches a workspace off or on, where that is given. All of its keys do more once it is on again:
// that is for an owner, and where a service key switched it off, for one that may manage.
func switchWorkspace(a *actor, ws *account.Workspace, active Optional[bool], now time.Time) error {
	switch {
	case !active.Set || active.Value && ws.IsActive:
		return nil
	case !active.Value:
		ws.SwitchOff(account.SwitchedOff{By: a.id(), At: now, Operator: a.service != nil})
		return nil
	case ws.Off.Strong() && a.service == nil:
		return fault.New(
			fault.PermissionDenied,
			"a workspace that a service key switched off is switched on by a service key that may manage",
			fault.Detail{Field: "isActive", Message: "was switched off by a service key"},
		)
	case !a.owner:
		return ownersOnly("only an owner, or a service key that may manage, can switch a workspace on")
	}
	ws.SwitchOn()
	return nil
}

// mayUnfreeze guards the way from capped to frozen, after which every key of the workspace may do more: all that it was
// once granted.
func mayUnfreeze(a *actor, was, ws *account.Workspace) error {
	if was.Settings.PermissionMode != account.Capped || ws.Settings.PermissionMode == account.Capped ||
		a.owner && a.key == nil {
		return nil
	}
	return fault.New(
		fault.PermissionDenied,
		"only an owner, or a service key that may manage, can let keys do again what their creators lost",
		fault.Detail{
			Field: "settings.permissionMode", Message: "goes from capped to frozen by an owner, and never by an API key",
		},
	)
}

// DeleteWorkspace takes away a workspace with everything in it; its keys stop at once.
func (s *Service) DeleteWorkspace(ctx context.Context, c Caller, workspace string) error {
	return s.update(ctx, c.in(workspace), func(tx *store.Tx, a *actor) error {
		ws, err := s.authorizeWorkspace(tx.View, a, workspace, account.WorkspaceDelete)
		if err != nil {
			return err
		}
		if err := tx.DeleteWorkspace(ws.ID); err != nil {
			return err
		}
		return s.record(tx, a, change{kind: audit.WorkspaceDeleted, workspace: ws.ID, target: string(ws.ID),
			sentence: fmt.Sprintf("workspace %s deleted", quoted(ws.Name)), before: workspaceFields(ws)})
	})
}

func workspaceFields(w account.Workspace) fields {
	return fields{"name": w.Name, "isActive": w.IsActive, "ownerId": string(w.OwnerID),
		"switchedOffBy": orNull(w.Off.By), "switchedOffAt": stamp(w.Off.At), "switchedOffByServiceKey": w.Off.Operator,
		"permissionMode": string(w.Settings.PermissionMode), "requireExpiry": w.Settings.RequireExpiry,
		"selfRotation":             w.Settings.SelfRotation(),
		"maxKeyLifetimeSeconds":    bounded(int64(w.Settings.MaxKeyLifetime.Seconds())),
		"defaultRequestsPerMinute": bounded(w.Settings.DefaultRateLimit.PerMinute),
		"defaultRequestsPerDay":    bounded(w.Settings.DefaultRateLimit.PerDay),
		"maxKeys":                  bounded(w.Plan.MaxKeys), "maxMembers": bounded(w.Plan.MaxMembers),
		"maxRoles":        bounded(w.Plan.MaxRoles),
		"maxEventsPerDay": bounded(w.Plan.MaxEventsPerDay), "requestsPerMinute": bounded(w.Plan.Shared.PerMinute),
		"requestsPerDay":            bounded(w.Plan.Shared.PerDay),
		"ceilingRequestsPerMinute":  bounded(w.Plan.Ceiling.Limits.PerMinute),
		"ceilingRequestsPerDay":     bounded(w.Plan.Ceiling.Limits.PerDay),
		"ceilingMaxLifetimeSeconds": bounded(int64(w.Plan.Ceiling.MaxLifetime.Seconds()))}
}

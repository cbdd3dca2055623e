package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/keyward/keyward"
)

// workspaceEnv names the workspace that commands work in, where no flag does.
const workspaceEnv = "KEYWARD_WORKSPACE"

// noWorkspace is the error of a command that needs a workspace and was given none.
const noWorkspace = usageError(
	"-w WORKSPACE is missing: name the workspace by its id or its name, or set " + workspaceEnv,
)

// wantsWorkspace tells whether a server refused a call because it names no workspace. A member and a key have one of
// their own, a service key has none.
func wantsWorkspace(err error) bool {
	var refused *keyward.Error
	return errors.As(err, &refused) && refused.Status == http.StatusBadRequest &&
		slices.ContainsFunc(refused.Details, func(d keyward.Detail) bool {
			return d.Field == "workspaceId" && strings.HasPrefix(d.Message, "must be given")
		})
}

// inWorkspace names the workspace that a command works in, by its id or its name.
type inWorkspace struct {
	Workspace string `api:"workspaceId" short:"w" placeholder:"WORKSPACE" help:"The workspace, by id or name. [KEYWARD_WORKSPACE]"`
}

// enter makes the client, and finds the workspace, which must be given.
func (w *inWorkspace) enter(ctx context.Context, a *app, r *remote) (*keyward.Client, error) {
	client, err := w.mayEnter(ctx, a, r)
	if err == nil && w.Workspace == "" {
		err = noWorkspace
	}
	return client, err
}

// mayEnter is enter where the workspace may be left out.
func (w *inWorkspace) mayEnter(ctx context.Context, a *app, r *remote) (*keyward.Client, error) {
	client, err := r.client(a)
	if err != nil {
		return nil, err
	}
	if w.Workspace == "" {
		w.Workspace = cmp.Or(os.Getenv(workspaceEnv), r.workspace)
	}
	if w.Workspace != "" {
		w.Workspace, err = workspaceID(ctx, client, w.Workspace)
	}
	return client, err
}

// workspaceID finds a workspace by its id or its name.
func workspaceID(ctx context.Context, client *keyward.Client, s string) (string, error) {
	if isID(s) {
		return s, nil
	}
	me, err := client.Me(ctx, "")
	if err != nil {
		return "", err
	}
	var found []string
	for _, w := range me.Workspaces {
		if w.Name == s {
			found = append(found, w.ID)
		}
	}
	if len(me.Workspaces) == 0 { // a service key that is not bound is in none and reaches all
		for w, err := range client.AllWorkspaces(ctx, keyward.ListOptions{Limit: 100}) {
			if err != nil {
				return "", err
			}
			if w.Name == s {
				found = append(found, w.ID)
			}
		}
	}
	return theOne("workspace", s, found)
}

// keyID finds a key by its id or, in the workspace that is named or the caller's own, by its name.
func keyID(ctx context.Context, client *keyward.Client, workspace, s string) (string, error) {
	if isID(s) || s == "self" {
		return s, nil
	}
	var found []string
	for k, err := range client.AllKeys(ctx, keyward.ListKeysOptions{WorkspaceID: workspace, Search: s, Limit: 100}) {
		if err != nil {
			return "", err
		}
		if k.Name == s {
			found = append(found, k.ID)
		}
	}
	return theOne("key", s, found)
}

// keyIDs is keyID for several.
func keyIDs(ctx context.Context, client *keyward.Client, workspace string, names []string) ([]string, error) {
	ids := make([]string, len(names))
	for i, name := range names {
		var err error
		if ids[i], err = keyID(ctx, client, workspace, name); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// memberID finds a member by the platform's id of them, or by their address or display name.
func memberID(ctx context.Context, client *keyward.Client, workspace, s string) (string, error) {
	if _, err := client.GetMember(ctx, workspace, s); err == nil || !missing(err) {
		return s, nil // what else is wrong the command itself is told
	}
	var found []string
	for m, err := range client.AllMembers(ctx, workspace, keyward.ListOptions{Limit: 100}) {
		if err != nil {
			return "", err
		}
		if strings.EqualFold(m.Email, s) || m.DisplayName == s {
			found = append(found, m.UserID)
		}
	}
	return theOne("member", s, found)
}

func missing(err error) bool {
	var refused *keyward.Error
	return errors.As(err, &refused) && refused.Status == http.StatusNotFound
}

// theOne is the one id that was found, or a sentence that says what to do.
func theOne(kind, name string, ids []string) (string, error) {
	switch len(ids) {
	case 0:
		return "", fmt.Errorf("there is no %s %q", kind, name)
	case 1:
		return ids[0], nil
	}
	return "", fmt.Errorf(
		"%d %ss have the name %q, so give one of these ids: %s", len(ids), kind, name, strings.Join(ids, ", "),
	)
}

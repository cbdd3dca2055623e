package control

import (
	"context"
	"errors"
	"fmt"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/store"
)

// ListKeyRequests asks for the requests of a workspace that wait to be confirmed.
type ListKeyRequests struct {
	Workspace string
	Paging
}

// ListKeyRequests gives a page of the requests that wait, newest first: those that the caller made or that are about
// its own keys, and with api-keys:manage-others all of the workspace. A page may hold fewer than asked for: a request
// beyond the reach of the caller, or for a key that was deleted or rotated since, is left out.
func (s *Service) ListKeyRequests(ctx context.Context, c Caller, in ListKeyRequests) ([]KeyRequest, Page, error) {
	var out []KeyRequest
	var page Page
	err := s.view(ctx, c, func(v *store.View, a *actor) error {
		ws, err := s.resolveWorkspace(v, a, in.Workspace)
		if err != nil {
			return err
		}
		f := store.RequestFilter{Workspace: ws.ID}
		if f.User, err = s.whoseKeys(a, ""); err != nil {
			return err
		}
		list := fmt.Sprintf("key requests\x00%s\x00%s", f.Workspace, f.User)
		all, p, err := paged(s, list, in.Paging, func(r apikey.Request) string { return string(r.ID) },
			func(p store.Page) ([]apikey.Request, error) {
				f.Page = p
				return v.KeyRequests(f)
			})
		if err != nil {
			return err
		}
		page, out = p, nil
		for i := range all {
			shown, err := s.showWithin(v, a, &all[i])
			if errors.Is(err, store.ErrNotFound) || fault.Is(err, fault.NotFound) {
				continue
			}
			if err != nil {
				return err
			}
			if shown.State != apikey.RequestPending {
				continue
			}
			out = append(out, shown)
		}
		return nil
	})
	return out, page, storageFault(err)
}

// showWithin shows a request that lies within the caller's reach.
func (s *Service) showWithin(v *store.View, a *actor, r *apikey.Request) (KeyRequest, error) {
	if err := s.requestWithin(v, a, r); err != nil {
		return KeyRequest{}, err
	}
	return s.showRequest(v, r)
}

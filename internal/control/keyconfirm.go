package control

import (
	"context"
	"errors"
	"fmt"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/store"
)

// FindKeyRequest shows a request to the signed-in member who could confirm it now, and refuses everybody else as
// ConfirmKeyRequest would.
func (s *Service) FindKeyRequest(ctx context.Context, c Caller, request string) (KeyRequest, error) {
	var out KeyRequest
	err := s.view(ctx, c, func(v *store.View, a *actor) error {
		w, err := s.weigh(v, a, request)
		if err != nil {
			return err
		}
		out, err = s.showRequest(v, &w.Request)
		return err
	})
	return out, storageFault(err)
}

// ConfirmKeyRequest makes the value that a request asks for, and shows it in this one answer. The member confirms it in
// a session, and could have made the key, or rotated it, without any request: the grant rule holds for the member as
// for the caller that asked, whose credential must still stand.
func (s *Service) ConfirmKeyRequest(ctx context.Context, c Caller, request string) (Revealed, error) {
	var out Revealed
	err := s.update(ctx, c, func(tx *store.Tx, a *actor) error {
		w, err := s.weigh(tx.View, a, request)
		if err != nil {
			return err
		}
		if err := tx.EndKeyRequest(w.ID, true); err != nil { // first: the quota counts what waits
			return err
		}
		a.asker, a.confirms = w.asker, &w.Request
		if w.Rotates {
			out, err = s.rotate(tx, a, &w.draft.Key, w.terms.OverlapSeconds)
			return err
		}
		w.draft.ID, w.draft.Confined = w.Key, a.confines()
		out, err = s.mint(tx, a, w.draft)
		return err
	})
	return out, err
}

// weighed is a request that the caller may confirm now.
type weighed struct {
	apikey.Request
	terms keyTerms
	asker *actor
	draft draft // the key to be made, or the one to be rotated
}

// weigh judges a request once more, by the authority of now: that of the caller who confirms it and that of the
// credential that asked. Each of them alone could do what is asked for.
func (s *Service) weigh(v *store.View, a *actor, request string) (w weighed, err error) {
	if a.Session == "" {
		return w, fault.New(fault.PermissionDenied, "a request for a key is confirmed by a member who is signed in",
			fault.Detail{Field: "Authorization", Message: "a session is needed"})
	}
	if w.Request, err = s.findRequest(v, a, request); err != nil {
		return w, err
	}
	if w.terms, err = termsFrom(w.Terms); err != nil {
		return w, err
	}
	if w.draft, err = s.judge(v, a, &w); err != nil {
		return w, err
	}
	if err := waits(&w.Request, v.Now()); err != nil {
		return w, err
	}
	by, err := askerFrom(w.Request.Asker)
	if err != nil {
		return w, err
	}
	if w.asker, err = s.actor(v, by); err == nil {
		_, err = s.judge(v, w.asker, &w)
	}
	if f := (*fault.Error)(nil); errors.As(err, &f) && f.Code != fault.Unavailable {
		return w, fault.New(fault.Conflict, "the caller that asked may not have this any more", f.Details...).Because(err)
	}
	return w, err
}

// judge holds a request against the rules of creation, or of rotation, for one of the two.
func (s *Service) judge(v *store.View, a *actor, w *weighed) (draft, error) {
	if !w.Rotates {
		return s.draft(v, a, w.terms.creation(&w.Request))
	}
	k, err := s.mayRotate(v, a, string(w.Key))
	if err == nil && w.terms.overtaken(&k) {
		err = fault.New(fault.Conflict, "the key was rotated meanwhile, so the request has ended",
			fault.Detail{Field: "id", Message: "the key was rotated meanwhile"})
	}
	return draft{Key: k}, err
}

// confirmation says in an event which request it answers; nil where there is none.
func (a *actor) confirmation(note fields) fields {
	if a.confirms == nil {
		return note
	}
	out := fields{
		"request": string(a.confirms.ID), "requestedBy": a.confirms.Actor,
		"requestedByCredential": fmt.Sprintf("%s %s", a.asker.credential().Type, a.asker.credential().ID),
	}
	for name, value := range note {
		out[name] = value
	}
	return out
}

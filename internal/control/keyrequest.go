package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
)

// KeyRequest is a request for a key, as it is shown: it has no value. Of a rotation Key is the key as it is, of a
// creation the key as it will be.
type KeyRequest struct {
	apikey.Request
	State          apikey.RequestState
	Key            Key
	OverlapSeconds int64 // of a rotation
	Service        bool  // a service key asked; not known of a request that has ended
}

// RequestKey asks for a key that a signed-in member has yet to confirm. The rules are those of CreateKey: the caller
// could make this key. No value is made.
func (s *Service) RequestKey(ctx context.Context, c Caller, in CreateKey) (KeyRequest, error) {
	var out KeyRequest
	err := s.update(ctx, c, func(tx *store.Tx, a *actor) error {
		d, err := s.draft(tx.View, a, in)
		if err != nil {
			return err
		}
		if err := underCeiling(tx.View, nil, &d.Key); err != nil {
			return err
		}
		r := apikey.Request{ID: id.Request(s.ids.Next()), Workspace: d.Workspace, User: d.User}
		r.Key = id.Key(r.ID)
		after := s.keyFields(&d.Key)
		delete(after, "key")
		after["isActive"] = false
		out, err = s.putRequest(tx, a, r, s.termsOf(&d.Key), change{
			sentence: fmt.Sprintf("API key %s requested for %s", quoted(d.Name), d.User), after: after,
		})
		return err
	})
	return out, err
}

// RequestRotation asks for a new value of a key, as RequestKey does for a key.
func (s *Service) RequestRotation(ctx context.Context, c Caller, key string, overlapSeconds int64) (KeyRequest, error) {
	if err := overlapInput("overlapSeconds", overlapSeconds); err != nil {
		return KeyRequest{}, err
	}
	var out KeyRequest
	err := s.update(ctx, c, func(tx *store.Tx, a *actor) error {
		k, err := s.mayRotate(tx.View, a, key)
		if err != nil {
			return err
		}
		r := apikey.Request{
			ID: id.Request(s.ids.Next()), Workspace: k.Workspace, User: k.User, Key: k.ID, Rotates: true,
		}
		terms := keyTerms{OverlapSeconds: overlapSeconds, MadeAt: k.Made().UnixMilli()}
		out, err = s.putRequest(tx, a, r, terms, change{
			sentence: fmt.Sprintf("new value of API key %s of %s requested", quoted(k.Name), k.User),
			note:     fields{"overlapSeconds": overlapSeconds},
		})
		return err
	})
	return out, err
}

// mayRotate finds a key that the caller could rotate now.
func (s *Service) mayRotate(v *store.View, a *actor, key string) (apikey.Key, error) {
	k, err := s.loadKeyFor(v, a, key, account.APIKeysWrite)
	if err != nil {
		return k, err
	}
	if err := rotates(a, &k); err != nil {
		return k, err
	}
	if err := s.mayGrant(a, k.Permissions, k.Permissions, whole); err != nil {
		return k, err
	}
	return k, a.reaches(&k, k.Made())
}

// putRequest keeps a request with its event. An actor has so many at once, so that a program which asks without end
// fills neither the database nor the quotas.
func (s *Service) putRequest(
	tx *store.Tx, a *actor, r apikey.Request, terms keyTerms, told change,
) (out KeyRequest, err error) {
	waiting, err := tx.KeyRequestTotal(r.Workspace, a.id())
	if err != nil {
		return out, err
	}
	if waiting >= apikey.MaxRequests {
		allows := fmt.Sprintf("at most %d that wait to be confirmed", apikey.MaxRequests)
		return out, fault.New(fault.LimitReached, "too many requests for keys: "+allows,
			fault.Detail{Field: "keyRequests", Message: allows})
	}
	r.Actor, r.CreatedAt, r.ExpiresAt = a.id(), tx.Now(), tx.Now().Add(apikey.RequestLife)
	if r.Terms, err = textOf(terms); err != nil {
		return out, err
	}
	if r.Asker, err = textOf(askerOf(a.Caller)); err != nil {
		return out, err
	}
	if err := tx.PutKeyRequest(r); err != nil {
		return out, err
	}
	told.kind, told.workspace, told.target = audit.APIKeyRequested, r.Workspace, string(r.Key)
	note := fields{"request": string(r.ID), "requestEnds": stamp(r.ExpiresAt)}
	for name, value := range told.note {
		note[name] = value
	}
	told.note = note
	if err := s.record(tx, a, told); err != nil {
		return out, err
	}
	return s.showRequest(tx.View, &r)
}

// showRequest adds to a request what it asks for.
func (s *Service) showRequest(v *store.View, r *apikey.Request) (KeyRequest, error) {
	out := KeyRequest{Request: *r, State: r.State(v.Now())}
	terms, err := termsFrom(r.Terms)
	if err != nil {
		return out, err
	}
	out.OverlapSeconds = terms.OverlapSeconds
	if r.Asker != "" {
		by, err := askerFrom(r.Asker)
		if err != nil {
			return out, err
		}
		out.Service = by.ServiceKey != ""
	}
	k := apikey.Key{ID: r.Key, Workspace: r.Workspace, User: r.User}
	if r.Rotates {
		if k, err = v.Key(r.Key); err != nil {
			return out, err
		}
		if out.State == apikey.RequestPending && terms.overtaken(&k) {
			out.State = apikey.RequestExpired
		}
	} else if err := s.fillTerms(&k, &terms); err != nil {
		return out, err
	}
	out.Key, err = s.show(v, k)
	return out, err
}

// findRequest finds a request in a workspace of the caller. One that lies outside is not found.
func (s *Service) findRequest(v *store.View, a *actor, request string) (apikey.Request, error) {
	if err := a.manages(); err != nil {
		return apikey.Request{}, err
	}
	if _, ok := id.Parse(request); !ok {
		return apikey.Request{}, fault.Missing()
	}
	r, err := v.KeyRequest(id.Request(request))
	if err == nil {
		_, err = v.Workspace(r.Workspace) // it may have been deleted
	}
	if errors.Is(err, store.ErrNotFound) {
		return r, fault.Missing()
	}
	if err != nil {
		return r, err
	}
	if err := s.switchWorkspace(v, a, r.Workspace); err != nil {
		return r, err
	}
	return r, s.requestWithin(v, a, &r)
}

// requestWithin reports a request for a key of an environment beyond the caller's reach as not found.
func (s *Service) requestWithin(v *store.View, a *actor, r *apikey.Request) error {
	if a.reach.Environments == nil {
		return nil
	}
	terms, err := termsFrom(r.Terms)
	if err != nil {
		return err
	}
	of := terms.environment()
	if r.Rotates {
		k, err := v.Key(r.Key)
		if err != nil {
			return err
		}
		of = k.Environment
	}
	if !a.reach.Environment(of) {
		return fault.Missing()
	}
	return nil
}

// needRequest refuses a caller who neither asked nor may act on such a key.
func (s *Service) needRequest(a *actor, r *apikey.Request, permission string) error {
	if a.id() == r.Actor {
		return s.need(a, permission)
	}
	return s.needFor(a, r.User, permission)
}

// GetKeyRequest shows a request to the caller that asked, and to those who may see such a key.
func (s *Service) GetKeyRequest(ctx context.Context, c Caller, request string) (KeyRequest, error) {
	var out KeyRequest
	err := s.view(ctx, c, func(v *store.View, a *actor) error {
		r, err := s.findRequest(v, a, request)
		if err != nil {
			return err
		}
		if err := s.needRequest(a, &r, account.APIKeysRead); err != nil {
			return err
		}
		out, err = s.showRequest(v, &r)
		return err
	})
	return out, storageFault(err)
}

// DeclineKeyRequest ends a request without a value: the caller that asked withdraws it, or a member who may write such
// a key refuses.
func (s *Service) DeclineKeyRequest(ctx context.Context, c Caller, request string) error {
	return s.update(ctx, c, func(tx *store.Tx, a *actor) error {
		r, err := s.findRequest(tx.View, a, request)
		if err != nil {
			return err
		}
		if err := s.needRequest(a, &r, account.APIKeysWrite); err != nil {
			return err
		}
		if err := waits(&r, tx.Now()); err != nil {
			return err
		}
		if err := tx.EndKeyRequest(r.ID, false); err != nil {
			return err
		}
		return s.record(tx, a, change{
			kind: audit.APIKeyDeclined, workspace: r.Workspace, target: string(r.Key),
			sentence: "request for an API key of " + string(r.User) + " declined",
			note:     fields{"request": string(r.ID), "requestedBy": r.Actor},
		})
	})
}

// waits refuses a request that has ended.
func waits(r *apikey.Request, now time.Time) error {
	state := r.State(now)
	if state == apikey.RequestPending {
		return nil
	}
	why := map[apikey.RequestState]string{
		apikey.RequestConfirmed: "was confirmed", apikey.RequestDeclined: "was declined",
		apikey.RequestExpired: "has expired",
	}[state]
	return fault.New(fault.Conflict, "the request "+why+" already",
		fault.Detail{Field: "id", Message: "the request " + why})
}

package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
)

func (f *fixture) request(change func(*apikey.Request)) apikey.Request {
	f.Helper()
	r := apikey.Request{
		ID: id.Request(f.ids.Next()), Workspace: f.ws, User: f.member, Terms: `{"name":"ü"}`, Actor: "user-2",
		Asker: `{"apiKey":"k"}`, CreatedAt: f.now(), ExpiresAt: f.now().Add(apikey.RequestLife),
	}
	r.Key = id.Key(r.ID)
	if change != nil {
		change(&r)
	}
	f.mustUpdate(func(tx *store.Tx) error { return tx.PutKeyRequest(r) })
	return r
}

func testKeyRequest(_ *testing.T, f *fixture) {
	read := func(want apikey.Request) {
		f.Helper()
		f.view(func(v *store.View) error {
			got, err := v.KeyRequest(want.ID)
			f.same("request", want, got)
			return err
		})
	}
	for _, confirmed := range []bool{true, false} {
		r := f.request(func(r *apikey.Request) { r.Rotates, r.Key = confirmed, id.Key(f.ids.Next()) })
		read(r)
		f.pass(time.Second)
		f.mustUpdate(func(tx *store.Tx) error { return tx.EndKeyRequest(r.ID, confirmed) })
		r.EndedAt, r.Confirmed, r.Asker = f.now(), confirmed, ""
		read(r)
		err := f.update(func(tx *store.Tx) error { return tx.EndKeyRequest(r.ID, true) })
		f.same("ended twice", true, errors.Is(err, store.ErrNotFound))
		read(r)
	}
	err := f.update(func(tx *store.Tx) error { return tx.PutKeyRequest(apikey.Request{ID: "x", Workspace: "elsewhere"}) })
	f.same("in no workspace", true, errors.Is(err, store.ErrNotFound))
}

func testKeyRequestList(_ *testing.T, f *fixture) {
	var waiting []id.Request
	put := func(change func(*apikey.Request)) {
		waiting = append([]id.Request{f.request(change).ID}, waiting...)
	}
	put(nil)
	put(func(r *apikey.Request) { r.Actor = "another" })
	put(func(r *apikey.Request) { r.Actor, r.User = "another", "user-2" })
	put(func(r *apikey.Request) { r.Actor, r.User = "another", "user-3" })
	f.request(func(r *apikey.Request) { r.ExpiresAt = f.now() })
	ended := f.request(nil)
	f.mustUpdate(func(tx *store.Tx) error { return tx.EndKeyRequest(ended.ID, false) })
	list := func(what string, in store.RequestFilter, want ...id.Request) {
		f.Helper()
		f.view(func(v *store.View) error {
			found, err := v.KeyRequests(in)
			var got []id.Request
			for i := range found {
				got = append(got, found[i].ID)
			}
			f.same(what, want, got)
			return err
		})
	}
	all := store.RequestFilter{Workspace: f.ws}
	list("all that wait", all, waiting...)
	list("elsewhere", store.RequestFilter{Workspace: "elsewhere"})
	own := all
	own.User = "user-2"
	list("of one person", own, waiting[1], waiting[3])
	all.Page = store.Page{Limit: 2}
	list("the first page", all, waiting[:2]...)
	all.After = string(waiting[1])
	list("the page after", all, waiting[2:]...)
}

func testKeyRequestTotals(_ *testing.T, f *fixture) {
	first := f.request(nil)
	f.request(func(r *apikey.Request) { r.Rotates = true })
	f.request(func(r *apikey.Request) { r.Actor = "another" })
	f.request(func(r *apikey.Request) { r.ExpiresAt = f.now() })
	f.request(func(r *apikey.Request) { r.ExpiresAt = f.now().Add(100 * time.Hour) }) // by a clock that was ahead
	totals := func(of, keys int64) {
		f.Helper()
		f.view(func(v *store.View) error {
			n, err := v.KeyRequestTotal(f.ws, "user-2")
			f.must(err)
			f.same("of one actor", of, n)
			n, err = v.RequestedKeyTotal(f.ws)
			f.same("keys", keys, n)
			return err
		})
	}
	totals(2, 2)
	f.mustUpdate(func(tx *store.Tx) error { return tx.EndKeyRequest(first.ID, true) })
	totals(1, 1)
	f.pass(apikey.RequestLife)
	totals(0, 0)
	f.pass(2 * time.Hour)
	for range 3 {
		_, err := f.db.Purge(context.Background())
		f.must(err)
	}
	f.same("rows later", int64(1), f.count("key_requests")) // the one that ends too far ahead
	f.mustUpdate(func(tx *store.Tx) error { return tx.ForgetKeyRequests() })
	f.same("rows once forgotten", int64(0), f.count("key_requests"))
}

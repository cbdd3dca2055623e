package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/store"
)

// The log is the order of the changes. So after any concurrent changes to a workspace, the log played from its
// beginning shows no caller that granted, by a key, a role or a membership, permissions that they did not hold at
// that moment.
func TestT9TheLogShowsNobodyWhoGrantedWhatTheyDidNotHold(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	seed := rand.Uint64()
	c := &crowd{k: k, ws: ws}
	for i := range 4 {
		r, err := k.CreateRole(
			context.Background(), k.root, ws, control.CreateRole{Name: fmt.Sprintf("Role %d", i), Permissions: few},
		)
		must(t, err)
		c.roles = append(c.roles, string(r.ID))
	}
	for i := range 6 {
		c.users = append(c.users, fmt.Sprintf("u-%d", i))
		must(t, c.joins(k.root, c.users[i], c.roles[i%len(c.roles)]))
	}
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			for n := 0; n < 40 || n < 4000 && c.says() < 20; n++ {
				if err := c.act(r); err != nil && !refusal(err) {
					t.Errorf("seed %d: %v", seed, err)
				}
			}
		})
	}
	wg.Wait()
	c.replay(t, seed)
	if c.minted < 20 || c.refused.Load() < 20 {
		t.Errorf(
			"%d keys were made and %d times somebody was refused: too little to say anything", c.minted, c.refused.Load(),
		)
	}
}

// crowd is a number of people who all work in one workspace.
type crowd struct {
	k            *kit
	ws           string
	roles, users []string
	made         atomic.Int64 // keys
	refused      atomic.Int64
	minted       int // keys, by the log
}

// says is how often the rarer of the two events has been seen without which the history says nothing.
func (c *crowd) says() int64 { return min(c.made.Load(), c.refused.Load()) }

func refusal(err error) bool {
	var f *fault.Error
	return errors.As(err, &f) && f.Code != fault.Internal && f.Code != fault.Unavailable
}

func (c *crowd) joins(who control.Caller, user, role string) error {
	_, _, err := c.k.PutMember(
		context.Background(), who, c.ws, user, control.PutMember{Email: user + "@example.org", Role: role},
	)
	return err
}

// act has a random person, now and then the root, make a change.
func (c *crowd) act(r *rand.Rand) (err error) {
	ctx := context.Background()
	who, user, role := person(c.ws, oneOf(r, c.users)), oneOf(r, c.users), oneOf(r, c.roles)
	if r.IntN(5) == 0 {
		who = c.k.root
	}
	some := []string{}
	for _, p := range few {
		if r.IntN(3) > 0 {
			some = append(some, p)
		}
	}
	switch r.IntN(8) {
	case 0:
		_, err = c.k.UpdateRole(ctx, who, c.ws, role, control.UpdateRole{Permissions: control.Some(some)})
	case 1:
		_, err = c.k.UpdateMember(ctx, who, c.ws, user, control.UpdateMember{Role: control.Some(role)})
	case 2:
		if r.IntN(3) == 0 {
			_, err = c.k.RemoveMember(ctx, who, c.ws, user, control.RemoveMember{})
		}
	case 3:
		err = c.joins(who, user, role)
	default:
		in := control.CreateKey{Workspace: c.ws, User: user, Name: "k"}
		if r.IntN(3) > 0 {
			in.Permissions = control.Some(some[:len(some)/2])
		}
		if _, err = c.k.CreateKey(ctx, who, in); err == nil {
			c.made.Add(1)
		}
	}
	if err != nil {
		c.refused.Add(1)
	}
	return err
}

func oneOf(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

// played is the workspace as far as the log has been played.
type played struct {
	roles   map[string]names
	members map[string]string // user → role
}

func (p *played) holds(user string) names { return p.roles[p.members[user]] }

// replay plays the log and looks at each event before it is taken in.
func (c *crowd) replay(t *testing.T, seed uint64) {
	t.Helper()
	p := &played{roles: map[string]names{}, members: map[string]string{}}
	for _, role := range c.k.roles(t, c.ws) { // the system's, which nobody changes
		if role.System != "" {
			p.roles[string(role.ID)] = setOf(catalogue.Names(role.Permissions))
		}
	}
	must(t, c.k.db.View(context.Background(), func(v *store.View) error {
		events, err := v.Logs(store.LogFilter{All: true, Ascending: true})
		for _, e := range events {
			if string(e.Workspace) != c.ws {
				continue
			}
			var said struct {
				Target string
				After  after
			}
			if err := json.Unmarshal([]byte(e.Metadata), &said); err != nil {
				return err
			}
			e.Target = said.Target // which is not read with the event
			if wrong := p.beyond(e, said.After); e.ActorID != string(c.k.root.ServiceKey) && wrong != "" {
				t.Errorf("seed %d: event %d, %s by %s: %s", seed, e.Seq, e.Type, e.ActorID, wrong)
			}
			p.take(e, said.After)
			if e.Type == audit.APIKeyCreated {
				c.minted++
			}
		}
		return err
	}))
}

// after is the part of an event about the new state.
type after struct {
	UserID      string
	RoleID      string
	Permissions []string
}

// beyond returns the permissions that the actor granted without holding them, "" for none.
func (p *played) beyond(e audit.Event, now after) string {
	var granted names
	switch e.Type {
	case audit.APIKeyCreated:
		granted = setOf(now.Permissions)
		if creator := p.holds(now.UserID); !granted.within(creator) {
			return fmt.Sprintf("the key holds %v, its creator %v", granted, creator)
		}
	case audit.RoleUpdated:
		granted = names{}
		for _, n := range now.Permissions {
			if !p.roles[e.Target][n] {
				granted[n] = true
			}
		}
	case audit.MemberAdded, audit.MemberUpdated:
		if now.RoleID != "" {
			granted = p.roles[now.RoleID]
		}
	}
	if actor := p.holds(e.ActorID); !granted.within(actor) {
		return fmt.Sprintf("%v were granted by one who held %v", granted, actor)
	}
	return ""
}

func (p *played) take(e audit.Event, now after) {
	switch e.Type {
	case audit.RoleCreated, audit.RoleUpdated:
		if now.Permissions != nil {
			p.roles[e.Target] = setOf(now.Permissions)
		}
	case audit.MemberAdded, audit.MemberUpdated:
		if now.RoleID != "" {
			p.members[e.Target] = now.RoleID
		}
	case audit.MemberRemoved:
		delete(p.members, e.Target)
	}
}

//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
)

// flood is the process whose callers send an operation until it is told to stop.
type flood struct{ *helper }

// tenant is the large tenant, as the flooding process is told of it.
type tenant struct {
	Addr, Root, Workspace, Role, Owner, First, Large, Spinning string

	Many  []string
	Quick bool
}

// command is a line to the flooding process.
type command struct{ Do, Name string }

// startFlood starts the process with the lowest priority.
func (b *beside) startFlood() (*flood, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	h, err := startHelper(exec.Command("nice", "-n", "39", self, childWord, "flood"), b.l.log, tenant{
		Addr: b.addr, Root: b.root, Workspace: b.ws, Role: b.role, Owner: b.owner, First: b.first, Large: b.large,
		Spinning: b.spinning, Many: b.many, Quick: b.l.quick,
	})
	return &flood{h}, err
}

// tell has the process do something, and waits for its answer.
func (f *flood) tell(do, name string) error { return f.helper.tell(command{do, name}, nil) }

func init() { children["flood"] = floodChild }

func floodChild([]string) error {
	words := json.NewDecoder(os.Stdin)
	var t tenant
	if err := words.Decode(&t); err != nil {
		return err
	}
	b := &beside{
		site: &site{process: &process{addr: t.Addr}, root: t.Root}, l: &lab{quick: t.Quick},
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: besideCallers}},
		ws:     t.Workspace, role: t.Role, owner: t.Owner, first: t.First, large: t.Large, spinning: t.Spinning, many: t.Many,
	}
	calls := b.largest()
	made := map[string]*atomic.Int64{}
	stop := func() error { return nil }
	err := obey(words, func(c command) (_ any, err error) {
		if made[c.Name] == nil {
			made[c.Name] = new(atomic.Int64)
		}
		switch c.Do {
		case "try":
			err = b.send(calls[c.Name](int(made[c.Name].Load())), true)
		case "start":
			stop = b.loud(made[c.Name], calls[c.Name])
		case "stop":
			err = stop()
		}
		return nil, err
	})
	return errors.Join(err, stop())
}

// loud has callers send the operation until they are stopped.
func (b *beside) loud(n *atomic.Int64, call func(n int) ask) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	errs := make([]error, besideCallers)
	var work sync.WaitGroup
	for i := range besideCallers {
		work.Go(func() {
			for ctx.Err() == nil && errs[i] == nil {
				errs[i] = b.send(call(int(n.Add(1))), false)
			}
		})
	}
	return func() error {
		cancel()
		work.Wait()
		return errors.Join(errs...)
	}
}

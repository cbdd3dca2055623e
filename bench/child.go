package main

import "fmt"

// childWord as the first argument makes this program one of its own helpers: another process, so that a server and
// its clients do not share a scheduler or a heap.
const childWord = "child"

// children are the helpers by name.
var children = map[string]func(args []string) error{}

func child(args []string) error {
	if len(args) == 0 || children[args[0]] == nil {
		return fmt.Errorf("no such helper: %q", args)
	}
	return children[args[0]](args[1:])
}

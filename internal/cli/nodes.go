package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/keyward/keyward"
)

type nodesCmd struct {
	remote
}

func (nodesCmd) Help() string {
	return `Shows how far each process that serves the installation has come, and which have fallen silent: a fenced node answers no
verification. Under NOTES stand settings that a node has otherwise than the one that answered, and a pepper that it lacks. Needs a
service key with the scope manage. With SQLite there is one node. Below stand the followers of all nodes.

Example:
  keyward nodes`
}

// Run lists nodes.
func (c *nodesCmd) Run(ctx context.Context, a *app) error {
	client, err := c.client(a)
	if err != nil {
		return err
	}
	nodes, err := client.ListNodes(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.Out, nodes)
	}
	followers, err := client.ListFollowers(ctx)
	if err != nil {
		return err
	}
	t := newTable("ADDRESS", "STATE", "REVISION", "BEHIND", "CLOCK", "VERSION", "LAST SEEN", "ID", "NOTES")
	for _, n := range nodes {
		t.row(nodeAddress(n), string(n.State), strconv.FormatInt(n.Revision, 10), strconv.FormatInt(n.Behind, 10),
			fmt.Sprintf("%+d ms", n.ClockSkewMS), n.Version, moment(&n.LastSeenAt), n.ID, nodeNotes(&n))
	}
	t.print(a.Out)
	if len(followers) == 0 {
		return nil
	}
	fmt.Fprintln(a.Out)
	t = newTable("FOLLOWER", "STATE", "REVISION", "BEHIND", "AGE", "VERSION", "LAST SEEN", "NODE", "SERVICE KEY", "NOTES")
	for _, f := range followers {
		t.row(f.Name, string(f.State), strconv.FormatInt(f.Revision, 10), strconv.FormatInt(f.Behind, 10),
			fmt.Sprintf("%d ms", f.AgeMS), f.Version, moment(f.LastSeenAt), f.NodeID, f.ServiceKeyID, followerNotes(&f))
	}
	t.print(a.Out)
	return nil
}

// followerNotes says to which workspaces a follower is bound, about how many keys it asks, and which others follow it.
func followerNotes(f *keyward.Follower) string {
	var notes []string
	if f.WorkspaceIDs != nil {
		notes = append(notes, "bound to "+strings.Join(f.WorkspaceIDs, " "))
	}
	if f.KeysToAsk > 0 {
		notes = append(notes, fmt.Sprintf("asks about %d keys", f.KeysToAsk))
	}
	if f.LowestRevision != nil {
		notes = append(notes, fmt.Sprintf("%d follow it, the last of them at revision %d", f.Followers, *f.LowestRevision))
	}
	return strings.Join(notes, ", ")
}

// nodeAddress marks the node that answered.
func nodeAddress(n keyward.Node) string {
	if n.IsSelf {
		return n.Address + " (answered)"
	}
	return n.Address
}

// nodeNotes lists the points that an operator has to put right.
func nodeNotes(n *keyward.Node) string {
	var notes []string
	if n.Lacks != nil {
		notes = append(notes, "lacks the pepper "+*n.Lacks)
	}
	names := map[string]string{
		keyward.NodeRootKey: "root key", keyward.NodeCatalogue: "catalogue", keyward.NodePepper: "pepper",
	}
	for _, setting := range n.Differs {
		notes = append(notes, "another "+names[setting])
	}
	return strings.Join(notes, ", ")
}

package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/keyward/keyward"
)

// company is a customer of the product. It has a workspace of its own at Keyward.
type company struct {
	name, workspaceID, memberRoleID string
}

// companies knows the workspace of each company. A product keeps the two ids in its own database.
type companies struct {
	keyward *keyward.Client
	mu      sync.Mutex
	known   map[string]company
}

// enter finds the workspace of a company, or makes one that u owns.
func (c *companies) enter(ctx context.Context, name string, u user) (company, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.known[name]; ok {
		return known, nil
	}
	ws, err := c.workspace(ctx, name, u)
	if err != nil {
		return company{}, err
	}
	for role, err := range c.keyward.AllRoles(ctx, ws, keyward.ListOptions{}) {
		if err != nil {
			return company{}, err
		}
		if role.IsSystem && role.Name == "Member" {
			c.known[name] = company{name: name, workspaceID: ws, memberRoleID: role.ID}
			return c.known[name], nil
		}
	}
	return company{}, fmt.Errorf("workspace %s has no role Member", ws)
}

func (c *companies) workspace(ctx context.Context, name string, u user) (string, error) {
	for ws, err := range c.keyward.AllWorkspaces(ctx, keyward.ListOptions{}) {
		if err != nil {
			return "", err
		}
		if ws.Name == name {
			return ws.ID, nil
		}
	}
	ws, err := c.keyward.CreateWorkspace(ctx, keyward.CreateWorkspaceRequest{
		Name: name, Owner: &keyward.Owner{UserID: u.id, Email: u.email, DisplayName: u.name},
	})
	return ws.ID, err
}

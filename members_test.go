package keyward_test

import (
	"testing"

	"github.com/keyward/keyward"
)

const memberJSON = `{"workspaceId":"w1","userId":"u|1","email":"a@example.com","displayName":null,"roleId":"r1",
	"roleName":"Admin","isOwner":false,"keyCount":3,"createdAt":"2026-11-23T12:00:00.000Z","updatedAt":"2026-11-23T12:00:00.000Z"}`

var member = keyward.Member{
	WorkspaceID: "w1", UserID: "u|1", Email: "a@example.com", RoleID: "r1", RoleName: "Admin", KeyCount: 3,
	CreatedAt: noon, UpdatedAt: noon,
}

func TestEveryMemberOperationSaysWhatTheContractSays(t *testing.T) {
	t.Parallel()
	type put struct {
		Member keyward.Member
		Added  bool
	}
	putting := func(ctx ctx, c *keyward.Client) (any, error) {
		m, added, err := c.PutMember(ctx, "w1", "u|1", keyward.PutMemberRequest{
			Email: "a@example.com", DisplayName: keyward.Null[string](), RoleID: "r1",
		})
		return put{m, added}, err
	}
	removing := func(how keyward.RemoveMemberOptions, opts ...keyward.ChangeOption) func(ctx,
		*keyward.Client) (any, error) {
		return func(ctx ctx, c *keyward.Client) (any, error) {
			return c.RemoveMember(ctx, "w1", "u1", how, opts...)
		}
	}
	const (
		uri     = "/api/v2/workspaces/w1/members"
		removed = `{"removed":"u1","keys":{"stopped":1,"kept":2,"transferred":3}}`
		putBody = `{"email":"a@example.com","displayName":null,"roleId":"r1"}`
	)
	removal := keyward.Removal{UserID: "u1", Keys: keyward.RemovedKeys{Stopped: 1, Kept: 2, Transferred: 3}}
	operations := []operation{
		{
			name: "list",
			call: func(ctx ctx, c *keyward.Client) (any, error) {
				return c.ListMembers(ctx, "w1", keyward.ListOptions{})
			},
			method: "GET", uri: uri, answer: `{"members":[` + memberJSON + `],"pagination":{}}`,
			want: keyward.MemberPage{Members: []keyward.Member{member}},
		},
		{
			name:   "get",
			call:   func(ctx ctx, c *keyward.Client) (any, error) { return c.GetMember(ctx, "w1", "u|1") },
			method: "GET", uri: uri + "/u%7C1", answer: `{"member":` + memberJSON + `}`, want: member,
		},
		{
			name: "put, new", call: putting, method: "PUT", uri: uri + "/u%7C1", status: 201, body: putBody,
			answer: `{"member":` + memberJSON + `}`, want: put{member, true},
		},
		{
			name: "put, there before", call: putting, method: "PUT", uri: uri + "/u%7C1", body: putBody,
			answer: `{"member":` + memberJSON + `}`, want: put{member, false},
		},
		{
			name: "update",
			call: func(ctx ctx, c *keyward.Client) (any, error) {
				return c.UpdateMember(ctx, "w1", "u|1", keyward.MemberUpdate{RoleID: keyward.Set("r2")})
			},
			method: "PATCH", uri: uri + "/u%7C1", body: `{"roleId":"r2"}`,
			answer: `{"member":` + memberJSON + `}`, want: member,
		},
		{
			name: "remove", call: removing(keyward.RemoveMemberOptions{}),
			method: "DELETE", uri: uri + "/u1", answer: removed, want: removal,
		},
		{
			name: "remove, keys kept", call: removing(keyward.RemoveMemberOptions{Keys: keyward.KeepKeys}, keyward.WaitAll()),
			method: "DELETE", uri: uri + "/u1?keys=keep&wait=all", answer: removed, want: removal,
		},
		{
			name:   "try to remove, keys transferred",
			call:   removing(keyward.RemoveMemberOptions{Keys: keyward.TransferKeys("u2"), DryRun: true}),
			method: "DELETE", uri: uri + "/u1?dryRun=true&keys=transfer%3Au2", answer: removed, want: removal,
		},
	}
	at := noon
	operations = append(operations, operation{
		name: "remove after a leak", call: removing(keyward.RemoveMemberOptions{Reason: keyward.ReasonLeaked}),
		method: "DELETE", uri: uri + "/u1?reason=leaked", answer: removed, want: removal,
	}, operation{
		name: "remove, to be undone", call: removing(keyward.RemoveMemberOptions{}), method: "DELETE", uri: uri + "/u1",
		answer: `{"removed":"u1","keys":{"stopped":1,"kept":0,"transferred":0},"removalId":"m1","restorableUntil":"2026-11-23T12:00:00.000Z"}`,
		want:   keyward.Removal{UserID: "u1", Keys: keyward.RemovedKeys{Stopped: 1}, RemovalID: "m1", RestorableUntil: &at},
	}, operation{
		name:   "restore",
		call:   func(ctx ctx, c *keyward.Client) (any, error) { return c.RestoreMember(ctx, "w1", "u1", "m1") },
		method: "POST", uri: uri + "/u1/restore", body: `{"removalId":"m1"}`,
		answer: `{"member":` + memberJSON + `,"keys":{"enabled":1,"returned":2,"unchanged":3}}`,
		want:   keyward.Restoration{Member: member, Keys: keyward.RestoredKeys{Enabled: 1, Returned: 2, Unchanged: 3}},
	})
	for _, o := range operations {
		t.Run(o.name, o.run)
	}
}

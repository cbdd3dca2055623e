package keyward_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward"
)

type ctx = context.Context

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const keyJSON = `{"id":"k1","key":"kw_live_AbCd…wxyz","workspaceId":"w1","userId":"u1","name":"CI","isActive":true,
	"createdAt":"2026-11-23T12:00:00.000Z","updatedAt":"2026-11-23T12:00:00.000Z","lastUsedAt":null,
	"expiresAt":"2026-11-23T12:00:00.000Z","rateLimit":{"requestsPerMinute":60,"requestsPerDay":null},
	"permissions":["calls:read"],"creator":{"id":"u1","email":"a@example.com","displayName":null},"environment":"live",
	"description":null,"metadata":{"team":"a"},"allowedIps":["10.0.0.0/8"],"previousKeys":[],"aFieldOfTomorrow":1}`

var key = keyward.APIKey{
	ID: "k1", Key: "kw_live_AbCd…wxyz", WorkspaceID: "w1", UserID: "u1", Name: "CI", IsActive: true,
	CreatedAt: noon, UpdatedAt: noon, ExpiresAt: &noon, RateLimit: keyward.RateLimit{RequestsPerMinute: new(60)},
	Permissions: []string{"calls:read"}, Creator: keyward.Creator{ID: "u1", Email: "a@example.com"}, Environment: "live",
	Metadata: map[string]any{"team": "a"}, AllowedIPs: []string{"10.0.0.0/8"}, PreviousKeys: []keyward.PreviousKey{},
}

const revocationJSON = `{"effective":"everywhere","nodes":{"confirmed":1,"pending":0},"deadline":"2026-11-23T12:00:00.000Z"}`

var revocation = &keyward.Revocation{
	Effective: "everywhere", Nodes: keyward.RevocationNodes{Confirmed: 1}, Deadline: noon,
}

func TestEveryKeyOperationSaysWhatTheContractSays(t *testing.T) {
	t.Parallel()
	operations := []operation{
		{
			name: "create with all that the creator holds",
			call: func(ctx ctx, c *keyward.Client) (any, error) {
				return c.CreateKey(ctx, keyward.CreateKeyRequest{UserID: "u1", Name: "CI"})
			},
			method: "POST", uri: "/api/v2/api-keys", body: `{"userId":"u1","name":"CI"}`, status: 201,
			answer: `{"apiKey":` + keyJSON + `,"key":"` + fullKey + `"}`,
			want:   keyward.CreatedKey{APIKey: key, Key: keyward.NewSecret(fullKey)},
		},
		{
			name: "create with everything given",
			call: func(ctx ctx, c *keyward.Client) (any, error) {
				return c.CreateKey(ctx, keyward.CreateKeyRequest{
					WorkspaceID: "w1", UserID: "u1", Name: "CI", Permissions: keyward.Permissions(), ExpiresAt: &noon,
					RateLimit:   keyward.Set(keyward.Limits{RequestsPerMinute: keyward.Set(60), RequestsPerDay: keyward.Null[int]()}),
					Environment: keyward.EnvironmentTest, Description: "d", Metadata: map[string]any{"a": "b"},
					AllowedIPs: []string{"10.0.0.0/8"},
				})
			},
			method: "POST", uri: "/api/v2/api-keys", status: 201,
			body: `{"workspaceId":"w1","userId":"u1","name":"CI","permissions":[],"expiresAt":"2026-11-23T12:00:00Z",
				"rateLimit":{"requestsPerMinute":60,"requestsPerDay":null},"environment":"test","description":"d",
				"metadata":{"a":"b"},"allowedIps":["10.0.0.0/8"]}`,
			answer: `{"apiKey":` + keyJSON + `,"key":"` + fullKey + `"}`,
			want:   keyward.CreatedKey{APIKey: key, Key: keyward.NewSecret(fullKey)},
		},
		{
			name: "list",
			call: func(ctx ctx, c *keyward.Client) (any, error) {
				return c.ListKeys(ctx, keyward.ListKeysOptions{
					WorkspaceID: "w1", UserID: "a+b", IsActive: new(false), Search: "x y", Limit: 10, Cursor: "c",
				})
			},
			method: "GET", uri: "/api/v2/api-keys?cursor=c&isActive=false&limit=10&search=x+y&userId=a%2Bb&workspaceId=w1",
			answer: `{"apiKeys":[` + keyJSON + `],"pagination":{"limit":10,"nextCursor":null,"hasNext":false}}`,
			want:   keyward.KeyPage{APIKeys: []keyward.APIKey{key}, Pagination: keyward.Pagination{Limit: 10}},
		},
		{
			name: "list, by conditions",
			call: func(ctx ctx, c *keyward.Client) (any, error) {
				return c.ListKeys(
					ctx,
					keyward.ListKeysOptions{
						Status: keyward.StatusExpired, Environment: keyward.EnvironmentTest, Permission: "calls:read",
						ExpiringBefore: noon, UnusedSince: noon, TriedSince: noon, SortBy: keyward.ByLastTry,
						SortOrder: keyward.Ascending, Counts: true,
					},
				)
			},
			method: "GET", uri: "/api/v2/api-keys?counts=true&environment=test&expiringBefore=2026-11-23T12%3A00%3A00Z&permission=calls%3Aread&sortBy=lastTriedAt" +
				"&sortOrder=asc&status=expired&triedSince=2026-11-23T12%3A00%3A00Z&unusedSince=2026-11-23T12%3A00%3A00Z",
			answer: `{"apiKeys":[],"pagination":{"limit":50,"nextCursor":"c","hasNext":true},
				"counts":{"total":null,"active":0,"expiring":0,"expired":3,"disabled":0}}`,
			want: keyward.KeyPage{
				APIKeys: []keyward.APIKey{}, Pagination: keyward.Pagination{Limit: 50, NextCursor: "c", HasNext: true},
				Counts: &keyward.KeyCounts{Active: new(0), Expiring: new(0), Expired: new(3), Disabled: new(0)},
			},
		},
		{
			name:   "get, the id escaped",
			call:   func(ctx ctx, c *keyward.Client) (any, error) { return c.GetKey(ctx, "a/b?c") },
			method: "GET", uri: "/api/v2/api-keys/a%2Fb%3Fc", answer: `{"apiKey":` + keyJSON + `}`, want: key,
		},
		{
			name:   "self",
			call:   func(ctx ctx, c *keyward.Client) (any, error) { return c.SelfKey(ctx) },
			method: "GET", uri: "/api/v2/api-keys/self", answer: `{"apiKey":` + keyJSON + `}`, want: key,
		},
		{
			name: "permissions",
			call: func(ctx ctx, c *keyward.Client) (any, error) { return c.ListPermissions(ctx) }, method: "GET",
			uri:    "/api/v2/permissions",
			answer: `{"permissions":[{"name":"calls:read","resource":"calls","action":"read","description":"See calls."}]}`,
			want:   []keyward.Permission{{Name: "calls:read", Resource: "calls", Action: "read", Description: "See calls."}},
		},
	}
	for _, o := range operations {
		t.Run(o.name, o.run)
	}
}

func TestEveryChangeOfKeysSaysWhatTheContractSays(t *testing.T) {
	t.Parallel()
	operations := []operation{
		{
			name: "update tells absent from null from a value",
			call: func(ctx ctx, c *keyward.Client) (any, error) {
				return c.UpdateKeys(ctx, []keyward.KeyUpdate{
					{ID: "k1", Name: keyward.Set("n"), IsActive: keyward.Set(false), ExpiresAt: keyward.Null[time.Time]()},
					{ID: "k2", RateLimit: keyward.Null[keyward.Limits](), AllowedIPs: keyward.Set([]string{})},
					{ID: "k3", RateLimit: keyward.Set(keyward.Limits{RequestsPerDay: keyward.Set(5)})},
				})
			},
			method: "PUT", uri: "/api/v2/api-keys",
			body: `{"apiKeys":[{"id":"k1","name":"n","isActive":false,"expiresAt":null},
				{"id":"k2","rateLimit":null,"allowedIps":[]},{"id":"k3","rateLimit":{"requestsPerDay":5}}]}`,
			answer: `{"updated":[` + keyJSON + `],"errors":[{"id":"k2","error":"not_found","details":[]}],"revocation":` +
				revocationJSON + `}`,
			want: keyward.UpdatedKeys{
				Updated: []keyward.APIKey{key}, Revocation: revocation,
				Errors: []keyward.ItemError{{ID: "k2", Code: keyward.CodeNotFound, Details: []keyward.Detail{}}},
			},
		},
		{
			name: "delete several",
			call: func(ctx ctx, c *keyward.Client) (any, error) {
				return c.DeleteKeys(ctx, []string{"k1"}, keyward.WaitAll())
			},
			method: "DELETE", uri: "/api/v2/api-keys?wait=all", body: `{"ids":["k1"]}`,
			answer: `{"deleted":["k1"],"errors":[],"revocation":` + revocationJSON + `}`,
			want:   keyward.Deletion{Deleted: []string{"k1"}, Errors: []keyward.ItemError{}, Revocation: revocation},
		},
		{
			name:   "delete one",
			call:   func(ctx ctx, c *keyward.Client) (any, error) { return c.DeleteKey(ctx, "k1") },
			method: "DELETE", uri: "/api/v2/api-keys/k1", answer: `{"deleted":["k1"]}`,
			want: keyward.Deletion{Deleted: []string{"k1"}},
		},
		{
			name: "rotate",
			call: func(ctx ctx, c *keyward.Client) (any, error) {
				return c.RotateKey(ctx, "k1", 90*time.Second, keyward.WaitAll())
			},
			method: "POST", uri: "/api/v2/api-keys/k1/rotate?wait=all", body: `{"overlapSeconds":90}`,
			answer: `{"apiKey":` + keyJSON + `,"key":"` + fullKey + `","revocation":` + revocationJSON + `}`,
			want:   keyward.CreatedKey{APIKey: key, Key: keyward.NewSecret(fullKey), Revocation: revocation},
		},
		{
			name: "import",
			call: func(ctx ctx, c *keyward.Client) (any, error) {
				return c.ImportKeys(ctx, keyward.ImportKeysRequest{WorkspaceID: "w1", APIKeys: []keyward.ImportKey{
					{UserID: "u1", Name: "a", Generate: true},
					{UserID: "u2", Name: "b", Permissions: new([]string), IsActive: new(false), SHA256: "ab", MaskedKey: "x…y"},
					{UserID: "u3", Name: "c", Rehash: true, Digest: &keyward.ImportDigest{
						Algorithm: "hmac-sha256", Value: "q", Encoding: "base64", Secret: "crm"}},
				}})
			},
			method: "POST", uri: "/api/v2/api-keys/import", status: 201,
			body: `{"workspaceId":"w1","apiKeys":[{"userId":"u1","name":"a","generate":true},
				{"userId":"u2","name":"b","permissions":[],"isActive":false,"sha256":"ab","maskedKey":"x…y"},
				{"userId":"u3","name":"c","digest":{"algorithm":"hmac-sha256","value":"q","encoding":"base64","secret":"crm"},"rehash":true}]}`,
			answer: `{"imported":[{"index":0,"id":"k1","key":"` + fullKey + `"},{"index":2,"id":"k2","key":null}],
				"errors":[{"index":1,"error":"not_found","details":[{"field":"userId","message":"no"}]}]}`,
			want: keyward.ImportedKeys{
				Imported: []keyward.ImportedKey{{ID: "k1", Key: keyward.NewSecret(fullKey)}, {Index: 2, ID: "k2"}},
				Errors: []keyward.ImportError{
					{Index: 1, Code: keyward.CodeNotFound, Details: []keyward.Detail{{Field: "userId", Message: "no"}}},
				},
			},
		},
	}
	for _, o := range operations {
		t.Run(o.name, o.run)
	}
}

func TestASetThatCameOutNilIsEmptyAndNotEverything(t *testing.T) {
	t.Parallel()
	client, last := answering(t, 201, result(`{"apiKey":`+keyJSON+`,"key":"kw_live_x"}`))
	var computed []string
	for _, set := range []*[]string{&computed, keyward.Permissions(computed...)} {
		_, err := client.CreateKey(t.Context(), keyward.CreateKeyRequest{UserID: "u", Name: "n", Permissions: set})
		if err != nil {
			t.Fatal(err)
		}
		sameJSON(t, `{"userId":"u","name":"n","permissions":[]}`, last().Body)
	}
}

func TestAnIdempotencyKeyTravelsAsAHeaderOnly(t *testing.T) {
	t.Parallel()
	client, last := answering(t, 201, result(`{"apiKey":`+keyJSON+`,"key":"kw_live_x"}`))
	created, err := client.CreateKey(t.Context(),
		keyward.CreateKeyRequest{UserID: "u", Name: "n", IdempotencyKey: "once-1"})
	if err != nil || created.Key.Reveal() != "kw_live_x" {
		t.Fatal(err)
	}
	request := last()
	sameJSON(t, `{"userId":"u","name":"n"}`, request.Body)
	if got := request.Header.Get("Idempotency-Key"); got != "once-1" {
		t.Errorf("Idempotency-Key was %q", got)
	}
	if _, err := client.RotateKeyOnce(t.Context(), "k", time.Minute, "once-2"); err != nil {
		t.Fatal(err)
	}
	request = last()
	sameJSON(t, `{"overlapSeconds":60}`, request.Body)
	if got := request.Header.Get("Idempotency-Key"); got != "once-2" {
		t.Errorf("Idempotency-Key of a rotation was %q", got)
	}
	if _, err := client.RotateKey(t.Context(), "k", 0); err != nil || last().Header.Get("Idempotency-Key") == "" {
		t.Errorf("a rotation without one carries none of its own, or fails: %v", err)
	}
}

// T19: an answer without the value is an error that names the key, so that no caller takes "" for a value.
func TestT19AReplayWithoutTheValueIsAnErrorThatNamesTheKey(t *testing.T) {
	t.Parallel()
	client, _ := answering(t, 201, result(`{"apiKey":`+keyJSON+`,"key":null}`))
	for name, call := range map[string]func() (keyward.CreatedKey, error){
		"create": func() (keyward.CreatedKey, error) {
			return client.CreateKey(t.Context(), keyward.CreateKeyRequest{IdempotencyKey: "once"})
		},
		"rotate": func() (keyward.CreatedKey, error) { return client.RotateKeyOnce(t.Context(), "k", 0, "once") },
	} {
		created, err := call()
		replay, ok := errors.AsType[*keyward.ReplayError](err)
		if !ok || replay.APIKey.ID == "" || created.APIKey.ID != replay.APIKey.ID || !created.Key.IsZero() {
			t.Errorf("%s: %v, %v", name, created, err)
		} else if !strings.Contains(err.Error(), replay.APIKey.ID) {
			t.Errorf("%s: %q does not name the key", name, err)
		}
	}
}

func TestAllKeysWalksThePagesAndStopsWhereItIsToldTo(t *testing.T) {
	t.Parallel()
	pages := map[string]string{
		"":   `{"apiKeys":[{"id":"1"},{"id":"2"}],"pagination":{"limit":2,"nextCursor":"c2","hasNext":true}}`,
		"c2": `{"apiKeys":[{"id":"3"}],"pagination":{"limit":2,"nextCursor":null,"hasNext":false}}`,
	}
	client, asked := paging(t, pages)
	var ids []string
	for k, err := range client.AllKeys(t.Context(), keyward.ListKeysOptions{WorkspaceID: "w1"}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, k.ID)
	}
	if diff := cmp.Diff([]string{"1", "2", "3"}, ids); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
	for range client.AllKeys(t.Context(), keyward.ListKeysOptions{WorkspaceID: "w1"}) {
		break
	}
	if got := asked(); got != 3 {
		t.Errorf("%d pages were asked for, want 2 and then 1", got)
	}
}

package dashboard

import (
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/audit"
)

// told is the sentence about an event as plain text.
func told(kind audit.Type, description, metadata string) string {
	v := &request{
		known: map[string]person{
			"mia": {ID: "mia", Name: "Mia", Kind: "user"}, "eve": {ID: "eve", Name: "Eve", Kind: "user"},
		},
	}
	e := &audit.Event{Type: kind, Description: description, ActorID: "ada", Metadata: metadata}
	var b strings.Builder
	for _, w := range v.words(e, eventDetails(e)) {
		b.WriteString(w.Text)
	}
	return b.String()
}

func TestTheLogSpeaksInVerbs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind                  audit.Type
		description, metadata string
		want                  string
	}{
		{audit.MemberUpdated, "",
			`{"target":"mia","before":{"roleName":"Support agent","roleId":"1"},"after":{"roleName":"Admin","roleId":"2"}}`,
			"made Mia Admin (was Support agent)"},
		{audit.MemberUpdated, "", `{"target":"mia","before":{"email":"a@b"},"after":{"email":"c@d"}}`,
			"changed Mia: e-mail a@b → c@d"},
		{audit.MemberAdded, "", `{"target":"mia","after":{"roleName":"Viewer"}}`, "added Mia as Viewer"},
		{audit.MemberRemoved, "", `{"target":"mia","note":{"keys":{"stopped":3,"kept":0,"transferred":1}}}`,
			"removed Mia: 3 keys stopped, 1 key transferred"},
		{audit.MemberRemoved, "", `{"target":"mia"}`, "removed Mia"},
		{audit.MemberRestored, "", `{"target":"mia","note":{"keys":{"enabled":2,"returned":0}}}`,
			"undid the removal of Mia: 2 keys enabled"},
		{audit.WebhookCreated, "webhook to https://a.example created", `{"target":"w"}`,
			"created the webhook to https://a.example"},
		{audit.WebhookUpdated, "webhook to https://a.example updated",
			`{"target":"w","before":{"isActive":true},"after":{"isActive":false}}`,
			"switched off the webhook to https://a.example"},
		{audit.WebhookUpdated, "webhook to https://a.example updated",
			`{"target":"w","before":{"events":["api_key.created"]},"after":{"events":["api_key.created","api_key.revoked"]}}`,
			"changed the webhook to https://a.example: events api_key.created → api_key.created, api_key.revoked"},
		{audit.WebhookUpdated, "webhook to https://b.example updated", `{"target":"w","note":{"urlChanged":true}}`,
			"changed the URL of a webhook to https://b.example"},
		{audit.WebhookRotated, "secret of the webhook to https://a.example rotated", `{"note":{"overlapSeconds":0}}`,
			"rotated the secret of the webhook to https://a.example; the old secret ended at once"},
		{audit.WebhookTested, "webhook to https://a.example tested", `{}`, "tested the webhook to https://a.example"},
		{audit.WebhookReplayed, "webhook to https://a.example sent a notice again", `{}`,
			"sent a notice again to the webhook to https://a.example"},
		{audit.WebhookDisabled, "webhook to https://a.example switched off: gone", `{"note":{"reason":"gone"}}`,
			"switched off the webhook to https://a.example, since it answered 410"},
		{audit.WebhookDeleted, "webhook to https://a.example deleted", `{}`, "deleted the webhook to https://a.example"},
		{audit.APIKeyCreated, `API key "a "b"" of mia created`, `{"target":"k","after":{"userId":"mia"}}`,
			`created the key a "b" for Mia`},
		{audit.APIKeyUpdated, `API key "k" of mia updated`,
			`{"before":{"isActive":true,"disabledBy":null},"after":{"isActive":false,"disabledBy":"ada"}}`,
			"disabled the key k"},
		{audit.APIKeyUpdated, `API key "k" of mia updated`, `{"before":{"isActive":false},"after":{"isActive":true}}`,
			"enabled the key k"},
		{audit.APIKeyUpdated, `API key "k" of mia updated`,
			`{"before":{"requestsPerMinute":60},"after":{"requestsPerMinute":600}}`,
			"changed the key k: limit per minute 60 → 600"},
		{audit.APIKeyUpdated, `API key "k" of mia updated`,
			`{"before":{"requestsPerMinute":null},"after":{"requestsPerMinute":600}}`,
			"changed the key k: limit per minute none → 600"},
		{audit.APIKeyUpdated, `API key "new" of mia updated`, `{"before":{"name":"old"},"after":{"name":"new"}}`,
			"renamed the key old to new"},
		{audit.APIKeyUpdated, `API key "k": its creator mia was removed`,
			`{"before":{"userId":"mia"},"after":{"userId":"eve"},"note":{"reason":"member.removed"}}`,
			"handed the key k to Eve, since its creator was removed"},
		{audit.APIKeyRotated, `API key "k" of mia rotated`, `{"note":{"overlapSeconds":60}}`,
			"rotated the key k; the old value worked for 60 seconds more"},
		{audit.RoleUpdated, `role "r" updated`,
			`{"before":{"permissions":["a:read","b:read"]},"after":{"permissions":["b:read","c:read","d:read"]}}`,
			"changed the role r: +2 permissions, −1 permission"},
		{audit.WorkspaceUpdated, "", `{"before":{"permissionMode":"capped"},"after":{"permissionMode":"frozen"}}`,
			"changed the settings: permission mode capped → frozen"},
		{audit.WorkspaceUpdated, "", `{"before":{"isActive":true},"after":{"isActive":false}}`, "deactivated the workspace"},
		{"thing.done", "a thing was done", `not JSON`, "a thing was done"},
		{audit.APIKeyUpdated, "no name", `{"target":"k1"}`, "changed the key k1"},
	} {
		if got := told(c.kind, c.description, c.metadata); got != c.want {
			t.Errorf("%s %s:\n got %s\nwant %s", c.kind, c.metadata, got, c.want)
		}
	}
}

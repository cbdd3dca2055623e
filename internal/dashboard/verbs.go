package dashboard

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/notice"
)

// word is a part of the sentence about an event: plain, or a thing with a link to it.
type word struct {
	Text string
	Link string // "" for plain words
}

// telling makes the sentence of an event in verbs, without its subject: "made Mia Admin (was Support agent)".
type telling struct {
	v     *request
	event *audit.Event
	m     *eventMetadata
	words []word
}

func (t *telling) say(format string, args ...any) *telling {
	t.words = append(t.words, word{Text: fmt.Sprintf(format, args...)})
	return t
}

func (t *telling) thing(text, link string) *telling {
	t.words = append(t.words, word{Text: text, Link: link})
	return t
}

func (t *telling) after(field string) string { return shown(t.m.After[field]) }

func (t *telling) before(field string) string { return shown(t.m.Before[field]) }

// changed tells whether the event changed a field of an object that was there before.
func (t *telling) changed(field string) bool {
	_, was := t.m.Before[field]
	_, is := t.m.After[field]
	return was && is
}

// person names the member that the event is about.
func (t *telling) person() *telling {
	return t.thing(t.v.actor(t.m.Target, control.TypeSession).Name, "/log?about="+url.QueryEscape(t.m.Target))
}

// key names the key that the event is about: its name stands in the description, also where it did not change.
func (t *telling) key() *telling {
	name := named(t.event.Description)
	if name == "" {
		name = t.m.Target
	}
	if t.event.Type == audit.APIKeyDeleted {
		return t.thing(name, "/log?about="+url.QueryEscape(t.m.Target))
	}
	return t.thing(name, "/keys/"+url.PathEscape(t.m.Target))
}

// webhook names the webhook that the event is about by the origin of its URL, as the description does.
func (t *telling) webhook() *telling {
	_, rest, _ := strings.Cut(t.event.Description, "webhook to ")
	origin, _, _ := strings.Cut(rest, " ")
	if t.event.Type == audit.WebhookDeleted {
		return t.thing(origin, "/log?about="+url.QueryEscape(t.m.Target))
	}
	return t.thing(origin, webhookPath(t.m.Target))
}

func (t *telling) role() *telling {
	name := named(t.event.Description)
	if t.event.Type == audit.RoleDeleted {
		return t.thing(name, "/log?about="+url.QueryEscape(t.m.Target))
	}
	return t.thing(name, "/roles/"+url.PathEscape(t.m.Target))
}

// named is the name that a description puts into quotation marks.
func named(description string) string {
	_, rest, found := strings.Cut(description, `"`)
	end := strings.LastIndex(rest, `"`)
	if !found || end < 0 {
		return ""
	}
	return rest[:end]
}

// tellings are the sentences of the events that have one; every other event is told by its description.
var tellings = map[audit.Type]func(*telling){
	audit.MemberAdded: func(t *telling) { t.say("added ").person().say(" as %s", t.after("roleName")) },
	audit.MemberUpdated: func(t *telling) {
		if t.changed("roleName") {
			t.say("made ").person().say(" %s (was %s)", t.after("roleName"), t.before("roleName"))
			return
		}
		t.say("changed ").person().say("%s", t.fields("displayName", "name", "email", "e-mail"))
	},
	audit.MemberRemoved: func(t *telling) {
		t.say("removed ").person().say("%s", t.counts("stopped", "kept", "transferred"))
	},
	audit.MemberRestored: func(t *telling) {
		t.say("undid the removal of ").person().say("%s", t.counts("enabled", "returned"))
	},
	audit.MemberInvited:     func(t *telling) { t.say("invited ").person().say(" to sign in") },
	audit.MemberSignInReset: func(t *telling) { t.say("reset the sign-in of ").person() },
	audit.RoleCreated:       func(t *telling) { t.say("created the role ").role() },
	audit.RoleUpdated:       func(t *telling) { t.say("changed the role ").role().say("%s", t.permissions()) },
	audit.RoleDeleted:       func(t *telling) { t.say("deleted the role ").role() },
	audit.APIKeyCreated: func(t *telling) {
		t.say("created the key ").key()
		if user := t.after("userId"); user != "" && user != t.event.ActorID {
			t.say(" for ").thing(t.v.actor(user, control.TypeSession).Name, "/keys?user="+url.QueryEscape(user))
		}
	},
	audit.APIKeyUpdated: (*telling).keyUpdate,
	audit.APIKeyRotated: func(t *telling) { t.say("rotated the key ").key().say("%s", t.overlap()) },
	audit.APIKeyRevoked: func(t *telling) { t.say("revoked the key ").key().say(" for good") },
	audit.APIKeyDeleted: func(t *telling) { t.say("deleted the key ").key() },
	audit.APIKeyRequested: func(t *telling) {
		t.say("asked for the key %s, which a member has to confirm", named(t.event.Description))
	},
	audit.APIKeyDeclined: func(t *telling) { t.say("declined a request for a key") },
	audit.WorkspaceUpdated: func(t *telling) {
		switch {
		case t.changed("isActive") && t.after("isActive") == "yes":
			t.say("activated the workspace")
		case t.changed("isActive"):
			t.say("deactivated the workspace")
		default:
			t.say("changed the settings%s", t.fields(settingWords...))
		}
	},
	audit.WebhookCreated: func(t *telling) { t.say("created the webhook to ").webhook() },
	audit.WebhookUpdated: (*telling).webhookUpdate,
	audit.WebhookDeleted: func(t *telling) { t.say("deleted the webhook to ").webhook() },
	audit.WebhookRotated: func(t *telling) {
		t.say("rotated the secret of the webhook to ").webhook().say("%s", t.overlapOf("secret", "signed"))
	},
	audit.WebhookTested:   func(t *telling) { t.say("tested the webhook to ").webhook() },
	audit.WebhookReplayed: func(t *telling) { t.say("sent a notice again to the webhook to ").webhook() },
	audit.WebhookDisabled: func(t *telling) {
		t.say("switched off the webhook to ").webhook().say("%s", disabledWhy[shown(t.m.Note["reason"])])
	},
	audit.SessionStarted: func(t *telling) { t.say("signed in") },
	audit.LogArchived:    func(t *telling) { t.say("archived a part of the log") },
}

// settingWords are the fields of a workspace and their words.
var settingWords = []string{
	"name", "name", "permissionMode", "permission mode", "requireExpiry", "expiry required", "selfRotation",
	"self-rotation", "maxKeyLifetimeSeconds", "longest lifetime (s)", "defaultRequestsPerMinute",
	"default limit per minute", "defaultRequestsPerDay", "default limit per day", "maxKeys", "most keys", "maxMembers",
	"most members", "maxRoles", "most roles", "maxEventsPerDay", "most changes a day",
}

// disabledWhy says why Keyward switches a webhook off.
var disabledWhy = map[string]string{
	notice.Failing: ", since a notice could not be delivered for three days", notice.Gone: ", since it answered 410",
}

// webhookUpdate tells of a change of a webhook: one that switches it says so alone.
func (t *telling) webhookUpdate() {
	switch {
	case t.changed("isActive") && t.after("isActive") == "yes":
		t.say("switched on the webhook to ").webhook()
	case t.changed("isActive"):
		t.say("switched off the webhook to ").webhook()
	case len(t.m.Note["urlChanged"]) > 0:
		t.say("changed the URL of a webhook to ").webhook()
	default:
		t.say("changed the webhook to ").webhook().say("%s", t.fields("events", "events", "description", "description"))
	}
}

// keyUpdate tells of a change of a key: one that switches it says so alone.
func (t *telling) keyUpdate() {
	why := shown(t.m.Note["reason"])
	switch {
	case why == "member.removed" && t.changed("userId"):
		t.say("handed the key ").
			key().
			say(" to ").
			thing(t.v.actor(t.after("userId"), control.TypeSession).Name, "/keys?user="+url.QueryEscape(t.after("userId")))
	case t.changed("isActive") && t.after("isActive") == "yes":
		t.say("enabled the key ").key()
	case t.changed("isActive"):
		t.say("disabled the key ").key()
	case why == "value.revoked":
		t.say("ended an earlier value of the key ").key()
		return
	case t.changed("name") && len(t.m.After) == 1:
		t.say("renamed the key %s to ", t.before("name")).thing(t.after("name"), "/keys/"+url.PathEscape(t.m.Target))
		return
	default:
		t.say("changed the key ").key()
	}
	switch why {
	case "member.removed":
		t.say(", since its creator was removed")
	case "member.added":
		t.say(", since its creator is back")
	case "member.restored":
		t.say(", since a removal was undone")
	default:
		t.say(
			"%s",
			t.fields(
				"name", "name", "requestsPerMinute", "limit per minute", "requestsPerDay", "limit per day", "expiresAt", "expires",
				"allowedIps", "allowed IPs", "description", "description", "metadata", "metadata",
			),
		)
	}
}

// fields lists changed fields with what they were and are, ": limit per minute 60 → 600"; pairs are fields and words.
func (t *telling) fields(pairs ...string) string {
	var parts []string
	for i := 0; i+1 < len(pairs); i += 2 {
		if t.changed(pairs[i]) {
			parts = append(parts, pairs[i+1]+" "+none(t.before(pairs[i]))+" → "+none(t.after(pairs[i])))
		}
	}
	if parts == nil {
		return ""
	}
	return ": " + clippedTo(strings.Join(parts, ", "), 200)
}

func none(text string) string {
	if text == "" {
		return "none"
	}
	return clippedTo(text, 60)
}

func clippedTo(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most]) + "…"
}

// counts lists what became of keys, ": 3 stopped, 24 transferred".
func (t *telling) counts(names ...string) string {
	var n map[string]int64
	_ = json.Unmarshal(t.m.Note["keys"], &n) // an event of an earlier version has none
	var parts []string
	for _, name := range names {
		if n[name] > 0 {
			parts = append(parts, many(n[name], "key")+" "+name)
		}
	}
	if parts == nil {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}

// permissions counts the permissions that a role gained and lost.
func (t *telling) permissions() string {
	var was, is []string
	_ = json.Unmarshal(t.m.Before["permissions"], &was) // where they did not change there are none
	_ = json.Unmarshal(t.m.After["permissions"], &is)
	had := make(map[string]bool, len(was))
	for _, p := range was {
		had[p] = true
	}
	kept := 0
	for _, p := range is {
		if had[p] {
			kept++
		}
	}
	var parts []string
	if n := len(is) - kept; n > 0 {
		parts = append(parts, "+"+many(n, "permission"))
	}
	if n := len(was) - kept; n > 0 {
		parts = append(parts, "−"+many(n, "permission"))
	}
	if parts == nil {
		return t.fields("name", "name", "description", "description")
	}
	return ": " + strings.Join(parts, ", ")
}

func (t *telling) overlap() string { return t.overlapOf("value", "worked") }

// overlapOf tells how long the former value or secret works beside the new one.
func (t *telling) overlapOf(what, does string) string {
	var seconds int64
	if json.Unmarshal(t.m.Note["overlapSeconds"], &seconds) != nil || seconds == 0 {
		return "; the old " + what + " ended at once"
	}
	return "; the old " + what + " " + does + " for " + many(seconds, "second") + " more"
}

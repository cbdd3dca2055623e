package dashboard

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/ratelimit"
)

// summarise describes the result of a request in plain words, by asking control for exactly that, and gives the same
// request with curl.
func (v *request) summarise(in control.CreateKey) (said []string, curl string, err error) {
	k, err := v.d.Control.DraftKey(v.r.Context(), v.Caller, in)
	if err != nil {
		return nil, "", err
	}
	whose := "for " + string(k.User)
	if k.User == v.may.User {
		whose = "of your own"
	}
	said = []string{
		fmt.Sprintf("A %s key %s, called “%s”.", k.Environment, whose, k.Name),
		v.d.describePermissions(k.Permissions),
		describeExpiry(v, &k),
		describeLimits(k.Limits),
		describeNetworks(&k),
	}
	return said, curlOf(in, k.Permissions.Len()), nil
}

func describeExpiry(v *request, k *control.Key) string {
	if k.ExpiresAt.IsZero() {
		return "It works until somebody takes it back."
	}
	return fmt.Sprintf("It stops by itself on %s (%s).", date(k.ExpiresAt), relative(k.ExpiresAt.Sub(v.now)))
}

func describeLimits(l ratelimit.Limits) string {
	switch {
	case l.PerMinute == 0 && l.PerDay == 0:
		return "Nothing limits how often it is used."
	case l.PerDay == 0:
		return fmt.Sprintf("At most %s in any minute.", many(l.PerMinute, "request"))
	case l.PerMinute == 0:
		return fmt.Sprintf("At most %s in a day (UTC).", many(l.PerDay, "request"))
	}
	return fmt.Sprintf("At most %s in any minute and %s in a day (UTC).", many(l.PerMinute, "request"), number(l.PerDay))
}

func describeNetworks(k *control.Key) string {
	switch n := len(k.AllowedIPs); n {
	case 0:
		return "It works from everywhere."
	case 1:
		return "It works from " + k.AllowedIPs[0].String() + " alone."
	default:
		return fmt.Sprintf("It works from %d networks alone.", n)
	}
}

// curlOf is the same request to the API. Nothing secret is in it.
func curlOf(in control.CreateKey, permissions int) string {
	body := map[string]any{"workspaceId": in.Workspace, "userId": in.User, "name": in.Name, "permissions": in.Permissions.Value}
	if permissions == 0 {
		body["permissions"] = []string{}
	}
	if in.Environment.Value == "test" {
		body["environment"] = "test"
	}
	if in.ExpiresAt.Set && !in.ExpiresAt.Null {
		body["expiresAt"] = in.ExpiresAt.Value
	}
	limits := map[string]any{}
	if l := in.RateLimit.Value; true {
		if l.PerMinute.Set && !l.PerMinute.Null {
			limits["requestsPerMinute"] = l.PerMinute.Value
		}
		if l.PerDay.Set && !l.PerDay.Null {
			limits["requestsPerDay"] = l.PerDay.Value
		}
	}
	if len(limits) > 0 {
		body["rateLimit"] = limits
	}
	if in.Description.Value != "" {
		body["description"] = in.Description.Value
	}
	if in.Metadata.Set {
		body["metadata"] = in.Metadata.Value
	}
	if len(in.AllowedIPs.Value) > 0 {
		body["allowedIps"] = in.AllowedIPs.Value
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("  ", "  ")
	if err := e.Encode(body); err != nil {
		return ""
	}
	data := strings.ReplaceAll(strings.TrimSpace(b.String()), "'", `'\''`)
	return "curl -sS \"$KEYWARD_URL/api/v2/api-keys\" \\\n  -H \"Authorization: Bearer $KEYWARD_TOKEN\" \\\n" +
		"  -H 'Content-Type: application/json' \\\n  -d '" + data + "'"
}

package dashboard

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/keyward/keyward/internal/control"
)

// curlOf is the same request to the API. Nothing secret is in it.
func curlOf(in control.CreateKey, permissions int) string {
	body := map[string]any{
		"workspaceId": in.Workspace, "userId": in.User, "name": in.Name, "permissions": in.Permissions.Value,
	}
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

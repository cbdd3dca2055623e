package httpapi_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// nothing are the members of requests whose empty value means itself: no text, no list, no change. Every other empty
// value is refused, because it is more likely a mistake than a wish, and absence means more there. By the operation,
// or * for all.
var nothing = map[string]string{
	"* description \"\"":                              "none",
	"* displayName \"\"":                              "none",
	"* createMember.displayName \"\"":                 "none",
	"* owner.displayName \"\"":                        "none",
	"* metadata {}":                                   "none",
	"createApiKey permissions []":                     "a key that only identifies",
	"requestApiKey permissions []":                    "a key that only identifies",
	"importApiKeys permissions []":                    "a key that only identifies",
	"createRole permissions []":                       "a role that holds nothing",
	"updateRole permissions []":                       "a role that holds nothing",
	"createApiKey rateLimit {}":                       "each member left out takes its default",
	"createWorkspace settings {}":                     "each member left out takes its default",
	"updateWorkspace settings {}":                     "each member left out stays",
	"* rateLimit {}":                                  "each member left out stays, or takes its default",
	"* settings.defaultRateLimit {}":                  "each member left out stays, or takes its default",
	"* allowedIps []":                                 "from everywhere, as null; a grant where it was less",
	"verifyApiKey permissions {}":                     "no demand, as left out",
	"verifyApiKey permissions []":                     "no demand, as left out",
	"verifyApiKeys permissions {}":                    "no demand, as left out",
	"verifyApiKeys permissions []":                    "no demand, as left out",
	"verifyApiKey permissions.all []":                 "no demand, as left out",
	"verifyApiKeys permissions.all []":                "no demand, as left out",
	"createPortalSession allowedOrigins []":           "the hosted page alone",
	"createPortalSession ceiling.permissions []":      "no permission may flow into a key",
	"createPortalSession ceiling.rateLimit {}":        "each member left out bounds nothing, beside what else the ceiling says",
	"createPortalSession label \"\"":                  "no label, as null",
	"verifyApiKey key \"\"":                           "a malformed key, as every other text that is none",
	"verifyApiKeys key \"\"":                          "a malformed key, as every other text that is none",
	"createServiceKey followerModes []":               "no leave, as where it is left out",
	"leaseMinutes leases.minute {}":                   "a look, as every member left out",
	"leaseMinutes leases.workspaceMinute {}":          "the same",
	"leaseMinutes leases.minute.giveBack []":          "nothing is given back",
	"leaseMinutes leases.workspaceMinute.giveBack []": "the same",
	"leaseMinutes leases.minute.owed []":              "nothing is owed",
	"leaseMinutes leases.workspaceMinute.owed []":     "the same",
	"reportUses uses []":                              "nothing was used",
	"reportUses previous []":                          "no earlier value was used",
	"reportUses refusals []":                          "nothing was refused",
	"reportUses uses.counts {}":                       "a minute without a use",
	"reportUses refusals.all []":                      "no demand",
	"reportUses refusals.any []":                      "no demand",
	"reportUses refusals.missing []":                  "nothing was missing",
	"reportUses refusals.ip \"\"":                     "the address was not told",
	"reportUses refusals.reason \"\"":                 "the only reason of a code",
}

// member is a member of a request's body: its path, with [0] for items, and its schema.
type member struct {
	path   []string
	schema map[string]any
}

// members are all members of an object's schema, those of items and alternatives as well.
func (d document) members(schema any, at []string, out map[string]member) {
	s := d.follow(schema)
	for _, several := range []string{"oneOf", "anyOf", "allOf"} {
		list, _ := s[several].([]any)
		for _, one := range list {
			d.members(one, at, out)
		}
	}
	if items := s["items"]; items != nil && len(at) > 0 {
		d.members(items, append(slices.Clone(at), "[0]"), out)
	}
	properties, _ := s["properties"].(map[string]any)
	for name, property := range properties {
		path := append(slices.Clone(at), name)
		out[strings.Join(path, ".")] = member{path, d.follow(property)}
		d.members(property, path, out)
	}
}

// types are those that a schema admits, in its alternatives as well.
func (d document) types(schema any) (all []string) {
	s := d.follow(schema)
	switch t := s["type"].(type) {
	case string:
		all = append(all, t)
	case []any:
		for _, one := range t {
			all = append(all, one.(string))
		}
	}
	for _, several := range []string{"oneOf", "anyOf"} {
		list, _ := s[several].([]any)
		for _, one := range list {
			all = append(all, d.types(one)...)
		}
	}
	if s["enum"] != nil && len(all) == 0 {
		all = append(all, "string")
	}
	return all
}

// set puts a value at a path into a JSON value, and makes missing parts on the way.
func set(in any, path []string, value any) any {
	if len(path) == 0 {
		return value
	}
	if path[0] == "[0]" {
		list, _ := in.([]any)
		if len(list) == 0 {
			list = []any{nil}
		}
		list[0] = set(list[0], path[1:], value)
		return list
	}
	object, _ := in.(map[string]any)
	if object == nil {
		object = map[string]any{}
	}
	object[path[0]] = set(object[path[0]], path[1:], value)
	return object
}

// T100: an empty member is not an absent one. Every member of every request's body is sent empty, and as null if the
// document does not admit null; it is refused and named, or it stands in the list of those that mean nothing by being
// empty.
func TestT100NoMemberThatIsEmptyIsTakenForAbsent(t *testing.T) {
	t.Parallel()
	h := open(t)
	d := readDocument(t)
	tried := 0
	used := map[string]bool{}
	for _, item := range d.root["paths"].(map[string]any) {
		for _, raw := range item.(map[string]any) {
			operation := d.follow(raw)
			name, _ := operation["operationId"].(string)
			content, _ := d.follow(operation["requestBody"])["content"].(map[string]any)
			media := d.follow(content["application/json"])
			op, known := naming[name]
			if media == nil || !known {
				continue
			}
			all := map[string]member{}
			d.members(media["schema"], nil, all)
			for _, place := range slices.Sorted(maps.Keys(all)) {
				m := all[place]
				types := d.types(m.schema)
				empties := map[string]any{`""`: "", "[]": []any{}, "{}": map[string]any{}, "null": nil}
				for kind, of := range map[string]string{`""`: "string", "[]": "array", "{}": "object"} {
					if !slices.Contains(types, of) {
						delete(empties, kind)
					}
				}
				if slices.Contains(types, "null") {
					delete(empties, "null")
				}
				for kind, value := range empties {
					last := strings.TrimPrefix(strings.TrimPrefix(strings.ReplaceAll(place, ".[0]", ""), "apiKeys."), "items.")
					if entry := nothingBy(name, last+" "+kind); entry != "" {
						used[entry] = true
						continue
					}
					tried++
					var body any
					must(t, json.Unmarshal([]byte(op.body), &body))
					if strings.Contains(place, "digest") || strings.Contains(place, "sha256") {
						body = set(body, []string{"apiKeys", "[0]", "generate"}, false)
					}
					if strings.Contains(place, "digest.") {
						algorithm := map[bool]string{true: "hmac-sha256", false: "sha256"}[strings.HasSuffix(place, "secret")]
						body = set(
							body, []string{"apiKeys", "[0]", "digest"},
							map[string]any{"algorithm": algorithm, "value": strings.Repeat("ab", 32)},
						)
					}
					changed, err := json.Marshal(set(body, m.path, value))
					must(t, err)
					asked := op
					asked.body, asked.bare = string(changed), slices.Contains(nowhere, name)
					a := asked.ask(h, "")
					text := a.Body.String()
					named := strings.Contains(text, "invalid_request") && strings.Contains(text, m.path[len(m.path)-1])
					if !named && !(last == "roleId" && strings.Contains(text, "not_found")) {
						t.Errorf("%s with %s as %s: %d %s", name, place, kind, a.Code, text)
					}
				}
			}
		}
	}
	for entry := range nothing {
		if !used[entry] {
			t.Errorf("no operation has %s", entry)
		}
	}
	if tried < 100 {
		t.Errorf("%d values are too few to say anything", tried)
	}
}

func nothingBy(operation, what string) string {
	for _, entry := range []string{operation + " " + what, "* " + what} {
		if nothing[entry] != "" {
			return entry
		}
	}
	return ""
}

// T100: no parameter that is there and empty is passed over.
func TestT100NoParameterThatIsEmptyIsTakenForAbsent(t *testing.T) {
	t.Parallel()
	h := open(t)
	d := readDocument(t)
	tried := 0
	for path, item := range d.root["paths"].(map[string]any) {
		common, _ := item.(map[string]any)["parameters"].([]any)
		for method, raw := range item.(map[string]any) {
			if method == "parameters" {
				continue
			}
			operation := d.follow(raw)
			parameters, _ := operation["parameters"].([]any)
			for _, one := range slices.Concat(common, parameters) {
				p := d.follow(one)
				name := fmt.Sprint(p["name"])
				if p["in"] != "query" || name == "search" { // which looks for nothing, and finds everything
					continue
				}
				tried++
				on, ask := strings.ToUpper(method)+" "+path, func() answer { return h.do("GET", path+"?"+name+"=", h.root, "") }
				if op, known := naming[fmt.Sprint(operation["operationId"])]; known {
					ask = func() answer {
						if op.on += "?"; strings.Count(op.on, "?") > 1 {
							op.on = strings.TrimSuffix(op.on, "?") + "&"
						}
						if name == "workspaceId" {
							n, _ := h.settle("u-ann", "u-alan")
							m, at, _ := strings.Cut(n.in(op.on), " ")
							return h.do(
								m,
								"/api/v2"+strings.NewReplacer("{free}", n.role, "{bound}", n.key, "{session}", n.key).
									Replace(at)+
									"workspaceId=",
								h.root,
								n.in(op.body),
							)
						}
						op.on += name + "="
						op.bare = slices.Contains(nowhere, fmt.Sprint(operation["operationId"]))
						return op.ask(h, "")
					}
				}
				if a := ask(); a.Code != 400 || !strings.Contains(a.Body.String(), name) {
					t.Errorf("%s with an empty %s: %d %s", on, name, a.Code, a.Body)
				}
			}
		}
	}
	if tried < 40 {
		t.Errorf("%d parameters are too few to say anything", tried)
	}
}

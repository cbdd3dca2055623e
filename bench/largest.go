//go:build linux

package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// ask is one request to the API, and the status that its answer has.
type ask struct {
	method, path, body string
	token              string // "" is the root key's
	form               bool   // the body is a form
	want               int    // 0 is 200 or 201
}

// largest lists every operation of the API by its name, with the largest input that it takes: the most items, the
// longest texts, the widest search, the member with the most keys. n counts the calls of one operation, so that each
// can be about another object. An operation of the document that is missing here fails the measurement.
func (b *beside) largest() map[string]func(n int) ask {
	all := map[string]func(n int) ask{}
	for _, some := range []map[string]func(n int) ask{b.largestKeys(), b.largestVerifications(), b.largestWorkspaces(),
		b.largestMembers(), b.largestPortals(), b.largestWebhooks(), b.largestOthers()} {
		for name, one := range some {
			all[name] = one
		}
	}
	return all
}

var (
	longName = strings.Repeat("n", 240)
	longText = strings.Repeat("d", 500)
	longSet  = `["` + strings.Join(catalogueNames(), `","`) + `"]`
	networks = func() string {
		var all []string
		for i := range 64 {
			all = append(all, fmt.Sprintf(`"2001:db8:%x::/48"`, i))
		}
		return "[" + strings.Join(all, ",") + "]"
	}()
	metadata = `{"m":"` + strings.Repeat("m", 4000) + `"}`
)

func get(path string) func(int) ask {
	return func(int) ask { return ask{method: http.MethodGet, path: path} }
}

// items joins the texts of n items.
func items(n int, one func(i int) string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = one(i)
	}
	return "[" + strings.Join(all, ",") + "]"
}

func (b *beside) largestKeys() map[string]func(n int) ask {
	rich := `"description":"` + longText + `","metadata":` + metadata + `,"allowedIps":` + networks
	search := "/api/v2/api-keys?limit=100&counts=true&sortBy=lastUsedAt&search=nowhere&workspaceId=" + b.ws
	oneKey := "/api/v2/api-keys/" + b.first
	return map[string]func(n int) ask{
		"createApiKey": func(n int) ask {
			return ask{
				method: http.MethodPost,
				path:   "/api/v2/api-keys",
				body: fmt.Sprintf(`{"workspaceId":"%s","userId":"u-1","name":"%s %d","permissions":%s,%s}`,
					b.ws, longName, n, longSet, rich),
			}
		},
		"listApiKeys": get(search),
		"updateApiKeys": func(n int) ask {
			ids := b.take(100)
			return ask{
				method: http.MethodPut,
				path:   "/api/v2/api-keys",
				body: `{"apiKeys":` + items(len(ids), func(i int) string {
					return fmt.Sprintf(`{"id":"%s","name":"%s %d","isActive":%t,%s}`, ids[i], longName, n, n%2 == 0, rich)
				}) + `}`,
			}
		},
		"deleteApiKeys": func(int) ask {
			return ask{
				method: http.MethodDelete, path: "/api/v2/api-keys", body: `{"ids":["` + strings.Join(b.take(100), `","`) + `"]}`,
			}
		},
		"getSelf": func(int) ask {
			return ask{method: http.MethodGet, path: "/api/v2/api-keys/self", token: b.large}
		},
		"importApiKeys": func(n int) ask { return b.importing("u-1", b.l.most(1000, 50), longText[:400]) },
		"getApiKey":     get(oneKey),
		"deleteApiKey": func(int) ask {
			return ask{method: http.MethodDelete, path: "/api/v2/api-keys/" + b.take(1)[0]}
		},
		"rotateSelf": func(n int) ask {
			return ask{
				method: http.MethodPost, path: "/api/v2/api-keys/self/rotate", token: b.spinning, body: `{"overlapSeconds":604800}`,
				want: statusOf(n < 5, 200, 0),
			}
		},
		"rotateApiKey": func(int) ask {
			return ask{
				method: http.MethodPost, path: "/api/v2/api-keys/" + b.take(1)[0] + "/rotate", body: `{"overlapSeconds":604800}`,
			}
		},
		"requestApiKey": func(n int) ask {
			return ask{method: http.MethodPost, path: "/api/v2/key-requests", body: fmt.Sprintf(
				`{"workspaceId":"%s","userId":"u-1","name":"%s %d","permissions":%s,%s}`, b.desk(), longName, n, longSet, rich)}
		},
		"requestApiKeyRotation": func(int) ask {
			return ask{method: http.MethodPost, path: "/api/v2/api-keys/" + b.doomed("key") + "/key-requests"}
		},
		"listKeyRequests": func(int) ask {
			return ask{method: http.MethodGet, path: "/api/v2/key-requests?limit=100&workspaceId=" + b.desk()}
		},
		"getKeyRequest": func(int) ask {
			return ask{method: http.MethodGet, path: "/api/v2/key-requests/" + b.doomed("key request")}
		},
		"declineKeyRequest": func(int) ask {
			return ask{method: http.MethodDelete, path: "/api/v2/key-requests/" + b.doomed("key request")}
		},
		"explainApiKey": get(
			oneKey + "/explain?cost=1000&ip=2001:db8::1&environment=live&permission=" + strings.Join(
				catalogueNames(), "&permission=",
			),
		),
		"listApiKeyRefusals": get(oneKey + "/refusals?limit=200"),
		"getApiKeyUsage":     get(oneKey + "/usage?" + longSpan()),
		"getApiKeyLimits":    get(oneKey + "/limits"),

		"getApiKeyPermissionUsage": get(oneKey + "/usage/permissions"),
	}
}

// statusOf is a status that is wanted of the first calls alone.
func statusOf(is bool, first, others int) int {
	if is {
		return first
	}
	return others
}

// longSpan asks for the longest time that an answer about usage covers.
func longSpan() string {
	to := time.Now().UTC().Truncate(24 * time.Hour)
	return url.Values{
		"granularity": {"day"}, "from": {to.AddDate(0, 0, -364).Format(time.RFC3339)},
		"to": {to.Format(time.RFC3339)},
	}.Encode()
}

func (b *beside) largestVerifications() map[string]func(n int) ask {
	question := func(int) string {
		return `{"key":"` + b.large +
			`","ip":"2001:db8::1","environment":"live","cost":1000,"permissions":{"all":["calls:read"],"any":["calls:read","calls:write"]}}`
	}
	return map[string]func(n int) ask{
		"verifyApiKey": func(int) ask {
			return ask{method: http.MethodPost, path: "/api/v2/api-keys/verify", body: question(0)}
		},
		"verifyApiKeys": func(int) ask {
			return ask{
				method: http.MethodPost, path: "/api/v2/api-keys/verify-batch", body: `{"items":` + items(1000, question) + `}`,
			}
		},
		"introspectToken": func(int) ask {
			return ask{
				method: http.MethodPost, path: "/api/v2/oauth2/introspect", form: true,
				body: "token=" + b.large + "&workspaceId=" + strings.Join(b.many, "&workspaceId=") + "&workspaceId=" + b.ws,
			}
		},
		"revokeToken": func(int) ask {
			return ask{method: http.MethodPost, path: "/api/v2/oauth2/revoke", form: true, body: "token=" + b.newValue()}
		},
		"checkRequest": func(int) ask {
			return ask{
				method: http.MethodGet, path: "/check?environment=live&permission=calls:read&permission=calls:write",
				token: b.large,
			}
		},
	}
}

func (b *beside) largestWorkspaces() map[string]func(n int) ask {
	settings := `"settings":{"permissionMode":"capped","defaultRateLimit":{"requestsPerMinute":1000000000,"requestsPerDay":1000000000},"maxKeyLifetimeSeconds":3162240000}`
	at := "/api/v2/workspaces/" + b.ws
	return map[string]func(n int) ask{
		"createWorkspace": func(n int) ask {
			return ask{method: http.MethodPost, path: "/api/v2/workspaces", body: fmt.Sprintf(
				`{"name":"%s %d","owner":{"userId":"owner-%d","email":"o@example.org","displayName":"%s"},%s}`,
				longName[:80],
				n,
				n,
				longName[:200],
				settings,
			)}
		},
		"listWorkspaces": get("/api/v2/workspaces?limit=100"),
		"getWorkspace":   get(at),
		// Every key of the workspace is judged by its mode.
		"updateWorkspace": func(n int) ask {
			return ask{
				method: http.MethodPatch, path: at,
				body: `{"settings":{"permissionMode":"` + []string{"capped", "frozen"}[n%2] + `"}}`,
			}
		},
		"deleteWorkspace": func(int) ask {
			return ask{method: http.MethodDelete, path: "/api/v2/workspaces/" + b.doomed("workspace")}
		},
		"putPlan": func(n int) ask {
			return ask{
				method: http.MethodPut,
				path:   at + "/plan",
				body: fmt.Sprintf(
					`{"maxKeys":%d,"maxMembers":1000000000,"maxRoles":1000000000,"maxEventsPerDay":1000000000}`, 1_000_000_000-n,
				),
			}
		},
		"listInstallationRefusals": get("/api/v2/refusals?limit=200"),
		"listRefusals":             get(at + "/refusals?limit=200"),
		"getWorkspaceLimits":       get(at + "/limits"),
		"getWorkspaceUsage":        get(at + "/usage?" + longSpan()),
		// A text that no event has: every event is looked at, up to the bound.
		"listLogs": func(n int) ask {
			path := "/api/v2/workspaces/logs?limit=100&search=nowhere&workspaceId=" + b.ws
			if n%2 == 1 {
				path = "/api/v2/workspaces/logs?format=ndjson&search=nowhere&workspaceId=" + b.ws
			}
			return ask{method: http.MethodGet, path: path}
		},
		"getUsage":                    get("/api/v2/usage?" + longSpan()),
		"getUsageByWorkspace":         get("/api/v2/usage/workspaces?limit=100"),
		"getWorkspacePermissionUsage": get(at + "/usage/permissions"),
	}
}

func (b *beside) largestMembers() map[string]func(n int) ask {
	at := "/api/v2/workspaces/" + b.ws
	member := func(n int) string { return fmt.Sprintf("%s/members/%s-%d", at, longName, n) }
	return map[string]func(n int) ask{
		"listMembers": get(at + "/members?limit=100"),
		"getMember":   get(at + "/members/u-1"),
		"putMember": func(n int) ask {
			return ask{
				method: http.MethodPut, path: member(n),
				body: `{"email":"m@example.org","displayName":"` + longName[:200] + `","roleId":"` + b.role + `"}`,
			}
		},
		// The member with the most keys, whose role bounds what they may do.
		"updateMember": func(n int) ask {
			return ask{
				method: http.MethodPatch, path: at + "/members/u-2", body: `{"roleId":"` + []string{b.role, b.owner}[n%2] + `"}`,
			}
		},
		"removeMember": func(n int) ask {
			if n%2 == 1 {
				return ask{method: http.MethodDelete, path: at + "/members/u-2?dryRun=true&keys=transfer:u-1"}
			}
			return ask{method: http.MethodDelete, path: at + "/members/" + b.doomed("member") + "?keys=transfer:u-1"}
		},
		"restoreMember": func(int) ask {
			user, removal := b.removed()
			return ask{
				method: http.MethodPost, path: at + "/members/" + user + "/restore", body: `{"removalId":"` + removal + `"}`,
			}
		},
		"inviteMember": func(int) ask {
			return ask{method: http.MethodPost, path: at + "/members/u-2/invitation"}
		},
		"resetSignIn": func(int) ask {
			return ask{method: http.MethodPost, path: at + "/members/u-2/sign-in-reset"}
		},
		"createRole": func(n int) ask {
			return ask{
				method: http.MethodPost, path: at + "/roles",
				body: fmt.Sprintf(`{"name":"%s %d","description":"%s","permissions":%s}`, longName[:40], n, longText, longSet),
			}
		},
		"listRoles": get(at + "/roles?limit=100"),
		"getRole":   get(at + "/roles/" + b.role),
		// The role of the member with the most keys.
		"updateRole": func(n int) ask {
			set := []string{longSet, `["calls:read","calls:write"]`}[n%2]
			return ask{
				method: http.MethodPatch, path: at + "/roles/" + b.role,
				body: `{"description":"` + longText + `","permissions":` + set + `}`,
			}
		},
		"deleteRole": func(int) ask {
			return ask{method: http.MethodDelete, path: at + "/roles/" + b.doomed("role")}
		},
	}
}

func (b *beside) largestOthers() map[string]func(n int) ask {
	return map[string]func(n int) ask{
		"getMe":           func(int) ask { return ask{method: http.MethodGet, path: "/api/v2/me", token: b.large} },
		"listPermissions": get("/api/v2/permissions"),
		"createServiceKey": func(n int) ask {
			return ask{method: http.MethodPost, path: "/api/v2/service-keys", body: fmt.Sprintf(
				`{"name":"%s %d","scopes":["verify","manage","follow"],"followerModes":["local","open"],"workspaceIds":["%s"],"environments":["live","test"],"allowedIps":%s}`,
				longName,
				n,
				strings.Join(b.many, `","`),
				networks,
			)}
		},
		"listServiceKeys": get("/api/v2/service-keys?limit=100"),
		"deleteServiceKey": func(int) ask {
			return ask{method: http.MethodDelete, path: "/api/v2/service-keys/" + b.doomed("service key")}
		},
		"listNodes":       get("/api/v2/nodes"),
		"getInstallation": get("/api/v2/installation"),
		"createSignInLink": func(int) ask {
			return ask{
				method: http.MethodPost, path: "/api/v2/sign-in-links", body: `{"workspaceId":"` + b.ws + `","userId":"u-1"}`,
			}
		},
		"startSession": func(n int) ask { // a code that nobody has, of the greatest length
			return ask{
				method: http.MethodPost, path: "/api/v2/sessions", body: `{"code":"` + strings.Repeat("c", 255) + `"}`,
				want: http.StatusUnauthorized,
			}
		},
		"listSessions": get("/api/v2/sessions?limit=100&userId=u-1&workspaceId=" + b.ws),
		"endSessions": func(int) ask {
			return ask{method: http.MethodDelete, path: "/api/v2/sessions?userId=u-1&workspaceId=" + b.ws}
		},
		"endSession": func(int) ask {
			return ask{method: http.MethodDelete, path: "/api/v2/sessions/" +
				b.doomed("session")}
		},
		"getFrontPage":     get("/"),
		"getHealth":        get("/healthz"),
		"getReadiness":     get("/readyz"),
		"getMetrics":       get("/metrics"),
		"getOpenapi":       get("/openapi.json"),
		"getReference":     get("/docs"),
		"getReferenceFile": get("/docs/style.css"),
	}
}

func (b *beside) largestPortals() map[string]func(n int) ask {
	const at = "/api/v2/portal-sessions"
	session := func() string { return at + "/" + b.doomed("portal session") }
	return map[string]func(n int) ask{
		"createPortalSession": func(int) ask { return ask{method: http.MethodPost, path: at, body: b.portal()} },
		"listPortalSessions":  get(at + "?limit=100&workspaceId=" + b.ws),
		"getPortalSession":    func(int) ask { return ask{method: http.MethodGet, path: session()} },
		"endPortalSession":    func(int) ask { return ask{method: http.MethodDelete, path: session()} },
		"endPortalSessions": func(int) ask {
			return ask{method: http.MethodDelete, path: at + "?userId=u-1&workspaceId=" + b.ws}
		},
		// Without a proof of a browser's key: what anybody may send.
		"exchangePortalSession": func(int) ask {
			return ask{
				method: http.MethodPost, path: at + "/exchange", body: `{"clientSecret":"` + strings.Repeat("c", 64) + `"}`,
				want: http.StatusUnauthorized,
			}
		},
		"renewPortalSession": func(int) ask {
			return ask{method: http.MethodPost, path: session() + "/renew", want: http.StatusUnauthorized}
		},
		"readFeedSnapshot": get("/api/v2/feed/snapshot?fields=name,metadata"),
		"readFeed":         get("/api/v2/feed?leaving=true&name=bench"),
		"leaseMinutes": func(i int) ask {
			return ask{method: http.MethodPost, path: "/api/v2/feed/leases", body: `{"incarnation":"bench","leases":` +
				items(100, func(n int) string {
					return fmt.Sprintf(`{"number":%d,"keyId":"%s","cost":1,"minute":{"want":1}}`, 100*i+n+1, b.first)
				}) + `}`}
		},
		"reserveDays": func(i int) ask {
			return ask{method: http.MethodPost, path: "/api/v2/feed/days", body: fmt.Sprintf(
				`{"incarnation":"bench","number":%d,"claims":%s}`, i+1, items(1024, func(int) string {
					return fmt.Sprintf(`{"accountId":"%s","day":"2026-01-01"}`, b.first)
				}))}
		},
		"reportUses": func(i int) ask {
			return ask{method: http.MethodPost, path: "/api/v2/feed/usage", body: fmt.Sprintf(
				`{"incarnation":"bench","number":%d,"uses":%s}`, i+1, items(2000, func(int) string {
					return fmt.Sprintf(`{"keyId":"%s","workspaceId":"%s","startMs":%d,"counts":{"VALID":1}}`, b.first, b.ws,
						time.Now().UnixMilli())
				}))}
		},
	}
}

// portal is the body of the largest portal session.
func (b *beside) portal() string {
	origins := items(20, func(i int) string { return fmt.Sprintf(`"https://%d.example"`, i) })
	return `{"workspaceId":"` + b.ws + `","userId":"u-1","capabilities":["keys:read","keys:create"],"allowedOrigins":` +
		origins + `,"label":"` + longName[:100] + `"}`
}

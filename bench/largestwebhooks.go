//go:build linux

package main

import (
	"net/http"
	"strings"
)

// hook is the largest body that makes a webhook. Its host has no address, so that nothing is sent.
func (b *beside) hook() string {
	return `{"workspaceId":"` + b.desk() + `","url":"https://hooks.invalid/` + strings.Repeat("a", 2000) +
		`","description":"` + longText + `"}`
}

func (b *beside) largestWebhooks() map[string]func(n int) ask {
	const at = "/api/v2/webhooks"
	one := func(method, more, body string) func(int) ask {
		return func(int) ask { return ask{method: method, path: at + "/" + b.doomed("webhook") + more, body: body} }
	}
	return map[string]func(n int) ask{
		"createWebhook":         func(int) ask { return ask{method: http.MethodPost, path: at, body: b.hook()} },
		"listWebhooks":          get(at + "?limit=100&workspaceId=" + b.ws),
		"getWebhook":            one(http.MethodGet, "", ""),
		"updateWebhook":         one(http.MethodPatch, "", `{"isActive":false,"description":"u`+longText[1:]+`"}`),
		"deleteWebhook":         one(http.MethodDelete, "", ""),
		"rotateWebhookSecret":   one(http.MethodPost, "/rotate-secret", `{"overlapSeconds":604800}`),
		"testWebhook":           one(http.MethodPost, "/test", ""),
		"listWebhookDeliveries": one(http.MethodGet, "/deliveries?limit=100", ""),
		"replayWebhookDelivery": func(int) ask {
			hook := b.doomed("webhook")
			delivery, err := b.post(at+"/"+hook+"/test", "", "delivery", "id")
			if err == nil {
				for _, on := range []string{"false", "true"} { // the delivery fails
					err = b.send(ask{method: http.MethodPatch, path: at + "/" + hook, body: `{"isActive":` + on + `}`}, true)
				}
			}
			if err != nil {
				return ask{method: http.MethodPost, path: at + "/" + err.Error()}
			}
			return ask{method: http.MethodPost, path: at + "/" + hook + "/deliveries/" + delivery + "/replay"}
		},
	}
}

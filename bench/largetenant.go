//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// settle makes the large tenant: u-2 has the most keys, under a role, and u-1 is an owner with a few.
func (b *beside) settle() (err error) {
	if b.ws, err = b.post("/api/v2/workspaces", `{"name":"large","owner":{"userId":"u-1","email":"u-1@example.org"}}`,
		"workspace", "id"); err != nil {
		return err
	}
	at := "/api/v2/workspaces/" + b.ws
	if b.role, err = b.post(at+"/roles", `{"name":"Large","permissions":`+longSet+`}`, "role", "id"); err != nil {
		return err
	}
	if b.owner, err = b.post(at+"/roles", `{"name":"Other","permissions":`+longSet+`}`, "role", "id"); err != nil {
		return err
	}
	if err = b.member(b.ws, "u-2", b.role); err != nil {
		return err
	}
	make := func() (string, error) {
		return b.post("/api/v2/api-keys", `{"workspaceId":"`+b.ws+`","userId":"u-1","name":"large"}`, "key")
	}
	if b.large, err = make(); err != nil {
		return err
	}
	if b.spinning, err = make(); err != nil {
		return err
	}
	for range b.l.most(99, 3) {
		ws, err := b.post(
			"/api/v2/workspaces", `{"name":"one of many","owner":{"userId":"u-1","email":"u-1@example.org"}}`, "workspace", "id",
		)
		if err != nil {
			return err
		}
		b.many = append(b.many, ws)
	}
	for made := 0; made < b.n; made += 1000 {
		ids, err := b.fill(b.ws, "u-2", min(1000, b.n-made))
		if err != nil {
			return err
		}
		b.first = ids[0]
	}
	return nil
}

func (b *beside) member(ws, user, role string) error {
	return b.send(
		ask{
			method: http.MethodPut, path: "/api/v2/workspaces/" + ws + "/members/" + user,
			body: `{"email":"` + user + `@example.org","roleId":"` + role + `"}`,
		},
		true,
	)
}

// importing is an import of n keys of a member of the large workspace.
func (b *beside) importing(user string, n int, text string) ask {
	return ask{
		method: http.MethodPost,
		path:   "/api/v2/api-keys/import",
		body: `{"workspaceId":"` + b.ws + `","apiKeys":` + items(n, func(i int) string {
			return fmt.Sprintf(
				`{"userId":"%s","name":"%s %d","generate":true,"permissions":["calls:read"],"description":"%s"}`, user, longName, i,
				text,
			)
		}) + `}`,
	}
}

// fill makes keys of a member, and returns their ids.
func (b *beside) fill(ws, user string, n int) (ids []string, err error) {
	body := `{"workspaceId":"` + ws + `","apiKeys":` + items(n, func(i int) string {
		return fmt.Sprintf(`{"userId":"%s","name":"key %d","generate":true,"permissions":["calls:read"]}`, user, i)
	}) + `}`
	r, err := http.NewRequest(http.MethodPost, "http://"+b.addr+"/api/v2/api-keys/import", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+b.root)
	r.Header.Set("Content-Type", "application/json")
	answer, err := b.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	var out struct {
		Data struct {
			Result struct {
				Imported []struct{ ID string } `json:"imported"`
			} `json:"result"`
		} `json:"data"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&out); err != nil {
		return nil, err
	}
	for _, k := range out.Data.Result.Imported {
		ids = append(ids, k.ID)
	}
	if len(ids) != n {
		return nil, fmt.Errorf("%d of %d keys were made: %s", len(ids), n, answer.Status)
	}
	return ids, nil
}

// take returns ids of keys that no other request is about. Where there are too few it makes more, which is work of the
// same tenant.
func (b *beside) take(n int) []string {
	for {
		b.mu.Lock()
		if len(b.ids) >= n {
			ids := b.ids[:n:n]
			b.ids = b.ids[n:]
			b.mu.Unlock()
			return ids
		}
		b.mu.Unlock()
		more, err := b.fill(b.ws, "u-1", b.l.most(1000, 200))
		if err != nil {
			return []string{"01000000-0000-7000-8000-000000000000"} // the answer says what is wrong
		}
		b.mu.Lock()
		b.ids = append(b.ids, more...)
		b.mu.Unlock()
	}
}

// newValue makes a key and returns its value.
func (b *beside) newValue() string {
	value, err := b.post("/api/v2/api-keys", `{"workspaceId":"`+b.ws+`","userId":"u-1","name":"short-lived"}`, "key")
	if err != nil {
		return "none"
	}
	return value
}

// desk is a small workspace in which another request for a key may wait: an actor has so many in each.
func (b *beside) desk() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.asked%15 == 0 {
		made, err := b.post("/api/v2/workspaces", `{"name":"desk","owner":{"userId":"u-1","email":"u-1@example.org"}}`,
			"workspace", "id")
		if err == nil {
			b.desks = made
		}
	}
	b.asked++
	return b.desks
}

// doomed makes a thing that is about to be removed, as large as a request makes it.
func (b *beside) doomed(kind string) string {
	name := "d-" + b.next()
	var made string
	var err error
	switch kind {
	case "workspace":
		made, err = b.post(
			"/api/v2/workspaces", `{"name":"`+name+`","owner":{"userId":"u-1","email":"u-1@example.org"}}`, "workspace", "id",
		)
		for i := 0; i < 5 && err == nil; i++ {
			_, err = b.fill(made, "u-1", b.l.most(1000, 50))
		}
	case "member of few keys":
		made = name
		if err = b.member(b.ws, name, b.role); err == nil {
			_, err = b.fill(b.ws, name, b.l.most(1000, 50))
		}
	case "member":
		made = name
		err = b.member(b.ws, name, b.role)
		for i := 0; i < 5 && err == nil; i++ {
			_, err = b.fill(b.ws, name, b.l.most(1000, 50))
		}
	case "role":
		made, err = b.post("/api/v2/workspaces/"+b.ws+"/roles", `{"name":"`+name+`","permissions":`+longSet+`}`, "role", "id")
	case "service key":
		made, err = b.post("/api/v2/service-keys", `{"name":"`+name+`","scopes":["verify"]}`, "serviceKey", "id")
	case "webhook":
		made, err = b.post("/api/v2/webhooks", b.hook(), "webhook", "id")
	case "key", "key request":
		body := `{"workspaceId":"` + b.desk() + `","userId":"u-1","name":"` + name + `","permissions":` + longSet + `}`
		if kind == "key" {
			made, err = b.post("/api/v2/api-keys", body, "apiKey", "id")
		} else {
			made, err = b.post("/api/v2/key-requests", body, "keyRequest", "id")
		}
	case "portal session":
		made, err = b.post("/api/v2/portal-sessions", b.portal(), "portalSession", "id")
	case "session":
		var code string
		code, err = b.post("/api/v2/sign-in-links", `{"workspaceId":"`+b.ws+`","userId":"u-1"}`, "signInLink", "code")
		if err == nil {
			made, err = b.post("/api/v2/sessions", `{"code":"`+code+`"}`, "session", "id")
		}
	}
	if err != nil {
		return "01000000-0000-7000-8000-000000000000" // the answer says what is wrong
	}
	return made
}

// removed removes a member with as many keys as a removal that can be undone may settle, and returns what undoes it.
func (b *beside) removed() (user, removal string) {
	user = b.doomed("member of few keys")
	removal, err := b.ask(
		http.MethodDelete, "/api/v2/workspaces/"+b.ws+"/members/"+user+"?keys=transfer:u-1", "", "removalId",
	)
	if err != nil {
		return user, "none" // the answer says what is wrong
	}
	return user, removal
}

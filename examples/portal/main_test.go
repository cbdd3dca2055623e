package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/dpop/dpoptest"
	"github.com/keyward/keyward/keywardtest"
)

// browser is a customer's, with a key that proves its requests to the portal.
type browser struct {
	t       *testing.T
	product string
	client  *http.Client
	key     dpoptest.Key
	base    string // of the calls below the portal session
	token   string
}

func aBrowser(t *testing.T, product, name, company string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, product: product, client: &http.Client{Jar: jar}, key: dpoptest.NewKey()}
	status, page := b.send("POST", product+"/login", "", url.Values{"name": {name}, "company": {company}}.Encode())
	if status != 200 || !strings.Contains(page, "<keyward-keys") {
		t.Fatalf("%s signs in: %d %s", name, status, page)
	}
	return b
}

func (b *browser) send(method, address, token, body string) (status int, text string) {
	b.t.Helper()
	req, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if strings.HasPrefix(body, "{") {
		req.Header.Set("Content-Type", "application/json")
	} else {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if strings.HasPrefix(address, b.base) && b.base != "" {
		at, _, _ := strings.Cut(address, "?")
		req.Header.Set("DPoP", b.key.Proof(method, at, token, time.Now()))
		req.Header.Set("Authorization", "DPoP "+token)
		req.Header.Set("Origin", b.base[:strings.Index(b.base, "/portal/")]) // as the frame of the server does
	} else if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	all, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer.StatusCode, string(all)
}

// open does as the page and the frame do: it asks the product for a session, and exchanges the secret of its address.
func (b *browser) open() {
	b.t.Helper()
	status, text := b.send("POST", b.product+"/keys/session", "", "")
	var made struct {
		URL, ClientSecret string
		PortalSession     struct{ ID string }
	}
	if err := json.Unmarshal([]byte(text), &made); status != 200 || err != nil || made.PortalSession.ID == "" {
		b.t.Fatalf("a portal session: %d %s", status, text)
	}
	page, secret, ok := strings.Cut(made.URL, "#")
	if !ok || secret != made.ClientSecret {
		b.t.Fatalf("the address is %s", page)
	}
	b.base = page + "/api/v2/"
	started := b.portal("POST", "portal-sessions/exchange", `{"clientSecret":"`+secret+`"}`)
	b.token = started["token"].(string)
}

// portal calls an operation through the portal session and wants success.
func (b *browser) portal(method, path, body string) map[string]any {
	b.t.Helper()
	status, text := b.send(method, b.base+path, b.token, body)
	var said struct {
		Data struct{ Result map[string]any }
	}
	if err := json.Unmarshal([]byte(text), &said); err != nil || status >= 300 {
		b.t.Fatalf("%s %s: %d %s", method, path, status, text)
	}
	return said.Data.Result
}

func (b *browser) keys() string {
	return marshal(b.t, b.portal("GET", "api-keys", "")["apiKeys"])
}

func marshal(t *testing.T, v any) string {
	var out bytes.Buffer
	if err := json.NewEncoder(&out).Encode(v); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// A customer signs in to the product, makes a key in the frame and calls the product's API with it; a colleague sees
// none of it; and signing out of the product ends the portal session, too.
func TestACustomerOfTheProductMakesAKeyAndCallsItsAPI(t *testing.T) {
	t.Parallel()
	server := keywardtest.New(t, keywardtest.WithPublicURL(t))
	client, err := keyward.New(server.URL, keyward.WithToken(server.RootKey))
	if err != nil {
		t.Fatal(err)
	}
	p := httptest.NewUnstartedServer(nil)
	origin := "http://" + p.Listener.Addr().String()
	p.Config.Handler = newProduct(client, server.URL, origin).handler()
	p.Start()
	t.Cleanup(p.Close)

	ada := aBrowser(t, origin, "Ada", "Acme")
	ada.open()
	key := ada.portal("POST", "api-keys", `{"name":"first","permissions":["calls:read"]}`)["key"].(string)
	for token, want := range map[string]int{key: 200, "nonsense": 401} {
		if status, text := ada.send("GET", origin+"/api/calls", token, ""); status != want {
			t.Errorf("the product's API answers %d, want %d: %s", status, want, text)
		}
	}
	if status, text := ada.send("POST", ada.base+"api-keys", ada.token,
		`{"name":"more","permissions":["calls:write"]}`); status != 403 {
		t.Errorf("a key beyond the ceiling: %d %s", status, text)
	}
	bob := aBrowser(t, origin, "Bob", "Acme")
	bob.open()
	if all := bob.keys(); strings.Contains(all, "first") {
		t.Errorf("Bob sees %s", all)
	}
	if all := ada.keys(); !strings.Contains(all, "first") {
		t.Errorf("Ada sees %s", all)
	}
	if status, _ := ada.send("POST", origin+"/logout", "", ""); status != 200 {
		t.Errorf("signing out: %d", status)
	}
	if status, text := ada.send("GET", ada.base+"api-keys", ada.token, ""); status != 401 {
		t.Errorf("after signing out the portal answers %d: %s", status, text)
	}
	if status, _ := ada.send("POST", origin+"/keys/session", "", ""); status != 401 {
		t.Errorf("after signing out the product makes a portal session: %d", status)
	}
}

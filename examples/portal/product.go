package main

import (
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"log"
	"net/http"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/keyhttp"
)

//go:embed pages/*.html
var files embed.FS

var pages = template.Must(template.ParseFS(files, "pages/*.html"))

// product is the whole of it: who is signed in, which workspace each company has, and its routes.
type product struct {
	keyward   *keyward.Client
	server    string // where browsers reach Keyward
	origin    string // where browsers reach the product: the only origin whose pages may frame its portal sessions
	companies companies
	logins    logins
}

func newProduct(client *keyward.Client, server, origin string) *product {
	return &product{
		keyward: client, server: server, origin: origin, companies: companies{keyward: client, known: map[string]company{}},
		logins: logins{users: map[string]user{}},
	}
}

// handler routes the pages, the API that the product sells, and the portal sessions. Requests that change something are
// refused from pages of other sites.
func (p *product) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.signedIn(p.showKeys))
	mux.HandleFunc("GET /login", p.page("login.html"))
	mux.HandleFunc("POST /login", p.login)
	mux.HandleFunc("POST /logout", p.signedIn(p.logout))
	mux.HandleFunc("POST /keys/session", p.signedIn(p.newSession))
	guard := keyhttp.New(p.keyward, keyhttp.WithEnvironment("live"))
	mux.Handle("GET /api/calls", guard.Require("calls:read")(http.HandlerFunc(calls)))
	return http.NewCrossOriginProtection().Handler(mux)
}

// calls is what the product sells.
func calls(w http.ResponseWriter, r *http.Request) {
	caller, _ := keyhttp.From(r.Context())
	answer(w, map[string]any{"calls": []string{"Hello from " + caller.WorkspaceID}})
}

// newSession makes a portal session for the user who is signed in: the whole of a product's own part.
func (p *product) newSession(w http.ResponseWriter, r *http.Request, u user) {
	made, err := p.keyward.CreatePortalSession(r.Context(), keyward.CreatePortalSessionRequest{
		WorkspaceID:  u.company.workspaceID,
		UserID:       u.id,
		CreateMember: &keyward.PortalMember{Email: u.email, DisplayName: u.name, RoleID: u.company.memberRoleID},
		Capabilities: []string{
			keyward.CapabilityKeysRead, keyward.CapabilityKeysCreate, keyward.CapabilityKeysUpdate, keyward.CapabilityKeysRotate,
			keyward.CapabilityKeysDisable, keyward.CapabilityKeysDelete, keyward.CapabilityUsageRead,
		},
		Ceiling:        &keyward.PortalCeiling{Permissions: []string{"calls:read"}},
		AllowedOrigins: []string{p.origin},
		Reveal:         keyward.RevealFrame,
	})
	if err != nil {
		failed(w, "make a portal session", err)
		return
	}
	answer(w, map[string]any{
		"portalSession": made.PortalSession, "clientSecret": made.ClientSecret.Reveal(), "url": made.URL.Reveal(),
	})
}

func (p *product) showKeys(w http.ResponseWriter, _ *http.Request, u user) {
	show(w, "keys.html",
		map[string]string{"Name": u.name, "Company": u.company.name, "Origin": p.origin, "Keyward": p.server})
}

func (p *product) page(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { show(w, name, nil) }
}

func show(w http.ResponseWriter, name string, values any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := pages.ExecuteTemplate(w, name, values); err != nil {
		log.Print(err)
	}
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store") // it may hold a client secret
	if err := json.NewEncoder(w).Encode(value); err != nil {
		log.Print(err)
	}
}

// failed logs an error, which may say more than a customer should know.
func failed(w http.ResponseWriter, what string, err error) {
	log.Printf("%s: %v", what, err)
	http.Error(w, fmt.Sprintf("could not %s", what), http.StatusBadGateway)
}

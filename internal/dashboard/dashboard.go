// Package dashboard owns the pages for people: their content, the reading of forms, and the headers under which a
// browser may run them. Every page is made on the server and works without scripts. It does not own sign-in (its
// Gate), rights (control decides, each time), nor the decision about a key (verify).
package dashboard

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/installation"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/verify"
)

// Config holds the parts of the dashboard. All of them are needed.
type Config struct {
	Control *control.Service
	Engine  *verify.Engine
	Gate    Gate
	Nodes   Nodes
	// Installation reads the condition of the installation, for its operator.
	Installation *installation.Reader
	Now          func() time.Time // by which expiry is judged
	Wall         func() time.Time // the machine's clock, for deadlines of connections
	Logger       *slog.Logger
	// Base is the address under which people are to open links, without a path.
	Base func(*http.Request) string
	// NoPasskeys says why browsers make no passkey at this address; "" where they do.
	NoPasskeys func(*http.Request) string
}

// Gate identifies the visitor. It is asked once for every request that shows or changes data.
type Gate interface {
	// Visitor is the sender of the request; ok is false if they are not signed in.
	Visitor(r *http.Request) (v Visitor, ok bool, err error)
}

// Visitor is a signed-in person, at one workspace.
type Visitor struct {
	Caller    control.Caller
	Workspace string // the one that is looked at; "" for an operator who has chosen none
	Name      string // to show, "" where nothing is known
	Session   id.Session
	Places    []Place // those to switch between
	All       bool    // an operator, who can look at every workspace
}

// Place is a workspace that the visitor can switch to.
type Place struct{ ID, Name string }

// Dashboard answers the pages. It is safe for concurrent use.
type Dashboard struct {
	Config
	catalogue *perm.Catalogue
	groups    []resource // of the catalogue
	mux       *http.ServeMux
	guard     *http.CrossOriginProtection
}

// New makes the dashboard.
func New(c Config) *Dashboard {
	d := &Dashboard{
		Config: c, catalogue: c.Control.Catalogue(), mux: http.NewServeMux(), guard: http.NewCrossOriginProtection(),
	}
	d.groups = grouped(d.catalogue)
	for _, r := range d.routes() {
		d.mux.Handle(r.on, d.handler(r))
	}
	d.mux.HandleFunc("GET /assets/{name}", d.asset)
	d.mux.HandleFunc("POST /theme", d.theme)
	return d
}

// Routes adds the pages to a mux: behind require, which lets only signed-in visitors through, except the files that
// every page loads.
func (d *Dashboard) Routes(mux *http.ServeMux, require func(http.Handler) http.Handler) {
	inside := require(d)
	for _, pattern := range d.patterns() {
		mux.Handle(pattern, inside)
	}
	mux.Handle("/assets/", d)
	mux.Handle("/theme", d)
}

// patterns are the paths of the pages, without methods: a wrong one is refused in our own words.
func (d *Dashboard) patterns() []string {
	seen := map[string]bool{"/theme": true}
	var out []string
	for _, r := range d.routes() {
		_, path, _ := strings.Cut(r.on, " ")
		first, _, deeper := strings.Cut(strings.TrimPrefix(path, "/"), "/")
		pattern := "/" + first
		if deeper {
			pattern += "/"
		}
		if !seen[pattern] {
			seen[pattern] = true
			out = append(out, pattern)
		}
	}
	return out
}

// Pages lists the patterns of the pages' paths, for tests and measurements that are to leave out none.
func (d *Dashboard) Pages() []string {
	var all []string
	for _, r := range d.routes() {
		if path, ok := strings.CutPrefix(r.on, http.MethodGet+" "); ok {
			all = append(all, path)
		}
	}
	return all
}

// route is one page, or one thing that a page's form does.
type route struct {
	on    string // method and path pattern
	serve func(*request) error
	place bool // needs a workspace
}

func (d *Dashboard) routes() []route {
	return []route{
		{"GET /{$}", d.overview, true},
		{"GET /find", d.find, true},
		{"GET /keys", d.keys, true},
		{"POST /keys/bulk", d.bulk, true},
		{"GET /keys/new", d.newKey, true},
		{"POST /keys/new", d.makeKey, true},
		{"GET /keys/{id}", d.key, true},
		{"GET /keys/{id}/edit", d.editKey, true},
		{"POST /keys/{id}/edit", d.saveKey, true},
		{"POST /keys/{id}/state", d.switchKey, true},
		{"GET /keys/{id}/rotate", d.rotatePage, true},
		{"POST /keys/{id}/rotate", d.rotateKey, true},
		{"GET /keys/{id}/delete", d.deletePage, true},
		{"POST /keys/{id}/delete", d.deleteKey, true},
		{"GET /key-requests", d.requestsPage, true},
		{"GET /key-requests/{id}", d.requestPage, false},
		{"POST /key-requests/{id}/confirm", d.confirmRequest, false},
		{"POST /key-requests/{id}/decline", d.declineRequest, false},
		{"GET /members", d.members, true},
		{"POST /members", d.invite, true},
		{"GET /members/{user}/role", d.rolePage, true},
		{"POST /members/{user}/role", d.giveRole, true},
		{"GET /members/{user}/remove", d.leavePage, true},
		{"POST /members/{user}/remove", d.leave, true},
		{"POST /members/{user}/restore", d.restore, true},
		{"GET /members/{user}/invitation", d.invitationPage, true},
		{"POST /members/{user}/invitation", d.inviteMember, true},
		{"POST /members/{user}/sign-in-reset", d.resetSignIn, true},
		{"POST /passkeys/{id}/remove", d.removePasskey, false},
		{"GET /roles", d.roles, true},
		{"POST /roles", d.saveRole, true},
		{"GET /roles/new", d.newRole, true},
		{"GET /roles/{id}", d.role, true},
		{"POST /roles/{id}", d.saveRole, true},
		{"POST /roles/{id}/delete", d.deleteRole, true},
		{"GET /usage", d.usagePage, true},
		{"GET /usage/export", d.exportUsage, true},
		{"GET /log", d.log, true},
		{"GET /log/export", d.exportLog, true},
		{"GET /webhooks", d.webhooks, true},
		{"POST /webhooks", d.makeWebhook, true},
		{"GET /webhooks/new", d.newWebhook, true},
		{"GET /webhooks/{id}", d.webhook, false},
		{"GET /webhooks/{id}/edit", d.editWebhook, false},
		{"POST /webhooks/{id}/edit", d.saveWebhook, false},
		{"POST /webhooks/{id}/on", d.enableWebhook, false},
		{"GET /webhooks/{id}/off", d.askWebhook("off"), false},
		{"POST /webhooks/{id}/off", d.disableWebhook, false},
		{"GET /webhooks/{id}/rotate", d.askWebhook("rotate"), false},
		{"POST /webhooks/{id}/rotate", d.rotateWebhook, false},
		{"GET /webhooks/{id}/delete", d.askWebhook("delete"), false},
		{"POST /webhooks/{id}/delete", d.deleteWebhook, false},
		{"POST /webhooks/{id}/test", d.testWebhook, false},
		{"POST /webhooks/{id}/deliveries/{delivery}/replay", d.replayDelivery, false},
		{"GET /settings", d.settings, true},
		{"POST /settings", d.saveSettings, true},
		{"POST /settings/state", d.switchWorkspace, true},
		{"POST /settings/delete", d.deleteWorkspace, true},
		{"GET /catalogue", d.cataloguePage, false},
		{"GET /sessions", d.sessions, false},
		{"POST /sessions/{id}/end", d.endSession, false},
		{"GET /workspaces", d.workspaces, false},
		{"POST /workspaces", d.makeWorkspace, false},
		{"GET /installation", d.installation, false},
		{"GET /installation/webhooks", d.webhooks, false},
		{"POST /installation/webhooks", d.makeWebhook, false},
		{"GET /installation/webhooks/new", d.newWebhook, false},
		{"GET /nodes", d.nodes, false},
		{"GET /service-keys", d.serviceKeys, false},
		{"POST /service-keys", d.makeServiceKey, false},
		{"POST /service-keys/{id}/delete", d.deleteServiceKey, false},
	}
}

// ServeHTTP sets the fields of every answer and refuses requests that another site made the browser send.
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	protect(w.Header())
	if err := d.sameOrigin(r); err != nil {
		d.Refuse(w, r, err)
		return
	}
	if _, pattern := d.mux.Handler(r); pattern == "" {
		d.Refuse(w, r, d.unmatched(r))
		return
	}
	d.mux.ServeHTTP(w, r)
}

// policy lets a page load its own styles, scripts and images, send forms to its own origin, and nothing else; no text
// becomes a script or markup (Trusted Types), and no other page frames it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

func protect(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Cache-Control", "no-store")
}

// sameOrigin refuses a change that did not come from our own pages. A browser says where a form came from; a request
// that changes something and says nothing comes from no browser, and has no business with a session.
func (d *Dashboard) sameOrigin(r *http.Request) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return nil
	}
	if err := d.guard.Check(r); err != nil || r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "" {
		return fault.New(
			fault.PermissionDenied,
			"this request did not come from a page of Keyward: open the page again and send the form from there",
		)
	}
	return nil
}

// unmatched tells a wrong method from a path that there is not.
func (d *Dashboard) unmatched(r *http.Request) error {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := d.mux.Handler(other); pattern != "" && pattern != "/" {
			return fault.New(fault.MethodNotAllowed, "this page takes "+method)
		}
	}
	return fault.New(fault.NotFound, "there is no such page")
}

// serve runs the route, or refuses a form that holds a credential.
func (v *request) serve(rt route) error {
	if fields := v.takeCredentials(); len(fields) > 0 {
		return v.refuseCredentials(rt, fields)
	}
	return rt.serve(v)
}

// handler identifies the visitor and reads their rights, then serves the page.
func (d *Dashboard) handler(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name := r.PathValue("id"); name != "" {
			r.SetPathValue("id", id.Canonical(name))
		}
		v := &request{d: d, w: w, r: r, now: d.Now(), turn: func() {}}
		defer func() { v.turn() }()
		err := v.enter(rt)
		if err == nil {
			err = v.serve(rt)
		}
		if err != nil {
			v.refuse(err)
		}
	})
}

// authority reads the visitor's rights in their workspace.
func (d *Dashboard) authority(ctx context.Context, v Visitor) (control.Authority, error) {
	a, err := d.Control.Authority(ctx, v.Caller, v.Workspace)
	if err != nil {
		return a, fmt.Errorf("who looks: %w", err)
	}
	return a, nil
}

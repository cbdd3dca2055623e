package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/cluster"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/dashboard"
	"github.com/keyward/keyward/internal/installation"
	"github.com/keyward/keyward/internal/notice"
	"github.com/keyward/keyward/internal/replica"
)

const (
	pageKeys  = 100_000
	slowest   = 100 // milliseconds that a page may take
	heaviest  = 100 // kilobytes that it may have
	pageTimes = 15
	pageCrowd = 300 // members, roles, workspaces and service keys
)

// everybody admits every request as one person.
type everybody struct{ visitor dashboard.Visitor }

func (e everybody) Visitor(*http.Request) (dashboard.Visitor, bool, error) {
	return e.visitor, true, nil
}

// pages measures the server's time for each page of the dashboard in a workspace with very many keys, and its size:
// among many members, roles and workspaces: as the owner, who has made them all, as a member, who sees a few of their
// own among them, and as an operator.
func pages(ctx context.Context, l *lab) (out result, err error) {
	dir, err := l.folder("pages")
	if err != nil {
		return out, err
	}
	k, err := open(ctx, dir)
	if err != nil {
		return out, err
	}
	defer k.db.Close()
	n := l.most(pageKeys, 1000)
	f, err := k.fill(ctx, "large", n)
	if err != nil {
		return out, err
	}
	role, err := k.employ(ctx, f.ws, "u-2", 20)
	if err != nil {
		return out, err
	}
	owner, err := k.ownerRole(ctx, f.ws)
	if err != nil {
		return out, err
	}
	// So that the page that removes u-1, who has all keys, is there.
	if _, _, err := k.control.PutMember(ctx, k.root, f.ws, "u-3",
		control.PutMember{Email: "u-3@example.org", Role: owner}); err != nil {
		return out, err
	}
	if err := k.crowdPages(ctx, f.ws, role, l.most(pageCrowd, 5)); err != nil {
		return out, err
	}
	asked, err := k.askForRotation(ctx, f.ws, f.ids[0])
	if err != nil {
		return out, err
	}
	hook, err := k.hookWithDeliveries(ctx, f.ws, l.most(pageCrowd, 5))
	if err != nil {
		return out, err
	}
	unvisited := map[string]bool{}
	matched := http.NewServeMux()
	names, visits := visitsOf("/keys/"+f.ids[0], "/roles/"+role, asked, hook)
	for _, visit := range visits {
		who := k.root
		if visit.user != "" {
			if who, err = k.signIn(ctx, f.ws, visit.user); err != nil {
				return out, err
			}
		}
		d := k.dashboard(f.ws, who)
		for _, pattern := range d.Pages() {
			if _, seen := unvisited[pattern]; !seen {
				unvisited[pattern] = true
				matched.Handle(pattern, http.NotFoundHandler())
			}
		}
		for _, path := range visit.paths {
			_, pattern := matched.Handler(httptest.NewRequest(http.MethodGet, path, http.NoBody))
			unvisited[pattern] = false
			took, size, err := page(d, path)
			if err != nil {
				return out, err
			}
			name := path
			if names[path] != "" {
				name = names[path]
			}
			out.figures = append(
				out.figures,
				figure{
					what: fmt.Sprintf("page %s%s, %d keys", name, visit.as, n), unit: "ms", value: float64(took.Microseconds()) / 1000,
					must: atMost(slowest),
				},
				figure{what: "its size", unit: "kB", value: float64(size) / 1000, must: atMost(heaviest)},
			)
		}
	}
	for pattern, left := range unvisited {
		if left {
			return out, fmt.Errorf("the page %s is measured nowhere", pattern)
		}
	}
	return out, nil
}

// visit is what one caller looks at.
type visit struct {
	user, as string
	paths    []string
}

// visitsOf gives the visits of all pages, and the names of some of their paths.
func visitsOf(key, role, asked, hook string) (names map[string]string, visits []visit) {
	names = map[string]string{
		key: "/keys/{id}", key + "?permission=calls:read&ip=203.0.113.7": "/keys/{id}, tested",
		key + "?tab=permissions": "/keys/{id}, its permissions",
		key + "/edit":            "/keys/{id}/edit", key + "/rotate": "/keys/{id}/rotate",
		"/log/export?format=csv&q=nowhere": "/log/export?format=csv&q=nowhere, its first piece",
		key + "/delete":                    "/keys/{id}/delete",
		"/members/u-1/remove":              "/members/{user}/remove, who has all keys",
		role:                               "/roles/{id}", asked: "/key-requests/{id}",
		hook: "/webhooks/{id}", hook + "/edit": "/webhooks/{id}/edit", hook + "/off": "/webhooks/{id}/off",
		hook + "/rotate": "/webhooks/{id}/rotate", hook + "/delete": "/webhooks/{id}/delete",
	}
	return names, []visit{
		{"u-1", "",
			[]string{"/", "/keys", "/keys?sort=used", "/keys?view=expiring", "/keys?view=unused", "/keys?q=key",
				"/keys?q=nowhere", "/keys/new", key,
				key + "?permission=calls:read&ip=203.0.113.7", key + "?tab=permissions", key + "/edit", "/usage", "/members",
				"/members/u-1/remove", "/members/u-2/invitation", "/members/u-2/role", "/roles", "/roles/new",
				role, key + "/rotate", key + "/delete", "/keys?sort=expiry", "/keys?view=disabled&q=nowhere", "/log",
				"/log?q=key", "/log?q=nowhere",
				"/find?q=nowhere", "/log/export?format=csv&q=nowhere", "/usage/export", "/key-requests", asked, "/settings",
				"/catalogue", "/sessions", "/webhooks", "/webhooks/new", hook, hook + "/edit", hook + "/off", hook + "/rotate",
				hook + "/delete"}},
		{"u-2", ", a member", []string{"/", "/keys", "/keys?q=nowhere", "/keys/new"}},
		{"", ", an operator", []string{"/keys", "/workspaces", "/service-keys", "/nodes", "/installation",
			"/installation/webhooks", "/installation/webhooks/new"}},
	}
}

// askForRotation makes a request for a key of u-1, and gives the path of the page that confirms it.
func (k *kit) askForRotation(ctx context.Context, ws, key string) (string, error) {
	owner, err := k.signIn(ctx, ws, "u-1")
	if err != nil {
		return "", err
	}
	request, err := k.control.RequestRotation(ctx, owner, key, 0)
	return "/key-requests/" + string(request.ID), err
}

// hookWithDeliveries makes as many webhooks as there may be, one of them with n deliveries, and gives the path of its
// page.
func (k *kit) hookWithDeliveries(ctx context.Context, ws string, n int) (path string, err error) {
	for i := range notice.MaxEndpoints {
		made, err := k.control.CreateWebhook(ctx, k.root, control.CreateWebhook{
			Workspace: ws, URL: fmt.Sprintf("https://hooks.example.com/%d/%s", i, strings.Repeat("x", 2000))})
		if err != nil {
			return "", err
		}
		path = "/webhooks/" + string(made.ID)
	}
	for range n {
		if _, err := k.control.TestWebhook(ctx, k.root, strings.TrimPrefix(path, "/webhooks/")); err != nil {
			return "", err
		}
	}
	return path, nil
}

// signIn starts a session of a member.
func (k *kit) signIn(ctx context.Context, ws, user string) (control.Caller, error) {
	link, err := k.control.CreateSignInLink(ctx, k.root, control.CreateSignInLink{Workspace: ws, User: user})
	if err != nil {
		return control.Caller{}, err
	}
	started, err := k.control.RedeemSignInLink(ctx, control.Caller{}, link.Code.Reveal())
	if err != nil {
		return control.Caller{}, err
	}
	who, err := k.control.Identify(ctx, started.Token.Reveal())
	return who.Caller, err
}

// dashboard is that of a workspace for a caller: a member, or the root key for an operator.
func (k *kit) dashboard(ws string, caller control.Caller) *dashboard.Dashboard {
	who := everybody{dashboard.Visitor{Caller: caller, Workspace: ws, All: caller.ServiceKey != ""}}
	nodes := &cluster.Alone{Now: time.Now, Replica: func() *replica.Replica { return k.replica }}
	return dashboard.New(dashboard.Config{
		Control: k.control, Engine: k.engine, Gate: who, Now: time.Now, Wall: time.Now,
		Logger: slog.New(slog.DiscardHandler), Base: func(*http.Request) string { return "https://keyward.example" },
		NoPasskeys: func(*http.Request) string { return "" },
		Nodes:      nodes,
		Installation: &installation.Reader{Control: k.control, Nodes: nodes,
			Machine: func(context.Context) installation.Machine { return installation.Machine{Database: "sqlite"} }},
	})
}

// crowdPages makes many of everything that pages list beside keys.
func (k *kit) crowdPages(ctx context.Context, ws, role string, n int) error {
	for i := range n {
		user := fmt.Sprintf("m-%d", i)
		if _, _, err := k.control.PutMember(ctx, k.root, ws, user,
			control.PutMember{Email: user + "@example.org", Role: role}); err != nil {
			return err
		}
		if _, err := k.control.CreateRole(ctx, k.root, ws,
			control.CreateRole{Name: fmt.Sprintf("Role %d", i), Permissions: catalogueNames()}); err != nil {
			return err
		}
		if _, err := k.workspace(ctx, fmt.Sprintf("workspace %d", i)); err != nil {
			return err
		}
		if _, err := k.control.CreateServiceKey(ctx, k.root,
			control.CreateServiceKey{Name: user, Scopes: []string{"verify"}}); err != nil {
			return err
		}
	}
	return nil
}

// employ adds a member with a role of few permissions, with n keys, and returns the role.
func (k *kit) employ(ctx context.Context, ws, user string, n int) (role string, err error) {
	made, err := k.control.CreateRole(
		ctx, k.root, ws,
		control.CreateRole{Name: "Caller", Permissions: []string{"calls:read", "api-keys:read", "api-keys:write"}},
	)
	if err != nil {
		return "", err
	}
	role = string(made.ID)
	if _, _, err := k.control.PutMember(ctx, k.root, ws, user,
		control.PutMember{Email: user + "@example.org", Role: role}); err != nil {
		return "", err
	}
	for i := range n {
		_, err := k.control.CreateKey(
			ctx, k.root, control.CreateKey{Workspace: ws, User: user, Name: fmt.Sprintf("own %d", i)},
		)
		if err != nil {
			return "", err
		}
	}
	return role, nil
}

// firstPiece is an answer that knows when its first bytes were sent: a browser shows an export from then on, and the
// rest takes as long as there are events.
type firstPiece struct {
	*httptest.ResponseRecorder
	at time.Time
}

func (f *firstPiece) Write(b []byte) (int, error) {
	if f.at.IsZero() {
		f.at = time.Now()
	}
	return f.ResponseRecorder.Write(b)
}

// page is the median time of a page, of an export that of its first piece, and its size without compression.
func page(d http.Handler, path string) (time.Duration, int, error) {
	var each []time.Duration
	size := 0
	for range pageTimes {
		w := &firstPiece{ResponseRecorder: httptest.NewRecorder()}
		r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
		start := time.Now()
		d.ServeHTTP(w, r)
		end := time.Now()
		if strings.Contains(path, "/export") && !w.at.IsZero() {
			end = w.at
		}
		each = append(each, end.Sub(start))
		if size = w.Body.Len(); w.Code != http.StatusOK {
			return 0, 0, fmt.Errorf("%s answers %d", path, w.Code)
		}
	}
	return median(each), size, nil
}

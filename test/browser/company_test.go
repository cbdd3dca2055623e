package browser_test

import (
	"net/netip"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/keywardtest"
)

// setup holds the parameters of the stories.
type setup struct {
	URL      string            `json:"url"`
	Root     string            `json:"root"`
	Chromium string            `json:"chromium"`
	Shell    string            `json:"shell"` // Chromium without its windows
	Whole    bool              `json:"whole"` // every story is told in Chromium
	Shots    string            `json:"shots"`
	Only     string            `json:"only"`
	Links    map[string]string `json:"links"` // one-time links, by who is let in
	IDs      map[string]string `json:"ids"`
	Value    string            `json:"value"` // of the key ids.key
	Leos     string            `json:"leos"`  // of the key of one who leaves
	Hostile  string            `json:"hostile"`
}

// hostile is text that would do something on a page that took it for more than text.
const hostile = `"><img src=x onerror="globalThis.pwned=1"><script>globalThis.pwned=1</script>'{{7*7}}`

// company is a server with a workspace in which something has happened.
type company struct {
	*testing.T
	kw     *keywardtest.Server
	client *keyward.Client
	behind atomic.Int64 // how far the clock is behind, in nanoseconds
	ws     string
	roles  map[string]string
	values map[string]string // of keys, by name
	ids    map[string]string
}

// found makes the company: its people and keys a hundred days ago, their activity since then, and their ways to sign
// in today.
func found(t *testing.T) setup {
	t.Helper()
	c := &company{T: t, roles: map[string]string{}, values: map[string]string{}, ids: map[string]string{}}
	c.ago(100 * 24 * time.Hour)
	c.kw = keywardtest.New(
		t, keywardtest.WithPublicURL(t), keywardtest.WithWebhookNetworks(netip.MustParsePrefix("127.0.0.0/8")),
		keywardtest.WithNow(func() time.Time { return time.Now().Add(-time.Duration(c.behind.Load())) }),
	)
	c.client = c.kw.Client()
	c.people()
	c.keys()
	c.traffic()
	c.ago(0)
	c.today()
	chromium, err := exec.LookPath("chromium")
	c.must(err)
	shell, err := exec.LookPath("chromium-headless-shell")
	c.must(err)
	s := setup{URL: c.kw.URL, Root: c.kw.RootKey, Chromium: chromium, Shell: shell, Links: map[string]string{},
		Hostile: hostile,
		Value:   c.values["Nightly report"], Leos: c.values["leo leaves"],
		IDs: map[string]string{
			"workspace": c.ws, "member": c.roles["Member"], "support": c.roles["Support"],
			"key": c.ids["Nightly report"], "hostile": c.ids[hostile], "role": c.roles["Support"],
			"webhook": c.ids["webhook"],
			"viewer":  c.roles["Viewer"], "hostileRole": c.roles["<script>globalThis.pwned=1</script>"],
		}}
	for who, user := range map[string]string{"owner": "ada", "admin": "amy", "developer": "dora", "viewer": "eve",
		"leaver": "zoe"} {
		link, err := c.client.CreateSignInLink(t.Context(), keyward.SignInLinkRequest{WorkspaceID: c.ws, UserID: user})
		c.must(err)
		s.Links[who] = link.URL.Reveal()
	}
	link, err := c.client.CreateSignInLink(t.Context(), keyward.SignInLinkRequest{WorkspaceID: c.ws, Root: true})
	if err != nil {
		link, err = c.client.CreateSignInLink(t.Context(), keyward.SignInLinkRequest{Root: true})
	}
	c.must(err)
	s.Links["root"] = link.URL.Reveal()
	return s
}

func (c *company) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// ago sets the server's clock.
func (c *company) ago(d time.Duration) { c.behind.Store(int64(d)) }

func (c *company) people() {
	w, err := c.client.CreateWorkspace(c.Context(), keyward.CreateWorkspaceRequest{Name: "Acme",
		Owner: &keyward.Owner{UserID: "ada", Email: "ada@acme.example", DisplayName: "Ada Lovelace"}})
	c.must(err)
	c.ws = w.ID
	for r, err := range c.client.AllRoles(c.Context(), c.ws, keyward.ListOptions{}) {
		c.must(err)
		c.roles[r.Name] = r.ID
	}
	for name, permissions := range map[string][]string{
		"Support": {"calls:read", "calls:write", "chat:read", "api-keys:read", "api-keys:write",
			"members:read", "workspace:read"},
		"<script>globalThis.pwned=1</script>": {"calls:read"},
	} {
		r, err := c.client.CreateRole(
			c.Context(), c.ws,
			keyward.CreateRoleRequest{Name: name, Description: "Answers the telephone.", Permissions: permissions},
		)
		c.must(err)
		c.roles[name] = r.ID
	}
	for _, m := range [][3]string{{"amy", "Admin", "Amy Johnson"}, {"dora", "Member", "Dora Marsden"},
		{"eve", "Viewer", "Eve Gardiner"}, {"bob", "Support", "Bob Kahn"},
		{"dan", "Member", ""}, {"leo", "Member", "Leo Baekeland"}, {"zoe", "Viewer", ""}, {"gus", "Support",
			"Gus Weiss"}, {"mal", "Viewer", hostile}} {
		_, _, err := c.client.PutMember(
			c.Context(), c.ws, m[0],
			keyward.PutMemberRequest{Email: m[0] + "@acme.example", DisplayName: keyward.Set(m[2]), RoleID: c.roles[m[1]]},
		)
		c.must(err)
	}
}

// key makes a key and keeps its value.
func (c *company) key(user, name string, change func(*keyward.CreateKeyRequest), permissions ...string) {
	c.Helper()
	in := keyward.CreateKeyRequest{
		WorkspaceID: c.ws, UserID: user, Name: name, Permissions: keyward.Permissions(permissions...),
	}
	if change != nil {
		change(&in)
	}
	k, err := c.client.CreateKey(c.Context(), in)
	c.must(err)
	c.values[name], c.ids[name] = k.Key.Reveal(), k.APIKey.ID
}

func (c *company) keys() {
	c.key("amy", "Old importer", nil, "calls:import", "kb:upload")
	c.ago(45 * 24 * time.Hour)
	in := func(days int) func(*keyward.CreateKeyRequest) {
		return func(r *keyward.CreateKeyRequest) {
			at := time.Now().AddDate(0, 0, days)
			r.ExpiresAt = &at
		}
	}
	c.key("ada", "Checkout service", nil, "calls:read", "calls:write", "billing:read", "phone-numbers:read")
	c.key("amy", "Data warehouse sync", in(200), "analytics:read", "calls:read", "calls:metrics-read", "insights:read")
	c.key("bob", "Support console", in(9), "calls:read", "calls:write", "chat:read")
	c.key(
		"ada", "CI deployments", in(60), "agents:read", "agents:write", "agents:test", "workflows:write", "versions:publish",
	)
	c.key("dora", "Quality dashboard", in(300), "insights:read", "reviews:read")
	c.key(
		"amy", "Telephony bridge",
		func(r *keyward.CreateKeyRequest) { r.AllowedIPs = []string{"203.0.113.0/24", "2001:db8::/32"} }, "calls:read",
		"calls:recording-download",
	)
	c.key("ada", "Access review bot", in(4), "members:read", "members:remove", "roles:read", "api-keys:manage-others")
	c.key("ada", "Mobile app (staging)", func(r *keyward.CreateKeyRequest) { r.Environment = "test" }, "calls:read")
	c.key("gus", "Partner feed", nil, "calls:read")
	c.key("leo", "leo leaves", nil, "calls:read")
	c.key("ada", hostile, func(r *keyward.CreateKeyRequest) {
		r.Description, r.Metadata = hostile, map[string]any{hostile: hostile}
	}, "calls:read")
	c.key("ada", "Nightly report", func(r *keyward.CreateKeyRequest) {
		r.Metadata = map[string]any{"team": "data", "ticket": "OPS-1412"}
	}, "calls:read", "analytics:read", "insights:read")
	_, err := c.client.RemoveMember(c.Context(), c.ws, "gus", keyward.RemoveMemberOptions{Keys: keyward.KeepKeys})
	c.must(err)
}

// traffic asks about keys on each of thirty days, and in each hour of the last one.
func (c *company) traffic() {
	weights := []struct {
		name string
		n    int
	}{{"Checkout service", 34}, {"Data warehouse sync", 21}, {"Support console", 15}, {"CI deployments", 9},
		{"Quality dashboard", 6}, {"Telephony bridge", 4},
		{"Nightly report", 3}, {"Partner feed", 2}}
	wave := []int{4, 5, 7, 9, 8, 3, 2}
	ask := func(scale int) {
		var items []keyward.VerifyRequest
		for i, w := range weights {
			for n := range max(1, w.n*scale/9) {
				q := keyward.VerifyRequest{Key: c.values[w.name], IP: "203.0.113.7"}
				if (n+i)%13 == 0 {
					q.Permissions = keyward.Demand{All: []string{"workspace:delete"}}
				}
				if i == 5 && n%3 == 0 {
					q.IP = "198.51.100.1"
				}
				items = append(items, q)
			}
		}
		_, err := c.client.VerifyBatch(c.Context(), items)
		c.must(err)
	}
	for day := 29; day > 0; day-- {
		c.ago(time.Duration(day)*24*time.Hour + time.Minute)
		ask(5*wave[day%7] + 30 - day)
	}
	for hour := 23; hour >= 0; hour-- {
		c.ago(time.Duration(hour)*time.Hour + time.Minute)
		ask(wave[hour%7])
	}
}

// today makes the latest changes: they stand on top of the log.
func (c *company) today() {
	limits := func(minute, day int) keyward.Field[keyward.Limits] {
		return keyward.Set(keyward.Limits{RequestsPerMinute: keyward.Set(minute), RequestsPerDay: keyward.Set(day)})
	}
	made, err := c.client.CreateWebhook(c.Context(), keyward.CreateWebhookRequest{
		WorkspaceID: c.ws, URL: "http://127.0.0.1:9/hooks", Description: hostile, Events: []string{"member.removed"},
	})
	c.must(err)
	c.ids["webhook"] = made.Webhook.ID
	_, err = c.client.UpdateKeys(c.Context(), []keyward.KeyUpdate{
		{ID: c.ids["Mobile app (staging)"], IsActive: keyward.Set(false)},
		{ID: c.ids["Checkout service"], RateLimit: limits(600, 50_000)},
		{ID: c.ids["Nightly report"], RateLimit: limits(600, 1000)},
		{ID: c.ids["Data warehouse sync"], RateLimit: limits(100, 40)},
	})
	c.must(err)
	for range 38 {
		_, err := c.client.Verify(c.Context(), keyward.VerifyRequest{Key: c.values["Data warehouse sync"]})
		c.must(err)
	}
}

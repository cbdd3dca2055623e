package dashboard_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/notice"
)

const receiver = "https://hooks.example.com/keyward"

var webhookPathIn = regexp.MustCompile(`/webhooks/[0-9a-f-]{36}`)

var webhookSecret = regexp.MustCompile(`whsec_[0-9A-Za-z+/]{43}=`)

// hook creates a webhook by the form, and gives its page's path and its secret.
func (h *house) hook(user, to string, events ...string) (path, secret string) {
	h.Helper()
	a := h.post(user, "/webhooks", url.Values{"url": {to}, "event": events}).want(201)
	path, secret = webhookPathIn.FindString(a.Body.String()), webhookSecret.FindString(a.Body.String())
	if path == "" || secret == "" {
		h.Fatalf("no secret is shown:\n%s", a.Body)
	}
	return path, secret
}

var versionIn = regexp.MustCompile(`name="version" value="(\d+)"`)

func (h *house) version(user, path string) string {
	h.Helper()
	return versionIn.FindStringSubmatch(h.get(user, path+"/rotate").want(200).Body.String())[1]
}

func TestTheSecretOfAWebhookIsShownOnce(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.get("ada", "/webhooks").want(200).says("No webhooks yet", "Create webhook")
	h.get("ada", "/webhooks/new").want(200).says(`value="api_key.revoked" checked`)
	path, first := h.hook("ada", receiver, "api_key.revoked", "api_key.created")
	h.get("ada", "/webhooks").want(200).says(receiver, "hooks.example.com", "2 of 9").silent(first)
	h.get("ada", path).want(200).says(receiver, "api_key.revoked", "Send a test", "Created by", "Ada Lovelace").
		silent(first, "member.removed")
	again := h.post("ada", "/webhooks", url.Values{"url": {receiver}, "event": {"api_key.created", "api_key.revoked"}})
	again.want(422).says("Is taken by a webhook with the same events").silent("whsec_")

	rotate := url.Values{"version": {h.version("ada", path)}, "overlap": {"86400"}}
	rotated := h.post("ada", path+"/rotate", rotate).want(200).says("signed under both")
	second := webhookSecret.FindString(rotated.Body.String())
	if second == "" || second == first {
		t.Errorf("the new secret is %q", second)
	}
	h.get("ada", path).want(200).says("The former secret ends").silent(first, second)
	h.post("ada", path+"/rotate", rotate).want(200).says("The webhook has changed since").silent("whsec_")
	h.get("ada", path).want(200).says("The former secret ends")
	rotate = url.Values{"version": {h.version("ada", path)}, "overlap": {"0"}}
	h.post("ada", path+"/rotate", rotate).want(200).says("The former secret has ended")
	h.get("ada", path).want(200).silent("The former secret ends")
}

func TestAFormForAWebhookSaysEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	h := open(t)
	long := strings.Repeat("x", 501)
	wrong := url.Values{"url": {"http://hooks.example.com"}, "description": {long}}
	h.post("ada", "/webhooks", wrong).want(422).
		says("3 fields need another look", "Must begin with https://", "Choose at least one event.").
		says("http://hooks.example.com")
	h.post("ada", "/webhooks", url.Values{"url": {"https://127.0.0.1/"}, "event": {"api_key.created"}}).want(422).
		says("Names an address to which nothing is sent")
	h.post("ada", "/webhooks", url.Values{"url": {receiver}, "event": {"nonsense"}}).want(422).
		says("Is not a kind of notice")
	path, _ := h.hook("ada", receiver, "api_key.created")
	h.post("ada", path+"/edit", wrong).want(422).says("Must begin with https://", "Choose at least one event.")
	_, key := h.make("ada", "report")
	for _, target := range []string{"/webhooks", path + "/edit"} {
		h.post("ada", target, url.Values{"url": {receiver + "?k=" + key}, "event": {"api_key.created"}}).want(422).
			says("Holds a credential").silent(key)
	}
	h.get("ada", path+"/edit").want(200).says(`value="api_key.created" checked`).silent(`value="api_key.revoked" checked`)
	h.post("ada", path+"/edit",
		url.Values{"url": {receiver + "/2"}, "event": {"member.removed"}, "description": {"Mail"}}).want(303)
	h.get("ada", path).want(200).says(receiver+"/2", "member.removed", "<h1>Mail</h1>").silent("api_key.created")
}

func TestAWebhookIsTestedSwitchedAndDeleted(t *testing.T) {
	t.Parallel()
	h := open(t)
	path, _ := h.hook("ada", receiver, "api_key.created")
	h.get("ada", path).want(200).says("None in the last 7 days")
	h.post("ada", path+"/test", nil).want(303)
	h.get("ada", path).want(200).says("webhook.<wbr>test", "Waiting", "Reload the deliveries").silent("Replay")
	h.get("ada", path+"?status=failed").want(200).says("None of these").silent("<wbr>test")
	id := strings.TrimPrefix(path, "/webhooks/")
	all, _, err := h.control.ListDeliveries(context.Background(), h.root, id, "", control.Paging{})
	must[any](t)(nil, err)
	replay := path + "/deliveries/" + string(all[0].ID) + "/replay"
	h.post("ada", replay, nil).want(409).says("it is tried again by itself")
	h.get("ada", path+"/off").want(200).says("Notices that wait now fail", receiver)
	h.post("ada", path+"/off", nil).want(303)
	h.get("ada", path).want(200).says("Off", "Switch on", "the webhook was switched off").silent("Send a test", ">Replay")
	h.post("ada", path+"/test", nil).want(409)
	h.post("ada", path+"/on", nil).want(303)
	h.get("ada", path).want(200).says("Send a test", ">Replay")
	h.post("ada", replay, nil).want(303)
	h.get("ada", path).want(200).says(`<span class="chip">again</span>`)
	h.get("ada", path+"/delete").want(200).says("Deleting cannot be undone")
	h.post("ada", path+"/delete", nil).want(303)
	h.get("ada", path).want(404)
	h.get("ada", "/webhooks").want(200).says("No webhooks yet")
}

func TestAWebhookThatKeywardSwitchedOffSaysWhy(t *testing.T) {
	t.Parallel()
	h := open(t)
	path, _ := h.hook("ada", receiver, "api_key.created")
	ctx := context.Background()
	e, err := h.control.GetWebhook(ctx, h.root, strings.TrimPrefix(path, "/webhooks/"))
	must[any](t)(nil, err)
	must[any](t)(nil, h.control.DisableWebhook(ctx, e.ID, notice.Failing))
	h.get("ada", path).want(200).says("could not be delivered for 3 days", "Switch on")
	h.post("ada", path+"/on", nil).want(303)
	must[any](t)(nil, h.control.DisableWebhook(ctx, e.ID, notice.Gone))
	h.get("ada", path).want(200).says("the receiver answered 410")
}

// changesOf are all forms of a webhook's page.
func changesOf(path string) map[string]url.Values {
	return map[string]url.Values{
		path + "/edit": {"url": {receiver + "/evil"}, "event": {"api_key.created"}}, path + "/on": nil, path + "/off": nil,
		path + "/rotate": {"overlap": {"0"}}, path + "/delete": nil, path + "/test": nil,
		path + "/deliveries/00000000-0000-7000-8000-000000000000/replay": nil,
	}
}

func TestAWebhookIsChangedByThoseAloneWhoMay(t *testing.T) {
	t.Parallel()
	h := open(t)
	ctx := context.Background()
	path, _ := h.hook("ada", receiver, "api_key.created")
	role := func(user string, permissions ...string) {
		r, err := h.control.CreateRole(ctx, h.root, h.ws, control.CreateRole{Name: user, Permissions: permissions})
		must[any](t)(nil, err)
		h.roles[user] = string(r.ID)
		h.member(user, user)
	}
	role("ivy", "calls:read")
	role("joe", "integrations:read")
	role("kim", "integrations:read", "integrations:webhook")

	h.get("ivy", "/webhooks").want(403)
	h.get("ivy", path).want(403)
	h.get("ivy", "/").want(200).silent(`href="/webhooks"`)
	for user, lacks := range map[string]string{
		"eve": "you need the permission integrations:webhook.",
		"joe": "you need the permissions integrations:webhook and workspace:logs-read.",
	} {
		h.get(user, "/webhooks").want(200).says(receiver, lacks, `href="/webhooks"`).silent("Create webhook")
		h.get(user, path).want(200).says(receiver, lacks).silent("Send a test", "Rotate", "Delete…", "Switch off")
		for _, ask := range []string{"/webhooks/new", path + "/edit", path + "/rotate", path + "/off", path + "/delete"} {
			h.get(user, ask).want(403)
		}
	}
	h.get("eve", path).want(200).says("None in the last 7 days")
	h.get("joe", path).want(200).says("To see deliveries, you need the permission workspace:logs-read").
		silent("Its changes in the log")
	h.get("kim", path).want(200).says("Switch off…", "Delete…", "Without the permission workspace:logs-read").
		silent("Send a test", "Edit…")
	for _, user := range []string{"ivy", "joe", "eve"} {
		h.post(user, "/webhooks", url.Values{"url": {receiver + "/mine"}, "event": {"api_key.created"}}).want(403).
			silent("whsec_")
		for target, form := range changesOf(path) {
			if strings.HasSuffix(target, "/rotate") {
				form.Set("version", h.version("ada", path))
			}
			h.post(user, target, form).want(403).silent("whsec_")
		}
	}
	h.post("kim", path+"/test", nil).want(403)
	h.post("kim", path+"/off", nil).want(303)
	h.post("kim", path+"/on", nil).want(403)
	h.get("ada", path).want(200).says(receiver, "Off")
}

func TestAWebhookOfAnotherWorkspaceIsNotThere(t *testing.T) {
	t.Parallel()
	h := open(t)
	ctx := context.Background()
	ws, err := h.control.CreateWorkspace(ctx, h.root, control.CreateWorkspace{Name: "Globex",
		Owner: control.Some(control.OwnerInput{User: "ada", Email: "ada@example.com"})})
	must[any](t)(nil, err)
	made, err := h.control.CreateWebhook(ctx, h.root, control.CreateWebhook{Workspace: string(ws.ID), URL: receiver})
	must[any](t)(nil, err)
	house, err := h.control.CreateWebhook(ctx, h.root, control.CreateWebhook{URL: receiver})
	must[any](t)(nil, err)
	for _, id := range []string{string(made.ID), string(house.ID), "00000000-0000-7000-8000-000000000000", "nonsense"} {
		path := "/webhooks/" + id
		for _, page := range []string{"", "/edit", "/off", "/rotate", "/delete"} {
			h.get("ada", path+page).want(404).silent(receiver)
		}
		for target, form := range changesOf(path) {
			h.post("ada", target, form).want(404).silent("whsec_")
		}
	}
	h.get("root", "/webhooks/"+string(made.ID)).want(404)
	h.get("ada", "/webhooks").want(200).says("No webhooks yet")
}

func TestTheOperatorHasWebhooksOfTheInstallation(t *testing.T) {
	t.Parallel()
	h := open(t)
	form := url.Values{"url": {receiver}, "event": {"api_key.created"}}
	for _, user := range []string{"ada", "eve"} {
		h.get(user, "/installation/webhooks").want(403)
		h.post(user, "/installation/webhooks", form).want(403)
		h.get(user, "/installation/webhooks/new").want(403)
	}
	h.get("root", "/installation").want(200).says(`href="/installation/webhooks"`)
	h.get("root", "/installation/webhooks/new").want(200).says(`action="/installation/webhooks"`)
	made := h.post("root", "/installation/webhooks", form).want(201).Body.String()
	path := webhookPathIn.FindString(made)
	h.get("root", "/installation/webhooks").want(200).says(receiver, "every workspace")
	h.get("root", "/webhooks").want(200).says("No webhooks yet")
	h.get("root", path).want(200).says(`href="/installation/webhooks"`, "Send a test")
	h.post("root", path+"/test", nil).want(303)
	if to := h.post("root", path+"/delete", nil).want(303).Header().Get("Location"); to != "/installation/webhooks" {
		t.Errorf("after the deletion comes %s", to)
	}
}

func TestT67AWebhookIsChangedFromOurPagesAlone(t *testing.T) {
	t.Parallel()
	h := open(t)
	path, _ := h.hook("ada", receiver, "api_key.created")
	targets := changesOf(path)
	targets["/webhooks"] = url.Values{"url": {receiver + "/evil"}, "event": {"api_key.created"}}
	for target, form := range targets {
		r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Test-User", "ada")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		w := httptest.NewRecorder()
		h.handler.ServeHTTP(w, r)
		if w.Code != http.StatusForbidden {
			t.Errorf("%s: %d", target, w.Code)
		}
	}
	h.get("ada", path).want(200).says(receiver, "None in the last 7 days").silent("Switch on")
}

func TestThereIsARoomForTwentyWebhooks(t *testing.T) {
	t.Parallel()
	h := open(t)
	for i := range notice.MaxEndpoints {
		_, err := h.control.CreateWebhook(context.Background(), h.root, control.CreateWebhook{
			Workspace: h.ws, URL: receiver + strings.Repeat("/x", i) + "?" + strings.Repeat("q", 1900),
			Description: control.Some(strings.Repeat("W", 500))})
		must[any](t)(nil, err)
	}
	page := h.get("ada", "/webhooks").want(200).says("There are 20 webhooks, which is the most").silent("Create webhook")
	if n := page.Body.Len(); n > 100_000 {
		t.Errorf("the list has %d bytes", n)
	}
	h.post("ada", "/webhooks", url.Values{"url": {receiver}, "event": {"api_key.created"}}).want(422).
		says("There are 20 webhooks already")
}

// A webhook, and a key that was disabled, keep the id of who did it alone. A service key is shown as one everywhere.
func TestTheMakerOfAWebhookIsShownAsOnOtherPages(t *testing.T) {
	t.Parallel()
	h := open(t)
	made, err := h.control.CreateWebhook(
		context.Background(), h.root, control.CreateWebhook{Workspace: h.ws, URL: receiver},
	)
	must[any](t)(nil, err)
	keys, _, err := h.control.ListServiceKeys(context.Background(), h.root, control.Paging{})
	must[any](t)(nil, err)
	path := "/webhooks/" + string(made.ID)
	h.get("root", path).want(200).says("Created by", keys[0].Name, `class="avatar other"`, made.CreatedBy)
	h.get("ada", path).want(200).says("Created by", "Service key", `class="avatar other"`)
	mine, _ := h.hook("ada", receiver+"/mine", "api_key.created")
	h.get("ada", mine).want(200).says("Created by", "Ada Lovelace").silent("Service key")
	h.get("ada", "/log").want(200).says("created the webhook to ")
}

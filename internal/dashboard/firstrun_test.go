package dashboard_test

import (
	"context"
	"net/url"
	"testing"

	"github.com/keyward/keyward/internal/control"
)

// An installation without a workspace creates the first one and its owner in the browser, and says what comes next.
func TestTheFirstRunCreatesAWorkspaceAndSaysWhatComesNext(t *testing.T) {
	t.Parallel()
	h := open(t)
	must[any](t)(nil, h.control.DeleteWorkspace(context.Background(), h.root, h.ws))
	h.ws = ""
	h.get("root", "/").want(303)
	h.get("root", "/workspaces").want(200).says("Welcome to Keyward", "Create your first workspace", `name="displayName"`)
	form := url.Values{"name": {"Acme"}, "user": {"ada"}, "email": {"ada@example.com"}, "displayName": {"Ada Lovelace"}}
	h.post("root", "/workspaces", form).
		want(201).
		says("Invitation for Ada Lovelace", "/signin/invitation#", "What next", `action="/signin/workspace"`)
	h.get("root", "/workspaces").want(200).says("Acme").silent("Welcome to Keyward", "first workspace")
}

// A plan that bounds the life of keys bounds what the form offers, and its refusals stand beside their fields.
func TestThePlanBoundsWhatTheFormOffers(t *testing.T) {
	t.Parallel()
	h := open(t)
	plan := control.PlanInput{
		Ceiling: control.Some(
			control.CeilingInput{PerMinute: control.Some[int64](60), MaxLifetimeSeconds: control.Some[int64](20 * 86400)},
		),
	}
	_, err := h.control.PutPlan(context.Background(), h.root, h.ws, plan)
	must[any](t)(nil, err)
	h.get("ada", "/keys/new").
		want(200).
		says(`value="7"`, `value="longest" checked`).
		silent(`name="expiry" value="90"`, `name="expiry" value="never"`)
	form := url.Values{
		"do": {"make"}, "name": {"k"}, "environment": {"live"}, "expiry": {"365"},
		"perMinute": {"600"}, "user": {"ada"}, "once": {"n-1"},
	}
	said := errorsBeside(h.post("ada", "/keys/new", form).want(422).Body.String(), "/keys/new")
	if said["expiry"] == "" || said["perMinute"] == "" {
		t.Errorf("beside the fields: %v", said)
	}
}

package dashboard_test

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/control"
)

// T97: the buttons offer only changes that would be accepted, and a form posted all the same is refused by the same
// rule as in the API.
func TestT97TheButtonsOfferNoMoreThanTheRule(t *testing.T) {
	t.Parallel()
	h := open(t)
	ctx := context.Background()
	made, err := h.control.CreateKey(ctx, h.root, control.CreateKey{Workspace: h.ws, User: "amy", Name: "amys"})
	must[any](t)(nil, err)
	path := "/keys/" + string(made.Key.ID)
	const enable, disable = `value="true">Enable`, `value="false">Disable`
	off, on := url.Values{"active": {"false"}}, url.Values{"active": {"true"}}

	h.get("amy", path).want(200).says(disable).silent(enable, "Disabled</dt>")
	h.post("amy", path+"/state", off).want(303)
	h.get("amy", path).want(200).says(enable, "by amy").silent(disable)

	h.member("amy", "Member") // she holds less than her key now
	h.get("amy", path).want(200).silent(enable, disable)
	h.post("amy", path+"/state", on).want(403).says("can pass on a permission that they do not hold")
	h.get("ada", path).want(200).says(enable)

	h.post("ada", path+"/state", off).want(303) // takes it over
	h.member("amy", "Admin")
	h.get("amy", path).want(200).says(enable, "by Ada Lovelace")

	small, err := h.control.CreateKey(
		ctx, h.root,
		control.CreateKey{Workspace: h.ws, User: "bob", Name: "bobs", Permissions: control.Some([]string{"calls:read"})},
	)
	must[any](t)(nil, err)
	path = "/keys/" + string(small.Key.ID)
	h.post("bob", path+"/state", off).want(303)
	h.get("bob", path).want(200).says(enable)
	h.post("ada", path+"/state", off).want(303)
	h.get("bob", path).want(200).says("by Ada Lovelace").silent(enable)
	h.post("bob", path+"/state", on).want(403).says("api-keys:manage-others")
	h.post("ada", path+"/state", on).want(303)
}

// T97: only callers with the right switch a workspace on, or free it.
func TestT97TheWorkspacesSwitchesAreOfferedToThoseWhoMay(t *testing.T) {
	t.Parallel()
	h := open(t)
	const activate = `value="true">Activate`
	off, on := url.Values{"active": {"false"}, "name": {"Acme"}}, url.Values{"active": {"true"}}
	h.post("amy", "/settings/state", off).want(303)
	h.get("amy", "/settings").want(200).says("deactivated by amy", "An owner activates it").silent(activate)
	h.post("amy", "/settings/state", on).want(403)
	h.get("ada", "/settings").want(200).says(activate)
	h.post("ada", "/settings/state", on).want(303)
	h.post("root", "/settings/state", off).want(303)
	h.get("ada", "/settings").want(200).says("An operator of this installation activates it").silent(activate)
	h.post("ada", "/settings/state", on).want(403)
	h.get("root", "/settings").want(200).says(activate)
	h.post("root", "/settings/state", on).want(303)

	mode := func(m string) url.Values { return url.Values{"name": {"Acme"}, "mode": {m}} }
	h.post("amy", "/settings", mode("capped")).want(303)
	if page := h.get("amy", "/settings").want(200).Body.String(); !strings.Contains(page, `value="frozen" disabled`) {
		t.Error("an admin is offered to free the keys")
	}
	h.post("amy", "/settings", mode("frozen")).want(422).says("Only an owner")
	h.get("ada", "/settings").want(200).silent(`value="frozen" disabled`)
	h.post("ada", "/settings", mode("frozen")).want(303)
}

// Whether keys rotate themselves is a setting like the others: an unticked box forbids it.
func TestSelfRotationIsASettingOfTheWorkspace(t *testing.T) {
	t.Parallel()
	h := open(t)
	const ticked = `name="selfRotation" value="allowed" checked`
	h.get("ada", "/settings").want(200).says(ticked)
	form := url.Values{"name": {"Acme"}, "mode": {"frozen"}}
	h.post("ada", "/settings", form).want(303)
	h.get("ada", "/settings").want(200).silent(ticked)
	form.Set("selfRotation", "allowed")
	h.post("ada", "/settings", form).want(303)
	h.get("ada", "/settings").want(200).says(ticked)
}

// T97: the buttons, the bulk page and the undo of either enable no key beyond the workspace's rules for its values.
func TestT97NoButtonEnablesAKeyThatTheWorkspaceWouldNotHaveNow(t *testing.T) {
	t.Parallel()
	h := open(t)
	ctx := context.Background()
	made, err := h.control.CreateKey(ctx, h.root, control.CreateKey{Workspace: h.ws, User: "amy", Name: "amys"})
	must[any](t)(nil, err)
	id := string(made.Key.ID)
	h.post("ada", "/settings", url.Values{"name": {"Acme"}, "mode": {"frozen"}, "lifetime": {"30"}}).want(303)
	h.post("amy", "/keys/"+id+"/state", url.Values{"active": {"false"}}).want(303)
	const why = "he workspace requires an expiry"
	h.post("amy", "/keys/"+id+"/state", url.Values{"active": {"true"}}).says(why)
	h.post("amy", "/keys/bulk", url.Values{"action": {"enable"}, "confirm": {"enable"}, "back": {"/keys"}, "id": {id}}).
		says(why)
	got, err := h.control.GetKey(ctx, h.root, id)
	must[any](t)(nil, err)
	if got.IsActive {
		t.Error("the key is enabled")
	}
	h.post("amy", "/keys/"+id+"/rotate", url.Values{"value": {got.Value.Masked}, "overlap": {"0"}})
	h.post("amy", "/keys/"+id+"/state", url.Values{"active": {"true"}}).want(303)
}

//go:build tofu

package tofutest

import (
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/terraform/internal/realserver"
)

// stored makes a key, and puts its value into the secret store of another provider, as the README does.
const stored = `
terraform {
  required_providers {
    keyward = { source = "keyward/keyward" }
    store   = { source = "keyward/store" }
  }
}

variable "value_version" {
  default = 1
}

variable "name" {
  default = "report"
}

resource "keyward_workspace" "acme" {
  name  = "Acme"
  owner = { user_id = "ada", email = "ada@example.com" }
}

ephemeral "keyward_key_value" "report" {}

resource "keyward_api_key" "report" {
  workspace_id     = keyward_workspace.acme.id
  user_id          = "ada"
  name             = var.name
  permissions      = ["calls:read"]
  value_wo         = ephemeral.keyward_key_value.report.value
  value_wo_version = var.value_version
}

resource "store_secret" "report" {
  file             = "report.key"
  value_wo         = ephemeral.keyward_key_value.report.value
  value_wo_version = 1
  lifecycle { replace_triggered_by = [keyward_api_key.report.id] }
}
`

func TestT113AStoreOfAnotherProviderGetsTheValueOfTheKey(t *testing.T) {
	t.Parallel()
	p := newProject(t, realserver.Start(t, root), map[string]string{"main.tf": stored})
	p.tofu("plan", "-out=first.plan")
	p.tofu("apply", "first.plan")
	first := p.value("report.key")
	if got := p.verdict(first, "calls:read"); got != keyward.VerdictValid {
		t.Errorf("the value in the store is %s", got)
	}
	p.unchanged()

	// Each run makes another value. The key and the store take one with another version alone.
	renamed := []string{"-var", "name=nightly"}
	out := p.tofu(append([]string{"apply", "-auto-approve"}, renamed...)...)
	has(t, out, "0 added, 1 changed, 0 destroyed")
	if got := p.verdict(first, "calls:read"); got != keyward.VerdictValid || p.value("report.key") != first {
		t.Errorf("after a change of the name the first value is %s, or the store has another one", got)
	}

	raised := append([]string{"-var", "value_version=2"}, renamed...)
	out = p.tofu(append([]string{"plan", "-out=second.plan"}, raised...)...)
	has(t, out, "keyward_api_key.report must be replaced", "value_wo_version", "forces replacement",
		"store_secret.report will be replaced")
	p.tofu("apply", "second.plan")
	second := p.value("report.key")
	if second == first {
		t.Error("another version leaves the old value in the store")
	}
	if got := p.verdict(second, "calls:read"); got != keyward.VerdictValid {
		t.Errorf("the value of the second version is %s", got)
	}
	if got := p.verdict(first, "calls:read"); got != keyward.VerdictNotFound {
		t.Errorf("the value of the first version is %s", got)
	}
	p.unchanged(raised...)
}

func TestT113AnEphemeralKeyEndsWithItsRun(t *testing.T) {
	t.Parallel()
	s := realserver.Start(t, root)
	w, err := s.Client.CreateWorkspace(t.Context(), keyward.CreateWorkspaceRequest{
		Name: "Acme", Owner: &keyward.Owner{UserID: "ada", Email: "ada@example.com"},
	})
	if err != nil {
		t.Fatal(err)
	}
	p := newProject(t, s, map[string]string{"main.tf": `
terraform {
  required_providers {
    keyward = { source = "keyward/keyward" }
    store   = { source = "keyward/store" }
  }
}

ephemeral "keyward_api_key" "ada" {
  workspace_id       = "` + w.ID + `"
  user_id            = "ada"
  permissions        = ["calls:read"]
  expires_in_seconds = 3600
}

resource "store_secret" "ada" {
  file             = "ada.key"
  value_wo         = ephemeral.keyward_api_key.ada.value
  value_wo_version = 1
}
`})
	for i, args := range [][]string{{"plan", "-out=a.plan"}, {"apply", "a.plan"}} {
		p.tofu(args...)
		if made := p.ephemeralKeys(w.ID); made != i+1 {
			t.Errorf("%d ephemeral keys were made up to tofu %s", made, args[0])
		}
	}
	if got := p.verdict(p.value("ada.key"), "calls:read"); got != keyward.VerdictNotFound {
		t.Errorf("after the run the key is %s", got)
	}
}

// ephemeralKeys returns how many keys the runs so far have made in a workspace. It fails if one of them is there still,
// or was made for longer than an hour.
func (p *project) ephemeralKeys(workspace string) (made int) {
	p.t.Helper()
	deleted := map[any]bool{}
	for e, err := range p.Client.AllLogs(p.t.Context(), keyward.ListLogsOptions{WorkspaceID: workspace}) {
		if err != nil {
			p.t.Fatal(err)
		}
		switch id := e.Metadata["target"]; e.EventType {
		case "api_key.deleted": // newest first
			deleted[id] = true
		case "api_key.created":
			made++
			after, _ := e.Metadata["after"].(map[string]any)
			expiry, _ := after["expiresAt"].(string)
			until, err := time.Parse(time.RFC3339, expiry)
			if err != nil || until.Sub(e.CreatedAt) > time.Hour {
				p.t.Errorf("the ephemeral key %v of %v expires at %q (%v)", id, e.CreatedAt, expiry, err)
			}
			if !deleted[id] {
				p.t.Errorf("the ephemeral key %v is there after its run", id)
			}
		}
	}
	return made
}

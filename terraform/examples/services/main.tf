# A service key for a service that verifies keys, whose value goes into a file of yours alone; and a provider that acts as a member, with
# a key that lives as long as the run.
#
#   export KEYWARD_URL=http://127.0.0.1:8080 KEYWARD_TOKEN=kw_svc_...
#   tofu apply -var workspace_id=...

terraform {
  required_providers {
    keyward = {
      source = "keyward/keyward"
    }
  }
}

variable "workspace_id" {
  type = string
}

provider "keyward" {
  workspace_id = var.workspace_id
}

resource "keyward_service_key" "verifier" {
  name          = "verifier of the orders service"
  scopes        = ["verify"]
  workspace_ids = [var.workspace_id]
  environments  = ["live"]
}

# The value is there in the apply that makes the key, and null in every other.
ephemeral "keyward_service_key_value" "verifier" {
  service_key_id = keyward_service_key.verifier.id
}

resource "terraform_data" "verifier_file" {
  triggers_replace = [keyward_service_key.verifier.id]

  provisioner "local-exec" {
    command = "umask 077 && printf %s \"$VALUE\" > verifier.key"
    environment = {
      VALUE = ephemeral.keyward_service_key_value.verifier.value
    }
  }
}

# A key of Ada's for the time of a plan or an apply: it is deleted at the end, and lasts 15 minutes at most.
ephemeral "keyward_api_key" "ada" {
  user_id     = "ada"
  name        = "OpenTofu as Ada"
  permissions = ["roles:read"]
}

provider "keyward" {
  alias        = "ada"
  token        = ephemeral.keyward_api_key.ada.value
  workspace_id = var.workspace_id
}

data "keyward_roles" "all" {
  provider = keyward.ada
}

output "roles" {
  value = [for r in data.keyward_roles.all.roles : r.name]
}

# A workspace, a role, a member, and an API key of hers, whose value goes into a file of yours alone. A secret store takes the place of
# the file: give its write-only argument the same ephemeral value.
#
#   export KEYWARD_URL=http://127.0.0.1:8080 KEYWARD_TOKEN=kw_svc_...
#   tofu apply

terraform {
  required_providers {
    keyward = {
      source = "keyward/keyward"
    }
  }
}

variable "permissions" {
  description = "Permissions of the key. Another set replaces the key."
  type        = set(string)
  default     = ["calls:read"]
}

variable "value_version" {
  description = "Raise it to replace the key by one with a new value."
  type        = number
  default     = 1
}

resource "keyward_workspace" "acme" {
  name = "Acme"
  owner = {
    user_id = "ada"
    email   = "ada@example.com"
  }
  max_key_lifetime_seconds = 90 * 24 * 3600
}

resource "keyward_role" "support" {
  workspace_id = keyward_workspace.acme.id
  name         = "Support"
  permissions  = ["calls:read", "calls:write", "api-keys:read", "api-keys:write"]
}

resource "keyward_member" "bob" {
  workspace_id = keyward_workspace.acme.id
  user_id      = "bob"
  email        = "bob@example.com"
  role_id      = keyward_role.support.id
}

# Each plan and each apply makes another value, and forgets it. The apply that makes the key uses one value in both places below.
ephemeral "keyward_key_value" "report" {}

resource "keyward_api_key" "report" {
  workspace_id = keyward_workspace.acme.id
  user_id      = keyward_member.bob.user_id
  name         = "nightly report"
  permissions  = var.permissions
  rate_limit   = { requests_per_minute = 60 }
  metadata     = jsonencode({ team = "billing" })

  value_wo         = ephemeral.keyward_key_value.report.value
  value_wo_version = var.value_version

  lifecycle {
    create_before_destroy = true # the new value is in its place before the old one ends
  }
}

resource "terraform_data" "report_key_file" {
  triggers_replace = [keyward_api_key.report.id] # whatever replaces the key writes the new value

  provisioner "local-exec" {
    command = "umask 077 && printf %s \"$VALUE\" > report.key"
    environment = {
      VALUE = ephemeral.keyward_key_value.report.value
    }
  }
}

output "report_key" {
  value = keyward_api_key.report.key # masked
}

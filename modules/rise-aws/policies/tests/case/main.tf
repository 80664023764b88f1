# One case of testdata/policies: the module's policies for its input.json beside the files.

terraform {
  required_version = ">= 1.9"
}

variable "case" {
  description = "Name of the case's folder."
  type        = string
}

locals {
  folder = "${path.module}/../../../../../testdata/policies/${var.case}"
  input  = jsondecode(file("${local.folder}/input.json"))
  outputs = {
    controller         = module.policies.controller
    "controller-trust" = module.policies.controller_trust
    push               = module.policies.push
    "push-trust"       = module.policies.push_trust
    pull               = module.policies.pull
    "pull-trust"       = module.policies.pull_trust
    user               = length(try(local.input.principals, [])) == 0 ? null : module.policies.user
    diagnose           = module.policies.diagnose
    registry           = jsonencode(module.policies.registry)
  }
}

module "policies" {
  source = "../.."

  partition           = local.input.partition
  dns_suffix          = local.input.dns_suffix
  region              = local.input.region
  account_id          = local.input.account_id
  repo_prefix         = try(local.input.repo_prefix, "rise/")
  installation        = try(local.input.installation, "")
  controller_role_arn = local.input.controller_role_arn
  push_role_arn       = local.input.push_role_arn
  pull_role_arn       = try(local.input.pull_role_arn, "")
  external_id         = try(local.input.external_id, "")
  role_external_id    = try(local.input.role_external_id, "")
  kms_key_arn         = try(local.input.kms_key_arn, "")
  shared_repositories = try(local.input.shared_repositories, [])
  session_tags        = try(local.input.session_tags, false)
  auto_remove         = try(local.input.auto_remove, false)
  tags                = try(local.input.tags, {})
  principals          = try(local.input.principals, [])
  services            = try(local.input.services, [])
  irsa                = try(local.input.irsa, null)
  pod_identity        = try(local.input.pod_identity, null)
  settings            = try(local.input.settings, {})
}

output "different" {
  description = "Names of documents that aren't the file's; a document without a file counts, and a file without a document."
  value = [
    for name, text in local.outputs : name
    if !(text == null
      ? !fileexists("${local.folder}/${name}.json")
    : fileexists("${local.folder}/${name}.json") && jsonencode(try(jsondecode(text), null)) == jsonencode(try(jsondecode(file("${local.folder}/${name}.json")), "")))
  ]
}

output "compared" {
  description = "How many documents were compared."
  value       = length([for text in values(local.outputs) : text if text != null])
}

output "documents" {
  description = "The module's documents."
  value       = local.outputs
}

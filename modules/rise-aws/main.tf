data "aws_partition" "current" {}
data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

locals {
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.id # its name, in versions 5 and 6 of the provider alike
  account   = data.aws_caller_identity.current.account_id

  # Written out rather than taken from the resources, whose policies name each other.
  iam                 = "arn:${local.partition}:iam::${local.account}"
  controller_role_arn = "${local.iam}:role/${var.name}"
  push_role_arn       = "${local.iam}:role/${var.name}-ecr-push"
  pull_role_arn       = var.create_pull_role ? "${local.iam}:role/${var.name}-ecr-pull" : ""
  user_arn            = "${local.iam}:user/${var.name}"
}

module "policies" {
  source = "./policies"

  partition           = local.partition
  dns_suffix          = data.aws_partition.current.dns_suffix
  region              = local.region
  account_id          = local.account
  repo_prefix         = var.repo_prefix
  installation        = var.installation == null ? var.name : var.installation
  controller_role_arn = local.controller_role_arn
  push_role_arn       = local.push_role_arn
  pull_role_arn       = local.pull_role_arn
  external_id         = var.external_id
  role_external_id    = var.role_external_id
  kms_key_arn         = var.kms_key_arn
  shared_repositories = var.shared_repositories
  session_tags        = true
  auto_remove         = var.auto_remove
  tags                = var.repository_tags
  principals          = concat(var.principals, var.create_user ? [local.user_arn] : [])
  services            = var.services
  irsa                = var.irsa
  pod_identity = var.pod_identity == null ? null : {
    cluster_arn     = "arn:${local.partition}:eks:${local.region}:${local.account}:cluster/${var.pod_identity.cluster_name}"
    namespace       = var.pod_identity.namespace
    service_account = var.pod_identity.service_account
  }
  settings = {
    session_duration                = var.session_duration
    project_ids                     = var.project_ids
    remove_after                    = var.remove_after
    image_tag_mutability            = var.image_tag_mutability
    image_tag_mutability_exclusions = var.image_tag_mutability_exclusions
    scan_on_push                    = var.scan_on_push
    max_image_count                 = var.max_image_count
    untagged_expire_days            = var.untagged_expire_days
  }
}

# The controller role, as which the service runs.

resource "aws_iam_role" "controller" {
  name                 = var.name
  description          = "Manages the repositories of ${var.name} and assumes ${var.name}-ecr-push"
  assume_role_policy   = module.policies.controller_trust
  permissions_boundary = var.permissions_boundary_arn
  max_session_duration = var.max_session_duration
  tags                 = var.tags

  depends_on = [aws_iam_user.this] # IAM refuses to trust who doesn't exist
}

resource "aws_iam_role_policy" "controller" {
  name   = "controller"
  role   = aws_iam_role.controller.name
  policy = module.policies.controller
}

resource "aws_iam_role_policy" "diagnose" {
  count = var.attach_diagnose_policy ? 1 : 0

  name   = "diagnose"
  role   = aws_iam_role.controller.name
  policy = module.policies.diagnose
}

resource "aws_eks_pod_identity_association" "controller" {
  count = var.pod_identity == null ? 0 : 1

  cluster_name    = var.pod_identity.cluster_name
  namespace       = var.pod_identity.namespace
  service_account = var.pod_identity.service_account
  role_arn        = aws_iam_role.controller.arn
  tags            = var.tags
}

resource "aws_iam_instance_profile" "controller" {
  count = contains(var.services, "ec2") ? 1 : 0

  name = var.name
  role = aws_iam_role.controller.name
  tags = var.tags

  lifecycle {
    # An instance goes on with a profile whose role was deleted, and gets no credentials.
    replace_triggered_by = [aws_iam_role.controller.unique_id]
  }
}

# The push role, which is assumed for each credential.

resource "aws_iam_role" "push" {
  name                 = "${var.name}-ecr-push"
  description          = "Pushes to and pulls from one project's repository of ${var.name}"
  assume_role_policy   = module.policies.push_trust
  permissions_boundary = var.permissions_boundary_arn
  max_session_duration = var.max_session_duration
  tags                 = var.tags

  depends_on = [aws_iam_role.controller]

  lifecycle {
    # IAM keeps a trusted role's unique id: who trusted it doesn't trust one that is made again under its name.
    replace_triggered_by = [aws_iam_role.controller.unique_id]
  }
}

resource "aws_iam_role_policy" "push" {
  name   = "push"
  role   = aws_iam_role.push.name
  policy = module.policies.push
}

# The pull role, for registry-wide pull credentials.

resource "aws_iam_role" "pull" {
  count = var.create_pull_role ? 1 : 0

  name                 = "${var.name}-ecr-pull"
  description          = "Pulls from all repositories of ${var.name}"
  assume_role_policy   = module.policies.pull_trust
  permissions_boundary = var.permissions_boundary_arn
  max_session_duration = var.max_session_duration
  tags                 = var.tags

  depends_on = [aws_iam_role.controller]

  lifecycle {
    replace_triggered_by = [aws_iam_role.controller.unique_id]
  }
}

resource "aws_iam_role_policy" "pull" {
  count = var.create_pull_role ? 1 : 0

  name   = "pull"
  role   = aws_iam_role.pull[0].name
  policy = module.policies.pull
}

# The user, for services outside AWS: it may assume the controller role and nothing else.

resource "aws_iam_user" "this" {
  count = var.create_user ? 1 : 0

  name                 = var.name
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

resource "aws_iam_user_policy" "this" {
  count = var.create_user ? 1 : 0

  name   = "assume-controller"
  user   = aws_iam_user.this[0].name
  policy = module.policies.user
}

resource "aws_iam_access_key" "this" {
  count = var.create_user ? 1 : 0

  user = aws_iam_user.this[0].name
}

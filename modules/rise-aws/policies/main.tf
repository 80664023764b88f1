# The policies of the Go package ecr/iampolicy, statement by statement: testdata/policies holds both to the same files.

locals {
  repositories     = "arn:${var.partition}:ecr:${var.region}:${var.account_id}:repository/"
  all_repositories = "${local.repositories}${var.repo_prefix}*"
  shared           = [for name in var.shared_repositories : "${local.repositories}${name}"] # every session may pull from them
  reach            = concat([local.all_repositories], local.shared)
  assumed_roles    = compact([var.push_role_arn, var.pull_role_arn])

  # A list of one is a plain string in the documents; this way round, since a condition's results must be of one type.
  assumed_resources = jsondecode(length(local.assumed_roles) == 1 ? jsonencode(local.assumed_roles[0]) : jsonencode(local.assumed_roles))
  shared_resources  = jsondecode(length(local.shared) == 1 ? jsonencode(local.shared[0]) : jsonencode(local.shared))
  reach_resources   = jsondecode(length(local.reach) == 1 ? jsonencode(local.reach[0]) : jsonencode(local.reach))
  principals        = jsondecode(length(var.principals) == 1 ? jsonencode(var.principals[0]) : jsonencode(var.principals))

  # What makes a repository this installation's.
  marks = merge({ "rise:managed" = "true" }, var.installation == "" ? {} : { "rise:installation" = var.installation })
  own   = { for key, value in local.marks : "aws:ResourceTag/${key}" => value }

  tag_keys = sort(keys(var.tags))

  # A lifecycle policy deletes images: it may be set only where one is configured.
  lifecycle_action = (coalesce(var.settings.max_image_count, 0) > 0 || coalesce(var.settings.untagged_expire_days, 0) > 0
    ? "ecr:PutLifecyclePolicy"
  : "ecr:DeleteLifecyclePolicy")

  pull_actions = [
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
  ]
  push_actions = concat(local.pull_actions, [
    "ecr:CompleteLayerUpload",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
  ])

  # EKS Pod Identity's session tags. They are transitive: every role that is assumed from there has to let them in.
  pod_identity_tags = [
    "eks-cluster-arn",
    "eks-cluster-name",
    "kubernetes-namespace",
    "kubernetes-service-account",
    "kubernetes-pod-name",
    "kubernetes-pod-uid",
  ]

  token = {
    Sid      = "Token"
    Effect   = "Allow"
    Action   = "ecr:GetAuthorizationToken"
    Resource = "*"
  }

  # What the Denies by tags are about: the shared repositories bear none of the library's.
  tagged = jsondecode(length(local.shared) == 0 ? jsonencode({ Resource = "*" }) : jsonencode({ NotResource = local.shared_resources }))

  # The Denies of the push and the pull role, what no resource-based policy can grant them, and all about the shared repositories.
  guards = concat([
    {
      Sid         = "NothingElse"
      Effect      = "Deny"
      NotAction   = "ecr:GetAuthorizationToken"
      NotResource = local.reach_resources
    },
    merge(local.tagged, {
      Sid       = "OursOnly"
      Effect    = "Deny"
      NotAction = "ecr:GetAuthorizationToken"
      Condition = {
        StringNotEquals = (var.installation == ""
          ? { "aws:ResourceTag/rise:managed" = "true" }
        : { "aws:ResourceTag/rise:installation" = var.installation })
      }
    }),
    merge(local.tagged, {
      Sid       = "NoOrphan"
      Effect    = "Deny"
      NotAction = "ecr:GetAuthorizationToken"
      Condition = { StringEquals = { "aws:ResourceTag/rise:orphaned" = "true" } }
    }),
    merge(local.tagged, {
      Sid       = "NoSuspended"
      Effect    = "Deny"
      NotAction = "ecr:GetAuthorizationToken"
      Condition = { StringEquals = { "aws:ResourceTag/rise:suspended" = "true" } }
    }),
    ], [for statement in [
      {
        Sid      = "Shared"
        Effect   = "Allow"
        Action   = local.pull_actions
        Resource = local.shared_resources
      },
      {
        Sid       = "SharedReadOnly"
        Effect    = "Deny"
        NotAction = concat(["ecr:GetAuthorizationToken"], local.pull_actions)
        Resource  = local.shared_resources
      },
  ] : statement if length(local.shared) > 0])

  push = concat([
    local.token,
    {
      Sid      = "OneProject"
      Effect   = "Allow"
      Action   = local.push_actions
      Resource = local.all_repositories
      Condition = {
        StringEquals    = merge(local.own, var.session_tags ? { "aws:ResourceTag/rise:project" = "$${aws:PrincipalTag/rise:project}" } : {})
        StringNotEquals = { "aws:ResourceTag/rise:orphaned" = "true" }
      }
    },
    ], local.guards, !var.session_tags ? [] : [merge(local.tagged, {
      Sid       = "OtherProject"
      Effect    = "Deny"
      NotAction = "ecr:GetAuthorizationToken"
      Condition = { StringNotEquals = { "aws:ResourceTag/rise:project" = "$${aws:PrincipalTag/rise:project}" } }
  })])

  # The longest session policy that the library makes of this: a push, with the longest project and id. It has to fit into AWS's 2,048 characters.
  longest_project = "${local.repositories}${var.repo_prefix}${format("%063d", 0)}"
  longest_session = jsonencode({ Version = "2012-10-17", Statement = [
    { Effect = "Allow", Action = "ecr:GetAuthorizationToken", Resource = "*" },
    { Effect = "Allow", Action = local.push_actions, Resource = local.longest_project },
    { Effect = "Deny", NotAction = "ecr:GetAuthorizationToken", NotResource = concat([local.longest_project], local.shared) },
    { Effect = "Deny", NotAction = concat(["ecr:GetAuthorizationToken"], local.push_actions), Resource = "*" },
    { Effect = "Allow", Action = local.pull_actions, Resource = local.shared_resources },
    { Effect = "Deny", NotAction = concat(["ecr:GetAuthorizationToken"], local.pull_actions), NotResource = local.longest_project },
    {
      Effect    = "Deny"
      NotAction = "ecr:GetAuthorizationToken"
      Resource  = local.longest_project
      Condition = {
        Null            = { "aws:ResourceTag/rise:project-id" = "false" }
        StringNotEquals = { "aws:ResourceTag/rise:project-id" = format("%0128d", 0) }
      }
    },
  ] })

  pull = concat([
    local.token,
    {
      Sid       = "Pull"
      Effect    = "Allow"
      Action    = local.pull_actions
      Resource  = local.all_repositories
      Condition = { StringEquals = local.own }
    },
  ], local.guards)

  push_trust = [
    {
      Sid       = "Assume"
      Effect    = "Allow"
      Principal = { AWS = var.controller_role_arn }
      Action    = "sts:AssumeRole"
      Condition = { for operator, keys in {
        StringLike   = { "sts:RoleSessionName" = ["rise-push-*", "rise-pull-*"] }
        StringEquals = var.external_id == "" ? null : { "sts:ExternalId" = var.external_id }
        Null         = var.session_tags ? { "aws:RequestTag/rise:project" = "false" } : null
      } : operator => keys if keys != null }
    },
    {
      Sid       = "Tag"
      Effect    = "Allow"
      Principal = { AWS = var.controller_role_arn }
      Action    = "sts:TagSession"
      Condition = { "ForAllValues:StringEquals" = { "aws:TagKeys" = concat(["rise:project"], local.pod_identity_tags) } }
    },
  ]

  pull_trust = [
    {
      Sid       = "Assume"
      Effect    = "Allow"
      Principal = { AWS = var.controller_role_arn }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = merge(
          { "sts:RoleSessionName" = "rise-pull-@all" },
          var.external_id == "" ? {} : { "sts:ExternalId" = var.external_id },
        )
      }
    },
    {
      Sid       = "Tag"
      Effect    = "Allow"
      Principal = { AWS = var.controller_role_arn }
      Action    = "sts:TagSession"
      Condition = { "ForAllValues:StringEquals" = { "aws:TagKeys" = local.pod_identity_tags } }
    },
  ]

  kms_via = { "kms:ViaService" = "ecr.${var.region}.${var.dns_suffix}" }

  controller = [for statement in [
    {
      Sid      = "List"
      Effect   = "Allow"
      Action   = "ecr:DescribeRepositories"
      Resource = "${local.repositories}*"
    },
    {
      Sid      = "Read"
      Effect   = "Allow"
      Action   = ["ecr:GetLifecyclePolicy", "ecr:GetRepositoryPolicy", "ecr:ListTagsForResource"]
      Resource = local.all_repositories
    },
    {
      Sid      = "CreateTagged"
      Effect   = "Allow"
      Action   = ["ecr:CreateRepository", "ecr:TagResource"]
      Resource = local.all_repositories
      Condition = {
        StringEquals = { for key, value in local.marks : "aws:RequestTag/${key}" => value }
        "ForAllValues:StringEquals" = {
          "aws:TagKeys" = concat(["rise:managed"], var.installation == "" ? [] : ["rise:installation"], ["rise:project", "rise:project-id"], local.tag_keys)
        }
        Null = {
          "aws:RequestTag/rise:project"       = "false"
          "aws:ResourceTag/rise:managed"      = "true"
          "aws:ResourceTag/rise:installation" = "true"
        }
      }
    },
    {
      Sid      = "MarkOwn"
      Effect   = "Allow"
      Action   = "ecr:TagResource"
      Resource = local.all_repositories
      Condition = {
        StringEquals                = local.own
        "ForAllValues:StringEquals" = { "aws:TagKeys" = concat(["rise:orphaned", "rise:orphaned-at", "rise:suspended"], local.tag_keys) }
        Null                        = { "aws:TagKeys" = "false" }
      }
    },
    {
      Sid      = "NameOwner" # what sets an id sets marks and configured tags in the same call
      Effect   = "Allow"
      Action   = "ecr:TagResource"
      Resource = local.all_repositories
      Condition = {
        StringEquals                = local.own
        "ForAllValues:StringEquals" = { "aws:TagKeys" = concat(["rise:project-id", "rise:orphaned", "rise:orphaned-at"], local.tag_keys) }
        Null = {
          "aws:TagKeys"                     = "false"
          "aws:ResourceTag/rise:project-id" = "true"
        }
      }
    },
    {
      Sid      = "UnmarkOwn"
      Effect   = "Allow"
      Action   = "ecr:UntagResource"
      Resource = local.all_repositories
      Condition = {
        StringEquals                = local.own
        "ForAllValues:StringEquals" = { "aws:TagKeys" = ["rise:orphaned", "rise:orphaned-at", "rise:suspended"] }
        Null                        = { "aws:TagKeys" = "false" }
      }
    },
    {
      Sid       = "ConfigureOwn"
      Effect    = "Allow"
      Action    = sort([local.lifecycle_action, "ecr:PutImageScanningConfiguration", "ecr:PutImageTagMutability"])
      Resource  = local.all_repositories
      Condition = { StringEquals = local.own }
    },
    !var.auto_remove ? null : {
      Sid       = "DeleteOwnOrphans"
      Effect    = "Allow"
      Action    = "ecr:DeleteRepository"
      Resource  = local.all_repositories
      Condition = { StringEquals = merge(local.own, { "aws:ResourceTag/rise:orphaned" = "true" }) }
    },
    {
      Sid      = "AssumePush"
      Effect   = "Allow"
      Action   = ["sts:AssumeRole", "sts:TagSession"]
      Resource = local.assumed_resources
    },
    var.kms_key_arn == "" ? null : {
      Sid       = "Kms"
      Effect    = "Allow"
      Action    = ["kms:DescribeKey", "kms:RetireGrant"]
      Resource  = var.kms_key_arn
      Condition = { StringEquals = local.kms_via }
    },
    var.kms_key_arn == "" ? null : {
      Sid      = "KmsGrant"
      Effect   = "Allow"
      Action   = "kms:CreateGrant"
      Resource = var.kms_key_arn
      Condition = {
        StringEquals = local.kms_via
        Bool         = { "kms:GrantIsForAWSResource" = "true" }
      }
    },
  ] : statement if statement != null]

  oidc_issuer = var.irsa == null ? "" : split(":oidc-provider/", var.irsa.oidc_provider_arn)[1]

  controller_trust = [for statement in concat([
    var.irsa == null ? null : {
      Sid       = "IRSA"
      Effect    = "Allow"
      Principal = { Federated = var.irsa.oidc_provider_arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "${local.oidc_issuer}:aud" = "sts.amazonaws.com"
          "${local.oidc_issuer}:sub" = "system:serviceaccount:${var.irsa.namespace}:${var.irsa.service_account}"
        }
      }
    },
    var.pod_identity == null ? null : {
      Sid       = "PodIdentity"
      Effect    = "Allow"
      Principal = { Service = "pods.eks.amazonaws.com" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Condition = {
        StringEquals = {
          "aws:RequestTag/eks-cluster-arn"            = var.pod_identity.cluster_arn
          "aws:RequestTag/kubernetes-namespace"       = var.pod_identity.namespace
          "aws:RequestTag/kubernetes-service-account" = var.pod_identity.service_account
        }
      }
    },
    length(var.principals) == 0 ? null : { for key, value in {
      Sid       = "Assume"
      Effect    = "Allow"
      Principal = { AWS = local.principals }
      Action    = "sts:AssumeRole"
      Condition = var.role_external_id == "" ? null : { StringEquals = { "sts:ExternalId" = var.role_external_id } }
    } : key => value if value != null },
    !anytrue([for arn in var.principals : can(regex(":role/", arn))]) ? null : { # for the transitive tags of Pod Identity
      Sid       = "Tag"
      Effect    = "Allow"
      Principal = { AWS = local.principals }
      Action    = "sts:TagSession"
      Condition = { "ForAllValues:StringEquals" = { "aws:TagKeys" = local.pod_identity_tags } }
    },
    ], [for service in var.services : {
      Sid       = { ecs-tasks = "ECSTasks", ec2 = "EC2", lambda = "Lambda" }[service]
      Effect    = "Allow"
      Principal = { Service = "${service}.amazonaws.com" } # in every partition
      Action    = "sts:AssumeRole"
      # EC2 says nothing of whose resource it is, and Lambda not in all calls: an equality that demands it would lock them out.
      Condition = { (service == "ecs-tasks" ? "StringEquals" : "StringEqualsIfExists") = { "aws:SourceAccount" = var.account_id } }
  }]) : statement if statement != null]

  user = [{
    Sid      = "Assume"
    Effect   = "Allow"
    Action   = "sts:AssumeRole"
    Resource = var.controller_role_arn
  }]

  diagnose = [
    {
      Sid    = "ReadRegistry"
      Effect = "Allow"
      Action = [ # these take no resource
        "ecr:DescribePullThroughCacheRules",
        "ecr:DescribeRegistry",
        "ecr:DescribeRepositoryCreationTemplates",
        "ecr:GetRegistryPolicy",
        "ecr:GetSigningConfiguration",
      ]
      Resource = "*"
    },
    {
      Sid      = "ReadRepositories"
      Effect   = "Allow"
      Action   = ["ecr:GetRepositoryPolicy", "ecr:ListTagsForResource"]
      Resource = local.all_repositories
    },
    {
      Sid      = "ReadRoles"
      Effect   = "Allow"
      Action   = "iam:GetRole"
      Resource = concat([var.controller_role_arn], local.assumed_roles)
    },
  ]

  # Principals have to assume the controller role; IRSA's and Pod Identity's pods and AWS's services run as it.
  assumed = length(var.principals) > 0

  registry = {
    type                            = "ecr"
    region                          = var.region
    account_id                      = var.account_id
    push_role_arn                   = var.push_role_arn
    pull_role_arn                   = var.pull_role_arn == "" ? null : var.pull_role_arn
    role_arn                        = local.assumed ? var.controller_role_arn : null
    role_external_id                = var.role_external_id == "" ? null : var.role_external_id
    external_id                     = var.external_id == "" ? null : var.external_id
    repo_prefix                     = var.repo_prefix
    shared_repositories             = length(var.shared_repositories) == 0 ? null : var.shared_repositories
    session_tags                    = var.session_tags
    session_duration                = var.settings.session_duration
    project_ids                     = var.settings.project_ids
    installation                    = var.installation == "" ? null : var.installation
    auto_remove                     = var.auto_remove
    remove_after                    = var.settings.remove_after
    image_tag_mutability            = var.settings.image_tag_mutability
    image_tag_mutability_exclusions = try(length(var.settings.image_tag_mutability_exclusions), 0) == 0 ? null : var.settings.image_tag_mutability_exclusions
    scan_on_push                    = var.settings.scan_on_push
    kms_key_arn                     = var.kms_key_arn == "" ? null : var.kms_key_arn
    max_image_count                 = var.settings.max_image_count
    untagged_expire_days            = var.settings.untagged_expire_days
    tags                            = length(var.tags) == 0 ? null : var.tags
  }
}

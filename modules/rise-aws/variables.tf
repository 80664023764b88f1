variable "name" {
  description = "Name of the controller role and of the user, and beginning of the other roles' names."
  type        = string
  default     = "rise-backend"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9._-]{0,54}$", var.name))
    error_message = "name must be at most 55 characters of A-Z, a-z, 0-9 and ._-, the first a letter or digit."
  }
}

variable "installation" {
  description = "Name of this installation in repositories' tags, on which all rights depend. Default: `name`. Empty: every repository under `repo_prefix` that is tagged `rise:managed` counts as this installation's."
  type        = string
  default     = null

  validation {
    condition     = var.installation == null || can(regex("^([A-Za-z0-9][A-Za-z0-9._-]{0,62})?$", var.installation))
    error_message = "installation must be at most 63 characters of A-Z, a-z, 0-9 and ._-, the first a letter or digit."
  }
}

variable "repo_prefix" {
  description = "Prefix of the repositories' names, as it stands."
  type        = string
  default     = "rise/"
  nullable    = false

  validation {
    condition = (length(var.repo_prefix) <= 193 &&
    can(regex("^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$", "${var.repo_prefix}a")))
    error_message = "repo_prefix must begin an ECR repository name, in at most 193 characters: a-z and 0-9, in parts separated by single . _ - or /, such as rise/."
  }
}

variable "irsa" {
  description = "Service account that runs as the controller role by IAM roles for service accounts (IRSA): the ARN of the cluster's OIDC provider in IAM, whose URL is part of it, and the service account's namespace and name."
  type = object({
    oidc_provider_arn = string
    namespace         = string
    service_account   = string
  })
  default = null

  validation {
    condition     = var.irsa == null || can(regex("^arn:aws(-[a-z]+)*:iam::[0-9]{12}:oidc-provider/[A-Za-z0-9:/._~-]+$", var.irsa.oidc_provider_arn))
    error_message = "irsa.oidc_provider_arn must be the ARN of an IAM OIDC provider such as arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE."
  }
  validation {
    condition = var.irsa == null || (can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.irsa.namespace)) &&
    can(regex("^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$", var.irsa.service_account)))
    error_message = "irsa.namespace and irsa.service_account must be names of Kubernetes, without wildcards."
  }
}

variable "pod_identity" {
  description = "Service account that runs as the controller role by EKS Pod Identity: the cluster's name, in the registry's region and account, and the service account's namespace and name. The association is made, too; the cluster needs the EKS Pod Identity Agent."
  type = object({
    cluster_name    = string
    namespace       = string
    service_account = string
  })
  default = null

  validation {
    condition     = var.pod_identity == null || can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$", var.pod_identity.cluster_name))
    error_message = "pod_identity.cluster_name must be the name of an EKS cluster."
  }
  validation {
    condition = var.pod_identity == null || (can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.pod_identity.namespace)) &&
    can(regex("^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$", var.pod_identity.service_account)))
    error_message = "pod_identity.namespace and pod_identity.service_account must be names of Kubernetes, without wildcards."
  }
}

variable "principals" {
  description = "ARNs of roles and users that may assume the controller role, of any account. Never an account's root, which would let in everybody whom that account trusts."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.principals : !can(regex(":root$", arn))])
    error_message = "principals must not hold an account's root: it lets in everybody whom that account trusts; name roles or users."
  }
  validation {
    condition     = alltrue([for arn in var.principals : can(regex("^arn:aws(-[a-z]+)*:iam::[0-9]{12}:(role|user)/([A-Za-z0-9_+=,.@-]+/)*[A-Za-z0-9_+=,.@-]{1,64}$", arn))])
    error_message = "principals must be ARNs of IAM roles or users such as arn:aws:iam::123456789012:role/rise-backend, without wildcards or variables."
  }
  validation {
    condition     = length(var.principals) > 0 || var.irsa != null || var.pod_identity != null || length(var.services) > 0 || var.create_user
    error_message = "one of irsa, pod_identity, services, principals and create_user is required: somebody must be able to assume the controller role."
  }
}

variable "services" {
  description = "Services of AWS that run the service as the controller role, in the registry's account and outside EKS: ecs-tasks (tasks, on Fargate too), ec2 (instances; their instance profile is made, too), lambda. Each is trusted for the account's own resources alone, as far as it says whose they are: ECS does, EC2 doesn't, Lambda not in all calls."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for service in var.services : contains(["ecs-tasks", "ec2", "lambda"], service)]) && length(distinct(var.services)) == length(var.services)
    error_message = "services must be of ecs-tasks, ec2 and lambda, each at most once."
  }
}

variable "create_user" {
  description = "Make an IAM user with an access key, for a service outside AWS. It may assume the controller role and nothing else. The key is in Terraform's state."
  type        = bool
  default     = false
  nullable    = false
}

variable "create_pull_role" {
  description = "Make the pull role, for registry-wide pull credentials."
  type        = bool
  default     = false
  nullable    = false
}

variable "attach_diagnose_policy" {
  description = "Let the controller read what a diagnosis needs beside its own rights: the registry's policy and templates, and the roles."
  type        = bool
  default     = false
  nullable    = false
}

variable "external_id" {
  description = "External ID that the push and pull roles demand. Empty: none."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.external_id == "" || (length(var.external_id) <= 1224 && can(regex("^[A-Za-z0-9_+=,.@:/-]{2,}$", var.external_id)))
    error_message = "external_id must be 2 to 1224 characters of A-Z, a-z, 0-9 and _+=,.@:/-."
  }
}

variable "role_external_id" {
  description = "External ID that the controller role demands of principals and the user. Empty: none."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.role_external_id == "" || (length(var.role_external_id) <= 1224 && can(regex("^[A-Za-z0-9_+=,.@:/-]{2,}$", var.role_external_id)))
    error_message = "role_external_id must be 2 to 1224 characters of A-Z, a-z, 0-9 and _+=,.@:/-."
  }
  validation {
    condition     = var.role_external_id == "" || length(var.principals) > 0 || var.create_user
    error_message = "role_external_id is for principals and create_user, of which there are none."
  }
}

variable "permissions_boundary_arn" {
  description = "ARN of the permissions boundary of the roles and the user. Default: none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:aws(-[a-z]+)*:iam::([0-9]{12}|aws):policy/[A-Za-z0-9_+=,.@/-]+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of a managed policy."
  }
}

variable "max_session_duration" {
  description = "Longest session of the roles, in seconds: 3600 to 43200. Sessions of the push role last an hour at most all the same, as the controller is a role itself (role chaining)."
  type        = number
  default     = 3600
  nullable    = false

  validation {
    condition     = var.max_session_duration >= 3600 && var.max_session_duration <= 43200 && floor(var.max_session_duration) == var.max_session_duration
    error_message = "max_session_duration must be between 3600 and 43200 seconds."
  }
}

variable "shared_repositories" {
  description = "Repositories that can be pulled from with every credential: names in the registry, such as base, or all below one, such as mirror/*, outside repo_prefix. About two fit into session policies."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition = alltrue([
      for name in var.shared_repositories : can(regex("^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*(?:/\\*)?$", name)) && length(trimsuffix(name, "/*")) <= 256
    ])
    error_message = "shared_repositories must be names of ECR repositories such as base, or everything below one such as mirror/*; * stands only after a last /."
  }
  validation {
    condition = alltrue([
      for name in var.shared_repositories : !startswith(trimsuffix(name, "*"), var.repo_prefix) && !(endswith(name, "/*") && startswith(var.repo_prefix, trimsuffix(name, "*")))
    ])
    error_message = "shared_repositories must not be under repo_prefix, nor above it: every project could read the others'."
  }
}

variable "session_duration" {
  description = "How long a credential's session lives: 15m to 1h, which is AWS's limit for role chaining."
  type        = string
  default     = "1h"
  nullable    = false

  validation {
    condition = can(regex("^([0-9]+h)?([0-9]+m)?([0-9]+s)?$", var.session_duration)) && (
      try(tonumber(regex("([0-9]+)h", var.session_duration)[0]), 0) * 3600 +
      try(tonumber(regex("([0-9]+)m", var.session_duration)[0]), 0) * 60 +
      try(tonumber(regex("([0-9]+)s", var.session_duration)[0]), 0) >= 900
      ) && (
      try(tonumber(regex("([0-9]+)h", var.session_duration)[0]), 0) * 3600 +
      try(tonumber(regex("([0-9]+)m", var.session_duration)[0]), 0) * 60 +
      try(tonumber(regex("([0-9]+)s", var.session_duration)[0]), 0) <= 3600
    )
    error_message = "session_duration must be between 15m and 1h, such as 45m: AWS limits sessions of a role assumed by a role (role chaining) to one hour."
  }
}

variable "auto_remove" {
  description = "Delete released repositories, after `remove_after`; otherwise they are only tagged as orphaned."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.auto_remove || var.installation != ""
    error_message = "auto_remove needs an installation: only repositories that bear its name may be deleted."
  }
}

variable "project_ids" {
  description = "Every request and repository call of the service names its project's id, so that a former owner's credentials die with the hand-over of a name."
  type        = bool
  default     = false
  nullable    = false
}

variable "remove_after" {
  description = "How long a released repository is kept with `auto_remove`: at least 12h, as long as tokens live, unless `project_ids`. 0s deletes at once: without `project_ids` only for services that never reuse a name."
  type        = string
  default     = "24h"
  nullable    = false

  validation {
    condition     = can(regex("^([0-9]+h)?([0-9]+m)?([0-9]+s)?$", var.remove_after)) && var.remove_after != ""
    error_message = "remove_after must be a duration such as 24h, 90m or 0s."
  }
  validation {
    condition = var.project_ids || contains([
      for value in [
        try(tonumber(regex("([0-9]+)h", var.remove_after)[0]), 0) * 3600 +
        try(tonumber(regex("([0-9]+)m", var.remove_after)[0]), 0) * 60 +
        try(tonumber(regex("([0-9]+)s", var.remove_after)[0]), 0)
      ] : value == 0 || value >= 43200
    ], true)
    error_message = "remove_after must be at least 12h without project_ids: tokens live that long, and whoever still holds a former project's could write into the repository of the name's next owner."
  }
}

variable "image_tag_mutability" {
  description = "Of new repositories: MUTABLE, IMMUTABLE, MUTABLE_WITH_EXCLUSION or IMMUTABLE_WITH_EXCLUSION."
  type        = string
  default     = "MUTABLE"
  nullable    = false

  validation {
    condition     = contains(["MUTABLE", "IMMUTABLE", "MUTABLE_WITH_EXCLUSION", "IMMUTABLE_WITH_EXCLUSION"], var.image_tag_mutability)
    error_message = "image_tag_mutability must be one of MUTABLE, IMMUTABLE, MUTABLE_WITH_EXCLUSION, IMMUTABLE_WITH_EXCLUSION."
  }
}

variable "image_tag_mutability_exclusions" {
  description = "Up to five patterns of tags, for the modes with exclusion."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = endswith(var.image_tag_mutability, "_WITH_EXCLUSION") == (length(var.image_tag_mutability_exclusions) > 0)
    error_message = "image_tag_mutability_exclusions goes with MUTABLE_WITH_EXCLUSION and IMMUTABLE_WITH_EXCLUSION, which require it."
  }
  validation {
    condition = length(var.image_tag_mutability_exclusions) <= 5 && alltrue([
      for pattern in var.image_tag_mutability_exclusions : can(regex("^[0-9a-zA-Z._-]*(\\*[0-9a-zA-Z._-]*){0,2}$", pattern)) && length(pattern) >= 1 && length(pattern) <= 128
    ])
    error_message = "image_tag_mutability_exclusions must be at most 5 patterns, each 1 to 128 characters of A-Z, a-z, 0-9, ._- and at most two *."
  }
}

variable "scan_on_push" {
  description = "Scan images when they are pushed."
  type        = bool
  default     = true
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts new repositories. Empty: ECR's own encryption. A key of another account must let the controller role use it."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(arn:aws(-[a-z]+)*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]{1,128})?$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key such as arn:aws:kms:eu-west-1:123456789012:key/ID, not of an alias."
  }
}

variable "max_image_count" {
  description = "How many images the repositories' lifecycle policy keeps. 0: all."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.max_image_count >= 0 && floor(var.max_image_count) == var.max_image_count
    error_message = "max_image_count must be a whole number and not negative."
  }
}

variable "untagged_expire_days" {
  description = "After how many days the repositories' lifecycle policy removes untagged images. 0: never."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.untagged_expire_days >= 0 && floor(var.untagged_expire_days) == var.untagged_expire_days
    error_message = "untagged_expire_days must be a whole number and not negative."
  }
}

variable "repository_tags" {
  description = "Tags that the library puts on repositories, beside its own."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(var.repository_tags) <= 42 && alltrue([for key in keys(var.repository_tags) : can(regex("^[A-Za-z0-9 _.:/=+@-]{1,128}$", key)) && !can(regex("^(?i:rise:|aws:)", key))])
    error_message = "repository_tags must be at most 42; keys are 1 to 128 of A-Z, a-z, 0-9, space and _.:/=+@-, and don't begin with rise: or aws:."
  }
}

variable "tags" {
  description = "Tags of the roles, the user and the association that this module makes."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key in keys(var.tags) : !can(regex("^(?i:rise:|aws:)", key))])
    error_message = "tags must not have keys that begin with rise: or aws:. A role's tags count as its sessions', and rise:project decides on rights."
  }
}

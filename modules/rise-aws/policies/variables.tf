variable "partition" {
  description = "AWS partition of the region, such as aws, aws-cn or aws-us-gov."
  type        = string
  default     = "aws"

  validation {
    condition     = can(regex("^aws(-[a-z]+)*$", var.partition))
    error_message = "partition must be an AWS partition such as aws, aws-cn or aws-us-gov."
  }
}

variable "dns_suffix" {
  description = "Domain of the partition's service endpoints, such as amazonaws.com."
  type        = string
  default     = "amazonaws.com"

  validation {
    condition     = can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", var.dns_suffix))
    error_message = "dns_suffix must be a domain such as amazonaws.com."
  }
}

variable "region" {
  description = "AWS region of the registry."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2,8}(-[a-z]{2,20}){1,3}-[0-9]{1,3}$", var.region))
    error_message = "region must be an AWS region such as eu-west-1."
  }
}

variable "account_id" {
  description = "AWS account of the registry and of all roles: 12 digits."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be an AWS account id of 12 digits."
  }
}

variable "repo_prefix" {
  description = "Prefix of the repositories' names, as it stands."
  type        = string
  default     = "rise/"

  validation {
    condition = (length(var.repo_prefix) <= 193 &&
    can(regex("^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$", "${var.repo_prefix}a")))
    error_message = "repo_prefix must begin an ECR repository name, in at most 193 characters: a-z and 0-9, in parts separated by single . _ - or /, such as rise/."
  }
}

variable "installation" {
  description = "Name of this installation in repositories' tags, on which all rights depend. Empty: every repository under repo_prefix with rise:managed counts as this installation's."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^([A-Za-z0-9][A-Za-z0-9._-]{0,62})?$", var.installation))
    error_message = "installation must be at most 63 characters of A-Z, a-z, 0-9 and ._-, the first a letter or digit."
  }
  validation {
    condition     = var.installation != "" || !var.auto_remove
    error_message = "installation is required with auto_remove: only repositories that bear its name may be deleted."
  }
}

variable "controller_role_arn" {
  description = "ARN of the controller role, as which the service runs."
  type        = string

  validation {
    condition     = can(regex("^arn:${var.partition}:iam::${var.account_id}:role/([A-Za-z0-9_+=,.@-]+/)*[A-Za-z0-9_+=,.@-]{1,64}$", var.controller_role_arn))
    error_message = "controller_role_arn must be the ARN of an IAM role of the account and partition, without wildcards or variables."
  }
  validation {
    condition     = !contains([var.push_role_arn, var.pull_role_arn], var.controller_role_arn)
    error_message = "controller_role_arn must be another role than push_role_arn and pull_role_arn, which have fewer rights."
  }
}

variable "push_role_arn" {
  description = "ARN of the push role, which is assumed for each credential."
  type        = string

  validation {
    condition     = can(regex("^arn:${var.partition}:iam::${var.account_id}:role/([A-Za-z0-9_+=,.@-]+/)*[A-Za-z0-9_+=,.@-]{1,64}$", var.push_role_arn))
    error_message = "push_role_arn must be the ARN of an IAM role of the account and partition, without wildcards or variables."
  }
}

variable "pull_role_arn" {
  description = "ARN of the pull role, for registry-wide pull credentials. Empty: there is none."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(arn:${var.partition}:iam::${var.account_id}:role/([A-Za-z0-9_+=,.@-]+/)*[A-Za-z0-9_+=,.@-]{1,64})?$", var.pull_role_arn))
    error_message = "pull_role_arn must be the ARN of an IAM role of the account and partition, without wildcards or variables."
  }
  validation {
    condition     = var.pull_role_arn != var.push_role_arn
    error_message = "pull_role_arn must not be push_role_arn: their rights differ."
  }
}

variable "external_id" {
  description = "External ID that the push and pull roles demand. Empty: none."
  type        = string
  default     = ""

  validation {
    condition     = var.external_id == "" || (length(var.external_id) <= 1224 && can(regex("^[A-Za-z0-9_+=,.@:/-]{2,}$", var.external_id)))
    error_message = "external_id must be 2 to 1224 characters of A-Z, a-z, 0-9 and _+=,.@:/-."
  }
}

variable "role_external_id" {
  description = "External ID that the controller role demands of principals. Empty: none."
  type        = string
  default     = ""

  validation {
    condition     = var.role_external_id == "" || (length(var.role_external_id) <= 1224 && can(regex("^[A-Za-z0-9_+=,.@:/-]{2,}$", var.role_external_id)))
    error_message = "role_external_id must be 2 to 1224 characters of A-Z, a-z, 0-9 and _+=,.@:/-."
  }
  validation {
    condition     = var.role_external_id == "" || length(var.principals) > 0
    error_message = "role_external_id is for principals, of which there are none."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts new repositories. Empty: ECR's own encryption."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(arn:${var.partition}:kms:${var.region}:[0-9]{12}:key/[A-Za-z0-9-]{1,128})?$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key in the registry's region, not of an alias."
  }
}

variable "shared_repositories" {
  description = "Repositories that can be pulled from with every credential: names in the registry, such as base, or all below one, such as mirror/*, outside repo_prefix. About two fit into session policies."
  type        = list(string)
  default     = []

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

variable "session_tags" {
  description = "Bind each session to its project by the session tag rise:project, beside its session policy."
  type        = bool
  default     = true
}

variable "auto_remove" {
  description = "Let the controller delete orphaned repositories."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags of repositories, beside those of the library."
  type        = map(string)
  default     = {}

  validation {
    condition = length(var.tags) <= 42 && alltrue([
      for key, value in var.tags : can(regex("^[A-Za-z0-9 _.:/=+@-]{1,128}$", key)) && !can(regex("^(?i:rise:|aws:)", key)) &&
      can(regex("^[\\p{L}\\p{Z}\\p{N}_.:/=+@-]{0,256}$", value))
    ])
    error_message = "tags must be at most 42; keys are 1 to 128 of A-Z, a-z, 0-9, space and _.:/=+@-, and don't begin with rise: or aws:; values are at most 256 letters, digits, spaces and _.:/=+@-."
  }
}

variable "principals" {
  description = "ARNs of roles and users that may assume the controller role. Never an account's root."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.principals : !can(regex(":root$", arn))])
    error_message = "principals must not hold an account's root: it lets in everybody whom that account trusts; name roles or users."
  }
  validation {
    condition     = alltrue([for arn in var.principals : can(regex("^arn:${var.partition}:iam::[0-9]{12}:(role|user)/([A-Za-z0-9_+=,.@-]+/)*[A-Za-z0-9_+=,.@-]{1,64}$", arn))])
    error_message = "principals must be ARNs of IAM roles or users such as arn:aws:iam::123456789012:role/rise-backend, without wildcards or variables."
  }
  validation {
    condition     = length(var.principals) > 0 || var.irsa != null || var.pod_identity != null || length(var.services) > 0
    error_message = "principals is required without irsa, pod_identity and services: somebody must be able to assume the controller role."
  }
}

variable "services" {
  description = "Services of AWS that run the service as the controller role, outside EKS: ecs-tasks, ec2, lambda. Each is trusted for the account's own resources alone, as far as it says whose they are."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for service in var.services : contains(["ecs-tasks", "ec2", "lambda"], service)]) && length(distinct(var.services)) == length(var.services)
    error_message = "services must be of ecs-tasks, ec2 and lambda, each at most once."
  }
}

variable "irsa" {
  description = "Service account that may assume the controller role by the cluster's OpenID Connect provider."
  type = object({
    oidc_provider_arn = string
    namespace         = string
    service_account   = string
  })
  default = null

  validation {
    condition = var.irsa == null || can(regex(
      "^arn:${var.partition}:iam::${var.account_id}:oidc-provider/([A-Za-z0-9-]+\\.)+[A-Za-z0-9-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*$", var.irsa.oidc_provider_arn
    ))
    error_message = "irsa.oidc_provider_arn must be the ARN of an IAM OIDC provider of the account such as arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE."
  }
  validation {
    condition = var.irsa == null || (can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.irsa.namespace)) &&
    can(regex("^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$", var.irsa.service_account)))
    error_message = "irsa.namespace and irsa.service_account must be names of Kubernetes, without wildcards."
  }
}

variable "pod_identity" {
  description = "Service account that may assume the controller role by EKS Pod Identity."
  type = object({
    cluster_arn     = string
    namespace       = string
    service_account = string
  })
  default = null

  validation {
    condition     = var.pod_identity == null || can(regex("^arn:${var.partition}:eks:[a-z0-9-]+:${var.account_id}:cluster/[A-Za-z0-9][A-Za-z0-9_-]{0,99}$", var.pod_identity.cluster_arn))
    error_message = "pod_identity.cluster_arn must be the ARN of an EKS cluster of the account such as arn:aws:eks:eu-west-1:123456789012:cluster/main."
  }
  validation {
    condition = var.pod_identity == null || (can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.pod_identity.namespace)) &&
    can(regex("^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$", var.pod_identity.service_account)))
    error_message = "pod_identity.namespace and pod_identity.service_account must be names of Kubernetes, without wildcards."
  }
}

variable "settings" {
  description = "What else the registry section holds, by the library's keys. Null keeps the library's default. Of these, max_image_count and untagged_expire_days decide whether the controller may set a lifecycle policy."
  type = object({
    session_duration                = optional(string)
    project_ids                     = optional(bool)
    remove_after                    = optional(string)
    image_tag_mutability            = optional(string)
    image_tag_mutability_exclusions = optional(list(string))
    scan_on_push                    = optional(bool)
    max_image_count                 = optional(number)
    untagged_expire_days            = optional(number)
  })
  default = {}
}

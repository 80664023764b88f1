output "controller" {
  description = "Identity policy of the controller role."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.controller })

  precondition {
    condition     = length(jsonencode({ Version = "2012-10-17", Statement = local.controller })) <= 6144
    error_message = "tags (whose keys are in it three times), repo_prefix and ARNs make a policy of more than the 6144 characters that AWS allows."
  }
}

output "controller_trust" {
  description = "Trust policy of the controller role."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.controller_trust })

  precondition {
    condition     = length(jsonencode({ Version = "2012-10-17", Statement = local.controller_trust })) <= 2048
    error_message = "principals make a policy of more than the 2048 characters that AWS allows."
  }
}

output "push" {
  description = "Identity policy of the push role."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.push })

  precondition {
    condition     = length(var.shared_repositories) == 0 || length(local.longest_session) <= 2048
    error_message = "shared_repositories make session policies of up to ${length(local.longest_session)} characters, of which AWS allows 2048: name fewer, or several by one pattern such as mirror/*."
  }
}

output "push_trust" {
  description = "Trust policy of the push role."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.push_trust })

  precondition {
    condition     = length(jsonencode({ Version = "2012-10-17", Statement = local.push_trust })) <= 2048
    error_message = "external_id makes a trust policy of more than the 2048 characters that AWS allows."
  }
}

output "pull" {
  description = "Identity policy of the pull role; null without one."
  value       = var.pull_role_arn == "" ? null : jsonencode({ Version = "2012-10-17", Statement = local.pull })
}

output "pull_trust" {
  description = "Trust policy of the pull role; null without one."
  value       = var.pull_role_arn == "" ? null : jsonencode({ Version = "2012-10-17", Statement = local.pull_trust })
}

output "user" {
  description = "The only policy of a user for services outside AWS: it may assume the controller role."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.user })
}

output "diagnose" {
  description = "Policy for what a diagnosis reads beyond the controller's own rights."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.diagnose })
}

output "registry" {
  description = "The library's registry section of type ecr."
  value       = { for key, value in local.registry : key => value if value != null }
}

output "registry" {
  description = "The library's `registry:` section of type ecr, for the service's configuration. `role_arn` is in it where principals or the user have to assume the controller role. Keys of the user aren't."
  value       = module.policies.registry

  depends_on = [ # so that who waits for this finds the rights in place
    aws_iam_role_policy.controller,
    aws_iam_role_policy.push,
    aws_iam_role_policy.pull,
    aws_iam_user_policy.this,
    aws_eks_pod_identity_association.controller,
  ]
}

output "controller_role_arn" {
  description = "ARN of the controller role: with IRSA, the value of the service account's annotation eks.amazonaws.com/role-arn. After it was made again, or its sessions were revoked, tell every replica of the service to forget its credentials (examples/server: SIGUSR1): they are denied until they end."
  value       = aws_iam_role.controller.arn
}

output "controller_role_name" {
  description = "Name of the controller role, to attach further policies to."
  value       = aws_iam_role.controller.name
}

output "push_role_arn" {
  description = "ARN of the push role. After it was made again, or its sessions were revoked, tell every replica of the service to forget its credentials (examples/server: SIGUSR1): they are denied until they end."
  value       = aws_iam_role.push.arn
}

output "pull_role_arn" {
  description = "ARN of the pull role; null without one. After it was made again, or its sessions were revoked, tell every replica of the service to forget its credentials (examples/server: SIGUSR1): they are denied until they end."
  value       = one(aws_iam_role.pull[*].arn)
}

output "user_arn" {
  description = "ARN of the user; null without one."
  value       = one(aws_iam_user.this[*].arn)
}

output "user_access_key_id" {
  description = "The user's access key, for access_key_id; null without a user."
  value       = one(aws_iam_access_key.this[*].id)
}

output "user_secret_access_key" {
  description = "The user's secret access key, for secret_access_key; null without a user."
  value       = one(aws_iam_access_key.this[*].secret)
  sensitive   = true
}

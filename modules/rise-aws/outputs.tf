output "registry" {
  description = "The library's `registry:` section of type ecr, for the service's configuration. `role_arn` is in it where principals or the user have to assume the controller role. Keys of the user aren't."
  value       = module.policies.registry

  depends_on = [ # so that who waits for this finds the rights in place
    aws_iam_role_policy.controller,
    aws_iam_role_policy.push,
    aws_iam_role_policy.pull,
    aws_iam_user_policy.this,
    aws_eks_pod_identity_association.controller,
    aws_iam_instance_profile.controller,
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

output "instance_profile_name" {
  description = "Name of the instance profile of the controller role, for instances of EC2; null without ec2 in `services`."
  value       = one(aws_iam_instance_profile.controller[*].name)
}

output "role_ids" {
  description = "The roles' unique ids in one string, which changes when a role was made again. As an annotation of the service's pods, or a variable of its task definition, it has them restarted then."
  value       = join(" ", concat([aws_iam_role.controller.unique_id, aws_iam_role.push.unique_id], aws_iam_role.pull[*].unique_id))
}

output "roles_made_again" {
  description = "What to do when this output changes, which it does when a role was made again: Terraform shows it among the changes of outputs."
  value       = <<-EOT
    ${join(", ", [for role in concat([aws_iam_role.controller, aws_iam_role.push], aws_iam_role.pull[*]) : "${role.name} is ${role.unique_id}"])}.
    Where one of these changed, the sessions of the former role are denied from now on: restart every replica of the service, or have it forget
    its credentials (examples/server: SIGUSR1). Whatever else trusted or named the former role, such as the policy of a KMS key or of a bucket,
    has its unique id (AROA…) now and has to be saved again.
  EOT
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

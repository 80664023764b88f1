# What the module refuses, as ecr/iampolicy does.

variables {
  region              = "eu-west-1"
  account_id          = "123456789012"
  controller_role_arn = "arn:aws:iam::123456789012:role/rise-backend"
  push_role_arn       = "arn:aws:iam::123456789012:role/rise-backend-ecr-push"
  installation        = "prod"
  principals          = ["arn:aws:iam::123456789012:user/rise-backend"]
}

run "accepted" {
  command = plan
}

run "account_root" {
  command = plan

  variables {
    principals = ["arn:aws:iam::123456789012:root"]
  }

  expect_failures = [var.principals]
}

run "everybody" {
  command = plan

  variables {
    principals = ["*"]
  }

  expect_failures = [var.principals]
}

run "account_number" {
  command = plan

  variables {
    principals = ["123456789012"]
  }

  expect_failures = [var.principals]
}

run "any_role" {
  command = plan

  variables {
    principals = ["arn:aws:iam::123456789012:role/*"]
  }

  expect_failures = [var.principals]
}

run "variable" {
  command = plan

  variables {
    principals = ["arn:aws:iam::123456789012:role/$${aws:username}"]
  }

  expect_failures = [var.principals]
}

run "session" {
  command = plan

  variables {
    principals = ["arn:aws:sts::123456789012:assumed-role/rise-backend/x"]
  }

  expect_failures = [var.principals]
}

run "other_partition" {
  command = plan

  variables {
    principals = ["arn:aws-cn:iam::123456789012:role/rise-backend"]
  }

  expect_failures = [var.principals]
}

run "nobody" {
  command = plan

  variables {
    principals = []
  }

  expect_failures = [var.principals]
}

run "controller_everybody" {
  command = plan

  variables {
    controller_role_arn = "*"
  }

  expect_failures = [var.controller_role_arn]
}

run "controller_other_account" {
  command = plan

  variables {
    controller_role_arn = "arn:aws:iam::999999999999:role/rise-backend"
  }

  expect_failures = [var.controller_role_arn]
}

run "controller_is_push" {
  command = plan

  variables {
    controller_role_arn = "arn:aws:iam::123456789012:role/rise-backend-ecr-push"
  }

  expect_failures = [var.controller_role_arn]
}

run "push_user" {
  command = plan

  variables {
    push_role_arn = "arn:aws:iam::123456789012:user/x"
  }

  expect_failures = [var.push_role_arn]
}

run "pull_is_push" {
  command = plan

  variables {
    pull_role_arn = "arn:aws:iam::123456789012:role/rise-backend-ecr-push"
  }

  expect_failures = [var.pull_role_arn]
}

run "prefix_wildcard" {
  command = plan

  variables {
    repo_prefix = "rise*/"
  }

  expect_failures = [var.repo_prefix]
}

run "prefix_upper" {
  command = plan

  variables {
    repo_prefix = "Rise/"
  }

  expect_failures = [var.repo_prefix]
}

run "prefix_slashes" {
  command = plan

  variables {
    repo_prefix = "rise//"
  }

  expect_failures = [var.repo_prefix]
}

run "installation_variable" {
  command = plan

  variables {
    installation = "$${aws:username}"
  }

  expect_failures = [var.installation]
}

run "external_id_wildcard" {
  command = plan

  variables {
    external_id = "**"
  }

  expect_failures = [var.external_id]
}

run "role_external_id_newline" {
  command = plan

  variables {
    role_external_id = "ab\ncd"
  }

  expect_failures = [var.role_external_id]
}

run "kms_alias" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:alias/x"
  }

  expect_failures = [var.kms_key_arn]
}

run "kms_other_region" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-2:123456789012:key/x"
  }

  expect_failures = [var.kms_key_arn]
}

run "reserved_tag" {
  command = plan

  variables {
    tags = { "Rise:managed" = "true" }
  }

  expect_failures = [var.tags]
}

run "aws_tag" {
  command = plan

  variables {
    tags = { "aws:x" = "true" }
  }

  expect_failures = [var.tags]
}

run "tag_wildcard" {
  command = plan

  variables {
    tags = { "*" = "true" }
  }

  expect_failures = [var.tags]
}

run "deleting_without_an_installation" {
  command = plan

  variables {
    installation = ""
    auto_remove  = true
  }

  expect_failures = [var.installation]
}

run "external_id_for_nobody" {
  command = plan

  variables {
    role_external_id = "controller-id"
    principals       = []
    pod_identity     = { cluster_arn = "arn:aws:eks:eu-west-1:123456789012:cluster/main", namespace = "rise-system", service_account = "rise-backend" }
  }

  expect_failures = [var.role_external_id]
}

run "too_many_principals" {
  command = plan

  variables {
    principals = [for i in range(60) : "arn:aws:iam::123456789012:user/rise-backend-${i}"]
  }

  expect_failures = [output.controller_trust]
}

run "irsa_wildcard" {
  command = plan

  variables {
    irsa = { oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/*.example.com", namespace = "rise-system", service_account = "rise-backend" }
  }

  expect_failures = [var.irsa]
}

run "irsa_other_account" {
  command = plan

  variables {
    irsa = { oidc_provider_arn = "arn:aws:iam::999999999999:oidc-provider/oidc.example.com", namespace = "rise-system", service_account = "rise-backend" }
  }

  expect_failures = [var.irsa]
}

run "irsa_any_namespace" {
  command = plan

  variables {
    irsa = { oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/oidc.example.com", namespace = "*", service_account = "rise-backend" }
  }

  expect_failures = [var.irsa]
}

run "irsa_any_service_account" {
  command = plan

  variables {
    irsa = { oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/oidc.example.com", namespace = "rise-system", service_account = "rise-?" }
  }

  expect_failures = [var.irsa]
}

run "pod_identity_any_cluster" {
  command = plan

  variables {
    pod_identity = { cluster_arn = "arn:aws:eks:eu-west-1:123456789012:cluster/*", namespace = "rise-system", service_account = "rise-backend" }
  }

  expect_failures = [var.pod_identity]
}

run "pod_identity_any_namespace" {
  command = plan

  variables {
    pod_identity = { cluster_arn = "arn:aws:eks:eu-west-1:123456789012:cluster/main", namespace = "*", service_account = "rise-backend" }
  }

  expect_failures = [var.pod_identity]
}

run "pod_identity_variable" {
  command = plan

  variables {
    pod_identity = { cluster_arn = "arn:aws:eks:eu-west-1:123456789012:cluster/main", namespace = "rise-system", service_account = "$${x}" }
  }

  expect_failures = [var.pod_identity]
}

run "shared" {
  command = plan

  variables {
    shared_repositories = ["base", "mirror/*", "x"]
  }
}

run "shared_beside_prefix" {
  command = plan

  variables {
    repo_prefix         = "group/rise/"
    shared_repositories = ["group/rise", "group/rise-base/*"]
  }
}

run "shared_too_many" {
  command = plan

  variables {
    shared_repositories = ["base", "mirror/*", "x", "y"]
  }

  expect_failures = [output.push]
}

run "shared_above_prefix" {
  command = plan

  variables {
    repo_prefix         = "group/rise/"
    shared_repositories = ["group/*"]
  }

  expect_failures = [var.shared_repositories]
}

run "shared_like_prefix" {
  command = plan

  variables {
    repo_prefix         = "team-"
    shared_repositories = ["team-a/x"]
  }

  expect_failures = [var.shared_repositories]
}

run "service_unknown" {
  command = plan

  variables {
    services = ["ecs-tasks", "s3"]
  }

  expect_failures = [var.services]
}

run "service_principal" {
  command = plan

  variables {
    services = ["ec2.amazonaws.com"]
  }

  expect_failures = [var.services]
}

run "service_twice" {
  command = plan

  variables {
    services = ["ec2", "ec2"]
  }

  expect_failures = [var.services]
}

run "external_id_for_a_service" {
  command = plan

  variables {
    role_external_id = "controller-id"
    principals       = []
    services         = ["ecs-tasks"]
  }

  expect_failures = [var.role_external_id]
}

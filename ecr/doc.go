// Package ecr hands out credentials for AWS Elastic Container Registry, each scoped to one project's repository.
//
//	p, err := ecr.New(ctx, ecr.Config{
//		Region:      "eu-west-1",
//		AccountID:   "123456789012",
//		PushRoleARN: "arn:aws:iam::123456789012:role/rise-backend-ecr-push",
//	})
//	...
//	c, err := provider.Issue(ctx, p, provider.Request{Project: "hello", Access: provider.Push})
//	// c logs in to 123456789012.dkr.ecr.eu-west-1.amazonaws.com and can push to rise/hello, and nothing else.
//
// A service that is configured by file registers [Builder] with registry.NewFactory instead: type "ecr".
//
// # What a request does
//
// Two calls, with clients that are built once: sts:AssumeRole on the push role with a session policy for the one
// repository, then ecr:GetAuthorizationToken signed by that session. The session's credentials never leave the process;
// the token does.
//
// # What isolates a project
//
// The session policy allows the asked actions on the project's repository and carries explicit Denies for everything
// else, since an Allow alone doesn't cut what resource policies grant to the session or to everybody (IAM User Guide,
// "Policy evaluation logic"). Project names can't hold wildcards, variables or slashes, and so can't any configured value
// that reaches a policy, an ARN or a host name, but for the last * of a pattern in Config.SharedRepositories: what these name, outside
// the projects' repositories, every session may pull and none may change. With Config.SessionTags the session also carries the tag rise:project,
// which the push role's own policy can require.
//
// # Identity
//
// The service's own identity is that of the SDK's default chain (environment, IRSA, EKS Pod Identity, container and
// instance roles) or static keys, then Config.RoleARN if set. That session is reused until it nears its end.
// AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL_ECR and AWS_CA_BUNDLE have their usual meaning.
//
// # When it fails
//
// An error's hint names the likely cause. [Provider.Diagnose] finds out more by asking: which step fails, why, and what
// to paste where.
package ecr

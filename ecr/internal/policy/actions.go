package policy

import "slices"

const (
	// ActionToken lets a session log in; what its token is good for is decided at each use.
	ActionToken = "ecr:GetAuthorizationToken"
	// ActionReadTags reads whose a repository is.
	ActionReadTags = "ecr:ListTagsForResource"
	// ActionReadPolicy reads whom a repository's own policy lets in.
	ActionReadPolicy = "ecr:GetRepositoryPolicy"

	assumeRole = "sts:AssumeRole"
	tagSession = "sts:TagSession"
)

// What docker and its kin call (ECR User Guide, "IAM permissions for pushing/pulling an image"); pushing reads back.
var (
	pullActions = []string{
		"ecr:BatchCheckLayerAvailability",
		"ecr:BatchGetImage",
		"ecr:GetDownloadUrlForLayer",
	}
	pushActions = []string{
		"ecr:BatchCheckLayerAvailability",
		"ecr:BatchGetImage",
		"ecr:GetDownloadUrlForLayer",
		"ecr:CompleteLayerUpload",
		"ecr:InitiateLayerUpload",
		"ecr:PutImage",
		"ecr:UploadLayerPart",
	}
)

// All that a session is allowed, by its access.
var (
	pullSession = slices.Concat([]string{ActionToken}, pullActions)
	pushSession = slices.Concat([]string{ActionToken}, pushActions)
)

package ecr

import (
	"encoding/json"

	"github.com/rise-deploy/rise-registry-go/provider"
)

const actionToken = "ecr:GetAuthorizationToken"

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

type policyDocument struct {
	Version   string
	Statement []statement
}

// statement's actions are a string or a list of strings, as IAM has it.
type statement struct {
	Effect      string
	Action      any    `json:",omitempty"`
	NotAction   any    `json:",omitempty"`
	Resource    string `json:",omitempty"`
	NotResource string `json:",omitempty"`
	// Condition is by operator and key.
	Condition map[string]map[string]string `json:",omitempty"`
}

// sessionPolicy allows access's actions on resource and denies everything else, in so many words: an Allow alone doesn't
// cut what a repository's or the registry's policy grants to the session itself or to everybody.
//
// With the project's id it also denies the repository from when on that bears another one: tokens can't be revoked, but each use
// of one is decided by the tags of that moment. A repository that bears none is let through, as it may be older than ids are.
func sessionPolicy(resource string, access provider.Access, projectID string) (string, error) {
	actions := pullActions
	if access == provider.Push {
		actions = pushActions
	}
	statements := []statement{
		{Effect: "Allow", Action: actionToken, Resource: "*"},
		{Effect: "Allow", Action: actions, Resource: resource},
		{Effect: "Deny", NotAction: actionToken, NotResource: resource},
		{Effect: "Deny", NotAction: append([]string{actionToken}, actions...), Resource: "*"},
	}
	if projectID != "" {
		const bears = "aws:ResourceTag/" + tagProjectID
		statements = append(statements, statement{
			Effect: "Deny", NotAction: actionToken, Resource: resource, Condition: map[string]map[string]string{
				"Null": {bears: "false"}, "StringNotEquals": {bears: projectID},
			},
		})
	}
	text, err := json.Marshal(policyDocument{Version: "2012-10-17", Statement: statements})
	return string(text), err
}

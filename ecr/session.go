package ecr

import (
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"regexp"
	"strings"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/hint"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// The session of a request: what is asked for, its tag, its name. What its policy says is in policy.Setup.SessionPolicy, and
// when it ends in expiry.go of package awsapi.

// SessionPolicy returns the session policy that r's session gets from a provider with configuration c, as JSON:
// [Provider.SessionPolicy] without a provider. It reads neither the environment nor the network.
//
// Errors are [provider.ErrMisconfigured] for c, and for r those of [Provider.Credentials] that need no call upstream.
func SessionPolicy(c Config, r provider.Request) (string, error) {
	if err := c.Validate(); err != nil {
		return "", &provider.Error{Kind: provider.ErrMisconfigured, Op: "make session policy", Err: err}
	}
	setup, err := c.withDefaults().setup()
	if err != nil {
		return "", &provider.Error{Kind: provider.ErrMisconfigured, Op: "make session policy", Err: err}
	}
	input, err := assumeRoleInput(setup, r)
	if err != nil {
		return "", err
	}
	return input.Policy, nil
}

func opAssumeRole(r provider.Request) string {
	if r.AllProjects {
		return failure.OpAssumePull
	}
	return failure.OpAssumePush
}

// assumeRoleInput is what r's session is, unless the configuration refuses r.
func assumeRoleInput(s policy.Setup, r provider.Request) (awsapi.SessionInput, error) {
	input, err := sessionInput(s, r)
	if err == nil && s.ProjectIDs && r.ProjectID == "" && !r.AllProjects {
		return awsapi.SessionInput{}, hint.NoProjectID(opAssumeRole(r), r.Project)
	}
	return input, err
}

// sessionInput is the whole of what r's session is: its role, its policy, its name, how long it lives. It is the only place
// that decides.
func sessionInput(s policy.Setup, r provider.Request) (awsapi.SessionInput, error) {
	if err := r.Validate(); err != nil {
		return awsapi.SessionInput{}, err
	}
	role := s.PushRoleARN
	if r.AllProjects {
		if role = s.PullRoleARN; role == "" {
			return awsapi.SessionInput{}, &provider.Error{
				Kind: provider.ErrUnsupported, Op: opAssumeRole(r), Err: errors.New("no pull role is configured"),
				Hint: "a registry-wide pull credential needs pull_role_arn",
			}
		}
	}
	sessionPolicy, err := s.SessionPolicy(r)
	if err != nil {
		return awsapi.SessionInput{}, err
	}
	input := awsapi.SessionInput{
		RoleARN: role, Name: sessionName(r), Policy: sessionPolicy, ExternalID: s.ExternalID, Duration: s.SessionDuration,
	}
	if s.SessionTags && !r.AllProjects {
		input.Tags = projectTag(r.Project)
	}
	return input, nil
}

// projectTag is the session tag that the push role's own policy compares with the repository's.
func projectTag(project string) []awsapi.Tag {
	return []awsapi.Tag{{Key: policy.TagProject, Value: project}}
}

// maxSessionName is STS's limit for RoleSessionName; its characters are [\w+=,.@-].
const maxSessionName = 64

// allProjects stands for the project in the name of a registry-wide session. No project contains an @.
const allProjects = "@all"

// plainCaller is a caller's name that fits as it stands. It has no dot: only names that end in a hash have one.
var plainCaller = regexp.MustCompile(`^[A-Za-z0-9_+=,@-]+$`)

// sessionName returns rise-push-<project> or rise-pull-<project>, with @<caller> after it for a caller's own session: what
// CloudTrail shows. A name that is too long, or a caller that STS takes no such name of, keeps its beginning and ends in a
// dot and a hash; no project and no other name contains a dot, so no two projects and no two callers share a session name.
// The roles' trust policies match these names.
func sessionName(r provider.Request) string {
	who := r.Project
	if r.AllProjects {
		who = allProjects
	}
	fits := true
	if r.Caller != "" {
		who += "@" + r.Caller
		fits = plainCaller.MatchString(r.Caller)
	}
	name := "rise-" + r.Access.String() + "-" + who
	if fits && len(name) <= maxSessionName {
		return name
	}
	sum := sha256.Sum256([]byte(who))
	hash := strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16]))
	name = strings.Map(func(r rune) rune {
		if r == '@' || plainCaller.MatchString(string(r)) {
			return r
		}
		return '_'
	}, name)
	return name[:min(len(name), maxSessionName-1-len(hash))] + "." + hash
}

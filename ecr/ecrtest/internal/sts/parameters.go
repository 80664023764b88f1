package sts

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awserr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/identity"
)

var (
	sessionNamePattern = regexp.MustCompile(`^[\w+=,.@-]*$`)
	externalIDPattern  = regexp.MustCompile(`^[\w+=,.@:/-]*$`)
	tagPattern         = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
	memberPattern      = regexp.MustCompile(`^Tags\.member\.([0-9]{1,3})\.(Key|Value)$`)
)

// roleParameters are what both AssumeRole operations take.
type roleParameters struct {
	arn, sessionName string
	duration         time.Duration
	policies         []*iam.Policy
}

// constraint is STS's wording for a parameter that doesn't validate.
func constraint(value, name, rule string) *awserr.Error {
	return awserr.New("ValidationError", "1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: %s",
		value, name, rule)
}

func checkText(form url.Values, parameter, name string, least, most int, pattern *regexp.Regexp) *awserr.Error {
	value := form.Get(parameter)
	switch n := utf8.RuneCountInString(value); {
	case pattern != nil && !pattern.MatchString(value):
		return constraint(value, name, "Member must satisfy regular expression pattern: "+
			strings.TrimSuffix(strings.TrimPrefix(pattern.String(), "^"), "$"))
	case n < least:
		return constraint(value, name, "Member must have length greater than or equal to "+strconv.Itoa(least))
	case n > most:
		return constraint(value, name, "Member must have length less than or equal to "+strconv.Itoa(most))
	}
	return nil
}

// parseRole checks what can be checked without looking anything up.
func parseRole(form url.Values) (roleParameters, *awserr.Error) {
	q := roleParameters{arn: form.Get("RoleArn"), sessionName: form.Get("RoleSessionName"), duration: time.Hour}
	if err := checkText(form, "RoleArn", "roleArn", 20, 2048, nil); err != nil {
		return q, err
	}
	if !identity.IsRoleARN(q.arn) {
		return q, awserr.New("ValidationError", "%s is invalid", q.arn)
	}
	if err := checkText(form, "RoleSessionName", "roleSessionName", 2, 64, sessionNamePattern); err != nil {
		return q, err
	}
	if form.Has("DurationSeconds") {
		seconds, err := strconv.Atoi(form.Get("DurationSeconds"))
		switch {
		case err != nil:
			return q, awserr.New("MalformedInput", "DurationSeconds must be an integer")
		case seconds < 900:
			return q, constraint(strconv.Itoa(seconds), "durationSeconds", "Member must have value greater than or equal to 900")
		case seconds > 43200:
			return q, constraint(strconv.Itoa(seconds), "durationSeconds", "Member must have value less than or equal to 43200")
		}
		q.duration = time.Duration(seconds) * time.Second
	}
	for name := range form {
		if strings.HasPrefix(name, "PolicyArns.") {
			return q, awserr.New("ValidationError", "ecrtest has no managed policies: PolicyArns isn't supported")
		}
	}
	if form.Has("Policy") {
		if err := checkText(form, "Policy", "policy", 1, 2048, nil); err != nil {
			return q, err
		}
		policy, err := iam.Parse(form.Get("Policy"), iam.Identity)
		if err != nil {
			return q, awserr.New("MalformedPolicyDocument", "The policy is not in a valid format: %v", err)
		}
		q.policies = []*iam.Policy{policy}
	}
	return q, nil
}

// parseTags reads Tags.member.N.Key and .Value.
func parseTags(form url.Values) (map[string]string, *awserr.Error) {
	keys, values := map[string]string{}, map[string]string{}
	for name := range form {
		m := memberPattern.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		if m[2] == "Key" {
			keys[m[1]] = form.Get(name)
		} else {
			values[m[1]] = form.Get(name)
		}
	}
	if len(keys) > 50 {
		return nil, constraint("[...]", "tags", "Member must have length less than or equal to 50")
	}
	tags, seen := map[string]string{}, map[string]bool{}
	for i, key := range keys {
		switch {
		case key == "" || utf8.RuneCountInString(key) > 128 || !tagPattern.MatchString(key):
			return nil, constraint(key, "tags."+i+".member.key", "Member must be 1 to 128 letters, digits, spaces and _.:/=+-@")
		case utf8.RuneCountInString(values[i]) > 256 || !tagPattern.MatchString(values[i]):
			return nil, constraint(values[i], "tags."+i+".member.value",
				"Member must be up to 256 letters, digits, spaces and _.:/=+-@")
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return nil, awserr.New("ValidationError", "Tag keys that start with aws: are reserved: %s", key)
		case seen[strings.ToLower(key)]:
			return nil, awserr.New("ValidationError", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		seen[strings.ToLower(key)] = true
		tags[key] = values[i]
	}
	return tags, nil
}

// parseSession reads what AssumeRole takes beside a role: session tags and source identity. It checks the external id.
func parseSession(form url.Values) (*identity.Session, *awserr.Error) {
	if form.Has("ExternalId") {
		if err := checkText(form, "ExternalId", "externalId", 2, 1224, externalIDPattern); err != nil {
			return nil, err
		}
	}
	if form.Has("SourceIdentity") {
		if err := checkText(form, "SourceIdentity", "sourceIdentity", 2, 64, sessionNamePattern); err != nil {
			return nil, err
		}
	}
	tags, aerr := parseTags(form)
	if aerr != nil {
		return nil, aerr
	}
	transitive := map[string]bool{}
	for name := range form {
		if strings.HasPrefix(name, "TransitiveTagKeys.member.") {
			transitive[strings.ToLower(form.Get(name))] = true
		}
	}
	return &identity.Session{Tags: tags, Transitive: transitive, SourceID: form.Get("SourceIdentity")}, nil
}

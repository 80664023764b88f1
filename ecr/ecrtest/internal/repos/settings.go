package repos

import (
	"regexp"
	"strings"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awserr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
)

// Settings are what a repository is created with.
type Settings struct {
	Mutability string   // MUTABLE, IMMUTABLE or one of them with _WITH_EXCLUSION
	Exclusions []string // wildcards
	ScanOnPush bool
	KMSKey     string
	Encryption string // AES256, KMS or KMS_DSSE
}

var (
	repositoryName   = regexp.MustCompile(`^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$`)
	exclusionPattern = regexp.MustCompile(`^[0-9a-zA-Z._*-]{1,128}$`)
)

// CheckName validates a repository's name.
func CheckName(name string) *awserr.Error {
	switch n := len(name); {
	case n < 2:
		return awserr.InvalidParameter("repositoryName", "must have length greater than or equal to 2")
	case n > 256:
		return awserr.InvalidParameter("repositoryName", "must have length less than or equal to 256")
	case !repositoryName.MatchString(name):
		return awserr.InvalidParameter("repositoryName", "must satisfy regular expression "+
			"'(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*'")
	}
	return nil
}

// Check validates the settings and fills in defaults.
func (set *Settings) Check() *awserr.Error {
	switch set.Mutability {
	case "":
		set.Mutability = "MUTABLE"
	case "MUTABLE", "IMMUTABLE", "MUTABLE_WITH_EXCLUSION", "IMMUTABLE_WITH_EXCLUSION":
	default:
		return awserr.InvalidParameter("imageTagMutability", "must be one of MUTABLE, IMMUTABLE, MUTABLE_WITH_EXCLUSION, "+
			"IMMUTABLE_WITH_EXCLUSION")
	}
	if strings.HasSuffix(set.Mutability, "_WITH_EXCLUSION") != (len(set.Exclusions) > 0) || len(set.Exclusions) > 5 {
		return awserr.InvalidParameter("imageTagMutabilityExclusionFilters",
			"must have 1 to 5 filters with a mutability that ends in _WITH_EXCLUSION, and none otherwise")
	}
	for _, filter := range set.Exclusions {
		if !exclusionPattern.MatchString(filter) || strings.Count(filter, "*") > 2 {
			return awserr.InvalidParameter("imageTagMutabilityExclusionFilters", "must satisfy regular expression "+
				"'^[0-9a-zA-Z._*-]{1,128}$' with at most two wildcards")
		}
	}
	switch set.Encryption {
	case "":
		set.Encryption = "AES256"
	case "AES256", "KMS", "KMS_DSSE":
	default:
		return awserr.InvalidParameter("encryptionConfiguration", "must be one of AES256, KMS, KMS_DSSE")
	}
	if set.KMSKey != "" && set.Encryption == "AES256" {
		return awserr.InvalidParameter("encryptionConfiguration", "kmsKey must not be set with AES256")
	}
	return nil
}

// Immutable reports whether a tag may not be moved to another image.
func (set *Settings) Immutable(tag string) bool {
	immutable := strings.HasPrefix(set.Mutability, "IMMUTABLE")
	for _, filter := range set.Exclusions {
		if iam.Match(filter, tag) {
			return !immutable
		}
	}
	return immutable
}

package repos

import (
	"maps"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awserr"
)

// tagVersion is the tags that a repository has from a time on.
type tagVersion struct {
	from time.Time
	tags map[string]string
}

// Tags are a repository's tags and, as changes take their time to reach authorization, those that it had.
type Tags struct{ versions []tagVersion } // the last one is current

// newTags are tags that count for authorization from a time on.
func newTags(from time.Time, tags map[string]string) Tags {
	return Tags{[]tagVersion{{from: from, tags: maps.Clone(tags)}}}
}

// Current are the tags as ListTagsForResource has them. They aren't to be changed.
func (t *Tags) Current() map[string]string { return t.versions[len(t.versions)-1].tags }

// Effective are those that authorization knows of, when changes take delay to reach it.
func (t *Tags) Effective(now time.Time, delay time.Duration) map[string]string {
	for i := len(t.versions) - 1; i >= 0; i-- {
		if !t.versions[i].from.After(now.Add(-delay)) {
			return t.versions[i].tags
		}
	}
	return nil
}

// Set makes tags current. Versions that no longer count are dropped.
func (t *Tags) Set(now time.Time, delay time.Duration, tags map[string]string) {
	t.versions = append(t.versions, tagVersion{from: now, tags: tags})
	for len(t.versions) > 1 && !t.versions[1].from.After(now.Add(-delay)) {
		t.versions = t.versions[1:]
	}
}

// Replace makes tags the only ones there ever were, which authorization knows of at once.
func (t *Tags) Replace(tags map[string]string) { *t = newTags(time.Time{}, tags) }

const maxTags = 50

var tagPattern = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)

// CheckTags validates a repository's tags: see the ECR user guide, "Tagging a private repository".
func CheckTags(tags map[string]string) *awserr.Error {
	if len(tags) > maxTags {
		return awserr.New("TooManyTagsException",
			"The list of tags on the repository is over the limit. The maximum number of tags that can be applied to a repository is %d.",
			maxTags)
	}
	for key, value := range tags {
		switch {
		case key == "" || utf8.RuneCountInString(key) > 128 || !tagPattern.MatchString(key):
			return awserr.New("InvalidTagParameterException",
				"Tag keys must be 1 to 128 letters, digits, spaces and _.:/=+-@: %q", key)
		case utf8.RuneCountInString(value) > 256 || !tagPattern.MatchString(value):
			return awserr.New("InvalidTagParameterException",
				"Tag values must be up to 256 letters, digits, spaces and _.:/=+-@: %q", value)
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return awserr.New("InvalidTagParameterException", "Tag keys must not start with aws:, which is reserved: %q", key)
		}
	}
	return nil
}

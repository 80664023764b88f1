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

// Tags are the repository's tags as ListTagsForResource has them. They aren't to be changed.
func (r *Repository) Tags() map[string]string { return r.tags[len(r.tags)-1].tags }

// EffectiveTags are those that authorization knows of, when changes take delay to reach it.
func (r *Repository) EffectiveTags(now time.Time, delay time.Duration) map[string]string {
	for i := len(r.tags) - 1; i >= 0; i-- {
		if !r.tags[i].from.After(now.Add(-delay)) {
			return r.tags[i].tags
		}
	}
	return nil
}

// SetTags makes tags current. Versions that no longer count are dropped.
func (r *Repository) SetTags(now time.Time, delay time.Duration, tags map[string]string) {
	r.tags = append(r.tags, tagVersion{from: now, tags: tags})
	for len(r.tags) > 1 && !r.tags[1].from.After(now.Add(-delay)) {
		r.tags = r.tags[1:]
	}
}

// ReplaceTags makes tags the only ones there ever were, which authorization knows of at once.
func (r *Repository) ReplaceTags(tags map[string]string) {
	r.tags = []tagVersion{{tags: maps.Clone(tags)}}
}

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

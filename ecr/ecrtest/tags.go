package ecrtest

import (
	"strings"
	"time"
	"unicode/utf8"
)

// tagVersion is the tags that a repository has from a time on.
type tagVersion struct {
	from time.Time
	tags map[string]string
}

func (r *repository) currentTags() map[string]string { return r.tags[len(r.tags)-1].tags }

// effectiveTags are those that authorization knows of.
func (r *repository) effectiveTags(now time.Time, delay time.Duration) map[string]string {
	for i := len(r.tags) - 1; i >= 0; i-- {
		if !r.tags[i].from.After(now.Add(-delay)) {
			return r.tags[i].tags
		}
	}
	return nil
}

// setTags makes tags current. Versions that no longer count are dropped.
func (r *repository) setTags(now time.Time, delay time.Duration, tags map[string]string) {
	r.tags = append(r.tags, tagVersion{from: now, tags: tags})
	for len(r.tags) > 1 && !r.tags[1].from.After(now.Add(-delay)) {
		r.tags = r.tags[1:]
	}
}

const maxTags = 50

// checkTags validates a repository's tags: see the ECR user guide, "Tagging a private repository".
func checkTags(tags map[string]string) *awsError {
	if len(tags) > maxTags {
		return errorf("TooManyTagsException",
			"The list of tags on the repository is over the limit. The maximum number of tags "+
				"that can be applied to a repository is %d.", maxTags)
	}
	for key, value := range tags {
		switch {
		case key == "" || utf8.RuneCountInString(key) > 128 || !tagPattern.MatchString(key):
			return errorf("InvalidTagParameterException",
				"Tag keys must be 1 to 128 letters, digits, spaces and _.:/=+-@: %q", key)
		case utf8.RuneCountInString(value) > 256 || !tagPattern.MatchString(value):
			return errorf("InvalidTagParameterException",
				"Tag values must be up to 256 letters, digits, spaces and _.:/=+-@: %q",
				value)
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return errorf("InvalidTagParameterException", "Tag keys must not start with aws:, which is reserved: %q", key)
		}
	}
	return nil
}

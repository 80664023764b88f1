package sharedrepo_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/sharedrepo"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	const form, overlap = "must be a repository's name", "must not be where projects' repositories are"
	for _, test := range []struct{ entry, prefix, want string }{
		{"base", "rise-apps/", ""},
		{"mirror/*", "rise-apps/", ""},
		{"a/b/*", "rise-apps/", ""},
		{"rise-apps", "rise-apps/", ""},
		{"rise-apps-base/x", "rise-apps/", ""},
		{"base", "team-", ""},
		{"", "x/", form},
		{"*", "x/", form},
		{"/*", "x/", form},
		{"a*", "x/", form},
		{"a/*/b", "x/", form},
		{"a/**", "x/", form},
		{"a//b", "x/", form},
		{"/a", "x/", form},
		{"a/", "x/", form},
		{"../x/hello", "x/", form},
		{"A", "x/", form},
		{"a:b", "x/", form},
		{"registry.example.com:5000/a", "x/", form},
		{"rise-apps/base", "rise-apps/", overlap},
		{"rise-apps/*", "rise-apps/", overlap},
		{"rise-apps/hello/*", "rise-apps/", overlap},
		{"group/*", "group/apps/", overlap},
		{"group/*", "group/team-", overlap},
		{"team-a/x", "team-", overlap},
		{"base", "", overlap},
		{"mirror/*", "", overlap},
		{"my.base", "", ""},
		{"my_mirror/*", "", ""},
	} {
		err := sharedrepo.Check(test.entry, test.prefix)
		if test.want == "" {
			require.NoError(t, err, "%q with %q", test.entry, test.prefix)
		} else {
			require.ErrorContains(t, err, test.want, "%q with %q", test.entry, test.prefix)
		}
	}
}

func TestHas(t *testing.T) {
	t.Parallel()
	entries := []string{"base", "mirror/*", "a/b/*"}
	for repository, want := range map[string]bool{
		"base": true, "mirror/x": true, "mirror/x/y": true, "a/b/c": true,
		"": false, "bas": false, "base/x": false, "base2": false, "mirror": false, "mirror/": false, "mirror/*": false, "mirrors/x": false,
		"mirror/../hello": false, "mirror//x": false, "a/b": false, "a/c": false, "MIRROR/x": false, "*": false,
	} {
		require.Equal(t, want, sharedrepo.Has(entries, repository), repository)
	}
}

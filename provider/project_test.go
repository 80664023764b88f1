package provider_test

import (
	"context"
	"iter"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

func TestValidateProject(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a", "0", "hello", "a-b", "a-b-c", "1-2", strings.Repeat("a", 63), strings.Repeat("a-", 31) + "a"} {
		require.NoError(t, provider.ValidateProject(name), name)
	}
	for _, name := range []string{
		"", "*", "a*", "?", "a?", "../b", "a/b", "/a", "a/", "A", "aB", "-a", "a-", "-", "a--b", "a.b", "a_b", "a b", " a", "a ",
		strings.Repeat("a", 64), "a%2fb", "a\nb", "a\n", "a\x00", "é", "ａ", "a\u00adb", "${x}", "$x", "a:b", "a@b", "a,b",
	} {
		err := provider.ValidateProject(name)
		require.ErrorIs(t, err, provider.ErrInvalidRequest, "%q", name)
		require.NotContains(t, err.Error(), "\n", "%q", name)
		require.Less(t, len(err.Error()), 700, "%q", name)
	}
	require.EqualError(t, provider.ValidateProject("a--b"), `check project name: invalid request: "a--b" is not valid: `+
		`a project name is at most 63 characters of a-z and 0-9, with single hyphens inside`)
}

// diagnosing has a diagnosis that finds nothing.
type diagnosing struct{ provider.Provider }

func (diagnosing) Diagnose(context.Context, diagnosis.Options) iter.Seq[diagnosis.Finding] {
	return nil
}

// One rule for ids: a repository's, a request's and a diagnosis's.
func FuzzProjectID(f *testing.F) {
	for _, seed := range []string{"", "p-1", "7f3c", "AZ_.:/=+@-09", "*", "?", "${x}", "a b", "a\n", "é", "\xff", `"`, strings.Repeat("i", 128), strings.Repeat("i", 129)} {
		f.Add(seed)
	}
	rule := regexp.MustCompile(`\A[A-Za-z0-9_.:/=+@-]{0,128}\z`)
	f.Fuzz(func(t *testing.T, id string) {
		want := rule.MatchString(id)
		err := provider.Project{Name: "hello", ID: id}.Validate()
		require.Equal(t, want, err == nil, "%q", id)
		require.Equal(t, want, provider.Request{Project: "hello", ProjectID: id, Access: provider.Push}.Validate() == nil, "%q", id)
		_, diagnosed := diagnosis.Of(t.Context(), diagnosing{}, diagnosis.Options{Project: "hello", ProjectID: id})
		require.Equal(t, want, diagnosed == nil, "%q", id)
		if !want {
			require.ErrorIs(t, err, provider.ErrInvalidRequest)
			require.EqualError(t, err, "check project id for project hello: invalid request: a project id is at most 128 characters of A-Z, a-z, 0-9 and _.:/=+@-")
		}
	})
}

func FuzzValidateProject(f *testing.F) {
	for _, seed := range []string{"hello", "a-b", "a--b", "-a", "a-", "", "a/b", "A", strings.Repeat("a", 64)} {
		f.Add(seed)
	}
	rule := regexp.MustCompile(`\A[a-z0-9]+(-[a-z0-9]+)*\z`)
	f.Fuzz(func(t *testing.T, name string) {
		want := rule.MatchString(name) && len(name) <= 63
		require.Equal(t, want, provider.ValidateProject(name) == nil, "%q", name)
	})
}

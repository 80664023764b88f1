package provider_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
)

func TestRequestValidate(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]provider.Request{
		"push":         {Project: "hello", Access: provider.Push},
		"pull":         {Project: "hello", Access: provider.Pull, Consumer: provider.Cluster},
		"all projects": {AllProjects: true, Access: provider.Pull, Consumer: provider.Cluster},
		"caller":       {Project: "hello", Access: provider.Push, Caller: "repo:org/app ref:é"},
		"id":           {Project: "hello", ProjectID: "7f3c:AZ_.:/=+@-09", Access: provider.Push, Caller: "ci"},
		"longest id":   {Project: "hello", ProjectID: strings.Repeat("i", 128), Access: provider.Pull},
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); require.NoError(t, r.Validate()) })
	}
	for name, r := range map[string]provider.Request{
		"zero":                     {},
		"no access":                {Project: "hello"},
		"unknown access":           {Project: "hello", Access: 3},
		"unknown consumer":         {Project: "hello", Access: provider.Pull, Consumer: 2},
		"no project":               {Access: provider.Pull},
		"malformed project":        {Project: "a*", Access: provider.Pull},
		"all projects, for push":   {AllProjects: true, Access: provider.Push},
		"all projects, and one":    {AllProjects: true, Project: "hello", Access: provider.Pull},
		"all projects, no access":  {AllProjects: true},
		"all projects, a caller":   {AllProjects: true, Access: provider.Pull, Caller: "ci"},
		"caller in lines":          {Project: "hello", Access: provider.Push, Caller: "a\nb"},
		"caller not UTF-8":         {Project: "hello", Access: provider.Push, Caller: "\xff"},
		"long caller":              {Project: "hello", Access: provider.Push, Caller: strings.Repeat("x", 1025)},
		"all projects, an id":      {AllProjects: true, Access: provider.Pull, ProjectID: "p-1"},
		"an id alone":              {ProjectID: "p-1", Access: provider.Pull},
		"long id":                  {Project: "hello", ProjectID: strings.Repeat("i", 129), Access: provider.Push},
		"id with a wildcard":       {Project: "hello", ProjectID: "p-*", Access: provider.Push},
		"id with a variable":       {Project: "hello", ProjectID: "${aws:username}", Access: provider.Push},
		"id with a quote":          {Project: "hello", ProjectID: `p"`, Access: provider.Push},
		"id with a space":          {Project: "hello", ProjectID: "p 1", Access: provider.Push},
		"id in lines":              {Project: "hello", ProjectID: "p\n", Access: provider.Push},
		"id not ASCII":             {Project: "hello", ProjectID: "é", Access: provider.Push},
		"id not UTF-8":             {Project: "hello", ProjectID: "\xff", Access: provider.Push},
		"all projects, a wildcard": {AllProjects: true, Project: "*", Access: provider.Pull},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := r.Validate()
			require.ErrorIs(t, err, provider.ErrInvalidRequest)
			require.Equal(t, provider.ErrInvalidRequest, provider.KindOf(err))
		})
	}
}

func TestAccess(t *testing.T) {
	t.Parallel()
	require.True(t, provider.Push.Includes(provider.Pull))
	require.True(t, provider.Push.Includes(provider.Push))
	require.True(t, provider.Pull.Includes(provider.Pull))
	require.False(t, provider.Pull.Includes(provider.Push))
	require.False(t, provider.Push.Includes(0), "nothing includes the invalid access")
	require.False(t, provider.Access(0).Includes(0))
	require.False(t, provider.Access(9).Includes(provider.Pull), "an invalid access includes nothing")

	for _, a := range []provider.Access{provider.Pull, provider.Push} {
		text, err := json.Marshal(a)
		require.NoError(t, err)
		require.Equal(t, `"`+a.String()+`"`, string(text))
		var back provider.Access
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, a, back)
	}
	for _, text := range []string{"", "PUSH", "push ", "write", "pull,push"} {
		var a provider.Access
		require.EqualError(t, a.UnmarshalText([]byte(text)), "must be pull or push")
		require.Zero(t, a)
	}
	_, err := provider.Access(9).MarshalText()
	require.Error(t, err)
	require.Equal(t, "Access(9)", provider.Access(9).String())
	require.Equal(t, "client", provider.Client.String())
	require.Equal(t, "cluster", provider.Cluster.String())
	require.Equal(t, "Consumer(7)", provider.Consumer(7).String())
}

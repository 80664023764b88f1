package tokenissuer_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// Passwords that aren't grants are asked about, once for each project; grants never are.
func TestLogin(t *testing.T) {
	t.Parallel()
	c := config()
	c.SubRepositories, c.SharedRepositories = true, []string{"base"}
	p := newProvider(t, c, newSigning(t))
	var passwords []string
	var asked []provider.Request
	var granted []provider.Request
	var failure error
	x := &exchanges{}
	h := p.Handler(allGood, func(_ *http.Request, password provider.Secret, requests []provider.Request) (string, []provider.Request, error) {
		passwords, asked = append(passwords, password.Reveal()), requests
		return "bob", granted, failure
	}, x.option())
	grant := grantFor(t, p, push("hello"))
	for _, one := range []string{grant, grant + "x", " " + grant} {
		exchange(t, h, one, "repository:rise-apps/hello:pull")
	}
	require.Empty(t, passwords, "a grant is shown to nobody, good or bad")

	r := exchange(t, h, "bob's token")
	require.Equal(t, []any{http.StatusOK, "bob"}, []any{r.status, r.claims["sub"]})
	require.Empty(t, r.access())
	require.Empty(t, asked)
	require.Equal(t, []string{"bob's token"}, passwords)
	require.Equal(t, []any{"bob", ""}, []any{x.last().Subject, x.last().Grant})

	granted = []provider.Request{{Project: "hello", Access: provider.Push}, {Project: "other", Access: provider.Pull}, {Project: "unasked", Access: provider.Push}, {AllProjects: true, Access: provider.Pull}}
	r = exchange(t, h, "bob's token", "repository:rise-apps/hello/web:pull", "repository:rise-apps/hello:push,pull", "repository:rise-apps/other:pull,push",
		"repository:rise-apps/third:pull", "repository:rise-apps/third/x:delete", "repository:base:pull,push", "registry:catalog:*", "repository:elsewhere:pull")
	require.Equal(t, []provider.Request{{Project: "hello", Access: provider.Push}, {Project: "other", Access: provider.Push}, {Project: "third", Access: provider.Pull}}, asked)
	require.Equal(t, []string{"repository:rise-apps/hello/web:pull", "repository:rise-apps/hello:pull,push", "repository:rise-apps/other:pull", "repository:base:pull"}, r.access())

	r = exchange(t, h, "bob's token", "repository:rise-apps/third:pull", "repository:rise-apps/fourth:pull")
	require.Equal(t, []any{http.StatusForbidden, "You have no right to what was asked for, or there is no such repository."}, []any{r.status, r.message})

	var scopes []string
	granted = nil
	for i := range 12 {
		scopes = append(scopes, fmt.Sprintf("repository:rise-apps/p%d:pull", i))
		granted = append(granted, provider.Request{Project: fmt.Sprintf("p%d", i), Access: provider.Pull})
	}
	exchange(t, h, "bob's token", scopes...)
	require.Len(t, asked, 8, "at most")

	for _, test := range []struct {
		err        error
		status     int
		retryAfter string
	}{
		{provider.ErrAccessDenied, http.StatusUnauthorized, ""},
		{&provider.Error{Kind: provider.ErrThrottled, RetryAfter: 9 * time.Second}, http.StatusTooManyRequests, "9"},
		{&provider.Error{Kind: provider.ErrUnavailable, RetryAfter: 9 * time.Second}, http.StatusServiceUnavailable, "9"},
		{provider.ErrNotFound, http.StatusServiceUnavailable, "5"},
		{errors.New("broken"), http.StatusServiceUnavailable, "5"},
	} {
		failure = test.err
		r := exchange(t, h, "bob's token", "repository:rise-apps/hello:pull")
		require.Equal(t, []any{test.status, test.retryAfter}, []any{r.status, r.header.Get("Retry-After")})
		require.Empty(t, x.last().Subject)
	}
	require.Equal(t, tokenissuer.Failed, x.last().Outcome)
}

package tokenissuer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
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

// member is a caller of an endpoint.
type member string

func (m member) Subject() string { return string(m) }

// An endpoint's caller logs in with its bearer token where the endpoint is joined to the token server, as examples do it: for what it could get there.
func TestEndpointsLogins(t *testing.T) {
	t.Parallel()
	p := newProvider(t, config(), newSigning(t))
	authenticate := func(r *http.Request) (member, error) {
		if token, ok := endpoint.BearerToken(r); ok && token.Equal(provider.NewSecret("alices-bearer-token")) {
			return "alice", nil
		}
		return "", endpoint.ErrUnauthenticated
	}
	authorize := func(_ context.Context, _ member, r provider.Request) error {
		if r.Project == "hello" || r.Project == "base" && r.Access == provider.Pull {
			return nil
		}
		return provider.ErrNotFound
	}
	var events []endpoint.Event
	audit := endpoint.WithAudit(func(_ context.Context, e endpoint.Event) error { events = append(events, e); return nil })
	x := &exchanges{}
	h := p.Handler(allGood, endpoint.Logins(p, authenticate, authorize, audit), x.option())
	r := exchange(t, h, "alices-bearer-token", "repository:rise-apps/hello:pull,push", "repository:rise-apps/base:pull,push", "repository:rise-apps/other:pull")
	require.Equal(t, []string{"repository:rise-apps/hello:pull,push", "repository:rise-apps/base:pull"}, r.access())
	require.Equal(t, []any{"alice", "alice", 4}, []any{x.last().Subject, r.claims["sub"], len(events)})
	require.Equal(t, http.StatusOK, exchange(t, h, "alices-bearer-token").status)
	require.Equal(t, http.StatusForbidden, exchange(t, h, "alices-bearer-token", "repository:rise-apps/other:pull").status)
	require.Equal(t, http.StatusUnauthorized, exchange(t, h, "mallorys-token", "repository:rise-apps/hello:pull").status)

	// The endpoint's credential is a grant that names its caller, and is itself no bearer token there.
	e := endpoint.New(p, authenticate, authorize, audit)
	get := func(token string) *httptest.ResponseRecorder {
		request := httptest.NewRequest(http.MethodGet, "/?project=hello", nil)
		request.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		e.ServeHTTP(w, request)
		return w
	}
	var answer struct {
		Credentials struct{ Password string }
	}
	require.NoError(t, json.Unmarshal(get("alices-bearer-token").Body.Bytes(), &answer))
	require.Equal(t, "alice", exchange(t, h, answer.Credentials.Password).claims["sub"])
	require.Equal(t, x.last().Grant, events[len(events)-1].Details[0].Value.String(), "both audits name the grant")
	require.Equal(t, http.StatusUnauthorized, get(answer.Credentials.Password).Code)
}

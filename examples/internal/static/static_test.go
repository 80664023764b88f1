package static_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/examples/internal/static"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	tokens := static.New([]config.Token{
		{Token: provider.NewSecret("pusher"), Subject: "pusher", Projects: []string{"hello", "team-*", "*-x-*-y"}, Access: provider.Push, Login: true},
		{Token: provider.NewSecret("puller"), Subject: "puller", Projects: []string{"*"}},
		{Token: provider.NewSecret("nobody"), Subject: "nobody", Access: provider.Push},
	})
	request := func(token string) *http.Request {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		return r
	}
	authenticate := func(token string) (static.Caller, error) { return tokens.Authenticate(request(token)) }
	for _, token := range []string{"", "push", "pushers", "PUSHER", "pusher puller"} {
		_, err := authenticate(token)
		require.ErrorIs(t, err, endpoint.ErrUnauthenticated, token)
	}
	for _, test := range []struct {
		token, project string
		access         provider.Access
		allowed        bool
	}{
		{"pusher", "hello", provider.Push, true}, {"pusher", "hello", provider.Pull, true}, {"pusher", "hello-2", provider.Pull, false},
		{"pusher", "hell", provider.Pull, false}, {"pusher", "team-a", provider.Push, true}, {"pusher", "team", provider.Push, false},
		{"pusher", "my-team-a", provider.Push, false}, {"pusher", "a-x-b-y", provider.Push, true}, {"pusher", "a-x-y", provider.Push, false},
		{"pusher", "a-x-b-y-c", provider.Push, false}, {"pusher", "a-x-b-y-x-y", provider.Push, true},
		{"puller", "anything", provider.Pull, true}, {"puller", "anything", provider.Push, false},
		{"nobody", "hello", provider.Pull, false},
	} {
		caller, err := authenticate(test.token)
		require.NoError(t, err)
		require.Equal(t, test.token, caller.Subject())
		err = tokens.Authorize(t.Context(), caller, provider.Request{Project: test.project, Access: test.access})
		if test.allowed {
			require.NoError(t, err, "%+v", test)
		} else {
			require.ErrorIs(t, err, provider.ErrNotFound, "%+v", test)
		}
	}
	caller, err := tokens.AuthenticateLogin(request("pusher"))
	require.NoError(t, err)
	require.Equal(t, "pusher", caller.Subject())
	for _, token := range []string{"puller", "nobody", "guess"} {
		_, err := tokens.AuthenticateLogin(request(token))
		require.ErrorIs(t, err, endpoint.ErrUnauthenticated, token)
	}
}

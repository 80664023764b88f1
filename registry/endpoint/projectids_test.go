package endpoint_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

// The service is asked for the id once a request, after it has authorized it, and the answer reaches the request and the audit log.
func TestProjectIDs(t *testing.T) {
	t.Parallel()
	s, asked := &service{}, []string{}
	url := s.serve(t, endpoint.WithProjectIDs(func(_ context.Context, project string) (string, error) {
		asked = append(asked, project)
		return "id:" + project + "/7", nil
	}))
	require.Equal(t, http.StatusOK, get(t, http.MethodGet, url+"?project=hello", bearer).status)
	require.Equal(t, http.StatusOK, get(t, http.MethodGet, url+"?project=hello&access=pull", bearer).status)
	require.Equal(t, http.StatusNotFound, get(t, http.MethodGet, url+"?project=secret", bearer).status)
	require.Equal(t, http.StatusBadRequest, get(t, http.MethodGet, url+"?project=a--b", bearer).status)
	require.Equal(t, []string{"hello", "hello"}, asked)
	require.Equal(t, []provider.Request{
		{Project: "hello", ProjectID: "id:hello/7", Access: provider.Push}, {Project: "hello", ProjectID: "id:hello/7", Access: provider.Pull},
	}, s.asked)
	require.Equal(t, "id:hello/7", s.events[0].ProjectID)
	require.Contains(t, s.logs.String(), `"project_id":"id:hello/7"`)
	require.Empty(t, s.events[2].ProjectID, "nobody tells ids of projects that aren't the caller's")
}

// A name that is handed over in the middle of a request: neither owner's caller gets what is for the other's id.
func TestHandOverDuringRequest(t *testing.T) {
	t.Parallel()
	for caller, owner := range map[string]string{"former": "p-1", "next": "p-2"} {
		for moment := range 4 { // after how many of the three looks at the service
			t.Run(fmt.Sprint(caller, moment), func(t *testing.T) {
				t.Parallel()
				s, looked := &service{}, 0
				look := func() string { // whose the name is
					if looked++; looked > moment {
						return "p-2"
					}
					return "p-1"
				}
				var got []string
				h := endpoint.New(s, func(*http.Request) (user, error) { return user{name: caller}, nil },
					func(_ context.Context, _ user, r provider.Request) error {
						got = append(got, r.ProjectID)
						if look() != owner {
							return provider.ErrNotFound
						}
						return nil
					},
					endpoint.WithProjectIDs(func(context.Context, string) (string, error) { return look(), nil }),
					endpoint.WithAudit(func(context.Context, endpoint.Event) error { return nil }))
				status := ask(t.Context(), h, "hello")
				for _, r := range s.asked {
					require.Equal(t, owner, r.ProjectID)
				}
				require.Equal(t, len(s.asked) == 1, status == http.StatusOK)
				require.Contains(t, []int{http.StatusOK, http.StatusNotFound}, status)
				require.Equal(t, "", got[0])
				if status == http.StatusOK {
					require.Equal(t, []string{"", owner}, got, "the second time by id")
				}
			})
		}
	}
}

// Without the id there is no credential.
func TestProjectIDFailures(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		id     string
		err    error
		status int
		cause  string
	}{
		"none":         {status: http.StatusInternalServerError, cause: "the project's id is missing"},
		"too long":     {id: strings.Repeat("i", 129), status: http.StatusInternalServerError, cause: "at most 128 characters"},
		"wildcard":     {id: "*", status: http.StatusInternalServerError, cause: "at most 128 characters"},
		"variable":     {id: "${aws:PrincipalTag/x}", status: http.StatusInternalServerError, cause: "at most 128 characters"},
		"unknown":      {err: provider.ErrNotFound, status: http.StatusNotFound, cause: "identify: not found"},
		"refused":      {err: provider.ErrConflict, status: http.StatusConflict, cause: "identify: conflict"},
		"out of order": {id: "p-1", err: errors.New("database"), status: http.StatusServiceUnavailable, cause: "identify: database"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, m := &service{}, &manager{}
			url := s.serve(t, endpoint.WithProjectIDs(func(context.Context, string) (string, error) { return tt.id, tt.err }), endpoint.WithRepositories(m))
			r := get(t, http.MethodGet, url+"?project=hello", bearer)
			require.Equal(t, tt.status, r.status)
			require.ErrorContains(t, s.events[0].Err, tt.cause)
			require.Empty(t, s.events[0].ProjectID)
			require.Empty(t, s.asked)
			require.Empty(t, m.asked)
		})
	}
}

// A provider that demands ids, behind an endpoint that has none: that is the service's mistake, and the caller's isn't blamed.
func TestProjectIDsDemanded(t *testing.T) {
	t.Parallel()
	missing := &provider.Error{Kind: provider.ErrInvalidRequest, Op: "assume push role", Project: "hello", Err: provider.ErrNoProjectID}
	s := &service{credentials: func(context.Context, provider.Request) (provider.Credentials, error) {
		return provider.Credentials{}, missing
	}}
	r := get(t, http.MethodGet, s.serve(t)+"?project=hello", bearer)
	require.Equal(t, http.StatusBadGateway, r.status)
	require.Equal(t, provider.ErrInvalidRequest, s.events[0].Kind)
	s = &service{}
	require.Equal(t, http.StatusBadGateway, get(t, http.MethodGet, s.serve(t, endpoint.WithRepositories(&manager{err: missing}))+"?project=hello", bearer).status)
	require.Empty(t, s.asked)
}

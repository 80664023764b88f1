package endpoint_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

const deployments = "/api/v1/projects/{project}/deployments/{deployment}/registry-credentials"

// byPath is the project in a path, where the handler is mounted at such a pattern.
func byPath(r *http.Request) (string, bool) {
	name := r.PathValue("project")
	return name, name != ""
}

// One handler is mounted at two paths, and answers each alike.
func TestProjectInPath(t *testing.T) {
	t.Parallel()
	s := &service{}
	base := s.serve(t, endpoint.WithProject(byPath))
	for path, want := range map[string]struct {
		status  int
		project string
	}{
		"?project=hello":             {200, "hello"},
		"?project=other":             {404, ""},
		"":                           {400, ""},
		"/p/hello/d/1":               {200, "hello"},
		"/p/other/d/1":               {404, ""},
		"/p/other/d/1?project=hello": {404, ""},
		"/p/hello/d/1?project=other&project=third": {200, "hello"},
		"/p/hello/d/1?access=admin":                {400, ""},
		"/p/Hello/d/1":                             {400, ""},
		"/p/hello%2fother/d/1":                     {400, ""},
		"/p/hello%2e/d/1":                          {400, ""},
		"/p/%2e%2e/d/1":                            {400, ""},
	} {
		reply := get(t, http.MethodGet, base+path, "Bearer "+goodToken)
		require.Equal(t, want.status, reply.status, "%s: %s", path, reply.body)
		s.mu.Lock()
		if want.project != "" {
			require.Equal(t, want.project, s.asked[len(s.asked)-1].Project, path)
		}
		s.mu.Unlock()
	}
	require.Equal(t, get(t, http.MethodGet, base+"?project=other", "Bearer "+goodToken).body, get(t, http.MethodGet, base+"/p/other/d/1", "Bearer "+goodToken).body)
	require.Equal(t, http.StatusMethodNotAllowed, get(t, http.MethodPost, base+"/p/hello/d/1", "Bearer "+goodToken).status)
	require.Equal(t, http.StatusUnauthorized, get(t, http.MethodGet, base+"/p/hello/d/1", "").status)
}

func TestProjectInHeader(t *testing.T) {
	t.Parallel()
	h := endpoint.New(&service{}, func(*http.Request) (user, error) { return user{name: "x"}, nil }, func(context.Context, user, provider.Request) error { return nil },
		endpoint.WithProject(func(r *http.Request) (string, bool) {
			if values := r.Header.Values("X-Project"); len(values) == 1 {
				return values[0], true
			}
			return "", true
		}))
	for _, test := range []struct {
		headers []string
		status  int
	}{{[]string{"hello"}, 200}, {nil, 400}, {[]string{""}, 400}, {[]string{"hello", "other"}, 400}, {[]string{"hello, other"}, 400}} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/?project=query", nil)
		r.Header["X-Project"] = test.headers
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Equal(t, test.status, w.Code, "%q: %s", test.headers, w.Body)
	}
	require.Panics(t, func() { endpoint.WithProject(nil) })
}

// ofDeployment is a caller and what he asks for: the path says more than a request for a credential does.
type ofDeployment struct{ name, deployment string }

func (c ofDeployment) Subject() string { return c.name }

// A deployment that is over takes no more pushes: the caller carries what the path says, and the service decides by it.
func ExampleWithProject() {
	over := map[string]bool{"hello/41": true}
	h := endpoint.New(&service{},
		func(r *http.Request) (ofDeployment, error) { // authenticate sees the whole request
			if token, ok := endpoint.BearerToken(r); !ok || !token.Equal(provider.NewSecret(goodToken)) {
				return ofDeployment{}, endpoint.ErrUnauthenticated
			}
			return ofDeployment{name: "ci", deployment: r.PathValue("deployment")}, nil
		},
		func(_ context.Context, c ofDeployment, r provider.Request) error {
			switch {
			case r.Project != "hello": // first: who has no right to the project learns nothing of its deployments
				return provider.ErrNotFound
			case over[r.Project+"/"+c.deployment]:
				return provider.ErrConflict
			}
			return nil
		},
		endpoint.WithProject(func(r *http.Request) (string, bool) { return r.PathValue("project"), true }),
		endpoint.WithAudit(func(context.Context, endpoint.Event) error { return nil }),
	)
	mux := http.NewServeMux()
	mux.Handle(deployments, h)

	for _, path := range []string{"hello/deployments/42", "hello/deployments/41", "other/deployments/41"} {
		r := httptest.NewRequest(http.MethodGet, "/api/v1/projects/"+path+"/registry-credentials", nil)
		r.Header.Set("Authorization", "Bearer "+goodToken)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(path, w.Code)
	}
	// Output:
	// hello/deployments/42 200
	// hello/deployments/41 409
	// other/deployments/41 404
}

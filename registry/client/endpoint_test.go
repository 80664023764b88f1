package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/client"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

type caller string

func (c caller) Subject() string { return string(c) }

// service is a real endpoint's service, with a switch for what can go wrong.
type service struct {
	host      string // the registry's
	method    provider.Method
	life      time.Duration
	err       error
	authorize error
	wait      time.Duration // by subject

	mu     sync.Mutex
	issued int
}

func (s *service) Repository(project string, consumer provider.Consumer) (name.Repository, error) {
	if consumer == provider.Cluster {
		return name.NewRepository("in-cluster." + s.host + "/rise/" + project)
	}
	return name.NewRepository(s.host + "/rise/" + project)
}

func (s *service) Credentials(_ context.Context, r provider.Request) (provider.Credentials, error) {
	if s.err != nil {
		return provider.Credentials{}, s.err
	}
	target, err := s.Repository(r.Project, r.Consumer)
	if err != nil {
		return provider.Credentials{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.issued++
	c := provider.Credentials{Target: target, Access: r.Access, Method: s.method}
	switch s.method {
	case provider.LoginCredentials:
		c.Username, c.Password = "AWS", provider.NewSecret(fmt.Sprintf("%s-%d", password, s.issued))
	case provider.RegistryToken:
		c.Password = provider.NewSecret(fmt.Sprintf("%s-%d", password, s.issued))
	}
	if s.life > 0 {
		c.ExpiresAt = time.Now().Add(s.life)
	}
	return c, nil
}

func (s *service) handler(opts ...endpoint.Option) http.Handler {
	opts = append(opts, endpoint.WithAudit(func(context.Context, endpoint.Event) error { return nil }),
		endpoint.WithSubjectLimit(func(context.Context, string) time.Duration { return s.wait }))
	return endpoint.New(s,
		func(r *http.Request) (caller, error) {
			if sent, ok := endpoint.BearerToken(r); !ok || !sent.Equal(provider.NewSecret(token)) {
				return "", endpoint.ErrUnauthenticated
			}
			return "alice", nil
		},
		func(_ context.Context, _ caller, r provider.Request) error {
			if r.Project != "hello" {
				return provider.ErrNotFound
			}
			return s.authorize
		},
		opts...)
}

func (s *service) serve(t *testing.T, opts ...client.Option) (*client.Client, *httptest.Server) {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle(client.Path, s.handler())
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	c, err := client.New(server.URL, client.Fixed(provider.NewSecret(token)), opts...)
	require.NoError(t, err)
	return c, server
}

// What the endpoint hands out arrives, in each form.
func TestEndpoint(t *testing.T) {
	t.Parallel()
	for _, method := range []provider.Method{provider.ClientLogin, provider.LoginCredentials, provider.RegistryToken} {
		for _, host := range []string{"registry.example.com", "123456789012.dkr.ecr.eu-west-1.amazonaws.com", "localhost:5000", "docker.io", "[::1]:5000"} {
			for _, access := range []provider.Access{provider.Pull, provider.Push} {
				s := &service{host: host, method: method, life: time.Hour}
				c, _ := s.serve(t)
				got, err := c.Credentials(t.Context(), "hello", access)
				require.NoError(t, err)
				want, err := s.Repository("hello", provider.Client)
				require.NoError(t, err)
				require.Equal(t, want.String(), got.Target.String())
				require.Equal(t, method, got.Method)
				require.Equal(t, access, got.Access)
				require.WithinDuration(t, time.Now().Add(time.Hour), got.ExpiresAt, time.Minute)
				if method == provider.ClientLogin {
					require.True(t, got.Password.IsZero())
					continue
				}
				require.True(t, strings.HasPrefix(got.Password.Reveal(), password))
			}
		}
	}
}

// A cluster gets what it reaches the registry by, where the service serves clusters, and can make a pull secret of it.
func TestCluster(t *testing.T) {
	t.Parallel()
	s := &service{host: "registry.example.com", method: provider.LoginCredentials, life: time.Hour}
	server := httptest.NewServer(s.handler(endpoint.WithClusterCredentials()))
	defer server.Close()
	c, err := client.New(server.URL+client.Path, client.Fixed(provider.NewSecret(token)), client.WithConsumer(provider.Cluster))
	require.NoError(t, err)
	got, err := c.Credentials(t.Context(), "hello", provider.Pull)
	require.NoError(t, err)
	require.Equal(t, "in-cluster.registry.example.com/rise/hello", got.Target.String())
	secret, err := got.PullSecret()
	require.NoError(t, err)
	require.Contains(t, string(secret), `"in-cluster.registry.example.com"`)

	c, _ = s.serve(t, client.WithConsumer(provider.Cluster))
	_, err = c.Credentials(t.Context(), "hello", provider.Pull)
	failed(t, err, provider.ErrNotFound)
	require.ErrorContains(t, err, "serves no clusters")
}

// Each answer of the endpoint is one kind of error, whose text says what to do.
func TestRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		service *service
		project string
		token   string
		kind    provider.Kind
		code    string
		status  string
		says    string
	}{
		"token":         {token: "another-one", kind: provider.ErrAccessDenied, code: "unauthenticated", status: "401", says: "get a new one"},
		"project":       {project: "other", kind: provider.ErrNotFound, code: "not_found", status: "404", says: "check the project's name"},
		"right":         {service: &service{authorize: provider.ErrAccessDenied}, kind: provider.ErrNotFound, code: "not_found", status: "404", says: "ask its owner"},
		"suspended":     {service: &service{authorize: provider.ErrConflict}, kind: provider.ErrConflict, code: "conflict", status: "409", says: "suspended"},
		"rejected name": {service: &service{err: &provider.Error{Kind: provider.ErrInvalidRequest}}, kind: provider.ErrInvalidRequest, code: "invalid_request", status: "400", says: "a project name is"},
		"registry":      {service: &service{err: &provider.Error{Kind: provider.ErrMisconfigured}}, kind: provider.ErrUnavailable, code: "upstream_denied", status: "502", says: "operator"},
		"slow registry": {service: &service{err: &provider.Error{Kind: provider.ErrTimeout}}, kind: provider.ErrTimeout, code: "timeout", status: "504", says: "try again"},
		"bug":           {service: &service{err: errors.New("a bug")}, kind: provider.ErrUnavailable, code: "internal", status: "500", says: "operator"},
		"throttled":     {service: &service{err: &provider.Error{Kind: provider.ErrThrottled, RetryAfter: time.Hour}}, kind: provider.ErrUnavailable, code: "unavailable", status: "503", says: "try again later"},
		"too often":     {service: &service{wait: time.Hour}, kind: provider.ErrThrottled, code: "too_many_requests", status: "429", says: "ask less often"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := tt.service
			if s == nil {
				s = &service{}
			}
			s.host, s.method = "registry.example.com", provider.LoginCredentials
			c, server := s.serve(t)
			if tt.token != "" {
				var err error
				c, err = client.New(server.URL, client.Fixed(provider.NewSecret(tt.token)))
				require.NoError(t, err)
			}
			project := tt.project
			if project == "" {
				project = "hello"
			}
			_, err := c.Credentials(t.Context(), project, provider.Push)
			e := failure(t, err, tt.kind)
			require.Equal(t, tt.code, client.CodeOf(err))
			require.Equal(t, project, e.Project)
			require.Contains(t, e.LogValue().String(), tt.status)
			require.ErrorContains(t, err, tt.says)
			require.ErrorContains(t, err, tt.status+" "+tt.code)
			if tt.status == "503" || tt.status == "429" {
				require.Equal(t, time.Hour, e.RetryAfter)
			}
		})
	}
}

// What can't be right isn't sent.
func TestInvalidRequests(t *testing.T) {
	t.Parallel()
	c, l := dial(t, func(_ int, r *http.Request) (*http.Response, error) { return credential(t, r, nil), nil })
	for _, project := range []string{"", "Hello", "a--b", "../x", "a/b", "hello&access=push", strings.Repeat("a", 64)} {
		_, err := c.Credentials(t.Context(), project, provider.Push)
		failed(t, err, provider.ErrInvalidRequest)
	}
	_, err := c.Credentials(t.Context(), "hello", 0)
	failed(t, err, provider.ErrInvalidRequest)
	require.Zero(t, l.count())
	require.Empty(t, client.CodeOf(err))
	require.Empty(t, client.CodeOf(nil))
}

// The request says who asks for what, and no more.
func TestRequest(t *testing.T) {
	t.Parallel()
	answer := func(_ int, r *http.Request) (*http.Response, error) { return credential(t, r, nil), nil }
	c, l := dial(t, answer, client.WithUserAgent("kubelet-credential-rise/1.0"))
	_, err := get(t, c)
	require.NoError(t, err)
	require.Equal(t, base+"/api/v1/registry/credentials?access=push&project=hello", l.asked[0].URL.String())
	require.Equal(t, http.MethodGet, l.asked[0].Method)
	require.Equal(t, "Bearer "+token, l.asked[0].Header.Get("Authorization"))
	require.Equal(t, "kubelet-credential-rise/1.0", l.asked[0].UserAgent())

	c, l = dial(t, answer, client.WithConsumer(provider.Cluster))
	_, err = c.Credentials(t.Context(), "hello", provider.Pull)
	require.NoError(t, err)
	require.Equal(t, "access=pull&consumer=cluster&project=hello", l.asked[0].URL.RawQuery)
	_, err = get(t, c)
	failed(t, err, provider.ErrInvalidRequest)
	require.Equal(t, 1, l.count(), "a cluster doesn't push")
}

func TestNew(t *testing.T) {
	t.Parallel()
	source := client.Fixed(provider.NewSecret(token))
	for _, tt := range []struct{ endpoint, asked string }{
		{"https://deploy.example.com", "https://deploy.example.com/api/v1/registry/credentials"},
		{"https://deploy.example.com/", "https://deploy.example.com/api/v1/registry/credentials"},
		{"https://deploy.example.com:8443/other/path", "https://deploy.example.com:8443/other/path"},
		{"http://localhost:8080", "http://localhost:8080/api/v1/registry/credentials"},
		{"http://LocalHost:8080", "http://localhost:8080/api/v1/registry/credentials"}, // by no proxy, which net/http decides by the name as it is written
		{"http://127.0.0.1:8080", "http://127.0.0.1:8080/api/v1/registry/credentials"},
		{"http://[::1]:8080", "http://[::1]:8080/api/v1/registry/credentials"},
	} {
		l := &line{answer: func(_ int, r *http.Request) (*http.Response, error) { return credential(t, r, nil), nil }}
		c, err := client.New(tt.endpoint, source, client.WithHTTPClient(&http.Client{Transport: l}))
		require.NoError(t, err)
		_, err = get(t, c)
		require.NoError(t, err)
		u := *l.asked[0].URL
		u.RawQuery = ""
		require.Equal(t, tt.asked, u.String())
	}
	for _, tt := range []struct {
		endpoint string
		says     string
	}{
		{"", "no URL"},
		{"deploy.example.com", "no URL"},
		{"https://", "no URL"},
		{"https:deploy.example.com", "no URL"},
		{"http://deploy.example.com", "use https://"},
		{"http://127.0.0.1.example.com", "use https://"},
		{"http://0.0.0.0:80", "use https://"},
		{"ftp://deploy.example.com", "neither https:// nor http://"},
		{"https://user:hunter2@deploy.example.com", "user name or a password"},
		{"https://deploy.example.com?project=x", "query"},
		{"https://deploy.example.com?", "query"},
		{"https://deploy.example.com#x", "fragment"},
		{"https://deploy.example.com:99999", "port"},
		{"https://deploy.example.com:0", "port"},
		{"https://deploy\n.example.com", "no URL"},
		{"https://%zz:hunter2@x", "no URL"},
	} {
		_, err := client.New(tt.endpoint, source)
		failed(t, err, provider.ErrMisconfigured)
		require.ErrorContains(t, err, tt.says)
		require.NotContains(t, err.Error(), "hunter2")
	}
	_, err := client.New("http://deploy.example.com", source, client.WithInsecure())
	require.NoError(t, err)
	for says, opts := range map[string][]client.Option{
		"is unknown":   {client.WithConsumer(9)},
		"is no host":   {client.WithRegistry("registry.example.com/rise")},
		"no host":      {client.WithRegistry("https://registry.example.com")},
		"no host, as":  {client.WithRegistry("registry.example.com:99999")},
		"CA file":      {client.WithCAFile("testdata/none.pem")},
		"certificate":  {client.WithCAFile("doc.go")},
		"HTTP client ": {client.WithHTTPClient(http.DefaultClient), client.WithCAFile("doc.go")},
	} {
		_, err = client.New(base, source, opts...)
		failed(t, err, provider.ErrMisconfigured)
		require.ErrorContains(t, err, says)
	}
	_, err = client.New(base, nil)
	failed(t, err, provider.ErrMisconfigured)
}

package endpoint_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/cache"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

// Who may have what, in the order of the checks: 400 before 404, and before the service is asked.
func TestClusterRequests(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]struct{ on, off int }{
		"?project=hello&consumer=client":                                                             {200, 200},
		"?project=hello&consumer=client&access=pull":                                                 {200, 200},
		"?project=hello&consumer=cluster&access=pull":                                                {200, 404},
		"?project=readonly&consumer=cluster&access=pull":                                             {200, 404},
		"?project=hello&format=dockerconfigjson&access=pull":                                         {200, 404},
		"?project=hello&consumer=client&format=dockerconfigjson&access=pull":                         {200, 404},
		"?project=hello&consumer=cluster&format=dockerconfigjson&access=pull":                        {200, 404},
		"/p/hello/d/1?consumer=cluster&format=dockerconfigjson&access=pull":                          {200, 404},
		"/p/hello/d/1?consumer=cluster&format=dockerconfigjson&access=pull&project=other":            {200, 404},
		"/p/other/d/1?consumer=cluster&format=dockerconfigjson&access=pull":                          {404, 404},
		"/p/other/d/1?consumer=cluster&format=dockerconfigjson&access=pull&project=hello":            {404, 404},
		"?project=other&consumer=cluster&access=pull":                                                {404, 404},
		"?project=other&format=dockerconfigjson&access=pull":                                         {404, 404},
		"?project=hello&consumer=cluster":                                                            {400, 400}, // access defaults to push
		"?project=hello&consumer=cluster&access=push":                                                {400, 400},
		"?project=hello&format=dockerconfigjson":                                                     {400, 400},
		"?project=hello&format=dockerconfigjson&access=push":                                         {400, 400},
		"?project=hello&consumer=cluster&format=dockerconfigjson&access=push":                        {400, 400},
		"?project=hello&consumer=cluster&access=pull&access=push":                                    {400, 400},
		"?project=hello&consumer=cluster&access=push&access=pull":                                    {400, 400},
		"?project=hello&consumer=":                                                                   {400, 400},
		"?project=hello&consumer=Cluster&access=pull":                                                {400, 400},
		"?project=hello&consumer=node&access=pull":                                                   {400, 400},
		"?project=hello&consumer=cluster&consumer=cluster&access=pull":                               {400, 400},
		"?project=hello&consumer=client&consumer=cluster&access=pull":                                {400, 400},
		"?project=hello&consumer=client&consumer=client":                                             {400, 400},
		"?project=hello&format=&access=pull":                                                         {400, 400},
		"?project=hello&format=json&access=pull":                                                     {400, 400},
		"?project=hello&format=.dockerconfigjson&access=pull":                                        {400, 400},
		"?project=hello&format=DockerConfigJson&access=pull":                                         {400, 400},
		"?project=hello&format=dockerconfigjson&format=dockerconfigjson&access=pull":                 {400, 400},
		"?project=hello&project=other&consumer=cluster&access=pull":                                  {400, 400},
		"?consumer=cluster&access=pull":                                                              {400, 400}, // never all projects
		"?project=&consumer=cluster&access=pull":                                                     {400, 400},
		"?project=*&consumer=cluster&access=pull&all_projects=true":                                  {400, 400},
		"/p/hello%2fother/d/1?consumer=cluster&access=pull":                                          {400, 400},
		"?project=x-y&consumer=cluster&access=pull":                                                  {400, 400}, // narrowed by the provider
		"?project=hello&consumer=cluster&access=pull&format=dockerconfigjson;consumer=client":        {400, 400},
		"?project=hello&consumer=cluster&access=pull&%63onsumer=client":                              {400, 400},
		"?project=hello&Consumer=cluster&Format=dockerconfigjson&access=push&all=1&AllProjects=true": {200, 200}, // other parameters are ignored
	} {
		for _, allowed := range []bool{true, false} {
			opts, status := []endpoint.Option{endpoint.WithProject(byPath)}, want.off
			if allowed {
				opts, status = append(opts, endpoint.WithClusterCredentials()), want.on
			}
			s := &service{narrow: true}
			got := get(t, http.MethodGet, s.serve(t, opts...)+query, bearer)
			require.Equal(t, status, got.status, "%s, allowed: %t: %s", query, allowed, got.body)
			if got.status != http.StatusOK {
				require.Empty(t, s.asked, "%s: the provider was asked", query)
				require.NotContains(t, got.body, password)
				require.NotContains(t, got.header, "Rise-Expires-At")
				continue
			}
			require.Len(t, s.asked, 1)
			require.False(t, s.asked[0].AllProjects)
			if s.asked[0].Consumer == provider.Cluster {
				require.Equal(t, provider.Pull, s.asked[0].Access)
			}
			require.Equal(t, s.asked[0].Consumer, s.events[0].Consumer)
		}
	}
}

// What a service doesn't serve looks like what there isn't, whoever asks; and the checks before that have their own answers.
func TestClusterRefusalIsNotFound(t *testing.T) {
	t.Parallel()
	s := &service{authorize: func(context.Context, user, provider.Request) error { return errors.New("nobody asks") }}
	base := s.serve(t)
	off := get(t, http.MethodGet, base+"?project=hello&consumer=cluster&access=pull", bearer)
	require.Equal(t, http.StatusNotFound, off.status)
	require.Equal(t, off.body, get(t, http.MethodGet, base+"?project=other&consumer=cluster&access=pull", bearer).body)
	require.Equal(t, off.body, get(t, http.MethodGet, base+"?project=hello&format=dockerconfigjson&access=pull", bearer).body)
	require.Equal(t, off.body, get(t, http.MethodGet, (&service{}).serve(t)+"?project=other", bearer).body)
	require.Equal(t, http.StatusUnauthorized, get(t, http.MethodGet, base+"?project=hello&consumer=cluster&access=push", "").status)
	require.Equal(t, http.StatusMethodNotAllowed, get(t, http.MethodPost, base+"?project=hello&consumer=node", "").status)
	require.Contains(t, s.logs.String(), "WithClusterCredentials", "the operator sees why")
	require.Contains(t, s.logs.String(), `"consumer":"cluster"`)

	invalid := get(t, http.MethodGet, base+"?project=hello&consumer=node", bearer).body
	for _, word := range []string{"pull or push", "cluster", "dockerconfigjson"} {
		require.Contains(t, invalid, word)
	}
}

// A service may let only some callers have what clusters pull with: its Authorize sees for whom it is.
func TestAuthorizeSeesConsumer(t *testing.T) {
	t.Parallel()
	s := &service{authorize: func(_ context.Context, _ user, r provider.Request) error {
		if r.Consumer == provider.Cluster {
			return provider.ErrAccessDenied
		}
		return nil
	}}
	base := s.serve(t, endpoint.WithClusterCredentials())
	require.Equal(t, http.StatusNotFound, get(t, http.MethodGet, base+"?project=hello&consumer=cluster&access=pull", bearer).status)
	require.Equal(t, http.StatusOK, get(t, http.MethodGet, base+"?project=hello&consumer=client&access=pull", bearer).status)
	require.Equal(t, []provider.Consumer{provider.Cluster, provider.Client}, []provider.Consumer{s.events[0].Consumer, s.events[1].Consumer})
}

// The payload is what Kubernetes takes, and only what a kubelet can use and what can't push becomes one.
func TestPullSecret(t *testing.T) {
	t.Parallel()
	const query = "?project=hello&access=pull&consumer=cluster&format=dockerconfigjson"
	ends := time.Now().Add(time.Hour)
	for label, test := range map[string]struct {
		change  func(*provider.Credentials)
		status  int
		expires string
		kind    provider.Kind
	}{
		"login":     {func(c *provider.Credentials) { c.ExpiresAt = ends }, 200, ends.UTC().Format(time.RFC3339), ""},
		"no expiry": {func(c *provider.Credentials) { c.ExpiresAt = time.Time{} }, 200, "", ""},
		"a token":   {func(c *provider.Credentials) { c.Method, c.Username = provider.RegistryToken, "" }, 502, "", provider.ErrUnsupported},
		"the client's own login": {func(c *provider.Credentials) {
			c.Method, c.Username, c.Password = provider.ClientLogin, "", provider.Secret{}
		}, 502, "", provider.ErrUnsupported},
		"can push":           {func(c *provider.Credentials) { c.Access = provider.Push }, 502, "", provider.ErrBadResponse},
		"another project's":  {func(c *provider.Credentials) { c.Target = mustRepository("registry.example.com/rise/other") }, 502, "", provider.ErrBadResponse},
		"the whole registry": {func(c *provider.Credentials) { c.Target = mustRepository("registry.example.com/rise/x").Registry }, 502, "", provider.ErrBadResponse},
		"expired":            {func(c *provider.Credentials) { c.ExpiresAt = time.Now().Add(-time.Second) }, 502, "", provider.ErrBadResponse},
	} {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			s := &service{}
			s.credentials = func(_ context.Context, r provider.Request) (provider.Credentials, error) {
				c := s.good(r)
				test.change(&c)
				return c, nil
			}
			got := get(t, http.MethodGet, s.serve(t, endpoint.WithClusterCredentials())+query, bearer)
			require.Equal(t, test.status, got.status, got.body)
			require.Equal(t, test.expires, got.header.Get("Rise-Expires-At"))
			e := s.events[0]
			require.Equal(t, test.kind, e.Kind)
			require.Equal(t, provider.Cluster, e.Consumer)
			require.NotContains(t, s.logs.String(), password)
			if test.status != http.StatusOK {
				require.NotContains(t, got.body, password)
				require.True(t, e.ExpiresAt.IsZero(), "nothing was issued")
				return
			}
			require.Equal(t, endpoint.Issued, e.Outcome)
			var payload struct {
				Auths map[string]struct{ Username, Password, Auth string }
			}
			require.NoError(t, json.Unmarshal([]byte(got.body), &payload))
			require.Len(t, payload.Auths, 1)
			require.True(t, payload.Auths["registry.example.com"].Password == password, "another password")
			require.Equal(t, "AWS", payload.Auths["registry.example.com"].Username)
		})
	}
}

func mustRepository(text string) name.Repository {
	repository, err := name.NewRepository(text)
	if err != nil {
		panic(err)
	}
	return repository
}

// hosts is a provider whose clusters reach the registry by another name.
type hosts struct{ service }

func (h *hosts) Repository(project string, consumer provider.Consumer) (name.Repository, error) {
	if err := provider.ValidateProject(project); err != nil {
		return name.Repository{}, err
	}
	return name.NewRepository(consumer.String() + ".example.com/rise/" + project)
}

func (h *hosts) Credentials(_ context.Context, r provider.Request) (provider.Credentials, error) {
	c := h.good(r)
	repository, err := h.Repository(r.Project, r.Consumer)
	c.Target, c.Password = repository, provider.NewSecret(r.Consumer.String()+"-"+r.Access.String()+"-of-"+r.Project)
	return c, err
}

// What is kept for one consumer, access or project is never another's, whoever asks first and however many at once.
func TestKeptCredentialsOfClusters(t *testing.T) {
	t.Parallel()
	h := endpoint.New(cache.New(&hosts{}, cache.Options{}), func(*http.Request) (user, error) { return user{name: "x"}, nil }, func(context.Context, user, provider.Request) error { return nil },
		endpoint.WithClusterCredentials(), endpoint.WithAudit(func(context.Context, endpoint.Event) error { return nil }))
	var group sync.WaitGroup
	for n := range 400 {
		group.Go(func() {
			project, kind := fmt.Sprint("p", n%3), n/3%4
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/?project="+project+
				[]string{"", "&access=pull", "&access=pull&consumer=cluster", "&access=pull&consumer=cluster&format=dockerconfigjson"}[kind], nil)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			assert.Equal(t, http.StatusOK, w.Code)
			assert.Contains(t, w.Body.String(), `"`+[]string{"client-push", "client-pull", "cluster-pull", "cluster-pull"}[kind]+"-of-"+project+`"`)
			assert.Contains(t, w.Body.String(), []string{"client", "client", "cluster", "cluster"}[kind]+".example.com")
			assert.Equal(t, kind == 3, strings.HasPrefix(w.Body.String(), `{"auths":`))
		})
	}
	group.Wait()
}

// With ids, a cluster's request is authorized before and after as any other, and the former owner of a name gets nothing.
func TestClusterOfAFormerOwner(t *testing.T) {
	t.Parallel()
	var asked []provider.Request
	s := &service{authorize: func(_ context.Context, _ user, r provider.Request) error {
		asked = append(asked, r)
		if r.ProjectID == "new" { // the name was given away between the two
			return provider.ErrNotFound
		}
		return nil
	}}
	base := s.serve(t, endpoint.WithClusterCredentials(), endpoint.WithProjectIDs(func(context.Context, string) (string, error) { return "new", nil }))
	got := get(t, http.MethodGet, base+"?project=hello&access=pull&consumer=cluster&format=dockerconfigjson", bearer)
	require.Equal(t, http.StatusNotFound, got.status)
	require.Empty(t, s.asked)
	require.Equal(t, []provider.Request{
		{Project: "hello", Access: provider.Pull, Consumer: provider.Cluster}, {Project: "hello", ProjectID: "new", Access: provider.Pull, Consumer: provider.Cluster},
	}, asked)
}

package app_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/examples/app"
	"github.com/rise-deploy/rise-registry-go/oci"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

func newFactory(t *testing.T, builders ...provider.Builder) *registry.Factory {
	t.Helper()
	f, err := registry.NewFactory(builders...)
	require.NoError(t, err)
	return f
}

// loader is of one file, without variables.
func loader(text string) configload.Loader {
	return configload.Loader{
		FS: fstest.MapFS{"development.yaml": {Data: []byte(text)}}, LookupEnv: func(string) (string, bool) { return "", false },
	}
}

const ociConfig = "server: {listen: '127.0.0.1:0'}\nregistry: {type: oci-client-auth, registry_url: registry.example.com}\n"

// seen is a provider type that keeps what it was asked for.
func seen(asked *atomic.Value) provider.Builder {
	return provider.NewBuilder("seen", nil, func(_ context.Context, c oci.ClientAuthConfig) (*seenProvider, error) {
		p, err := oci.NewClientAuth(c)
		return &seenProvider{p, asked}, err
	})
}

type seenProvider struct {
	*oci.ClientAuth
	asked *atomic.Value
}

func (p *seenProvider) Credentials(ctx context.Context, r provider.Request) (provider.Credentials, error) {
	p.asked.Store(r)
	return p.ClientAuth.Credentials(ctx, r)
}

// user is a service's own caller.
type user string

func (u user) Subject() string { return string(u) }

var (
	own = app.WithCallers(
		func(r *http.Request) (user, error) {
			if name := r.Header.Get("X-User"); name != "" {
				return user(name), nil
			}
			return "", endpoint.ErrUnauthenticated
		},
		func(_ context.Context, u user, r provider.Request) error {
			if r.Project != string(u) {
				return provider.ErrNotFound
			}
			return nil
		},
	)
	endpointURL = regexp.MustCompile(`http://\S+`)
)

// A service's server knows its own callers.
func TestServerOfAService(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	ended := make(chan int, 1)
	var log bytes.Buffer
	var asked atomic.Value
	factory := newFactory(t, seen(&asked))
	identify := func(_ context.Context, project string) (string, error) { return "id-of-" + project, nil }
	go func() {
		code := app.Server(factory, own, app.WithProjectIDs(identify), app.WithContext(ctx), app.WithArgs(),
			app.WithLoader(loader(strings.Replace(ociConfig, oci.TypeClientAuth, "seen", 1))), app.WithOutput(w, &log))
		_ = w.CloseWithError(errors.New("it ended"))
		ended <- code
	}()
	line, err := bufio.NewReader(r).ReadString('\n')
	require.NoError(t, err)
	require.NotContains(t, line, "curl", "how to authenticate, only the service knows")
	url, found := strings.CutSuffix(endpointURL.FindString(line), "NAME")
	require.True(t, found, line)
	go io.Copy(io.Discard, r) //nolint:errcheck // until the pipe closes
	ask := func(who, project string) int {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+project, nil)
		require.NoError(t, err)
		request.Header.Set("X-User", who)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	require.Equal(t, http.StatusOK, ask("hello", "hello"))
	require.Equal(t, provider.Request{Project: "hello", ProjectID: "id-of-hello", Access: provider.Push}, asked.Load())
	require.Equal(t, http.StatusNotFound, ask("hello", "other"))
	require.Equal(t, http.StatusUnauthorized, ask("", "hello"))
	cancel()
	require.Zero(t, <-ended)
	require.Contains(t, log.String(), "subject=hello")
}

// What a program can't be started with ends it with 1, and is said.
func TestServerRefuses(t *testing.T) {
	t.Parallel()
	const ids = `
server: {listen: "127.0.0.1:0"}
registry: {type: ecr, region: eu-west-1, account_id: "123456789012", push_role_arn: "arn:aws:iam::123456789012:role/push", project_ids: true}
`
	builtIn := func(mode string) configload.Loader {
		return configload.Loader{LookupEnv: func(name string) (string, bool) {
			v, ok := map[string]string{"RISE_CONFIG_RUN_MODE": mode, "RISE_LISTEN": "127.0.0.1:0"}[name]
			return v, ok
		}}
	}
	all := newFactory(t, app.Builders()...)
	for name, tt := range map[string]struct {
		factory *registry.Factory
		opts    []app.Option
		want    string
	}{
		"tokens beside callers": {all, []app.Option{own, app.WithLoader(loader(ociConfig + "auth: {tokens: [{token: token-of-sixteen, subject: ci}]}\n"))},
			"auth.tokens: must be empty: this server knows its callers by other means"},
		"no ids of projects":    {all, []app.Option{own, app.WithLoader(loader(ids))}, "registry.project_ids: this server knows no ids of projects"},
		"another ecr's builder": {newFactory(t, ecr.Builder()), []app.Option{app.WithLoader(builtIn("ecr-local"))}, "mode ecr-local needs a factory with the ecr builder of package app"},
		"another issuer's builder": {newFactory(t, tokenissuer.Builder()), []app.Option{app.WithLoader(builtIn("development"))},
			"embedded_registry.listen: needs a factory with the oci-token-issuer builder of package app"},
		"a type that isn't there": {newFactory(t, app.ECR()), []app.Option{app.WithLoader(builtIn("development"))},
			`unknown type "oci-token-issuer"; known types are ecr (RISE_CONFIG_DIR isn't set and there is no ./config`},
		"a flag": {all, []app.Option{app.WithArgs("-loud"), app.WithName("acme-registry")}, "Usage of acme-registry:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			require.Equal(t, 1, app.Server(tt.factory, append([]app.Option{app.WithArgs(), app.WithOutput(&out, &errs)}, tt.opts...)...))
			require.Empty(t, out.String())
			require.Contains(t, errs.String(), tt.want)
		})
	}
}

// With ids of projects, a server takes a configuration that needs them. It stops at once, without an error.
func TestServerWithProjectIDs(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	const ids = `
server: {listen: "127.0.0.1:0"}
registry: {type: ecr, region: eu-west-1, account_id: "123456789012", push_role_arn: "arn:aws:iam::123456789012:role/push", project_ids: true}
`
	var out, errs bytes.Buffer
	identify := func(context.Context, string) (string, error) { return "p-1", nil }
	code := app.Server(newFactory(t, ecr.Builder()), own, app.WithProjectIDs(identify), app.WithContext(ctx), app.WithArgs(), app.WithLoader(loader(ids)), app.WithOutput(&out, &errs))
	require.Zero(t, code, errs.String())
	require.Contains(t, out.String(), "Serving registry credentials (ecr).")
}

// A service's operator reads the section that the service says, under the service's name.
func TestOperatorOfAService(t *testing.T) {
	t.Parallel()
	const text = "listen: ${PORT}\nplatform:\n  images: {type: oci-client-auth, registry_url: registry.example.com}\n"
	l := loader(text)
	l.Section = "platform.images"
	run := func(l configload.Loader, args ...string) (int, string, string) {
		var out, errs bytes.Buffer
		code := app.Operator(newFactory(t, oci.ClientAuthBuilder()), app.WithName("acme registry"), app.WithArgs(args...), app.WithLoader(l), app.WithOutput(&out, &errs))
		return code, out.String(), errs.String()
	}
	code, stdout, stderr := run(l, "credentials", "hello")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, `"registry_url":"registry.example.com/hello"`)
	code, _, stderr = run(loader(text), "credentials", "hello", "--section", "platform.images")
	require.Zero(t, code, stderr)
	code, _, stderr = run(l, "credentials", "hello", "--section", "platform")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "development.yaml:2: platform.type: is required")
	code, stdout, _ = run(l, "--help")
	require.Zero(t, code)
	require.Contains(t, stdout, "Usage: acme registry <command>")
	code, _, stderr = run(l, "unknown")
	require.Equal(t, 2, code)
	require.NotEmpty(t, stderr)
}

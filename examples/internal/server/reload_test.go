package server_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/examples/internal/audit"
	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/examples/internal/server"
	"github.com/rise-deploy/rise-registry-go/examples/internal/service"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/tokenkeys"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry"
)

// reloading is a server that is told to read its file of configuration again: not by a signal, which all servers of this process would get.
type reloading struct {
	running
	file string
	told chan os.Signal
}

func startReloading(t *testing.T, f *registry.Factory, text string) *reloading {
	t.Helper()
	s := &reloading{file: filepath.Join(t.TempDir(), "development.yaml"), told: make(chan os.Signal)}
	s.output = &buffer{}
	s.write(t, text)
	stream := audit.NewStream(s.output, slog.LevelInfo, audit.Text)
	loader := configload.Loader{Dir: filepath.Dir(s.file), LookupEnv: func(string) (string, bool) { return "", false }}
	runs, err := server.New(t.Context(), f, loader, service.Own{}, stream)
	require.NoError(t, err)
	var welcome strings.Builder
	runs.Welcome(&welcome, func(string) bool { return false })
	s.url = endpointURL.FindStringSubmatch(welcome.String())[1]
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- runs.Serve(ctx, nil, nil, s.told) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
		require.NoError(t, stream.Close())
	})
	return s
}

func (s *reloading) write(t *testing.T, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(s.file+".new", []byte(text), 0o600))
	require.NoError(t, os.Rename(s.file+".new", s.file))
}

// reload has the server read that configuration, and returns what it said of it.
func (s *reloading) reload(t *testing.T, text string) (said string) {
	t.Helper()
	s.write(t, text)
	return s.again(t, func() { s.told <- syscall.SIGTERM /* any */ })
}

// again waits until the server has said how its configuration was, once more.
func (s *running) again(t *testing.T, tell func()) (said string) {
	t.Helper()
	const last = "the configuration was read again"
	before := s.output.String()
	tell()
	require.Eventually(t, func() bool {
		said = s.output.String()[len(before):]
		_, rest, ok := strings.Cut(said, last)
		return ok && strings.Contains(rest, "\n")
	}, time.Minute, time.Millisecond, "it says nothing")
	return said
}

// answers compares statuses: of who asks for what.
func (s *running) answers(t *testing.T, want map[[2]string]int) {
	t.Helper()
	for asked, status := range want {
		got, body, _ := s.ask(t, asked[0], asked[1])
		require.Equal(t, status, got, "%s: %s", asked[1], body)
	}
}

// Whose rights the new configuration doesn't have has none from then on, and it says of itself which keys are others, and not their values.
func TestReloadRights(t *testing.T) {
	t.Parallel()
	issuer := startOIDCIssuer(t)
	config := func(tokens, rule string) string {
		return fmt.Sprintf(`
server: {listen: "127.0.0.1:0"}
auth:
  tokens: [%s]
  oidc: [{name: it, issuer: "%s", audience: "%s", rules: [%s]}]
registry: {type: oci-client-auth, registry_url: "localhost:5000"}
`, tokens, issuer.url, oidcAudience, rule)
	}
	const old = `{token: old-token-of-hello, subject: old, projects: [hello]}`
	s := startReloading(t, factory(), config(`{token: ci-token-of-hello, subject: ci, projects: [hello, second], access: push}, `+old,
		`{claims: {repository_owner_id: "2020"}, projects: [hello], access: push}`))
	job := issuer.token(t, "2020", "app", "refs/heads/main", time.Hour)
	stranger := issuer.token(t, "4040", "app", "refs/heads/main", time.Hour)
	s.answers(t, map[[2]string]int{
		{"ci-token-of-hello", "project=hello"}: 200, {"ci-token-of-hello", "project=second"}: 200, {"old-token-of-hello", "project=hello&access=pull"}: 200,
		{job, "project=hello"}: 200, {job, "project=other"}: 404, {stranger, "project=hello"}: 401,
	})
	said := s.reload(t, config(`{token: ci-token-of-hello, subject: ci, projects: [hello, other]}`, `{claims: {repository_owner_id: "4040"}, projects: [other]}`))
	s.answers(t, map[[2]string]int{
		{"ci-token-of-hello", "project=hello"}: 404, {"ci-token-of-hello", "project=hello&access=pull"}: 200, {"ci-token-of-hello", "project=second&access=pull"}: 404,
		{"ci-token-of-hello", "project=other&access=pull"}: 200, {"old-token-of-hello", "project=hello&access=pull"}: 401,
		{job, "project=hello"}: 401, {job, "project=other&access=pull"}: 401, {stranger, "project=other&access=pull"}: 200, {stranger, "project=other"}: 404,
	})
	require.Contains(t, said, `changed="auth.tokens, auth.oidc[0].rules[0].claims, auth.oidc[0].rules[0].projects[0], auth.oidc[0].rules[0].access" credentials=kept`)
	require.NotContains(t, said, "token-of")
	require.NotContains(t, said, "4040")
	require.Contains(t, s.scrape(t), "\nrise_registry_config_last_reload_successful 1\n")
	require.Contains(t, s.scrape(t), "\nrise_registry_config_reloads_total{result=\"ok\"} 1\n")

	said = s.reload(t, config(``, `{claims: {repository_owner_id: "2020"}, projects: [hello]}`))
	s.answers(t, map[[2]string]int{{"ci-token-of-hello", "project=hello&access=pull"}: 401, {job, "project=hello&access=pull"}: 200, {stranger, "project=other&access=pull"}: 401})
	require.NotContains(t, said, "ci-token")
}

// A configuration that is wrong changes nothing, and all that is wrong with it is said; so is what would need a restart.
func TestReloadRefused(t *testing.T) {
	t.Parallel()
	const (
		listen = `server: {listen: "127.0.0.1:0"}`
		tokens = `
    - {token: ci-token-of-hello, subject: ci, projects: [hello], access: push}
    - {token: viewer-token-of-all, subject: viewer, projects: ["*"]}`
		removed = "    - {token: viewer-token-of-all"
	)
	config := ociConfig("localhost:5000")
	s := startReloading(t, factory(), config)
	failed := 0
	for name, test := range map[string]struct {
		was, is string
		says    []string
	}{
		"no YAML":        {tokens, " [", []string{"development.yaml"}},
		"an unknown key": {listen, `server: {listen: "127.0.0.1:0", listne: x}`, []string{"server.listne"}},
		"several": {listen, `server: {listen: "127.0.0.1:0", drain: -1s, trusted_proxies: [here], rate_limits: {per_address: {burst: 1}}}`,
			[]string{"server.drain: must be", "server.trusted_proxies[0]: must be", "server.rate_limits.per_address: needs", "mistakes=3"}},
		"another address":       {listen, `server: {listen: "127.0.0.1:1"}`, []string{"server.listen: can't change while the server runs", "mistakes=1"}},
		"metrics' address":      {listen, `server: {listen: "127.0.0.1:0", metrics_listen: "127.0.0.1:0"}`, []string{"server.metrics_listen: can't change"}},
		"bounds":                {listen, `server: {listen: "127.0.0.1:0", limits: {connections: 7, header_timeout: 1s}}`, []string{"server.limits.connections: can't change", "server.limits.header_timeout: can't change", "mistakes=2"}},
		"the audit":             {listen, listen + "\naudit: {file: /tmp/x, on_failure: serve}", []string{"audit.file: can't change", "audit.on_failure: can't change"}},
		"an embedded registry":  {listen, listen + "\nembedded_registry: {listen: \"127.0.0.1:0\"}", []string{"embedded_registry.listen: can't change"}},
		"a certificate":         {listen, `server: {listen: "127.0.0.1:0", tls: {cert_file: /nonexistent/c, key_file: /nonexistent/k}}`, []string{"server.tls.cert_file: can't change", "server.tls.key_file: can't change", "server.tls: cert_file: open /nonexistent/c", "mistakes=3"}},
		"files that aren't":     {"auth:\n", "auth:\n  suspended_file: /nonexistent/s\n", []string{"auth.suspended_file: open /nonexistent/s"}},
		"a registry that isn't": {"registry:", "registry: {type: oci-token-issuer, registry_url: localhost:5000, signing_key_file: /nonexistent/k, signing_cert_file: /nonexistent/c}\n#", []string{"signing_key_file"}},
		"of several sections": {"auth:\n  tokens:" + tokens, "auth:\n  suspended_file: /nonexistent/s\n  tokens: [{token_file: /nonexistent/t, subject: x}]",
			[]string{"auth.suspended_file: open", "auth.tokens[0].token_file: open", "mistakes=2"}},
	} {
		require.Contains(t, config, test.was, name)
		text := strings.Replace(config, test.was, test.is, 1)
		text = regexp.MustCompile("(?m)^"+regexp.QuoteMeta(removed)+".*$").ReplaceAllString(text, "") // which is right, and doesn't count alone
		said := s.reload(t, text)
		failed++
		require.Contains(t, said, "isn't used: the one before still is, as a whole", name)
		for _, one := range test.says {
			require.Contains(t, said, one, name)
		}
		require.NotContains(t, said, "token-of", name)
		s.answers(t, map[[2]string]int{{"ci-token-of-hello", "project=hello"}: 200, {"viewer-token-of-all", "project=other&access=pull"}: 200})
	}
	text := s.scrape(t)
	require.Contains(t, text, "\nrise_registry_config_last_reload_successful 0\n")
	require.Contains(t, text, fmt.Sprintf("\nrise_registry_config_reloads_total{result=\"failed\"} %d\n", failed))
	require.NoError(t, os.Remove(s.file))
	require.Contains(t, s.again(t, func() { s.told <- syscall.SIGTERM }), "no such file")
	s.answers(t, map[[2]string]int{{"ci-token-of-hello", "project=hello"}: 200})

	require.Contains(t, s.reload(t, config), `is used from now on" changed=""`)
	require.Contains(t, s.scrape(t), "\nrise_registry_config_last_reload_successful 1\n")
}

// Who has used up what he may has not got it anew with a configuration that changes something else.
func TestReloadKeepsCounts(t *testing.T) {
	t.Parallel()
	config := func(burst int, drain string) string {
		return strings.Replace(ociConfig("localhost:5000"), `{listen: "127.0.0.1:0"}`,
			fmt.Sprintf(`{listen: "127.0.0.1:0", drain: %s, rate_limits: {per_subject: {requests_per_second: 0.0001, burst: %d}}}`, drain, burst), 1)
	}
	s := startReloading(t, factory(), config(1, "1s"))
	asked := [2]string{"ci-token-of-hello", "project=hello"}
	s.answers(t, map[[2]string]int{asked: 200})
	s.answers(t, map[[2]string]int{asked: 429})
	require.Contains(t, s.reload(t, config(1, "2s")), "changed=server.drain ")
	s.answers(t, map[[2]string]int{asked: 429})
	require.Contains(t, s.reload(t, config(2, "2s")), "changed=server.rate_limits.per_subject.burst ")
	s.answers(t, map[[2]string]int{asked: 200})
}

// A registry of another type has what that type has: a token server, and its numbers.
func TestReloadOfAnotherType(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	authority, err := tokenkeys.NewAuthority()
	require.NoError(t, err)
	key, certificate, err := authority.NewSigningKey(time.Hour)
	require.NoError(t, err)
	signing := filepath.Join(dir, "signing.pem")
	require.NoError(t, os.WriteFile(signing, append(key, certificate...), 0o600))
	names := ociConfig("localhost:5000")
	before, _, _ := strings.Cut(names, "registry:")
	issues := before + fmt.Sprintf("registry: {type: oci-token-issuer, registry_url: 'localhost:5000', signing_key_file: %[1]s, signing_cert_file: %[1]s}\n", signing)
	s := startReloading(t, factory(), names)
	token := strings.Replace(s.url, server.CredentialsPath, "/token", 1)
	for range 2 {
		status, _ := get(t, http.DefaultClient, token)
		require.Equal(t, http.StatusNotFound, status)
		require.NotContains(t, s.scrape(t), "rise_registry_signing_keys")
		require.Contains(t, s.reload(t, issues), `changed=registry.type credentials="issued anew, by a provider of the new registry section"`)
		status, _ = get(t, http.DefaultClient, token)
		require.Equal(t, http.StatusUnauthorized, status)
		require.Contains(t, s.scrape(t), "\nrise_registry_signing_keys 1\n")
		require.Equal(t, "rise", s.issue(t, "ci-token-of-hello").Username)
		s.reload(t, names)
	}
}

// What the embedded registry was made with stays; who may use it doesn't have to.
func TestReloadBesideTheEmbeddedRegistry(t *testing.T) {
	t.Parallel()
	registry := realtest.FreeAddress(t)
	config := fmt.Sprintf(`
server: {listen: "127.0.0.1:0"}
auth: {tokens: [{token: ci-token-of-hello, subject: ci, projects: [hello], access: push}]}
embedded_registry: {listen: "%[1]s"}
registry: {type: oci-token-issuer, registry_url: "%[1]s", session_duration: 1h}
`, registry)
	s := startReloading(t, factory(), config)
	grant := s.issue(t, "ci-token-of-hello")
	exchange := func() int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+registry+"/token?service="+registry+"&scope=repository:hello:pull,push", nil)
		require.NoError(t, err)
		r.SetBasicAuth(grant.Username, grant.Password)
		resp, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	require.Equal(t, http.StatusOK, exchange())
	said := s.reload(t, strings.Replace(config, "session_duration: 1h", "session_duration: 2h", 1))
	require.Contains(t, said, "changed=registry.session_duration ")
	require.Equal(t, http.StatusOK, exchange(), "its keys are the server's")
	for was, is := range map[string]string{
		`type: oci-token-issuer, registry_url: "` + registry + `", session_duration: 1h`: `type: oci-client-auth, registry_url: "` + registry + `"`,
		"session_duration: 1h": "token_service: another",
	} {
		said = s.reload(t, strings.Replace(config, was, is, 1))
		require.Regexp(t, `registry\.(type|token_service): can't change while the server runs`, said)
		require.Equal(t, http.StatusOK, exchange())
	}
}

// slow is a provider whose credentials wait.
type slow struct {
	name          string
	asked, answer chan struct{}
	closed        *atomic.Int32
}

type slowConfig struct {
	Name string `yaml:"name"`
}

func (s *slow) Repository(project string, _ provider.Consumer) (name.Repository, error) {
	return name.NewRepository(s.name + ".example.com/" + project)
}

func (s *slow) Credentials(ctx context.Context, r provider.Request) (provider.Credentials, error) {
	s.asked <- struct{}{}
	select {
	case <-s.answer:
	case <-ctx.Done():
		return provider.Credentials{}, &provider.Error{Kind: provider.ErrTimeout, Op: "wait", Err: ctx.Err()}
	}
	target, err := s.Repository(r.Project, r.Consumer)
	return provider.Credentials{
		Target: target, Access: r.Access, Method: provider.LoginCredentials, Username: "u", Password: provider.NewSecret("of-" + s.name), ExpiresAt: time.Now().Add(time.Hour),
	}, err
}

func (s *slow) Close() error {
	s.closed.Add(1)
	return nil
}

// A request that began before ends with what it began with, which is closed after that, once; requests meanwhile have the new one.
func TestReloadLetsRequestsEnd(t *testing.T) {
	t.Parallel()
	asked, answer, closed := make(chan struct{}), map[string]chan struct{}{"one": make(chan struct{}), "two": make(chan struct{})}, map[string]*atomic.Int32{"one": {}, "two": {}}
	f, err := registry.NewFactory(provider.NewBuilder("slow", func() slowConfig { return slowConfig{} }, func(_ context.Context, c slowConfig) (*slow, error) {
		return &slow{c.Name, asked, answer[c.Name], closed[c.Name]}, nil
	}))
	require.NoError(t, err)
	config := func(name string) string {
		before, _, _ := strings.Cut(ociConfig("localhost:5000"), "registry:")
		return before + "registry: {type: slow, name: " + name + "}\n"
	}
	s := startReloading(t, f, config("one"))
	ask := func() <-chan credentials {
		answered := make(chan credentials, 1)
		go func() {
			_, _, c := s.ask(t, "ci-token-of-hello", "project=hello")
			answered <- c
		}()
		<-asked
		return answered
	}
	first := ask()
	s.reload(t, config("two"))
	require.Zero(t, closed["one"].Load())
	second := ask()
	close(answer["two"])
	require.Equal(t, credentials{RegistryURL: "two.example.com/hello", Username: "u", Password: "of-two"}, only(<-second))
	require.Zero(t, closed["one"].Load(), "somebody still waits for it")
	close(answer["one"])
	require.Equal(t, credentials{RegistryURL: "one.example.com/hello", Username: "u", Password: "of-one"}, only(<-first))
	require.Eventually(t, func() bool { return closed["one"].Load() == 1 }, time.Minute, time.Millisecond)
	require.Equal(t, "of-two", s.issue(t, "ci-token-of-hello").Password, "and what was issued is kept")
	s.reload(t, strings.Replace(config("two"), "access: push", "access: pull", 1))
	require.Zero(t, closed["two"].Load())
}

func only(c credentials) credentials {
	return credentials{RegistryURL: c.RegistryURL, Username: c.Username, Password: c.Password}
}

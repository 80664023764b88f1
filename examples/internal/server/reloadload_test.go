package server_test

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/examples/internal/builders"
	"github.com/rise-deploy/rise-registry-go/registry"
)

// load is callers who ask for projects' credentials all the time.
type load struct {
	answers atomic.Int64
	end     func()
	mu      sync.Mutex
	owners  map[string]string // of passwords
	wrong   []string
}

const loadedProjects = 12

// startLoad asks until end is called. A call of t.Cleanup sees that nothing was wrong.
func startLoad(t *testing.T, url, token string) *load {
	t.Helper()
	l := &load{owners: map[string]string{}}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	var callers sync.WaitGroup
	done := make(chan struct{})
	for first := range 4 {
		callers.Go(func() {
			for n := first; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				project := fmt.Sprintf("p-%d", n%loadedProjects)
				l.note(project, l.ask(client, url+"?project="+project, token, project))
			}
		})
	}
	l.end = sync.OnceFunc(func() {
		close(done)
		callers.Wait()
		client.CloseIdleConnections()
	})
	t.Cleanup(func() {
		l.end()
		require.Empty(t, l.wrong)
	})
	return l
}

// ask returns what is wrong with the answer.
func (l *load) ask(client *http.Client, url, token, project string) string {
	r, err := http.NewRequest(http.MethodGet, url, nil) //nolint:noctx // of a test
	if err != nil {
		return err.Error()
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := client.Do(r)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close() //nolint:errcheck // read
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	var answer struct {
		Credentials credentials `json:"credentials"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Sprintf("status %d: %s", resp.StatusCode, body)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c := answer.Credentials
	if owner, known := l.owners[c.Password]; known && owner != project || !strings.HasSuffix(c.RegistryURL, "/rise/"+project) {
		return fmt.Sprintf("%s got %s, a credential of %s", project, c.RegistryURL, owner)
	}
	l.owners[c.Password] = project
	return ""
}

func (l *load) note(project, wrong string) {
	l.answers.Add(1)
	if wrong != "" {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.wrong = append(l.wrong, project+": "+wrong)
	}
}

// more waits for that many answers more. Of five times the projects, each has been asked for by then, since some caller asked for all of them, one after the
// other.
func (l *load) more(t *testing.T, n int64) {
	t.Helper()
	until := l.answers.Load() + n
	require.Eventually(t, func() bool { return l.answers.Load() >= until }, time.Minute, time.Millisecond)
}

// ecrConfig is a configuration for a double of AWS.
func ecrConfig(d ecrtest.Deployment, server, tokens, registry string) string {
	return fmt.Sprintf(`
server: {listen: "127.0.0.1:0"%s}
auth:
  tokens:
    - {token: %s, subject: ci, projects: ["*"], access: push}
%s
registry:
  type: ecr
  region: eu-west-1
  account_id: "123456789012"
  push_role_arn: %s
  access_key_id: %s
  secret_access_key: %s
%s
`, server, ciToken, tokens, d.PushRoleARN, d.ControllerUser.ID, d.ControllerUser.Secret, registry)
}

func issues(aws *ecrtest.Server) (n int) {
	for _, call := range aws.Calls() {
		if call.Action == "AssumeRole" {
			n++
		}
	}
	return n
}

// Under load no request fails, and none is answered with another's: the credentials are those that were kept where the registry's section is the same,
// and issued once more each where it isn't.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	aws := ecrtest.NewServer(ecrtest.Config{})
	t.Cleanup(aws.Close)
	d := aws.Setup(ecrtest.SetupOptions{})
	f, err := registry.NewFactory(builders.ECR(ecr.WithLoadOptions(awsconfig.WithBaseEndpoint(aws.URL))))
	require.NoError(t, err)
	s := startReloading(t, f, ecrConfig(d, "", "", ""))
	l := startLoad(t, s.url, ciToken)
	l.more(t, 10*loadedProjects)
	require.Equal(t, loadedProjects, issues(aws))
	for i := range 20 {
		said := s.reload(t, ecrConfig(d, fmt.Sprintf(", drain: %ds, session_per_caller: false", i+1), fmt.Sprintf("    - {token: other-token-number-%d, subject: other, projects: [p-0]}", i), ""))
		require.Contains(t, said, "credentials=kept")
		status, _, _ := s.ask(t, fmt.Sprintf("other-token-number-%d", i), "project=p-0&access=pull")
		require.Equal(t, http.StatusOK, status)
		if i > 0 {
			status, _, _ = s.ask(t, fmt.Sprintf("other-token-number-%d", i-1), "project=p-0&access=pull")
			require.Equal(t, http.StatusUnauthorized, status)
		}
		require.Contains(t, s.reload(t, ecrConfig(d, ", drain: -1s", "", "  region: nowhere")), "isn't used")
	}
	l.more(t, 10*loadedProjects)
	require.Equal(t, loadedProjects+1, issues(aws), "p-0's, to pull, among them")
	for i := range 10 {
		aws.ResetCalls()
		said := s.reload(t, ecrConfig(d, "", "", fmt.Sprintf("  cache: {max_entries: %d}", 1000+i)))
		require.Contains(t, said, "issued anew")
		l.more(t, 10*loadedProjects)
		require.LessOrEqual(t, issues(aws), 2*loadedProjects, "the old provider's, by those who began with it, and the new one's")
	}
	l.end()
}

// A certificate that was renewed is served to new connections; those that there are go on. Another pair's names count with the configuration.
func TestReloadedCertificate(t *testing.T) {
	t.Parallel()
	dirs := []string{t.TempDir(), t.TempDir()}
	first, other := certificate(t, dirs[0]), certificate(t, dirs[1])
	s := startReloading(t, factory(), withTLS(dirs[0]))
	connects := func(client *http.Client) error {
		resp, err := client.Get(s.url)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, resp.Body) // so that the connection is used again
		return errors.Join(err, resp.Body.Close())
	}
	trusting := func(pool *tls.Config) *http.Client {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: pool}}
		t.Cleanup(client.CloseIdleConnections)
		return client
	}
	old := trusting(&tls.Config{RootCAs: first, MinVersion: tls.VersionTLS12})
	require.NoError(t, connects(old))
	require.Error(t, connects(trusting(&tls.Config{RootCAs: other, MinVersion: tls.VersionTLS12})))
	s.reload(t, withTLS(dirs[1]))
	require.NoError(t, connects(trusting(&tls.Config{RootCAs: other, MinVersion: tls.VersionTLS12})), "at once")
	require.Error(t, connects(trusting(&tls.Config{RootCAs: first, MinVersion: tls.VersionTLS12})))
	require.NoError(t, connects(old), "it is connected")

	require.NoError(t, os.WriteFile(filepath.Join(dirs[1], "key.pem"), nil, 0o600)) // half of a renewal
	require.NoError(t, connects(trusting(&tls.Config{RootCAs: other, MinVersion: tls.VersionTLS12})))
	renewed := certificate(t, dirs[1])
	require.Eventually(t, func() bool {
		return connects(trusting(&tls.Config{RootCAs: renewed, MinVersion: tls.VersionTLS12})) == nil
	}, time.Minute, 100*time.Millisecond)
	require.NoError(t, connects(old))
}

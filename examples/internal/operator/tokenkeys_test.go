package operator_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/configload"
	op "github.com/rise-deploy/rise-registry-go/examples/internal/operator"
	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/oci"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry"
)

// tokenKeys runs the command on a configuration, or none.
func tokenKeys(t *testing.T, configuration string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	loader := configload.Loader{LookupEnv: func(string) (string, bool) { return "", false }}
	if configuration != "" {
		loader.Dir = t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(loader.Dir, "development.yaml"), []byte(configuration), 0o600))
	}
	f, err := registry.NewFactory(tokenissuer.Builder(), oci.ClientAuthBuilder())
	require.NoError(t, err)
	var out, errs bytes.Buffer
	code = op.Run(t.Context(), f, loader, op.Process{Name: "operator", Args: append([]string{"token-keys"}, args...), Stdout: &out, Stderr: &errs})
	require.NotContains(t, out.String()+errs.String(), "PRIVATE KEY")
	return code, out.String(), errs.String()
}

func issuerConfig(dir, more string) string {
	return fmt.Sprintf("registry: {type: oci-token-issuer, registry_url: images.example.com, signing_key_file: %[1]s/tls.key, signing_cert_file: %[1]s/tls.crt%[2]s}\n", dir, more)
}

// older makes all that tls.key says of times older, and it rounds up.
func older(t *testing.T, dir string, by time.Duration) {
	t.Helper()
	path := filepath.Join(dir, "tls.key")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	text = regexp.MustCompile(`(?m)^(# \w+ )(\S+)$`).ReplaceAllFunc(text, func(line []byte) []byte {
		what, at, _ := strings.Cut(strings.TrimPrefix(string(line), "# "), " ")
		moved, err := time.Parse(time.RFC3339, at)
		require.NoError(t, err)
		return fmt.Appendf(nil, "# %s %s", what, moved.Add(-by-time.Second).Format(time.RFC3339))
	})
	require.NoError(t, os.WriteFile(path, text, 0o600))
}

func TestTokenKeys(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	configuration := issuerConfig(dir, ", session_duration: 30m, token_service: our images, token_issuer: acme")
	run := func(want int, args ...string) (stdout, stderr string) {
		t.Helper()
		code, stdout, stderr := tokenKeys(t, configuration, append([]string{"--dir", dir}, args...)...)
		require.Equal(t, want, code, stderr)
		return stdout, stderr
	}
	_, stderr := run(1, "--rotate", "add")
	require.Contains(t, stderr, "there are no keys yet: make them first, without --rotate")

	stdout, stderr := run(0)
	for _, file := range []string{"ca.key", "ca.crt", "tls.key", "tls.crt"} {
		require.Contains(t, stderr, "made "+filepath.Join(dir, file)+"\n")
	}
	require.Contains(t, stderr, "ca.key: keep it off the service's machine; it is needed for --rotate add and all only\n")
	require.NotContains(t, stderr, "note:")
	require.Contains(t, stdout, "a copy of "+filepath.Join(dir, "ca.crt"))
	require.Contains(t, stdout, "auth:\n  token:\n    realm: https://images.example.com/token\n    service: our images\n    issuer: acme\n    rootcertbundle: /")
	require.Contains(t, stdout, `{"http":{"auth":{"bearer":{"cert":"/etc/zot/rise-token.crt","realm":"https://images.example.com/token","service":"our images"}}}}`)

	again, stderr := run(0)
	require.Equal(t, stdout, again)
	require.NotContains(t, stderr, "made ")
	_, stderr = run(1, "--rotate", "use")
	require.Contains(t, stderr, "add one first")
	_, stderr = run(0, "--rotate", "drop")
	require.Contains(t, stderr, "there was no key to drop")
	_, stderr = run(0, "--rotate", "add")
	require.Contains(t, stderr, " waits: to be used from ")
	require.Contains(t, stderr, "then --rotate use. Registries need nothing yet\n")
	_, stderr = run(1, "--rotate", "use")
	require.Contains(t, stderr, "is younger than 10m0s")
	older(t, dir, 10*time.Minute)
	_, stderr = run(0, "--rotate", "use")
	require.Contains(t, stderr, "distribution's registry needs nothing, not even a restart")
	require.Contains(t, stderr, "zot takes one key alone: copy the new tls.crt to its cert and restart it at once.")
	require.Contains(t, stderr, "then, 30m0s after the last one has them, --rotate drop\n")
	_, stderr = run(1, "--rotate", "drop")
	require.Contains(t, stderr, "grants of the old key may live: they do for 30m0s")
	older(t, dir, 40*time.Minute)
	_, stderr = run(0, "--rotate", "drop")
	require.Contains(t, stderr, "dropped key ")

	elsewhere := filepath.Join(t.TempDir(), "kept")
	require.NoError(t, os.Rename(filepath.Join(dir, "ca.key"), elsewhere))
	_, stderr = run(1, "--rotate", "all")
	require.Contains(t, stderr, "ca.key: bring it back for as long as a new key is made, or say where it is, with --ca-key\n")
	_, stderr = run(0, "--rotate", "all", "--ca-key", elsewhere)
	require.Contains(t, stderr, "the next --rotate all drops the old key")

	_, stderr = run(2, "--rotate", "none")
	require.Contains(t, stderr, "--rotate must be one of")
	code, _, _ := tokenKeys(t, configuration)
	require.Equal(t, 2, code)
	configuration = strings.Replace(configuration, "30m", "13h", 1)
	_, stderr = run(1)
	require.Contains(t, stderr, "registry.session_duration: must be from 1m0s to 12h0m0s")
}

// Whether a registry on loopback has TLS, an address without a scheme doesn't say: what is taken for granted is said.
func TestTokenKeysOfLoopback(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]struct {
		realm string
		noted bool
	}{
		"localhost:5001": {"http://localhost:5001/token", true}, "https://localhost:5001": {"https://localhost:5001/token", false},
		"http://localhost:5001": {"http://localhost:5001/token", false}, "registry.example.com": {"https://registry.example.com/token", false},
	} {
		files := "registry: {type: oci-token-issuer, registry_url: '" + address + "', signing_key_file: none, signing_cert_file: none}\n"
		code, stdout, stderr := tokenKeys(t, files, "--dir", filepath.Join(t.TempDir(), "keys"))
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "realm: "+want.realm+"\n")
		require.Equal(t, want.noted, strings.Contains(stderr, "let registry_url begin with https://"), stderr)
	}
}

// The first keys need no configuration, nor one of this type; a configured key's absence isn't in the way either.
func TestTokenKeysWithoutConfiguration(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ configuration, note string }{
		{"", "note: there is no configuration: put the registry's host in place of registry.example.com below\n"},
		{"registry: {type: oci-client-auth, registry_url: images.example.com}\n", "note: the configuration is of type oci-client-auth: put"},
	} {
		dir := filepath.Join(t.TempDir(), "keys")
		code, stdout, stderr := tokenKeys(t, tt.configuration, "--dir", dir)
		require.Zero(t, code, stderr)
		require.Contains(t, stderr, tt.note)
		require.Contains(t, stdout, "realm: https://registry.example.com/token\n    service: registry.example.com\n    issuer: rise\n")
		code, _, stderr = tokenKeys(t, tt.configuration, "--dir", dir, "--rotate", "all")
		require.Zero(t, code, stderr)
		older(t, dir, 12*time.Hour)
		code, _, stderr = tokenKeys(t, tt.configuration, "--dir", dir, "--rotate", "drop")
		require.Equal(t, 1, code, "the longest that grants may live")
		require.Contains(t, stderr, "they do for 12h0m0s")
		older(t, dir, 10*time.Minute)
		code, _, stderr = tokenKeys(t, tt.configuration, "--dir", dir, "--rotate", "drop")
		require.Zero(t, code, stderr)
	}
	_, err := tokenissuer.New(tokenissuer.Config{RegistryURL: "images.example.com", SessionDuration: 12*time.Hour + time.Second}, tokenissuer.WithKeys(nil, nil))
	require.ErrorContains(t, err, "session_duration", "12 hours are the longest")
}

// check-config says what is wrong with a signing certificate that works.
func TestCheckConfigOfKeys(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	check := func() (int, string) {
		t.Helper()
		loader := configload.Loader{Dir: t.TempDir(), LookupEnv: func(string) (string, bool) { return "", false }}
		require.NoError(t, os.WriteFile(filepath.Join(loader.Dir, "development.yaml"), []byte(issuerConfig(dir, "")), 0o600))
		f, err := registry.NewFactory(tokenissuer.Builder())
		require.NoError(t, err)
		var out, errs bytes.Buffer
		return op.Run(t.Context(), f, loader, op.Process{Name: "operator", Args: []string{"check-config"}, Stdout: &out, Stderr: &errs}), errs.String()
	}
	code, stderr := check()
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "signing_key_file: can't be read")
	code, _, stderr = tokenKeys(t, "", "--dir", dir)
	require.Zero(t, code, stderr)
	code, stderr = check()
	require.Zero(t, code, stderr)
	require.Equal(t, "ok: the configuration is valid, of type oci-token-issuer\n", stderr)
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS() // it has a certificate for names and addresses
	t.Cleanup(server.Close)
	key, certificate := pemOf(t, server.TLS.Certificates[0])
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tls.key"), key, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tls.crt"), certificate, 0o600))
	code, stderr = check()
	require.Zero(t, code, stderr)
	require.Contains(t, stderr, "warning: registry.signing_cert_file: the signing certificate has names or addresses, as a server's certificate has")
	require.Contains(t, stderr, "warning: registry.signing_cert_file: the signing certificate is good for TLS")
	code, _, stderr = tokenKeys(t, "", "--dir", dir)
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "isn't below ca.crt")
}

// A real registry that is configured with what is printed, as it is, takes pushes before and after each step, without a restart.
func TestTokenKeysRealRegistry(t *testing.T) {
	t.Parallel()
	realtest.Program(t, "docker-registry")
	address, dir := realtest.FreeAddress(t), filepath.Join(t.TempDir(), "keys")
	var serving atomic.Pointer[http.Handler]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*serving.Load()).ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	configuration := issuerConfig(dir, "")
	configuration = strings.Replace(configuration, "images.example.com", address, 1)
	run := func(args ...string) string {
		t.Helper()
		code, stdout, stderr := tokenKeys(t, configuration, append([]string{"--dir", dir}, args...)...)
		require.Zero(t, code, stderr)
		return stdout
	}
	section := run()
	require.Contains(t, section, "realm: http://"+address+"/token\n")
	// The test's /token isn't behind the registry's own host, and go-containerregistry sends no login to another loopback address.
	section = strings.Replace(section, "http://"+address, strings.Replace(server.URL, "127.0.0.1", "localhost", 1), 1)
	section = strings.Replace(section, "/etc/docker/registry/rise-token-ca.crt", filepath.Join(dir, "ca.crt"), 1)
	realtest.RegistryAt(t, address, section)
	push := func(step string) {
		t.Helper()
		p, err := tokenissuer.New(tokenissuer.Config{
			RegistryURL: address, SigningKeyFile: filepath.Join(dir, "tls.key"), SigningCertFile: filepath.Join(dir, "tls.crt"),
		})
		require.NoError(t, err)
		good := func(context.Context, tokenissuer.Question) error { return nil }
		h := p.Handler(good, nil, tokenissuer.WithAudit(func(context.Context, tokenissuer.Exchange) error { return nil }))
		serving.Store(&h)
		c, err := provider.Issue(t.Context(), p, provider.Request{Project: "hello", Access: provider.Push, Caller: "alice"})
		require.NoError(t, err)
		auth, err := c.Authenticator()
		require.NoError(t, err)
		image, err := random.Image(512, 1)
		require.NoError(t, err)
		for project, fine := range map[string]bool{"hello": true, "other": false} {
			tag, err := name.NewTag(address + "/" + project + ":v1")
			require.NoError(t, err)
			err = remote.Write(tag, image, remote.WithAuth(auth))
			require.Equal(t, fine, err == nil, "%s: %s: %v", step, project, err)
		}
	}
	push("make")
	for _, step := range []string{"add", "use", "drop", "all"} {
		run("--rotate", step)
		push(step)
		older(t, dir, 2*time.Hour)
	}
}

// pemOf is a TLS certificate as files.
func pemOf(t *testing.T, c tls.Certificate) (key, certificate []byte) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})
}

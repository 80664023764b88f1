package tokenissuer_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry"
	"github.com/rise-deploy/rise-registry-go/registry/cache"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 129)
	for name, test := range map[string]struct {
		change func(*tokenissuer.Config)
		want   string // a key and the beginning of its problem; empty: it is right
	}{
		"right":               {func(*tokenissuer.Config) {}, ""},
		"all of it":           {func(c *tokenissuer.Config) { *c = everything() }, ""},
		"no registry":         {func(c *tokenissuer.Config) { c.RegistryURL = "" }, "registry_url: is required"},
		"bad registry":        {func(c *tokenissuer.Config) { c.RegistryURL = "a/b" }, "registry_url: must not have a path"},
		"bad client registry": {func(c *tokenissuer.Config) { c.ClientRegistryURL = "a/b" }, "client_registry_url: must not have a path"},
		"bad namespace":       {func(c *tokenissuer.Config) { c.Namespace = "A" }, "namespace: must be parts"},
		"Docker Hub":          {func(c *tokenissuer.Config) { c.RegistryURL = "docker.io" }, "registry_url: must not be Docker Hub"},
		"plain HTTP":          {func(c *tokenissuer.Config) { c.RegistryURL = "http://registry.example.com" }, "registry_url: is plain HTTP"},
		"service with quotes": {func(c *tokenissuer.Config) { c.TokenService = `a"b` }, "token_service: must be at most 128 printable"},
		"service with a line": {func(c *tokenissuer.Config) { c.TokenService = "a\nb" }, "token_service: must be at most 128 printable"},
		"long service":        {func(c *tokenissuer.Config) { c.TokenService = long }, "token_service: must be at most 128 printable"},
		"long issuer":         {func(c *tokenissuer.Config) { c.TokenIssuer = long }, "token_issuer: must be at most 128 printable"},
		"all long": {func(c *tokenissuer.Config) {
			c.TokenService, c.TokenIssuer, c.Namespace = long[:128], long[:128], long+"y"+long[:40]
		}, "token_service: is too long, together with"},
		"a key alone":         {func(c *tokenissuer.Config) { c.SigningKeyFile = "x" }, "signing_key_file: goes with signing_cert_file"},
		"a certificate alone": {func(c *tokenissuer.Config) { c.SigningCertFile = "x" }, "signing_key_file: goes with signing_cert_file"},
		"short session":       {func(c *tokenissuer.Config) { c.SessionDuration = time.Second }, "session_duration: must be from 1m0s to 12h0m0s"},
		"long session":        {func(c *tokenissuer.Config) { c.SessionDuration = 13 * time.Hour }, "session_duration: must be from 1m0s to 12h0m0s"},
		"negative session":    {func(c *tokenissuer.Config) { c.SessionDuration = -time.Hour }, "session_duration: must be from 1m0s to 12h0m0s"},
		"session of parts":    {func(c *tokenissuer.Config) { c.SessionDuration = 90*time.Second + 1 }, "session_duration: must be from 1m0s to 12h0m0s, in whole seconds"},
		"short token":         {func(c *tokenissuer.Config) { c.TokenDuration = 59 * time.Second }, "token_duration: must be from 1m0s to 1h0m0s"},
		"long token":          {func(c *tokenissuer.Config) { c.TokenDuration = 61 * time.Minute }, "token_duration: must be from 1m0s to 1h0m0s"},
		"shared is a pattern": {func(c *tokenissuer.Config) { c.SharedRepositories = []string{"base", "x*"} }, "shared_repositories[1]: must be a repository's name"},
		"shared is projects'": {func(c *tokenissuer.Config) { c.SharedRepositories = []string{"rise-apps/base"} }, "shared_repositories[0]: must not be where projects' repositories are"},
		"too many shared":     {func(c *tokenissuer.Config) { c.SharedRepositories = many(101) }, "shared_repositories: must be at most 100"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := config()
			test.change(&c)
			err := c.Validate()
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.want)
			require.ErrorAs(t, err, new(*provider.ConfigError))
			require.NotContains(t, err.Error(), long)
			_, err = tokenissuer.New(c, newSigning(t).option(), quiet())
			require.ErrorIs(t, err, provider.ErrMisconfigured)
		})
	}
	c := tokenissuer.Config{Namespace: "A", TokenIssuer: "\n", SessionDuration: 1}
	for _, key := range []string{"registry_url", "namespace", "token_issuer", "session_duration"} {
		require.ErrorContains(t, c.Validate(), key, "all at once")
	}
}

func many(n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("base%d", i))
	}
	return names
}

func everything() tokenissuer.Config {
	return tokenissuer.Config{
		RegistryURL: "rise-registry:5000", Namespace: "a/b", ClientRegistryURL: "https://registry.example.com", Insecure: true,
		TokenService: "Docker registry", TokenIssuer: "Acme auth server", SigningKeyFile: "k", SigningCertFile: "c", SubRepositories: true,
		SharedRepositories: []string{"base", "mirror/*"}, SessionDuration: 12 * time.Hour, TokenDuration: time.Minute,
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	s := newSigning(t)
	dir := t.TempDir()
	c := config()
	build := func() (*tokenissuer.Provider, error) { return tokenissuer.New(c, quiet()) }
	_, err := build()
	require.EqualError(t, err, "build oci-token-issuer provider: misconfigured: signing_key_file: is required, and signing_cert_file: "+
		"the key that tokens are signed with and its certificate, in PEM")
	c.SigningKeyFile, c.SigningCertFile = filepath.Join(dir, "tls.key"), filepath.Join(dir, "tls.crt")
	_, err = build()
	require.EqualError(t, err, "build oci-token-issuer provider: misconfigured: signing_key_file: can't be read: no such file or directory")
	require.Empty(t, c.Warnings())
	require.NoError(t, os.WriteFile(c.SigningKeyFile, s.key, 0o600))
	require.NoError(t, os.WriteFile(c.SigningCertFile, s.authorityPEM, 0o600))
	_, err = build()
	require.ErrorContains(t, err, "signing_cert_file: begins with a certificate of none of the keys")
	require.NoError(t, os.WriteFile(c.SigningCertFile, s.certificatePEM, 0o600))
	p, err := build()
	require.NoError(t, err)
	require.Equal(t, 1, p.Keys().Count)
	require.Empty(t, c.Warnings())
	_, err = tokenissuer.New(c, s.option(), quiet())
	require.ErrorContains(t, err, "signing_key_file: must be empty")

	s.key, s.certificatePEM, err = s.authority.NewSigningKey(time.Hour)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(c.SigningKeyFile, s.key, 0o600))
	require.NoError(t, os.WriteFile(c.SigningCertFile, s.certificatePEM, 0o600))
	require.Len(t, c.Warnings(), 0, "an hour of two is more than a third")
	s.key, s.certificatePEM, err = s.authority.NewSigningKey(10 * time.Minute)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(c.SigningKeyFile, s.key, 0o600))
	require.NoError(t, os.WriteFile(c.SigningCertFile, s.certificatePEM, 0o600))
	require.Len(t, c.Warnings(), 1)
	require.ErrorContains(t, c.Warnings()[0], "signing_cert_file: the signing certificate ends on")
}

// check-config warns of a signing certificate that isn't for signing alone.
func TestConfigWarnsOfCertificates(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]func(*x509.Certificate){
		"has names or addresses, as a server's certificate has": func(c *x509.Certificate) { c.DNSNames = []string{"printer.example.com"} },
		"has names or addresses, as a server's":                 func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(10, 0, 0, 1)} },
		"is good for TLS":                                       func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} },
	} {
		s := newSigning(t)
		s.certified(t, change)
		c := s.files(t, config())
		require.NoError(t, c.Validate())
		require.Len(t, c.Warnings(), 1)
		require.ErrorContains(t, c.Warnings()[0], "signing_cert_file: the signing certificate "+what)
		require.ErrorContains(t, c.Warnings()[0], "use one of an authority that signs nothing else")
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := config()
		c.ClientRegistryURL = "public.example.com"
		c.SessionDuration = 90 * time.Minute
		p := newProvider(t, c, newSigning(t))
		require.Equal(t, "oci-token-issuer", p.Type())
		require.True(t, provider.BoundToCallers(p))
		ends := time.Unix(time.Now().Add(90*time.Minute).Unix(), 0)
		for r, target := range map[provider.Request]string{
			push("hello"): "public.example.com/rise-apps/hello",
			{Project: "hello", Access: provider.Pull, Consumer: provider.Cluster}:      "registry.example.com/rise-apps/hello",
			{AllProjects: true, Access: provider.Pull}:                                 "public.example.com",
			{AllProjects: true, Access: provider.Pull, Consumer: provider.Cluster}:     "registry.example.com",
			{Project: "hello", ProjectID: "p-1", Access: provider.Push, Caller: "'*'"}: "public.example.com/rise-apps/hello",
		} {
			got, err := provider.Issue(t.Context(), p, r)
			require.NoError(t, err)
			require.Equal(t, target, got.Target.String())
			require.Equal(t, ends, got.ExpiresAt)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := p.Credentials(ended, push("hello"))
		require.ErrorIs(t, err, provider.ErrTimeout)
	})
}

// The longest names, ids and callers make grants that Windows' store for logins takes, and what a caller is made of makes no difference.
func TestGrantsAreBounded(t *testing.T) {
	t.Parallel()
	s := newSigning(t)
	c := config()
	c.Namespace = strings.Repeat("n", 120)
	p := newProvider(t, c, s)
	h := p.Handler(allGood, nil, silent())
	subjects := map[string]string{}
	for _, unit := range []string{"x", `"`, `\`, "<", "é", "漢", "😀", "a&"} {
		for _, size := range []int{1, 100, 199, 200, 201, 255, 256, 257, 300, 512, provider.MaxCallerLength} {
			caller := strings.Repeat(unit, size/len(unit)+1)[:0]
			for len(caller)+len(unit) <= size {
				caller += unit
			}
			grant := grantFor(t, p, provider.Request{
				Project: strings.Repeat("p", provider.MaxProjectLength), ProjectID: strings.Repeat("/", provider.MaxProjectIDLength), Access: provider.Push, Caller: caller,
			})
			require.LessOrEqual(t, len(grant), 1500, "%d of %q", size, unit)
			r := exchange(t, h, grant)
			subject := fmt.Sprint(r.claims["sub"])
			require.LessOrEqual(t, len(subject), 256)
			if caller == "" {
				continue
			}
			if was, ok := subjects[subject]; ok {
				require.Equal(t, was, caller, "two callers are one")
			}
			subjects[subject] = caller
		}
	}
	require.Equal(t, strings.Repeat("x", 256), subjects[strings.Repeat("x", 256)], "as it is, as long as it fits")
}

// The longest claim of access fits into a proxy's header, and what didn't fit wasn't granted.
func TestTokensAreBounded(t *testing.T) {
	t.Parallel()
	c := config()
	c.SubRepositories = true
	p := newProvider(t, c, newSigning(t))
	var scopes []string
	for i := range 32 {
		scopes = append(scopes, fmt.Sprintf("repository:rise-apps/hello/%s%d:pull,push", strings.Repeat("x", 200), i))
	}
	r := exchange(t, p.Handler(allGood, nil, silent()), grantFor(t, p, provider.Request{Project: "hello", Access: provider.Push, Caller: strings.Repeat("c", 1024)}), scopes...)
	require.Equal(t, scopes[:7], r.access())
	require.Less(t, len(r.body["token"].(string)), 7000)
}

// A factory builds it, keeps nothing of it, and a rotation ends nobody's credential.
func TestFactoryAndRotation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		old := newSigning(t)
		next, nextCertificate, err := old.authority.NewSigningKey(365 * 24 * time.Hour)
		require.NoError(t, err)
		dir := t.TempDir()
		keyFile, certificateFile := filepath.Join(dir, "tls.key"), filepath.Join(dir, "tls.crt")
		write := func(key, certificate []byte) {
			require.NoError(t, os.WriteFile(keyFile, key, 0o600))
			require.NoError(t, os.WriteFile(certificateFile, certificate, 0o600))
			time.Sleep(10 * time.Second)
		}
		write(old.key, old.certificatePEM)
		factory, err := registry.NewFactory(tokenissuer.Builder(quiet()))
		require.NoError(t, err)
		section := factory.Config()
		require.NoError(t, section.SetConfigType(tokenissuer.Type))
		c := section.Section().(*tokenissuer.Config)
		require.Equal(t, tokenissuer.DefaultConfig(), *c)
		c.RegistryURL, c.Namespace, c.SigningKeyFile, c.SigningCertFile = host, "rise-apps", keyFile, certificateFile
		p, err := factory.Build(t.Context(), section)
		require.NoError(t, err)
		_, cached := provider.As[*cache.Cache](p)
		require.False(t, cached)
		issuer, ok := provider.As[*tokenissuer.Provider](p)
		require.True(t, ok)
		h := issuer.Handler(allGood, nil, silent())

		// Two grants of one request differ, and each works as the keys are added, used and dropped.
		first, second := grantFor(t, p, push("hello")), grantFor(t, p, push("hello"))
		require.NotEqual(t, first, second)
		x5c := exchange(t, h, first).jose["x5c"]
		write(bytes.Join([][]byte{old.key, next}, nil), old.certificatePEM)
		require.Equal(t, x5c, exchange(t, h, first).jose["x5c"])
		require.Equal(t, 2, issuer.Keys().Count)
		write(bytes.Join([][]byte{old.key, next}, nil), nextCertificate)
		require.NotEqual(t, x5c, exchange(t, h, first).jose["x5c"])
		third := grantFor(t, p, push("hello"))
		write(next, nextCertificate)
		require.Equal(t, saysForged, exchange(t, h, first).message)
		require.Equal(t, 200, exchange(t, h, third).status)
		require.NoError(t, provider.Close(p))
	})
}

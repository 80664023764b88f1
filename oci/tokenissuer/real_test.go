package tokenissuer_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// serveToken serves p's /token and returns its realm.
func serveToken(t *testing.T, p *tokenissuer.Provider, good tokenissuer.StillGood, login tokenissuer.Login, opts ...tokenissuer.HandlerOption) string {
	t.Helper()
	server := httptest.NewServer(p.Handler(good, login, opts...))
	t.Cleanup(server.Close)
	// go-containerregistry sends no login to an address on loopback that isn't the registry's.
	return strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/token"
}

// A real registry takes the tokens, and go-containerregistry gets them by itself: for the grant's project alone.
func TestRealRegistry(t *testing.T) {
	t.Parallel()
	realtest.Program(t, "docker-registry")
	address, s := realtest.FreeAddress(t), newSigning(t)
	p := newProvider(t, tokenissuer.Config{RegistryURL: address, Namespace: "rise-apps", SharedRepositories: []string{"base"}}, s)
	x := &exchanges{}
	realtest.TokenRegistry(t, address, serveToken(t, p, allGood, nil, x.option()), address, "rise", s.authorityPEM)

	write := func(tag name.Tag, opts ...remote.Option) error {
		image, err := random.Image(1024, 2) // what is there already isn't pushed
		require.NoError(t, err)
		return remote.Write(tag, image, opts...)
	}
	login := func(r provider.Request) remote.Option {
		c, err := provider.Issue(t.Context(), p, r)
		require.NoError(t, err)
		auth, err := c.Authenticator()
		require.NoError(t, err)
		return remote.WithAuth(auth)
	}
	tag := func(repository string) name.Tag {
		parsed, err := name.NewTag(address + "/" + repository + ":v1")
		require.NoError(t, err)
		return parsed
	}
	hello, other := login(push("hello")), login(push("other"))
	require.NoError(t, write(tag("rise-apps/hello"), hello))
	_, err := remote.Image(tag("rise-apps/hello"), hello)
	require.NoError(t, err)
	require.Equal(t, "alice", x.last().Subject)

	for what, err := range map[string]error{
		"push another":     write(tag("rise-apps/other"), hello),
		"push elsewhere":   write(tag("hello"), hello),
		"push below":       write(tag("rise-apps/hello/web"), hello),
		"push shared":      write(tag("base"), hello),
		"push anonymously": write(tag("rise-apps/hello")),
		"push to pull":     write(tag("rise-apps/hello"), login(provider.Request{Project: "hello", Access: provider.Pull})),
		"push to all": write(tag("rise-apps/hello"),
			login(provider.Request{AllProjects: true, Access: provider.Pull, Consumer: provider.Cluster})),
		"pull another": func() error { _, err := remote.Image(tag("rise-apps/hello"), other); return err }(),
		"delete":       remote.Delete(tag("rise-apps/hello"), hello),
		"list":         func() error { _, err := remote.List(tag("rise-apps/hello").Context(), other); return err }(),
		"catalog":      func() error { _, err := remote.Catalog(t.Context(), tag("x").Registry, hello); return err }(),
	} {
		var refused *transport.Error
		require.ErrorAs(t, err, &refused, what)
		require.Contains(t, []int{401, 403}, refused.StatusCode, what)
	}
	err = write(tag("rise-apps/other"), hello)
	require.ErrorContains(t, err, "This credential is good for pushing to and pulling from rise-apps/hello, and not for what was asked for.")

	for _, r := range []provider.Request{
		{Project: "hello", Access: provider.Pull},
		{Project: "hello", Access: provider.Pull, Consumer: provider.Cluster},
		{AllProjects: true, Access: provider.Pull, Consumer: provider.Cluster},
	} {
		_, err = remote.Image(tag("rise-apps/hello"), login(r))
		require.NoError(t, err)
	}
}

// RSA keys, and an authority between the registry's and the signing certificate, work as well.
func TestRealRegistryTakesChains(t *testing.T) {
	t.Parallel()
	realtest.Program(t, "docker-registry")
	root, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	between, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	leaf, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	certify := func(name string, authority bool, of, by crypto.Signer, parent *x509.Certificate) *x509.Certificate {
		c := &x509.Certificate{
			SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			IsCA: authority, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		}
		if parent == nil {
			parent = c
		}
		der, err := x509.CreateCertificate(rand.Reader, c, parent, of.Public(), by)
		require.NoError(t, err)
		parsed, err := x509.ParseCertificate(der)
		require.NoError(t, err)
		return parsed
	}
	rootCertificate := certify("root", true, root, root, nil)
	betweenCertificate := certify("between", true, between, root, rootCertificate)
	leafCertificate := certify("leaf", false, leaf, between, betweenCertificate)
	text := func(typ string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}) }
	s := signing{
		authorityPEM: text("CERTIFICATE", rootCertificate.Raw), key: text("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(leaf)),
		certificatePEM: append(text("CERTIFICATE", leafCertificate.Raw), text("CERTIFICATE", betweenCertificate.Raw)...),
	}
	f := newFront(t, "docker-registry", s)
	p := newProvider(t, f.config(), s)
	f.serve(p)
	require.NoError(t, f.push(t, f.ref("hello"), grantFor(t, p, push("hello"))))
}

package tokenissuer_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// A place is a real registry behind a front, which sends /token to the service and all else to it, and a provider that diagnoses it. As it is
// made, all is well; a test changes what is wrong before it is opened.
type place struct {
	*testing.T
	front *httptest.Server
	host  string // the front's
	// program is the registry's, of realtest.TokenRegistries. Some places have Debian's all the same.
	program string

	config tokenissuer.Config // of the provider that diagnoses
	keys   signing            // its own
	served tokenissuer.Config // of the service at /token
	// The registry's. An empty realm is the front's.
	realm, service, issuer string
	authority              []byte
	start                  func() (address string) // the registry; nil: with all that

	dropsHeaders  bool                                 // the front doesn't tell the registry how it was asked
	before, token func(next http.Handler) http.Handler // the front, and the service's /token; if not nil
	trust         *x509.CertPool                       // what the provider trusts; nil: as the system does
	clock         time.Duration                        // how far the provider's clock is ahead
	later         func(dir string)                     // once the provider was made: what happens to its files
	wait          time.Duration                        // by its clock, after that: until it has read them
}

func newPlace(t *testing.T, program string) *place {
	t.Helper()
	p := &place{T: t, program: program, front: httptest.NewUnstartedServer(nil), keys: newSigning(t), issuer: "rise", wait: 11 * time.Second}
	p.front.Config.ErrorLog = log.New(io.Discard, "", 0)
	p.host = p.front.Listener.Addr().String()
	p.service, p.authority = p.host, p.keys.authorityPEM
	p.config = tokenissuer.Config{RegistryURL: p.host, Namespace: "rise-apps"}
	p.served = p.config
	return p
}

// everywhere runs a test with a place for each registry.
func everywhere(t *testing.T, name string, test func(*testing.T, *place)) {
	t.Helper()
	for registry, program := range realtest.TokenRegistries {
		t.Run(registry+"/"+name, func(t *testing.T) {
			t.Parallel()
			test(t, newPlace(t, program))
		})
	}
}

// secure lets the front serve TLS with a certificate that change changes.
func (p *place) secure(change func(*x509.Certificate)) {
	p.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(p, err)
	template := certificate("registry", false)
	template.NotAfter = time.Now().Add(90 * 24 * time.Hour)
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	if change != nil {
		change(template)
	}
	parsed := certify(p.T, template, nil, private, private)
	p.front.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{parsed.Raw}, PrivateKey: private}}}
	p.trust = x509.NewCertPool()
	p.trust.AddCert(parsed)
}

// open starts everything and returns the findings in order.
func (p *place) open(o diagnosis.Options) []diagnosis.Finding {
	p.Helper()
	realtest.Program(p.T, "docker-registry")
	realtest.Program(p.T, p.program)
	scheme := "http://"
	if p.front.TLS != nil {
		scheme = "https://"
	}
	if p.realm == "" {
		p.realm = scheme + p.host + "/token"
	}
	if p.start == nil {
		p.start = func() string {
			address := realtest.FreeAddress(p.T)
			realtest.TokenRegistryOf(p.T, p.program, address, p.realm, p.service, p.issuer, p.authority)
			return address
		}
	}
	address := p.start()
	through := func(way func(http.Handler) http.Handler, h http.Handler) http.Handler {
		if way == nil {
			return h
		}
		return way(h)
	}
	service := newProvider(p.T, p.served, p.keys)
	mux := http.NewServeMux()
	mux.Handle("/token", through(p.token, service.Handler(allGood, nil, silent())))
	mux.Handle("/", &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: address})
		r.Out.Host = r.In.Host
		if !p.dropsHeaders {
			r.Out.Header.Set("X-Forwarded-Proto", strings.TrimSuffix(scheme, "://"))
		}
	}})
	p.front.Config.Handler = through(p.before, mux)
	if p.front.TLS != nil {
		p.front.StartTLS()
	} else {
		p.front.Start()
	}
	p.Cleanup(p.front.Close)
	return p.findings(o)
}

// findings are those of the provider, which runs by a clock of its own.
func (p *place) findings(o diagnosis.Options) []diagnosis.Finding {
	p.Helper()
	c := p.keys.files(p.T, p.config)
	transport := tokenissuer.WithTransport(&http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.trust}})
	var all []diagnosis.Finding
	look := func(t *testing.T, later func()) {
		made, err := tokenissuer.New(c, quiet(), transport)
		require.NoError(t, err)
		later()
		findings, err := diagnosis.Of(t.Context(), made, o)
		require.NoError(t, err)
		for f := range findings {
			all = append(all, f)
		}
	}
	if p.clock == 0 && p.later == nil {
		look(p.T, func() {})
		return all
	}
	now := time.Now()
	synctest.Test(p.T, func(t *testing.T) { // with time of its own, which passes when all sleep: never while a request is under way
		time.Sleep(time.Until(now.Add(p.clock)))
		look(t, func() {
			if p.later != nil {
				p.later(filepath.Dir(c.SigningKeyFile))
				time.Sleep(p.wait)
			}
		})
	})
	return all
}

func certificate(name string, authority bool) *x509.Certificate {
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(365 * 24 * time.Hour),
		IsCA: authority, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if authority {
		c.KeyUsage |= x509.KeyUsageCertSign
	}
	return c
}

func certify(t *testing.T, template, parent *x509.Certificate, of, by crypto.Signer) *x509.Certificate {
	t.Helper()
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, of.Public(), by)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return parsed
}

func certificatePEM(certificates ...*x509.Certificate) []byte {
	var all []byte
	for _, c := range certificates {
		all = append(all, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return all
}

// certified makes the signing key's certificate anew, below another authority.
func (s *signing) certified(t *testing.T, change func(*x509.Certificate)) {
	t.Helper()
	by, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	authority := certify(t, certificate("everybody's", true), nil, by, by)
	template := certificate("rise", false)
	change(template)
	s.certificatePEM = certificatePEM(certify(t, template, authority, s.private(t), by))
	s.authorityPEM = certificatePEM(authority)
}

// files writes the key and its certificate, and returns c with them.
func (s *signing) files(t *testing.T, c tokenissuer.Config) tokenissuer.Config {
	t.Helper()
	dir := t.TempDir()
	c.SigningKeyFile, c.SigningCertFile = filepath.Join(dir, "tls.key"), filepath.Join(dir, "tls.crt")
	require.NoError(t, os.WriteFile(c.SigningKeyFile, s.key, 0o600))
	require.NoError(t, os.WriteFile(c.SigningCertFile, s.certificatePEM, 0o600))
	return c
}

func (s *signing) private(t *testing.T) crypto.Signer {
	t.Helper()
	block, _ := pem.Decode(s.key)
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	return private.(crypto.Signer)
}

// between puts an authority between the registry's and the signing certificate.
func (p *place) between() (root, middle, leaf *x509.Certificate) {
	p.Helper()
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(p, err)
	middleKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(p, err)
	root = certify(p.T, certificate("root", true), nil, rootKey, rootKey)
	middle = certify(p.T, certificate("between", true), root, middleKey, rootKey)
	leaf = certify(p.T, certificate("leaf", false), middle, p.keys.private(p.T), middleKey)
	p.keys.certificatePEM = certificatePEM(leaf, middle)
	return root, middle, leaf
}

// answering is a way on which everything, or what is asked for here, is answered by itself.
func answering(status int, here func(*http.Request) bool) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if here != nil && !here(r) {
				next.ServeHTTP(w, r)
				return
			}
			if status/100 == 3 {
				w.Header().Set("Location", "https://registry.example.com/token")
			}
			w.WriteHeader(status)
		})
	}
}

// withoutLogin is a way on which logins are lost.
func withoutLogin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Authorization")
		next.ServeHTTP(w, r)
	})
}

// lettingIn is a way with a token of its own for lists of tags that are asked for with such claims of a token; nil claims are none.
func (p *place) lettingIn(here func(claims map[string]any) bool) func(http.Handler) http.Handler {
	issuer := newProvider(p.T, p.served, p.keys)
	grant := grantFor(p.T, issuer, provider.Request{AllProjects: true, Access: provider.Pull})
	h := issuer.Handler(allGood, nil, silent())
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			repository, listing := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/v2/"), "/tags/list")
			if listing && here(claimsIn(r)) {
				asked := newRequest(grant)
				asked.URL.RawQuery = url.Values{"scope": {"repository:" + repository + ":pull"}}.Encode()
				said := httptest.NewRecorder()
				h.ServeHTTP(said, asked)
				var answer struct{ Token string }
				_ = json.Unmarshal(said.Body.Bytes(), &answer) // without it, it isn't let in
				r.Header.Set("Authorization", "Bearer "+answer.Token)
			}
			next.ServeHTTP(w, r)
		})
	}
}

// claimsIn are those of a request's token, whoever signed it; nil without one.
func claimsIn(r *http.Request) map[string]any {
	_, rest, _ := strings.Cut(r.Header.Get("Authorization"), ".")
	payload, _, _ := strings.Cut(rest, ".")
	text, _ := base64.RawURLEncoding.DecodeString(payload)
	var claims map[string]any
	_ = json.Unmarshal(text, &claims)
	return claims
}

// probing reports whether a claim is one of a diagnosis.
func probing(claims map[string]any, name string) bool {
	text, _ := claims[name].(string)
	return strings.HasSuffix(text, "-rise-probe")
}

// localhost is the front by its name.
func (p *place) localhost() string { return strings.Replace(p.host, "127.0.0.1", "localhost", 1) }

// renew makes a new key of the same authority.
func (p *place) renew(life time.Duration) {
	p.Helper()
	var err error
	p.keys.key, p.keys.certificatePEM, err = p.keys.authority.NewSigningKey(life)
	require.NoError(p, err)
}

func elsewhere(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// With all as it should be, all checks pass, on a real registry.
func TestDiagnosisPasses(t *testing.T) {
	t.Parallel()
	order := []string{
		"signing_keys", "registry", "registry_certificate", "clock", "challenge", "realm", "token_service", "anonymous_access", "token", "foreign_tokens", "other_repository",
		"pull_access", "push_access",
	}
	for name, test := range map[string]struct {
		sets func(*place)
		o    diagnosis.Options
		skip []string
	}{
		"no project": {func(*place) {}, diagnosis.Options{}, []string{"registry_certificate"}},
		"a project":  {func(p *place) { p.secure(nil) }, diagnosis.Options{Project: "hello"}, []string{"push_access"}},
		"a push":     {func(p *place) { p.secure(nil) }, diagnosis.Options{Project: strings.Repeat("x", 63), WriteProbe: true}, nil},
		"two names": {func(p *place) {
			p.config.ClientRegistryURL = p.localhost()
			p.served, p.realm = p.config, "http://"+p.localhost()+"/token"
		}, diagnosis.Options{}, []string{"registry_certificate"}},
		"a chain": {func(p *place) {
			_, middle, _ := p.between()
			p.authority = certificatePEM(middle)
		}, diagnosis.Options{}, []string{"registry_certificate"}},
		"clocks that differ a little": {func(p *place) { p.clock = 20 * time.Second }, diagnosis.Options{}, []string{"registry_certificate"}},
	} {
		everywhere(t, name, func(t *testing.T, p *place) {
			test.sets(p)
			var checked []string
			for _, f := range p.open(test.o) {
				checked = append(checked, f.Check)
				if slices.Contains(test.skip, f.Check) {
					require.Equal(t, diagnosis.Skipped, f.Status, "%+v", f)
					continue
				}
				require.Equal(t, diagnosis.Passed, f.Status, "%+v", f)
				require.Empty(t, f.Remedy)
			}
			want := slices.Clone(order)
			if test.o.Project == "" {
				want = want[:len(order)-2]
			}
			if p.config.ClientRegistryURL != "" {
				want = slices.Insert(want, 2, "client_registry")
			}
			require.Equal(t, want, checked)
		})
	}
}

// The first trouble is the cause, and its remedy is what to do. On real registries all.
func TestDiagnosisFinds(t *testing.T) {
	t.Parallel()
	const warned, failed = diagnosis.Warned, diagnosis.Failed
	const section = "\nauth:\n  token:\n    realm: http"
	listing := func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/tags/list") }
	for name, test := range map[string]struct {
		breaks func(*place)
		check  string
		status diagnosis.Status
		says   string
		remedy string
	}{
		"the files no longer match": {func(p *place) {
			_, other, err := p.keys.authority.NewSigningKey(time.Hour)
			require.NoError(p, err)
			p.later = func(dir string) { require.NoError(p, os.WriteFile(filepath.Join(dir, "tls.crt"), other, 0o600)) }
		}, "signing_keys", warned, "the files of keys aren't in use, and tokens are signed with what was there before: the certificate file begins with a certificate of none of the keys", "operator token-keys --dir DIR"},
		"the files are gone": {func(p *place) {
			p.later = func(dir string) { require.NoError(p, os.Remove(filepath.Join(dir, "tls.key"))) }
		}, "signing_keys", warned, "the key file can't be read: no such file or directory", "signing_key_file"},
		"the certificate ends soon": {func(p *place) { p.renew(10 * time.Minute) }, "signing_keys", warned, "the signing certificate ends on ", "--rotate add"},
		"the certificate has ended": {func(p *place) {
			p.renew(10 * time.Minute)
			p.later, p.wait = func(string) {}, time.Hour
		}, "signing_keys", failed, "the signing certificate has expired", "--rotate all"},
		"a server's certificate": {func(p *place) {
			p.keys.certified(p.T, func(c *x509.Certificate) { c.DNSNames = []string{"printer.example.com"} })
			p.authority = p.keys.authorityPEM
		}, "signing_keys", warned, "the signing certificate has names or addresses, as a server's certificate has", "an authority that signs nothing else"},
		"a certificate for TLS": {func(p *place) {
			p.keys.certified(p.T, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
			p.authority = p.keys.authorityPEM
		}, "signing_keys", warned, "the signing certificate is good for TLS", "an authority that signs nothing else"},

		"an authority that signs tokens itself": {func(p *place) {
			p.keys.certified(p.T, func(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign })
			p.authority = p.keys.authorityPEM
		}, "signing_keys", warned, "the signing certificate is an authority itself", "an authority that signs nothing else"},

		"nobody there": {func(p *place) { p.config.RegistryURL = realtest.ClosedAddress(p.T); p.config.TokenService = p.host }, "registry", failed, "nothing listens at", "check host and port"},
		"an unknown authority of the registry's certificate": {func(p *place) {
			p.secure(nil)
			p.trust = x509.NewCertPool()
		}, "registry", failed, "is signed by an unknown authority", "trust the certificate's authority"},
		"the registry's certificate has ended": {func(p *place) {
			p.secure(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
		}, "registry", failed, "has expired or isn't valid yet", "renew it"},
		"the registry's certificate is another's": {func(p *place) {
			p.secure(func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"registry.example.com"} })
		}, "registry", failed, "is for other names", "use a name that is in the certificate"},
		"the registry's certificate ends soon": {func(p *place) {
			p.secure(func(c *x509.Certificate) {
				c.NotAfter = time.Now().Add(3 * 24 * time.Hour)
				c.NotBefore = time.Now().Add(-87 * 24 * time.Hour)
			})
		}, "registry_certificate", warned, "the registry's certificate ends on ", "renew it"},
		"passwords in the clear": {func(p *place) {
			p.secure(nil)
			p.realm = "http://" + p.host + "/token"
		}, "registry", failed, "plain HTTP: clients refuse it, or send passwords in the clear", section + "s://"},
		"a realm at a private address": {func(p *place) { p.realm = "http://127.0.0.2:3000/token" }, "registry", warned,
			"the private address 127.0.0.2:3000, where go-containerregistry (crane, kaniko) and oras send no login", section},
		"a realm at another port": {func(p *place) {
			p.realm = elsewhere(p.T, newProvider(p.T, p.served, p.keys).Handler(allGood, nil, silent())) + "/token"
		}, "registry", warned, "where go-containerregistry (crane, kaniko) sends no login", section},
		"a realm whose name is of a private address": {func(p *place) {
			p.realm = strings.Replace(elsewhere(p.T, newProvider(p.T, p.served, p.keys).Handler(allGood, nil, silent())), "127.0.0.1", "localhost", 1) + "/token"
		}, "realm", warned, "which is the private address 127.0.0.1 and not the registry's name: oras sends no login there", section},
		"a relative realm": {func(p *place) { p.realm = "/token" }, "registry", failed, "is no absolute http or https URL", section},
		"autoredirect": {func(p *place) {
			p.start = func() string {
				address := realtest.FreeAddress(p.T)
				realtest.AutoRedirectRegistry(p.T, address, p.service, p.issuer, p.authority)
				return address
			}
		}, "realm", warned, "autoredirect of distribution's registry", "leave out autoredirect"},

		"our clock is ahead":  {func(p *place) { p.clock = 10 * time.Minute }, "clock", warned, "s behind this machine's: registries take no token", "NTP"},
		"our clock is behind": {func(p *place) { p.clock = -10 * time.Minute }, "clock", warned, "s ahead of this machine's: registries take no token", "NTP"},

		"no authentication":   {func(p *place) { p.start = func() string { return realtest.Registry(p.T, false) } }, "challenge", failed, "asks for no login: whoever reaches it can push and pull everything", section},
		"users and passwords": {func(p *place) { p.start = func() string { return realtest.Registry(p.T, true) } }, "challenge", failed, "a user name and password of its own, and not for a token", section},
		"another service": {func(p *place) { p.service = "another" }, "challenge", failed, `asks for tokens for the service "another", and token_service is "127.0.0.1:`,
			`set token_service: "another", or let the registry have this name for itself:` + section},

		"nobody at the realm": {func(p *place) {
			p.realm = "http://localhost:1/token"
			p.config.RegistryURL = p.localhost()
			p.config.TokenService = p.host
		},
			"token_service", failed, "the realm that the registry names can't be used: nothing listens at localhost:1", section},
		"/token is the registry's":                    {func(p *place) { p.realm = "http://" + p.host + "/auth" }, "token_service", failed, "what answers on the registry's own host, at /auth, with 404, isn't this service", "location = /token"},
		"a website at the realm":                      {func(p *place) { p.token = answering(200, nil) }, "token_service", failed, "at /token, with 200, isn't this service", "location = /token"},
		"a redirect at the realm":                     {func(p *place) { p.token = answering(302, nil) }, "token_service", failed, "redirects elsewhere", section},
		"a busy realm":                                {func(p *place) { p.token = answering(503, nil) }, "token_service", failed, "fails or is busy: 503", "log"},
		"the login is lost on its way to the service": {func(p *place) { p.token = withoutLogin }, "token_service", failed, "the login doesn't arrive there", "Authorization header"},
		"other keys at the realm": {func(p *place) {
			serves := p.keys
			p.token = func(http.Handler) http.Handler {
				return newProvider(p.T, p.served, serves).Handler(allGood, nil, silent())
			}
			p.renew(time.Hour)
		}, "token_service", failed, "a service of this kind, with other signing keys or another configuration", "give all replicas the same signing keys"},
		"another namespace at the realm": {func(p *place) { p.served.Namespace = "another" }, "token_service", failed, "a service of this kind, with other signing keys or another configuration", "namespace"},

		"the registry is open behind its authentication": {func(p *place) {
			p.before = p.lettingIn(func(claims map[string]any) bool { return claims == nil })
		}, "anonymous_access", failed, "the repository rise-apps/hello can be read without a token", "let the registry itself check tokens"},

		"another authority": {func(p *place) { p.authority = newSigning(p.T).authorityPEM }, "token", failed,
			"it lacks the authority of the signing certificate (rootcertbundle), or has read it before that was there, or has another issuer than \"rise\"", "openssl x509 -in ca.crt"},
		"another issuer": {func(p *place) { p.issuer = "another" }, "token", failed, `or has another issuer than "rise"`, section},
		"the documentation's issuer": {func(p *place) { p.issuer = "registry-token-issuer" }, "token", failed, `the registry takes tokens of the issuer "registry-token-issuer", and token_issuer is "rise"`,
			`set token_issuer: "registry-token-issuer", or let the registry take tokens of this issuer:` + section},
		"an issuer that is the registry's name": {func(p *place) { p.issuer = "https://" + p.host }, "token", failed, `the registry takes tokens of the issuer "https://127.0.0.1:`, "set token_issuer"},
		"an issuer with a slash": {func(p *place) {
			p.config.TokenIssuer = "https://rise.example.com/"
			p.served.TokenIssuer = p.config.TokenIssuer
			p.issuer = "https://rise.example.com"
		}, "token", failed, `the registry takes tokens of the issuer "https://rise.example.com", and`, "set token_issuer"},
		"a chain that lacks its middle": {func(p *place) {
			root, _, leaf := p.between()
			p.keys.certificatePEM, p.authority = certificatePEM(leaf), certificatePEM(root)
		}, "token", failed, "it lacks the authority of the signing certificate", "CN=between"},
		"an authority with others below it": {func(p *place) {
			root, _, _ := p.between()
			p.authority = certificatePEM(root)
		}, "token", warned, "by an authority above the one that signed the signing certificate", "and none above it:" + section},
		"the token is lost on its way to the registry": {func(p *place) {
			p.before = func(next http.Handler) http.Handler {
				lost := withoutLogin(next)
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/token" {
						next.ServeHTTP(w, r)
						return
					}
					lost.ServeHTTP(w, r)
				})
			}
		}, "token", failed, "as if none had come: what is before it drops the Authorization header", "Authorization header"},
		"a proxy that takes short headers only": {func(p *place) {
			p.before = answering(431, func(r *http.Request) bool { return strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") })
		}, "token", failed, "for the length of its header", "large_client_header_buffers"},
		"a firewall": {func(p *place) {
			p.before = answering(403, func(r *http.Request) bool { return strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") })
		}, "token", failed, "something before it refuses", "firewall"},

		"signatures aren't looked at": {func(p *place) {
			p.before = p.lettingIn(func(claims map[string]any) bool { return claims != nil })
		}, "foreign_tokens", failed, "the registry takes a token that a stranger signed", "let the registry itself check tokens"},
		"ends aren't looked at": {func(p *place) {
			p.before = p.lettingIn(func(claims map[string]any) bool {
				ends, ok := claims["exp"].(float64)
				return ok && int64(ends) < time.Now().Unix()
			})
		}, "foreign_tokens", failed, "the registry takes a token that ended two hours ago", "let the registry itself check tokens"},
		"services aren't looked at": {func(p *place) {
			p.before = p.lettingIn(func(claims map[string]any) bool { return probing(claims, "aud") })
		}, "foreign_tokens", warned, "the registry takes a token that is for another service, as zot does", "a signing key for this registry alone"},
		"issuers aren't looked at": {func(p *place) {
			p.before = p.lettingIn(func(claims map[string]any) bool { return probing(claims, "iss") })
		}, "foreign_tokens", warned, "the registry takes a token of another issuer, as zot does", "a signing key for this registry alone"},
		"rights aren't looked at": {func(p *place) {
			p.before = func(next http.Handler) http.Handler {
				lets := p.lettingIn(func(map[string]any) bool { return true })(next)
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if _, good := verify(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), p.keys, p.service); good {
						lets.ServeHTTP(w, r)
						return
					}
					next.ServeHTTP(w, r)
				})
			}
		}, "other_repository", failed, "a token for one project's repository opens another", "let the registry itself check tokens"},
		"nothing can be listed": {func(p *place) {
			p.before = answering(404, func(r *http.Request) bool {
				return listing(r) && strings.Contains(r.URL.Path, "/hello/") && r.Header.Get("Authorization") != ""
			})
		}, "pull_access", failed, "the registry answered 404 to a token that may pull from rise-apps/hello", "log"},
		"read-only": {func(p *place) {
			p.before = answering(405, func(r *http.Request) bool { return r.Method == http.MethodPost })
		}, "push_access", failed, "it, or what is before it, is read-only", "storage.maintenance.readonly"},
		"a proxy that doesn't say how it was asked": {func(p *place) {
			p.secure(nil)
			p.dropsHeaders = true
		}, "push_access", failed, "it goes on at a URL of plain HTTP, where docker, podman and skopeo fail", "X-Forwarded-Proto"},
		"a proxy that doesn't say which host was asked": {func(p *place) {
			p.before = func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodPost {
						r.Host = "registry.internal:5000"
					}
					next.ServeHTTP(w, r)
				})
			}
		}, "push_access", warned, "it goes on at another host than the registry's", "proxy_set_header Host"},
		"full": {func(p *place) {
			p.before = answering(500, func(r *http.Request) bool { return r.Method == http.MethodPost })
		}, "push_access", failed, "the registry fails or is busy: it answered 500", "log"},
	} {
		everywhere(t, name, func(t *testing.T, p *place) {
			test.breaks(p)
			all := p.open(diagnosis.Options{Project: "hello", WriteProbe: true})
			for _, f := range all {
				text, err := json.Marshal(f)
				require.NoError(t, err)
				require.NotContains(t, string(text), "eyJ", "no grant and no token shows")
				if f.Status == diagnosis.Failed || f.Status == diagnosis.Warned {
					require.NotEmpty(t, f.Remedy, f.Check)
				}
			}
			first := slices.IndexFunc(all, func(f diagnosis.Finding) bool { return f.Status == diagnosis.Failed || f.Status == diagnosis.Warned })
			require.GreaterOrEqual(t, first, 0, "nothing was found")
			f := all[first]
			require.Equal(t, test.check, f.Check, "%+v", f)
			require.Equal(t, test.status, f.Status)
			require.Contains(t, f.Summary, test.says)
			require.Contains(t, f.Remedy, test.remedy)
		})
	}
}

// dated is a front whose own clock differs by that much from what is behind it: registries' answers have its date.
func dated(by time.Duration) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(&dating{w, by}, r)
		})
	}
}

type dating struct {
	http.ResponseWriter
	by time.Duration
}

func (d *dating) WriteHeader(status int) {
	d.Header().Set("Date", time.Now().Add(d.by).UTC().Format(http.TimeFormat))
	d.ResponseWriter.WriteHeader(status)
}

// What clocks do to tokens shows by tokens, whatever date an answer has; what is off is said.
func TestDiagnosisOfClocks(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		clock, dated time.Duration
		status       diagnosis.Status // of the token
		says         string
	}{
		"ahead":                           {10 * time.Minute, 0, diagnosis.Failed, "the registry takes no token of this service's, since the registry's clock is "},
		"behind":                          {-10 * time.Minute, 0, diagnosis.Failed, "the registry takes no token of this service's, since the registry's clock is "},
		"ahead of a right date":           {10 * time.Minute, 10 * time.Minute, diagnosis.Failed, "only while they are good for an hour before and after: the clocks differ"},
		"the date alone is wrong":         {0, 10 * time.Minute, diagnosis.Passed, "the registry takes this service's tokens"},
		"ahead as registries put up with": {100 * time.Second, 0, diagnosis.Passed, "the registry takes this service's tokens"},
	} {
		everywhere(t, name, func(t *testing.T, p *place) {
			p.clock, p.before = test.clock, dated(test.dated)
			for _, f := range p.open(diagnosis.Options{}) {
				switch f.Check {
				case "clock":
					require.Equal(t, test.clock == test.dated, f.Status == diagnosis.Passed, f.Summary)
				case "token":
					require.Equal(t, test.status, f.Status, f.Summary)
					require.Contains(t, f.Summary, test.says)
				}
			}
		})
	}
}

// inSystem names the directory of a process whose system trusts the authority there: crypto/x509 asks the system once.
const inSystem = "TOKENISSUER_SYSTEM_AUTHORITY"

// An authority that the system trusts has signed much else, and a registry takes tokens signed with any of it.
func TestSystemAuthority(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv(inSystem); dir != "" {
		p := newPlace(t, "docker-registry")
		var err error
		p.keys.key, err = os.ReadFile(filepath.Join(dir, "tls.key"))
		require.NoError(t, err)
		p.keys.certificatePEM, err = os.ReadFile(filepath.Join(dir, "tls.crt"))
		require.NoError(t, err)
		p.authority, err = os.ReadFile(filepath.Join(dir, "ca.crt"))
		require.NoError(t, err)
		const says = "the signing certificate is below an authority that this machine's system trusts, of which others have certificates too"
		c := p.keys.files(t, p.config)
		require.Len(t, c.Warnings(), 1)
		require.ErrorContains(t, c.Warnings()[0], says)
		f := p.open(diagnosis.Options{})[0]
		require.Equal(t, diagnosis.Warned, f.Status)
		require.Equal(t, "signing_keys", f.Check)
		require.Equal(t, says, f.Summary)
		require.Contains(t, f.Remedy, "use one of an authority that signs nothing else")
		return
	}
	s := newSigning(t)
	dir := filepath.Dir(s.files(t, config()).SigningKeyFile)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.crt"), s.authorityPEM, 0o600))
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSystemAuthority$", "-test.count=1", "-test.v")
	child.Env = append(os.Environ(), inSystem+"="+dir, "SSL_CERT_FILE="+filepath.Join(dir, "ca.crt"))
	out, err := child.CombinedOutput()
	require.NoError(t, err, "%s", out)
	if strings.Contains(string(out), "--- SKIP") {
		t.Skip("docker-registry is not installed")
	}
}

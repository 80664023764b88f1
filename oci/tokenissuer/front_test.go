package tokenissuer_test

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
)

// front is a registry's own host, as the operators' guide has it: /token is the issuer's, all else the registry's.
type front struct {
	address string
	asked   exchanges
	turns   atomic.Uint32

	mu      sync.Mutex // of what follows
	issuers []http.Handler
	writes  int
	onWrite func(n int)
	slow    *rate.Limiter
}

// newFront starts the registry's program behind a front, without an issuer yet.
func newFront(t *testing.T, program string, s signing) *front {
	t.Helper()
	f := &front{onWrite: func(int) {}, slow: rate.NewLimiter(rate.Inf, 1<<20)}
	behind := realtest.FreeAddress(t)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: behind})
			r.Out.Host = r.In.Host
		},
		ErrorLog: log.New(io.Discard, "", 0),
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/token":
			f.issuer().ServeHTTP(w, r)
			return
		case r.Method == http.MethodPost, r.Method == http.MethodPatch, r.Method == http.MethodPut:
			f.wrote()
			if strings.Contains(r.URL.Path, "/blobs/uploads/") && r.Body != http.NoBody {
				r.Body = &slowBody{r.Context(), r.Body, f.limit()}
			}
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	f.address = server.Listener.Addr().String()
	realtest.TokenRegistryOf(t, program, behind, server.URL+"/token", f.address, "rise", s.authorityPEM)
	return f
}

// config is the issuer's for this registry.
func (f *front) config() tokenissuer.Config {
	return tokenissuer.Config{RegistryURL: f.address, Namespace: "rise-apps"}
}

// serve makes these providers the replicas behind the front, which take turns. They remember nothing of before.
func (f *front) serve(replicas ...*tokenissuer.Provider) { f.serveWhile(allGood, replicas...) }

func (f *front) serveWhile(good tokenissuer.StillGood, replicas ...*tokenissuer.Provider) {
	var issuers []http.Handler
	for _, p := range replicas {
		issuers = append(issuers, p.Handler(good, nil, f.asked.option()))
	}
	f.serveBy(issuers...)
}

func (f *front) serveBy(issuers ...http.Handler) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.issuers = issuers
}

func (f *front) issuer() http.Handler {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.issuers[int(f.turns.Add(1))%len(f.issuers)]
}

// atWrites has each write to the registry from now on told, by its number from 1.
func (f *front) atWrites(tell func(n int)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes, f.onWrite = 0, tell
}

func (f *front) wrote() {
	f.mu.Lock()
	f.writes++
	n, tell := f.writes, f.onWrite
	f.mu.Unlock()
	tell(n)
}

// slowly lets uploads in by so many bytes a second, in small pieces.
func (f *front) slowly(perSecond float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.slow = rate.NewLimiter(rate.Limit(perSecond), 4096)
}

func (f *front) limit() *rate.Limiter {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.slow
}

// ref is a project's image.
func (f *front) ref(project string) string { return f.address + "/rise-apps/" + project + ":1.0.0" }

// push pushes an image to any repository with this password, by go-containerregistry.
func (f *front) push(t *testing.T, ref, password string) error {
	t.Helper()
	tag, err := name.NewTag(ref)
	require.NoError(t, err)
	return remote.Write(tag, randomImage(t, 2, 1024), remote.WithAuth(&authn.Basic{Username: "rise", Password: password}))
}

// mayPush begins a push.
func (f *front) mayPush(t *testing.T, ref, password string) error {
	t.Helper()
	tag, err := name.NewTag(ref)
	require.NoError(t, err)
	return remote.CheckPushPermission(tag, onePassword(password), http.DefaultTransport)
}

// onePassword is a login for wherever it is asked for.
type onePassword string

func (p onePassword) Resolve(authn.Resource) (authn.Authenticator, error) {
	return &authn.Basic{Username: "rise", Password: string(p)}, nil
}

// has is the digest of an image, for whom it is there.
func (f *front) has(t *testing.T, ref, password string) string {
	t.Helper()
	tag, err := name.NewTag(ref)
	require.NoError(t, err)
	found, err := remote.Head(tag, remote.WithAuth(&authn.Basic{Username: "rise", Password: password}))
	if err != nil {
		return ""
	}
	return found.Digest.String()
}

// slowBody is an upload on a thin line.
type slowBody struct {
	ctx context.Context //nolint:containedctx // the request's
	io.ReadCloser
	limit *rate.Limiter
}

func (b *slowBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(len(p), b.limit.Burst())])
	if wait := b.limit.WaitN(b.ctx, n); wait != nil {
		return n, wait
	}
	return n, err
}

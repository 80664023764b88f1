package tokenissuer_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// These go by the registries' own clocks: RISE_TEST_LONG=1 go test -run Long -v -parallel 32 -timeout 30m ./oci/tokenissuer

// longer is how long an upload takes: a token that lived for a minute when it began is dead for every registry well before its end.
const longer = 150 * time.Second

// With each client, a layer arrives that uploads for longer than its token lives, while the keys in the files of two replicas are rotated, 20 seconds apart.
func TestLongUploads(t *testing.T) {
	t.Parallel()
	realtest.OnlyLong(t, "three minutes, with -parallel 32")
	const size = 1 << 20
	for name, p := range programs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newClient := p.start(t)
			for registry, path := range realtest.TokenRegistries {
				t.Run(registry, func(t *testing.T) {
					t.Parallel()
					realtest.Program(t, path)
					s := newSigning(t)
					f := newFront(t, path, s)
					one, other := newFiles(t, s), newFiles(t, s)
					config := f.config()
					config.TokenDuration = time.Minute
					first, second := one.provider(t, config), other.provider(t, config)
					f.serve(first, second)
					before := first.Keys().ID
					c := newClient(t, f.address)
					must(t, c.login(t, grantFor(t, first, push("hello"))))

					next := s.next(t)
					added := signing{key: slices.Concat(s.key, next.key), certificatePEM: s.certificatePEM}
					used := signing{key: added.key, certificatePEM: next.certificatePEM}
					rotated := make(chan struct{})
					go func() {
						defer close(rotated)
						steps := []func() error{
							func() error { return one.write(added) }, func() error { return other.write(added) },
							func() error { return one.write(used) }, func() error { return other.write(used) },
						}
						for _, step := range steps {
							select {
							case <-time.After(20 * time.Second):
							case <-t.Context().Done():
								return
							}
							if err := step(); err != nil {
								t.Error(err)
							}
						}
					}()
					f.slowly(size / longer.Seconds())
					start, asked := time.Now(), f.asked.count()
					must(t, c.push(t, f.ref("hello"), 1, size))
					took := time.Since(start)
					<-rotated
					require.Greater(t, took, longer)
					for _, replica := range []*tokenissuer.Provider{first, second} {
						require.NotEqual(t, before, replica.Keys().ID)
					}
					t.Logf("%v, %d times at /token", took.Round(time.Second), f.asked.count()-asked)
					require.NotEmpty(t, f.has(t, f.ref("hello"), grantFor(t, second, push("hello"))))
				})
			}
		})
	}
}

// keyFiles are a replica's.
type keyFiles struct{ key, certificate string }

func newFiles(t *testing.T, s signing) keyFiles {
	t.Helper()
	dir := t.TempDir()
	f := keyFiles{filepath.Join(dir, "tls.key"), filepath.Join(dir, "tls.crt")}
	require.NoError(t, f.write(s))
	return f
}

func (f keyFiles) write(s signing) error {
	if err := os.WriteFile(f.key, s.key, 0o600); err != nil {
		return err
	}
	return os.WriteFile(f.certificate, s.certificatePEM, 0o600)
}

func (f keyFiles) provider(t *testing.T, c tokenissuer.Config) *tokenissuer.Provider {
	t.Helper()
	c.SigningKeyFile, c.SigningCertFile = f.key, f.certificate
	p, err := tokenissuer.New(c, quiet())
	require.NoError(t, err)
	return p
}

// A project that is suspended pushes no more after token_duration, the registry's minute and five seconds, by a client that takes every token it can get.
func TestLongSuspension(t *testing.T) {
	t.Parallel()
	realtest.OnlyLong(t, "two and a half minutes, with -parallel 32")
	for name, path := range realtest.TokenRegistries {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			realtest.Program(t, path)
			s := newSigning(t)
			address := realtest.FreeAddress(t)
			realtest.TokenRegistryOf(t, path, address, "http://"+address+"/token", host, "rise", s.authorityPEM)
			p := newProvider(t, tokenissuer.Config{RegistryURL: address, TokenService: host, TokenDuration: time.Minute}, s)
			var suspended atomic.Bool
			h := p.Handler(func(context.Context, tokenissuer.Question) error {
				if suspended.Load() {
					return &provider.Error{Kind: provider.ErrConflict}
				}
				return nil
			}, nil, silent())
			grant := grantFor(t, p, push("hello"))
			since, worked := time.Time{}, time.Time{}
			var token string
			for every := time.NewTicker(time.Second); ; {
				if r := exchange(t, h, grant, "repository:hello:pull,push"); r.status == http.StatusOK {
					token = r.body["token"].(string)
				}
				if call(t, http.MethodPost, "http://"+address+"/v2/hello/blobs/uploads/", token).status == http.StatusAccepted {
					worked = time.Now()
				}
				switch {
				case since.IsZero():
					since = time.Now()
					suspended.Store(true)
				case time.Since(since) > time.Minute+75*time.Second:
					t.Logf("the last push began %v after the project was suspended", worked.Sub(since).Round(time.Second))
					require.Less(t, worked.Sub(since), time.Minute+65*time.Second)
					return
				}
				<-every.C
			}
		})
	}
}

// Of a busy issuer, some clients ask again, and some give up.
func TestLongBusy(t *testing.T) {
	t.Parallel()
	realtest.OnlyLong(t, "a minute")
	for name, p := range programs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := realtest.Program(t, "docker-registry")
			s := newSigning(t)
			f := newFront(t, path, s)
			c := p.start(t)(t, f.address)
			issuer := newProvider(t, f.config(), s)
			f.serve(issuer)
			must(t, c.login(t, grantFor(t, issuer, push("hello"))))
			for status, again := range map[int]bool{http.StatusTooManyRequests: p.again429, http.StatusServiceUnavailable: p.again503} {
				var asked atomic.Int32
				busy := func(refused int) bool { return status == refused && asked.Add(1) == 1 }
				f.serveBy(issuer.Handler(func(context.Context, tokenissuer.Question) error {
					if busy(http.StatusServiceUnavailable) {
						return &provider.Error{Kind: provider.ErrUnavailable, RetryAfter: time.Second}
					}
					return nil
				}, nil, silent(), tokenissuer.WithGrantLimit(func(context.Context, string) time.Duration {
					if busy(http.StatusTooManyRequests) {
						return time.Second
					}
					return 0
				})))
				out := c.push(t, f.ref("hello"), 1, 1024)
				require.Equal(t, again, out.Err == nil, "%d: %s", status, out.Text)
			}
		})
	}
}

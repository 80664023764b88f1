package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/tokenkeys"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// asked is what a client was given at /token.
type asked struct {
	mu    sync.Mutex
	times []time.Duration
}

func (a *asked) take() (n int, total time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range a.times {
		total += d
	}
	n, a.times = len(a.times), nil
	return n, total
}

func (a *asked) timed(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		h.ServeHTTP(w, r)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.times = append(a.times, time.Since(start))
	})
}

// What pushes and pulls of an image of seven layers, of 1 MiB each, ask of /token, in front of a real registry: the number is bounded, and printed with the time
// (go test -v -run TestPush .).
func TestPush(t *testing.T) { //nolint:paralleltest // it is timed
	realtest.Program(t, "docker-registry")
	authority, err := tokenkeys.NewAuthority()
	require.NoError(t, err)
	key, certificate, err := authority.NewSigningKey(24 * time.Hour)
	require.NoError(t, err)

	front := httptest.NewUnstartedServer(nil)
	address, behind := front.Listener.Addr().String(), realtest.FreeAddress(t)
	p, err := tokenissuer.New(tokenissuer.Config{RegistryURL: address}, tokenissuer.WithKeys(key, certificate))
	require.NoError(t, err)
	realtest.TokenRegistry(t, behind, "http://"+address+"/token", address, "rise", authority.CertificatePEM())
	a := &asked{}
	mux := http.NewServeMux()
	mux.Handle("/token", a.timed(p.Handler(func(context.Context, tokenissuer.Question) error { return nil }, nil,
		tokenissuer.WithAudit(func(context.Context, tokenissuer.Exchange) error { return nil }))))
	mux.Handle("/v2/", httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: behind}))
	front.Config.Handler = mux
	front.Start()
	t.Cleanup(front.Close)

	for client, program := range map[string]func(t *testing.T, image, ref, login string) (push, pull func() realtest.Output){
		"docker": func(t *testing.T, image, ref, login string) (push, pull func() realtest.Output) {
			t.Helper()
			docker := realtest.Docker(t)
			out := docker(nil, "load", "-i", image)
			require.NoError(t, out.Err, out.Text)
			config := []string{"DOCKER_CONFIG=" + filepath.Dir(login)}
			return func() realtest.Output { return docker(config, "push", ref) }, func() realtest.Output {
				if out := docker(nil, "rmi", ref); out.Err != nil {
					return out
				}
				return docker(config, "pull", ref)
			}
		},
		"skopeo": func(t *testing.T, image, ref, login string) (push, pull func() realtest.Output) {
			t.Helper()
			skopeo := func(args ...string) realtest.Output {
				return realtest.Run(t, nil, realtest.Program(t, "skopeo"), append([]string{"copy", "--insecure-policy", "--authfile", login}, args...)...)
			}
			return func() realtest.Output {
					return skopeo("--dest-tls-verify=false", "docker-archive:"+image, "docker://"+ref)
				},
				func() realtest.Output { return skopeo("--src-tls-verify=false", "docker://"+ref, "dir:"+t.TempDir()) }
		},
		"crane": func(t *testing.T, image, ref, login string) (push, pull func() realtest.Output) {
			t.Helper()
			crane := func(args ...string) realtest.Output {
				return realtest.Run(t, []string{"DOCKER_CONFIG=" + filepath.Dir(login)}, realtest.Program(t, "crane"), args...)
			}
			return func() realtest.Output { return crane("push", image, ref) }, func() realtest.Output { return crane("pull", ref, filepath.Join(t.TempDir(), "image.tar")) }
		},
	} {
		t.Run(client, func(t *testing.T) {
			realtest.Program(t, client)
			c, err := provider.Issue(t.Context(), p, provider.Request{Project: client, Access: provider.Push})
			require.NoError(t, err)
			dir := t.TempDir()
			image, login, ref := filepath.Join(dir, "image.tar"), filepath.Join(dir, "config.json"), c.Target.String()+":v1"
			layers, err := random.Image(1<<20, 7)
			require.NoError(t, err)
			tag, err := name.NewTag(ref)
			require.NoError(t, err)
			require.NoError(t, tarball.WriteToFile(image, tag, layers))
			auth := base64.StdEncoding.EncodeToString([]byte(c.Username + ":" + c.Password.Reveal()))
			require.NoError(t, os.WriteFile(login, fmt.Appendf(nil, `{"auths":{%q:{"auth":%q}}}`, address, auth), 0o600))
			push, pull := program(t, image, ref, login)
			for _, step := range []struct {
				name string
				do   func() realtest.Output
			}{{"push", push}, {"pull", pull}} {
				a.take()
				start := time.Now()
				out := step.do()
				require.NoError(t, out.Err, out.Text)
				n, total := a.take()
				t.Logf("%s %s: %d requests and %v at /token, of %v", client, step.name, n, total.Round(10*time.Microsecond), time.Since(start).Round(time.Millisecond))
				require.Positive(t, n)
				require.LessOrEqual(t, n, 20)
			}
		})
	}
}

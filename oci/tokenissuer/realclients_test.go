package tokenissuer_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// Each client that people use, with each registry: it logs in, pushes and pulls its project with a grant, and is refused another's, of which its user reads why; it
// pushes twenty layers while keys are rotated; it builds on a shared image that it can't push to.
func TestRealClients(t *testing.T) {
	t.Parallel()
	for name, p := range programs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newClient := p.start(t)
			for registry, path := range realtest.TokenRegistries {
				t.Run(registry, func(t *testing.T) {
					realtest.Program(t, path)
					s := newSigning(t)
					f := newFront(t, path, s)
					c := newClient(t, f.address)
					t.Run("one project", func(t *testing.T) { testOneProject(t, p, c, f, s) })
					t.Run("rotation", func(t *testing.T) { testRotation(t, p, c, f, s) })
					t.Run("shared base", func(t *testing.T) { testSharedBase(t, p, c, f, s) })
				})
			}
		})
	}
}

func testOneProject(t *testing.T, p program, c client, f *front, s signing) {
	issuer := newProvider(t, f.config(), s)
	f.serve(issuer)
	hello, other := grantFor(t, issuer, push("hello")), grantFor(t, issuer, push("other"))
	if p.checksLogin {
		out := c.login(t, hello+"x")
		require.Error(t, out.Err, "a login with what is no credential")
		require.NotContains(t, out.Text, hello)
		t.Logf("login: %s", out.Text)
	}
	must(t, c.login(t, hello))
	must(t, c.push(t, f.ref("hello"), 3, 1024))
	require.NotEmpty(t, f.has(t, f.ref("hello"), hello))
	must(t, c.pull(t, f.ref("hello")))

	out := c.push(t, f.ref("other"), 1, 1024)
	require.Error(t, out.Err)
	require.Contains(t, out.Text, p.shows)
	t.Logf("push: %s", out.Text)
	require.Empty(t, f.has(t, f.ref("other"), other))

	require.NoError(t, f.push(t, f.ref("other"), other))
	out = c.pull(t, f.ref("other"))
	require.Error(t, out.Err)
	require.Contains(t, out.Text, p.shows)
	t.Logf("pull: %s", out.Text)

	before := f.has(t, f.ref("hello"), hello)
	must(t, c.login(t, grantFor(t, issuer, provider.Request{Project: "hello", Access: provider.Pull})))
	must(t, c.pull(t, f.ref("hello")))
	out = c.push(t, f.ref("hello"), 1, 1024)
	require.Error(t, out.Err, "with what is for pulling alone")
	require.Contains(t, out.Text, p.pullerShows)
	require.Equal(t, before, f.has(t, f.ref("hello"), hello))

	must(t, c.login(t, hello))
	f.serveWhile(func(context.Context, tokenissuer.Question) error { return &provider.Error{Kind: provider.ErrConflict} }, issuer)
	out = c.push(t, f.ref("hello"), 1, 1024)
	require.Error(t, out.Err)
	require.Contains(t, out.Text, p.suspendedShows)
	t.Logf("push when suspended: %s", out.Text)
}

// testRotation pushes while two replicas get a new key, one after the other: first all know it, then it signs.
func testRotation(t *testing.T, p program, c client, f *front, s signing) {
	r := newRotation(t, f.config(), s)
	f.serve(r.old, r.old)
	must(t, c.login(t, grantFor(t, r.old, push("hello"))))
	layers := 20
	if p.oneLayer {
		layers = 1
	}
	every, before := max(1, layers/2), f.asked.count()
	var mu sync.Mutex
	left := r.steps()
	f.atWrites(func(n int) {
		mu.Lock()
		defer mu.Unlock()
		if n%every == 0 && len(left) > 0 {
			f.serve(left[0][:]...)
			left = left[1:]
		}
	})
	must(t, c.push(t, f.ref("hello"), layers, 1024))
	f.atWrites(func(int) {})
	mu.Lock()
	require.Empty(t, left, "all of it happened meanwhile")
	mu.Unlock()
	require.Greater(t, f.asked.count(), before)
	must(t, c.pull(t, f.ref("hello")))
}

// testSharedBase builds on an image of a shared repository with the project's own credential.
func testSharedBase(t *testing.T, p program, c client, f *front, s signing) {
	config := f.config()
	config.Namespace = ""
	operator := newProvider(t, config, s) // another service, whose project that repository is
	config = f.config()
	config.SharedRepositories = []string{"base"}
	issuer := newProvider(t, config, s)
	base := f.address + "/base:1.0.0"
	f.serve(operator)
	operators := grantFor(t, operator, push("base"))
	require.NoError(t, f.push(t, base, operators))

	f.serve(issuer)
	require.Empty(t, f.has(t, base, operators), "another service's grant")
	require.Empty(t, f.has(t, base, ""), "nobody's")
	grant := grantFor(t, issuer, push("hello"))
	must(t, c.login(t, grant))
	if !p.oneLayer { // helm pulls charts alone
		must(t, c.pull(t, base))
	}
	if c.build != nil {
		must(t, c.build(t, base, f.ref("hello")))
		require.NotEmpty(t, f.has(t, f.ref("hello"), grant))
	}
	before := f.has(t, base, grant)
	require.NotEmpty(t, before)
	out := c.push(t, base, 1, 1024)
	require.Error(t, out.Err)
	require.Contains(t, out.Text, p.pullerShows)
	require.Equal(t, before, f.has(t, base, grant))
}

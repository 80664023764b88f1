package tokenissuer_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
)

// rotation are replicas by how far they are with a new key: they don't know it, know it, sign with it, and have forgotten the old one.
type rotation struct{ old, added, used, dropped *tokenissuer.Provider }

func newRotation(t *testing.T, c tokenissuer.Config, s signing) rotation {
	t.Helper()
	next := s.next(t)
	replica := func(keys, certificate []byte) *tokenissuer.Provider {
		return newProvider(t, c, signing{key: keys, certificatePEM: certificate})
	}
	both := slices.Concat(s.key, next.key)
	return rotation{
		old: replica(s.key, s.certificatePEM), added: replica(both, s.certificatePEM),
		used: replica(both, next.certificatePEM), dropped: replica(next.key, next.certificatePEM),
	}
}

// steps are those of two replicas until the new key is in use; their files never change at once.
func (r rotation) steps() [][2]*tokenissuer.Provider {
	return [][2]*tokenissuer.Provider{{r.added, r.old}, {r.added, r.added}, {r.used, r.added}, {r.used, r.used}}
}

// What a replica hands out at any step of a rotation, the other takes at that step and all do at those that follow, and so do the registries with the tokens
// of each; until the old key is dropped, a session later.
func TestRotation(t *testing.T) {
	t.Parallel()
	for name, program := range realtest.TokenRegistries {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			realtest.Program(t, program)
			s := newSigning(t)
			f := newFront(t, program, s)
			r := newRotation(t, f.config(), s)
			steps := slices.Insert(r.steps(), 0, [2]*tokenissuer.Provider{r.old, r.old})
			var grants []string
			for _, step := range steps {
				for _, replica := range step {
					grants = append(grants, grantFor(t, replica, push("hello")))
				}
				for _, replica := range step {
					f.serve(replica)
					for _, grant := range grants {
						require.NoError(t, f.mayPush(t, f.ref("hello"), grant))
					}
				}
			}
			for _, step := range [][2]*tokenissuer.Provider{{r.dropped, r.used}, {r.dropped, r.dropped}} {
				for _, replica := range step {
					f.serve(replica)
					for _, by := range step {
						require.NoError(t, f.mayPush(t, f.ref("hello"), grantFor(t, by, push("hello"))))
					}
				}
			}
			var refused *transport.Error
			require.ErrorAs(t, f.mayPush(t, f.ref("hello"), grants[0]), &refused)
			require.Equal(t, http.StatusUnauthorized, refused.StatusCode)
			require.Equal(t, "/token", refused.Request.URL.Path)
		})
	}
}

package customprovider_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/customprovider"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/providertest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	providertest.Run(t, func(t *testing.T) providertest.Harness {
		t.Helper()
		key := provider.NewSecret("0123456789abcdef0123456789abcdef")
		server := httptest.NewServer(newGate(key))
		t.Cleanup(server.Close)
		b := customprovider.Builder()
		section := b.NewConfig().(*customprovider.Config)
		section.Host, section.Key = strings.TrimPrefix(server.URL, "http://"), key
		p, err := b.Build(t.Context(), section)
		require.NoError(t, err)
		return providertest.Harness{
			Provider: p,
			Type:     "signed-login",
			Secrets:  func() []string { return []string{key.Reveal()} },
			Expiry:   func(c provider.Credentials) time.Time { return gateExpiry(t, c.Username) },
			Cannot: map[providertest.Ability]string{
				providertest.AllProjects: "logins are for one project",
				providertest.ProjectIDs:  "logins are for a name, whoever has it",
				providertest.Suspension:  "logins work until they end",
				providertest.Upstream:    "logins are signed here, nothing is called",
			},
		}
	})
}

// gateExpiry is when the gate stops taking a user name, as [customprovider.Check] reads it.
func gateExpiry(t *testing.T, username string) time.Time {
	t.Helper()
	seconds, err := strconv.ParseInt(username[strings.LastIndexByte(username, '.')+1:], 10, 64)
	require.NoError(t, err)
	return time.Unix(seconds, 0)
}

// gate lets signed logins at the images of their project, each project with a registry of its own.
type gate struct {
	key    provider.Secret
	mu     sync.Mutex
	images map[string]http.Handler
}

func newGate(key provider.Secret) *gate { return &gate{key: key, images: map[string]http.Handler{}} }

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	username, password, _ := r.BasicAuth()
	project, access, ok := customprovider.Check(g.key, username, password, time.Now())
	if !ok {
		w.Header().Set("WWW-Authenticate", `Basic realm="gate"`)
		http.Error(w, "unauthorized", http.StatusUnauthorized)
		return
	}
	need := provider.Push
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		need = provider.Pull
	}
	path := strings.TrimPrefix(r.URL.Path, "/v2/")
	if path != "" && (!strings.HasPrefix(path, project+"/") || !access.Includes(need)) {
		http.Error(w, "denied", http.StatusForbidden)
		return
	}
	g.mu.Lock()
	images := g.images[project]
	if images == nil {
		images = registry.New(registry.Logger(log.New(io.Discard, "", 0)))
		g.images[project] = images
	}
	g.mu.Unlock()
	images.ServeHTTP(w, r)
}

package tokenkeys_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/tokenkeys"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// replica is one that has read a directory's files as they are now.
type replica struct {
	*tokenissuer.Provider
	token http.Handler
	grant provider.Credentials
}

func newReplica(t *testing.T, d tokenkeys.Dir, address string) replica {
	t.Helper()
	p, err := tokenissuer.New(tokenissuer.Config{RegistryURL: address, Namespace: "rise-apps"},
		tokenissuer.WithKeys(file(t, d, "tls.key"), file(t, d, "tls.crt")), tokenissuer.WithLogger(slog.New(slog.DiscardHandler)))
	require.NoError(t, err)
	c, err := provider.Issue(t.Context(), p, provider.Request{Project: "hello", Access: provider.Push, Caller: "alice"})
	require.NoError(t, err)
	good := func(context.Context, tokenissuer.Question) error { return nil }
	return replica{p, p.Handler(good, nil, tokenissuer.WithAudit(func(context.Context, tokenissuer.Exchange) error { return nil })), c}
}

// exchange gets a registry's token for a grant, empty if it is refused.
func (r replica) exchange(t *testing.T, grant provider.Credentials, address string) string {
	t.Helper()
	q := httptest.NewRequest(http.MethodGet, "/token?"+url.Values{"service": {address}, "scope": {"repository:rise-apps/hello:pull,push"}}.Encode(), nil)
	q.SetBasicAuth(grant.Username, grant.Password.Reveal())
	w := httptest.NewRecorder()
	r.token.ServeHTTP(w, q)
	if w.Code == http.StatusUnauthorized {
		return ""
	}
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	var answer struct{ Token string }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
	return answer.Token
}

// status is what a registry answers to one who begins an upload with a token.
func status(t *testing.T, address, token string) int {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/v2/rise-apps/hello/blobs/uploads/", nil)
	require.NoError(t, err)
	q.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(q)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	return answer.StatusCode
}

// A registry that is never restarted takes what is signed before and after each step, whichever replica has its files already; and each replica
// takes the other's grants. A new authority it doesn't know.
func TestRealRegistry(t *testing.T) {
	t.Parallel()
	realtest.Program(t, "docker-registry")
	const session = time.Hour
	address, d := realtest.FreeAddress(t), made(t)
	var serving atomic.Pointer[replica]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serving.Load().token.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	realm := strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/token" // another loopback address gets no login from go-containerregistry
	realtest.TokenRegistry(t, address, realm, address, "rise", file(t, d, "ca.crt"))
	push := func(r replica) {
		t.Helper()
		serving.Store(&r)
		image, err := random.Image(512, 1)
		require.NoError(t, err)
		tag, err := name.NewTag(address + "/rise-apps/hello:v1")
		require.NoError(t, err)
		auth, err := r.grant.Authenticator()
		require.NoError(t, err)
		require.NoError(t, remote.Write(tag, image, remote.WithAuth(auth)))
	}

	old := newReplica(t, d, address)
	push(old)
	token := old.exchange(t, old.grant, address)
	for _, step := range []struct {
		name string
		do   func() (tokenkeys.Keys, error)
	}{
		{"add", d.Add}, {"use", d.Use}, {"drop", func() (tokenkeys.Keys, error) { return d.Drop(session) }},
		{"all", func() (tokenkeys.Keys, error) { return d.Rotate(session) }},
	} {
		if step.name == "all" { // for one replica, so the other isn't there
			old = newReplica(t, d, address)
		}
		before := old
		_, err := step.do()
		require.NoError(t, err, step.name)
		updated := newReplica(t, d, address)
		require.Equal(t, http.StatusAccepted, status(t, address, token), "%s: a token of before", step.name)
		for _, one := range []struct {
			what     string
			by       replica
			of       replica
			together bool
		}{
			{"itself", updated, updated, true}, {"grants of before", updated, before, true}, {"grants of who is ahead", before, updated, step.name != "all"},
		} {
			got := one.by.exchange(t, one.of.grant, address)
			if !one.together {
				require.Empty(t, got, "that is why it is for one replica")
				continue
			}
			require.NotEmpty(t, got, "%s: %s", step.name, one.what)
			require.Equal(t, http.StatusAccepted, status(t, address, got), "%s: %s", step.name, one.what)
			token = got
		}
		push(updated)
		old = updated
		age(t, d, 2*session)
	}

	next := made(t)
	other := newReplica(t, next, address)
	require.Equal(t, http.StatusUnauthorized, status(t, address, other.exchange(t, other.grant, address)), "another authority")
	require.Empty(t, old.exchange(t, other.grant, address))

	// What a change of authority goes through: a registry that has both.
	both := realtest.FreeAddress(t)
	realtest.TokenRegistry(t, both, realm, address, "rise", append(file(t, d, "ca.crt"), file(t, next, "ca.crt")...))
	for _, r := range []replica{old, other} {
		require.Equal(t, http.StatusAccepted, status(t, both, r.exchange(t, r.grant, address)))
	}
}

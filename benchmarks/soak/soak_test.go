package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
)

// world is clients before a replica that answers what a test says.
type world struct {
	*clients
	replica *replica
	status  int
	answer  answer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{status: http.StatusOK}
	s := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		if w.status == 0 {
			panic(http.ErrAbortHandler)
		}
		rw.WriteHeader(w.status)
		_ = json.NewEncoder(rw).Encode(w.answer)
	}))
	t.Cleanup(s.Close)
	f := &fleet{aws: ecrtest.NewServer(ecrtest.Config{}), tls: s.Client().Transport.(*http.Transport).TLSClientConfig}
	t.Cleanup(f.aws.Close)
	d := f.aws.Setup(ecrtest.SetupOptions{})
	for team := range teams {
		f.projects[team] = []string{project(team, 0), project(team, 1)}
		for _, name := range f.projects[team] {
			f.aws.CreateRepository(d.Repository(name))
		}
	}
	w.replica = &replica{name: "it", address: s.Listener.Addr().String()}
	w.replica.up.Store(true)
	for range replicas {
		f.replicas = append(f.replicas, w.replica)
	}
	w.clients = newClients(f, newLedger(&bytes.Buffer{}), 1)
	return w
}

func (w *world) gives(name, password string, life time.Duration) {
	w.status = http.StatusOK
	w.answer.Credentials.URL, w.answer.Credentials.Username = "registry.example.com/rise/"+name, "AWS"
	w.answer.Credentials.Password, w.answer.Credentials.Seconds = password, int(life/time.Second)
}

// What must not be is seen when it is.
func TestClientsSee(t *testing.T) {
	t.Parallel()
	name := project(3, 1)
	kept := func(w *world) {
		w.gives(name, "one", tokenLife)
		_, _ = w.once(3, name)
		w.status = http.StatusServiceUnavailable
	}
	for what, c := range map[string]struct {
		do   func(w *world)
		seen []string
		not  []string
	}{
		"a credential that opens nothing": {func(w *world) { w.gives(name, "one", tokenLife); _, _ = w.once(3, name) }, []string{unusable, answered, distinct}, []string{mixedUp}},
		"another project's":               {func(w *world) { w.gives(project(3, 0), "one", tokenLife); _, _ = w.once(3, name) }, []string{mixedUp}, nil},
		"the password of another's": {func(w *world) {
			w.gives(project(3, 0), "one", tokenLife)
			_, _ = w.once(3, project(3, 0))
			w.gives(name, "one", tokenLife)
			_, _ = w.once(3, name)
		}, []string{mixedUp}, nil},
		"a stranger is served":           {func(w *world) { w.gives(project(4, 0), "one", tokenLife); w.askForOthers(3) }, []string{strangers}, nil},
		"refused while one is kept":      {func(w *world) { kept(w); _, _ = w.once(3, name) }, []string{refusedKept}, []string{unavailable}},
		"refused with nothing kept":      {func(w *world) { w.status = http.StatusServiceUnavailable; _, _ = w.once(3, name) }, []string{unavailable}, []string{refusedKept}},
		"refused without an audit log":   {func(w *world) { kept(w); w.replica.unaudited.Add(1); _, _ = w.once(3, name) }, []string{stalled}, []string{refusedKept}},
		"refused after the audit failed": {func(w *world) { kept(w); w.replica.unaudited.Add(2); _, _ = w.once(3, name) }, []string{refusedKept}, []string{stalled}},
		"refused by another process":     {func(w *world) { kept(w); w.replica.generation.Add(2); _, _ = w.once(3, name) }, []string{unavailable}, []string{refusedKept}},
		"refused when it has ended": {func(w *world) {
			w.gives(name, "one", leastLife)
			_, _ = w.once(3, name)
			w.status = http.StatusServiceUnavailable
			_, _ = w.once(3, name)
		}, []string{unavailable}, []string{refusedKept}},
		"cut":                   {func(w *world) { w.status = 0; _, _ = w.once(3, name) }, []string{cut, cutKept}, nil},
		"cut by one that ended": {func(w *world) { w.status = 0; w.replica.generation.Add(1); _, _ = w.once(3, name) }, []string{cut}, []string{cutKept}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c.do(w)
			for _, one := range c.seen {
				require.NotZero(t, w.found.of(one), one)
			}
			for _, one := range c.not {
				require.Zero(t, w.found.of(one), one)
			}
		})
	}
}

// A credential that arrived is held against the records of all replicas.
func TestUnrecorded(t *testing.T) {
	t.Parallel()
	s, err := newShipper(filepath.Join(t.TempDir(), "audit"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.pipe.Close() })
	c := &clients{fleet: &fleet{replicas: []*replica{{audit: s}}}, arrived: map[string]int{"a": 2, "b": 1}}
	s.gate.Lock()
	_, err = fmt.Fprintln(s.pipe, strings.Join([]string{
		`{"msg":"registry credentials","outcome":"issued","project":"a"}`, `{"msg":"registry credentials","outcome":"denied","project":"a"}`,
		`{"msg":"registry credentials","outcome":"issued","project":"b"}`, `{"msg":"regis`,
	}, "\n"))
	require.NoError(t, err)
	require.Equal(t, 3, c.unrecorded())
	s.gate.Unlock()
	require.Eventually(t, func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.bad == 1 }, time.Minute, time.Millisecond)
	require.Equal(t, 1, c.unrecorded())
}

func TestBack(t *testing.T) {
	t.Parallel()
	before := figures{30, 20, 5 << 20}
	require.True(t, before.back(before))
	require.False(t, figures{100, 20, 5 << 20}.back(before))
	require.False(t, figures{30, 60, 5 << 20}.back(before))
	require.False(t, figures{30, 20, 8 << 20}.back(before))
}

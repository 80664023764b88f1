package clustertest_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const endpointToken = "the-token-of-the-controller"

// The whole life of an installation, with all that breaks in it. A witness sees every version of every secret.
func TestCluster(t *testing.T) {
	t.Parallel()
	n, life, long := 50, 40*time.Second, os.Getenv("RISE_TEST_LONG") != ""
	if long {
		n, life = 500, 4*time.Minute
	}
	s := startCluster(t)
	path, err := program()
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Less(t, info.Size(), int64(20_000_000), "one small static binary")

	names := make([]string, n)
	var making sync.WaitGroup
	for i := range names {
		names[i] = fmt.Sprintf("tenant-%03d", i)
		making.Go(func() { s.namespace(names[i], project(i)) })
		if i%20 == 19 {
			making.Wait()
		}
	}
	making.Wait()
	s.namespace("unmapped", "")
	s.namespace("foreign", "foreign")
	theirs := s.foreign("foreign")

	e := startEndpoint(t, endpointToken, life)
	w := newWitness(t, s)
	kubeconfig, apiToken := s.kubeconfig()
	tokenFile := s.write("endpoint-token", endpointToken+"\n")
	r := &replicas{t: t, dir: s.dir, args: []string{
		"--endpoint", e.URL, "--token-file", tokenFile, "--installation", "test", "--mapping-label", "--kubeconfig", kubeconfig, "--namespace", "rise-system",
		"--lease-duration", "3s", "--timeout", "20s", "--log-format", "text",
	}}
	everybody := func() bool {
		for i, name := range names {
			if w.holds(name) != project(i) {
				return false
			}
		}
		return true
	}

	// Two replicas, of which one works.
	made := time.Now()
	a, b := r.start(), r.start()
	eventually(t, "everybody has their project's secret", time.Minute, everybody)
	require.True(t, a.leads() != b.leads(), "one of them leads")
	eventually(t, "the secret that isn't ours is reported", 20*time.Second, func() bool { return s.told("foreign", "NotOurs") })
	require.Equal(t, n, int(e.asked.Load()), "each was asked for once")
	t.Logf("%d secrets, %d writes", n, w.writes())

	// Each is killed in turn. Nothing is renewed by that.
	for i := range 2 {
		first, second := leader(a, b), b
		require.NotNil(t, first)
		if first == b {
			second = a
		}
		if i == 0 {
			first.kill()
		} else {
			require.Zero(t, first.end(), "SIGTERM is no failure")
		}
		eventually(t, "the other replica leads", 30*time.Second, func() bool { return leader(second) != nil })
		a, b = second, r.start()
	}
	eventually(t, "the last one is there", 30*time.Second, b.ready)
	if time.Since(made) < life/2 { // else the machine was so slow that it was time
		require.Equal(t, n, int(e.asked.Load()), "a restart renews nothing")
	}

	// One is stopped while a credential is on its way to it. When it goes on, another one leads, and it writes nothing.
	arrived, answer := make(chan struct{}), make(chan struct{})
	var held atomic.Bool
	e.on("held", func(http.ResponseWriter) bool {
		if held.CompareAndSwap(false, true) {
			close(arrived)
			<-answer
		}
		return false
	})
	s.namespace("held", "held")
	<-arrived
	stopped := leader(a, b)
	require.NoError(t, stopped.command.Process.Signal(syscall.SIGSTOP))
	eventually(t, "another one writes it", 30*time.Second, func() bool { return w.holds("held") == "held" })
	close(answer)
	require.NoError(t, stopped.command.Process.Signal(syscall.SIGCONT))
	eventually(t, "it sees that it doesn't lead", 30*time.Second, func() bool { return stopped.answers() && !stopped.leads() })
	asked := int(e.asked.Load())

	// Namespaces change their project: while its credential is on the way; to one that can't be had; to none.
	arrived, answer = make(chan struct{}), make(chan struct{})
	e.on("slow", func(http.ResponseWriter) bool {
		close(arrived)
		<-answer
		return false
	})
	s.namespace("moving", "slow")
	<-arrived
	s.label("moving", "other")
	for i := range late + 5 { // so that the witness lets nothing pass
		require.NoError(t, s.patchSecret("foreign", fmt.Sprintf(`{"metadata":{"annotations":{"test/touched":"%d"}}}`, i)))
	}
	close(answer)
	e.on("slow", nil)
	e.on("refused", func(w http.ResponseWriter) bool { return refuse(w, http.StatusNotFound, "not_found") })
	s.label(names[0], "refused")
	s.label(names[1], "")
	s.label(names[2], "Not-A-Project")
	eventually(t, "what was asked for is thrown away", 30*time.Second, func() bool { return w.holds("moving") == "other" })
	eventually(t, "the old project's secret is gone", 30*time.Second, func() bool {
		return w.secret(names[0]) == nil && w.secret(names[1]) == nil && w.secret(names[2]) == nil
	})
	eventually(t, "it is said why", 10*time.Second, func() bool {
		return s.told(names[0], "ProjectRefused") && s.told(names[1], "Removed") && s.told(names[2], "InvalidProject")
	})
	for i := range 3 {
		s.label(names[i], project(i))
	}
	eventually(t, "they come back", 30*time.Second, everybody)

	// Others write at the same time, into it and beside it; one deletes.
	fought := names[3:6]
	before := w.credentials(fought)
	evil := base64.StdEncoding.EncodeToString([]byte(`{"auths":{"registry.example.com":{"username":"evil","password":"evil"}}}`))
	require.NoError(t, s.patchSecret(names[3], `{"data":{".dockerconfigjson":"`+evil+`"}}`))
	require.NoError(t, s.patchSecret(names[4], `{"metadata":{"annotations":{"rise/renew-at":"2099-01-01T00:00:00Z","rise/project":"`+project(5)+`"}}}`))
	require.NoError(t, s.of("Secret", names[5]).Delete(t.Context(), "rise-pull", metav1.DeleteOptions{}))
	eventually(t, "all is as it was", 30*time.Second, func() bool {
		return everybody() && changed(before, w.credentials(fought)) && w.secret(names[4]).Annotations["rise/project"] == project(4)
	})
	stop := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				_ = s.patchSecret(names[i%n], fmt.Sprintf(`{"metadata":{"annotations":{"test/touched":"%d"}}}`, i)) // the API server is away for a while
			}
			time.Sleep(5 * time.Millisecond)
		}
	})

	// The API server goes, and comes back; so does the endpoint, which knows another token then.
	away := time.Now()
	e.down.Store(true)
	s.process.kill()
	s.start()
	e.accept("another-token")
	e.down.Store(false)
	eventually(t, "somebody leads again", time.Minute, func() bool { return leader(a, b) != nil })
	require.NoError(t, os.WriteFile(tokenFile, []byte("another-token"), 0o600))
	w.excuse(time.Since(away) > life/4) // so long an outage leaves no time for what was just about to be renewed
	if long {                           // client-go reads the API server's token again within a minute
		s.endTokens()
		eventually(t, "they are locked out of the API server", time.Minute, func() bool { return leader(a, b) == nil })
		require.NoError(t, os.WriteFile(apiToken, []byte(s.token()), 0o600))
		eventually(t, "somebody leads again", 2*time.Minute, func() bool { return leader(a, b) != nil })
	}

	// Everything is renewed, once.
	before = w.credentials(names)
	eventually(t, "every credential is renewed", life, func() bool { return changed(before, w.credentials(names)) })
	close(stop)
	writing.Wait()
	require.True(t, everybody())
	require.Nil(t, w.secret("unmapped"))
	require.Equal(t, theirs.UID, w.secret("foreign").UID)
	require.Equal(t, theirs.Data, w.secret("foreign").Data)
	require.NotEmpty(t, w.secret(names[6]).Annotations["test/touched"], "what others added stays")
	require.Empty(t, w.problems())
	require.Equal(t, 1, w.wroteBefore("held", asked), "the one that was stopped wrote nothing")
	t.Logf("%d writes for %d answers, of which %d were on their way when a namespace changed", w.writes(), e.asked.Load(), w.raced)

	for _, one := range []*replica{a, b} {
		require.Zero(t, one.end())
	}
	s.noSecrets(t, r)
}

// changed reports whether each has another credential, and none has none.
func changed(before, after []string) bool {
	for i := range after {
		if after[i] == before[i] || after[i] == "" {
			return false
		}
	}
	return true
}

func project(i int) string { return fmt.Sprintf("project-%03d", i/2) } // two namespaces each

// foreign makes a secret of our name that somebody else keeps there.
func (s *apiServer) foreign(namespace string) *corev1.Secret {
	s.t.Helper()
	data := map[string]any{".dockerconfigjson": base64.StdEncoding.EncodeToString([]byte(`{"auths":{}}`))}
	made, err := s.of("Secret", namespace).Create(s.t.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson", "metadata": map[string]any{"name": "rise-pull"}, "data": data,
	}}, metav1.CreateOptions{})
	require.NoError(s.t, err)
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{UID: made.GetUID()}, Data: map[string][]byte{".dockerconfigjson": []byte(`{"auths":{}}`)}}
}

// told reports whether there is an event with this reason.
func (s *apiServer) told(namespace, reason string) bool {
	s.t.Helper()
	list, err := s.of("Event", namespace).List(s.t.Context(), metav1.ListOptions{})
	require.NoError(s.t, err)
	for _, event := range list.Items {
		if is, _, _ := unstructured.NestedString(event.Object, "reason"); is == reason {
			return true
		}
	}
	return false
}

// endTokens ends all tokens of the controller's service account.
func (s *apiServer) endTokens() {
	s.t.Helper()
	accounts := s.of("ServiceAccount", "rise-system")
	require.NoError(s.t, accounts.Delete(s.t.Context(), "pull-secrets", metav1.DeleteOptions{}))
	_, err := accounts.Create(s.t.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ServiceAccount", "metadata": map[string]any{"name": "pull-secrets"},
	}}, metav1.CreateOptions{})
	require.NoError(s.t, err)
}

// noSecrets looks for what is secret where it isn't to be.
func (s *apiServer) noSecrets(t *testing.T, r *replicas) {
	t.Helper()
	text := r.logs()
	list, err := s.of("Event", "").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	events, err := json.Marshal(list)
	require.NoError(t, err)
	text += string(events)
	secrets, err := s.of("Secret", "").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, secret := range secrets.Items {
		metadata, err := json.Marshal(secret.Object["metadata"])
		require.NoError(t, err)
		text += string(metadata)
	}
	for _, one := range r.all {
		text += strings.Join(one.command.Args, " ")
	}
	require.NotEmpty(t, text)
	token, err := os.ReadFile(filepath.Join(s.dir, "token"))
	require.NoError(t, err)
	for _, secret := range []string{"password.", base64.StdEncoding.EncodeToString([]byte("cluster:password"))[:18], endpointToken, "another-token", string(token)} {
		require.NotContains(t, text, secret)
	}
}

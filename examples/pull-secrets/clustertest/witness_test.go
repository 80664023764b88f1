package clustertest_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// late is how many revisions of the whole cluster after a namespace's change a secret may still be written that was on its way: the API has no transaction
// over two objects. The replica asks for the namespace right before.
const late = 20

// witness sees every version of every secret and namespace, and what is wrong with it.
type witness struct {
	t  *testing.T
	mu sync.Mutex

	labels    map[string][]labeled      // of a namespace, in order
	secrets   map[string]*corev1.Secret // by namespace
	held      map[string]map[string]int // by namespace, how often a password was written
	deeds     []deed
	wrong     []string
	raced     int
	mayExpire bool
}

// deed is that a credential was written.
type deed struct {
	namespace, project string
	revision, number   int // number is the answer's
}

type labeled struct {
	revision int
	project  string
}

func newWitness(t *testing.T, s *apiServer) *witness {
	t.Helper()
	w := &witness{t: t, labels: map[string][]labeled{}, secrets: map[string]*corev1.Secret{}, held: map[string]map[string]int{}}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { w.follow(ctx, s, "Namespace", w.sawNamespace) })
	running.Go(func() { w.follow(ctx, s, "Secret", w.sawSecret) })
	running.Go(func() { w.clock(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return w
}

// follow lists and watches, again from the start where the watch breaks.
func (w *witness) follow(ctx context.Context, s *apiServer, kind string, saw func(watch.EventType, *unstructured.Unstructured)) {
	for ctx.Err() == nil {
		list, err := s.of(kind, "").List(ctx, metav1.ListOptions{})
		if err != nil {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		for i := range list.Items {
			saw(watch.Modified, &list.Items[i])
		}
		version := list.GetResourceVersion()
		for {
			events, err := s.of(kind, "").Watch(ctx, metav1.ListOptions{ResourceVersion: version})
			if err != nil {
				break
			}
			broken := false
			for event := range events.ResultChan() {
				object, ok := event.Object.(*unstructured.Unstructured)
				if broken = !ok || event.Type == watch.Error; broken {
					break
				}
				version = object.GetResourceVersion()
				saw(event.Type, object)
			}
			events.Stop()
			if broken {
				break
			}
		}
	}
}

func revision(o metav1.Object) int {
	n, _ := strconv.Atoi(o.GetResourceVersion())
	return n
}

func (w *witness) sawNamespace(_ watch.EventType, o *unstructured.Unstructured) {
	w.mu.Lock()
	defer w.mu.Unlock()
	history := w.labels[o.GetName()]
	if n := len(history); n == 0 || history[n-1].revision < revision(o) {
		w.labels[o.GetName()] = append(history, labeled{revision(o), o.GetLabels()["rise/project"]})
	}
}

func (w *witness) sawSecret(event watch.EventType, o *unstructured.Unstructured) {
	s := &corev1.Secret{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, s); err != nil {
		w.wrongly("%v", err)
		return
	}
	if s.Name != "rise-pull" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.secrets[s.Namespace]
	if event == watch.Deleted {
		delete(w.secrets, s.Namespace)
		return
	}
	if before != nil && before.UID == s.UID && revision(before) >= revision(s) {
		return
	}
	w.secrets[s.Namespace] = s
	c, ok := readCredential(s.Data[corev1.DockerConfigJsonKey])
	if !ok {
		return // a stranger's
	}
	if before != nil && before.UID == s.UID {
		if old, _ := readCredential(before.Data[corev1.DockerConfigJsonKey]); old.text == c.text {
			return // somebody's annotation
		}
	}
	if w.held[s.Namespace] == nil {
		w.held[s.Namespace] = map[string]int{}
	}
	if w.held[s.Namespace][c.text]++; w.held[s.Namespace][c.text] > 1 {
		w.wrong = append(w.wrong, fmt.Sprintf("%s: one credential was written twice", s.Namespace))
	}
	w.deeds = append(w.deeds, deed{s.Namespace, c.project, revision(s), c.number})
}

// judge says whether a namespace may have had a project's credential that was written then. Namespaces come by a watch of their own, perhaps later.
func (w *witness) judge(d deed) string {
	ever, now, since := false, "", 0
	for _, l := range w.labels[d.namespace] {
		ever = ever || l.project == d.project
		if l.revision <= d.revision {
			now, since = l.project, l.revision
		}
	}
	switch {
	case !ever:
		return fmt.Sprintf("%s has a credential of %s, which it never was", d.namespace, d.project)
	case now != d.project && d.revision-since > late:
		return fmt.Sprintf("%s, which is %q since revision %d, got a credential of %s at revision %d", d.namespace, now, since, d.project, d.revision)
	case now != d.project:
		w.raced++
	}
	return ""
}

func (w *witness) wrongly(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}

// clock looks whether a secret is expired.
func (w *witness) clock(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(200 * time.Millisecond):
		}
		w.mu.Lock()
		for namespace, s := range w.secrets {
			c, ok := readCredential(s.Data[corev1.DockerConfigJsonKey])
			if ok && !w.mayExpire && time.Now().After(c.expires) {
				w.wrong = append(w.wrong, fmt.Sprintf("%s: its credential expired at %v", namespace, c.expires))
				w.mayExpire = true // once is enough
			}
		}
		w.mu.Unlock()
	}
}

// excuse has expired credentials not counted any longer.
func (w *witness) excuse(why bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mayExpire = w.mayExpire || why
}

// holds is the project whose credential a namespace has; "" if none.
func (w *witness) holds(namespace string) string {
	c, _ := w.credential(namespace)
	return c.project
}

func (w *witness) credential(namespace string) (credential, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.secrets[namespace]
	if s == nil {
		return credential{}, false
	}
	return readCredential(s.Data[corev1.DockerConfigJsonKey])
}

// credentials are the namespaces'; empty where there is none.
func (w *witness) credentials(namespaces []string) []string {
	all := make([]string, len(namespaces))
	for i, namespace := range namespaces {
		c, _ := w.credential(namespace)
		all[i] = c.text
	}
	return all
}

func (w *witness) secret(namespace string) *corev1.Secret {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.secrets[namespace]
}

func (w *witness) writes() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.deeds)
}

// wroteBefore is how many of the endpoint's first answers were written to a namespace.
func (w *witness) wroteBefore(namespace string, number int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, d := range w.deeds {
		if d.namespace == namespace && d.number <= number {
			n++
		}
	}
	return n
}

// problems is all that was wrong.
func (w *witness) problems() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := append([]string(nil), w.wrong...)
	w.raced = 0
	for _, d := range w.deeds {
		if problem := w.judge(d); problem != "" {
			all = append(all, problem)
		}
	}
	return all
}

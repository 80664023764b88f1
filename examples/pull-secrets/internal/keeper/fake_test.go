package keeper_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"github.com/rise-deploy/rise-registry-go/examples/pull-secrets/internal/keeper"
	"github.com/rise-deploy/rise-registry-go/examples/pull-secrets/internal/mapping"
	"github.com/rise-deploy/rise-registry-go/provider"
)

const installation = "test"

// api is an API server's memory, with the rules of versions.
type api struct {
	mu         sync.Mutex
	version    int
	namespaces map[string]*corev1.Namespace
	secrets    map[string]*corev1.Secret
	watchers   map[*watcher]bool
	past       []happened
	writes     []string                             // what the controller did, as "create shop"
	before     func(operation, namespace string)    // called before a call is looked at, without the lock
	refuse     func(operation string) error         // what a call fails with
	seen       map[string]map[string]bool           // passwords that a namespace ever had
	judge      func(namespace, project string) bool // whether a namespace may have it now
	wrong      []string
}

type happened struct {
	version int
	secret  bool
	watch.Event
}

type watcher struct {
	secrets bool
	events  chan watch.Event
}

func newAPI() *api {
	return &api{
		version: 1, namespaces: map[string]*corev1.Namespace{}, secrets: map[string]*corev1.Secret{}, watchers: map[*watcher]bool{}, seen: map[string]map[string]bool{},
		before: func(string, string) {}, refuse: func(string) error { return nil },
	}
}

func marked(s *corev1.Secret) bool {
	return s.Labels[keeper.LabelManagedBy] == keeper.ManagedBy && s.Labels[keeper.LabelInstallation] == installation
}

// happen tells watchers. Secrets are seen as by a label selector.
func (a *api) happen(kind watch.EventType, object runtime.Object, was *corev1.Secret) {
	s, secret := object.(*corev1.Secret)
	if secret {
		before := was != nil && marked(was)
		switch {
		case kind == watch.Deleted && !before, !marked(s) && !before:
			return
		case !marked(s):
			kind = watch.Deleted
		case kind != watch.Deleted && before:
			kind = watch.Modified
		case kind != watch.Deleted:
			kind = watch.Added
		}
	}
	h := happened{a.version, secret, watch.Event{Type: kind, Object: object.DeepCopyObject()}}
	a.past = append(a.past, h)
	for w := range a.watchers {
		if w.secrets == secret {
			w.events <- watch.Event{Type: kind, Object: object.DeepCopyObject()}
		}
	}
}

// label makes a namespace, or changes its label.
func (a *api) label(namespace, project string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version++
	n, kind := a.namespaces[namespace], watch.Modified
	if n == nil {
		n, kind = &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, UID: types.UID(fmt.Sprint("n", a.version))}}, watch.Added
	}
	n = n.DeepCopy()
	n.Labels = map[string]string{mapping.LabelKey: project}
	if project == "" {
		n.Labels = nil
	}
	n.ResourceVersion = strconv.Itoa(a.version)
	a.namespaces[namespace] = n
	a.happen(kind, n, nil)
}

// store puts a secret there, whoever writes it.
func (a *api) store(s *corev1.Secret) *corev1.Secret {
	a.version++
	s = s.DeepCopy()
	was := a.secrets[s.Namespace]
	if was == nil {
		s.UID = types.UID(fmt.Sprint("s", a.version))
	}
	s.ResourceVersion = strconv.Itoa(a.version)
	a.secrets[s.Namespace] = s
	a.happen(watch.Modified, s, was)
	return s.DeepCopy()
}

// edit changes a secret as somebody else does.
func (a *api) edit(namespace string, change func(*corev1.Secret)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "rise-pull", Namespace: namespace}, Type: corev1.SecretTypeDockerConfigJson}
	if is := a.secrets[namespace]; is != nil {
		s = is.DeepCopy()
	}
	change(s)
	a.store(s)
}

func (a *api) delete(namespace string) {
	a.version++
	s := a.secrets[namespace]
	if len(s.Finalizers) > 0 {
		s = s.DeepCopy()
		s.DeletionTimestamp = &metav1.Time{Time: time.Now()}
		a.store(s)
		return
	}
	delete(a.secrets, namespace)
	s = s.DeepCopy()
	s.ResourceVersion = strconv.Itoa(a.version)
	a.happen(watch.Deleted, s, s)
}

func (a *api) remove(namespace string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.delete(namespace)
}

func (a *api) secret(namespace string) *corev1.Secret {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.secrets[namespace].DeepCopy()
}

// done is what the controller wrote since it was last asked.
func (a *api) done() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	done := a.writes
	a.writes = nil
	return done
}

var resource = schema.GroupResource{Resource: "secrets"}

type listWatch struct {
	api     *api
	secrets bool
}

// IsWatchListSemanticsUnSupported has client-go list before it watches.
func (l listWatch) IsWatchListSemanticsUnSupported() bool { return true }

func (l listWatch) List(metav1.ListOptions) (runtime.Object, error) {
	l.api.mu.Lock()
	defer l.api.mu.Unlock()
	meta := metav1.ListMeta{ResourceVersion: strconv.Itoa(l.api.version)}
	if !l.secrets {
		list := &corev1.NamespaceList{ListMeta: meta}
		for _, n := range l.api.namespaces {
			list.Items = append(list.Items, *n.DeepCopy())
		}
		return list, nil
	}
	list := &corev1.SecretList{ListMeta: meta}
	for _, s := range l.api.secrets {
		if marked(s) {
			list.Items = append(list.Items, *s.DeepCopy())
		}
	}
	return list, nil
}

func (l listWatch) Watch(options metav1.ListOptions) (watch.Interface, error) {
	l.api.mu.Lock()
	defer l.api.mu.Unlock()
	since, _ := strconv.Atoi(options.ResourceVersion)
	w := &watcher{l.secrets, make(chan watch.Event, 10000)}
	for _, h := range l.api.past {
		if h.secret == l.secrets && h.version > since {
			w.events <- watch.Event{Type: h.Type, Object: h.Object.DeepCopyObject()}
		}
	}
	l.api.watchers[w] = true
	return watching{l.api, w}, nil
}

type watching struct {
	api *api
	*watcher
}

func (w watching) ResultChan() <-chan watch.Event { return w.events }

func (w watching) Stop() {
	w.api.mu.Lock()
	defer w.api.mu.Unlock()
	delete(w.api.watchers, w.watcher)
}

func (a *api) Namespaces() cache.ListerWatcher { return listWatch{a, false} }
func (a *api) Secrets() cache.ListerWatcher    { return listWatch{a, true} }

// call begins a call to the API server; whoever calls unlocks.
func (a *api) call(ctx context.Context, operation, namespace string) error {
	a.mu.Lock()
	before := a.before
	a.mu.Unlock()
	before(operation, namespace)
	a.mu.Lock()
	if err := ctx.Err(); err != nil {
		return err
	}
	return a.refuse(operation)
}

func (a *api) Namespace(ctx context.Context, namespace string) (*corev1.Namespace, error) {
	defer a.mu.Unlock()
	if err := a.call(ctx, "get namespace", namespace); err != nil {
		return nil, err
	}
	n := a.namespaces[namespace]
	if n == nil {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, namespace)
	}
	return n.DeepCopy(), nil
}

func (a *api) Named(ctx context.Context, namespace string) (*metav1.PartialObjectMetadata, error) {
	defer a.mu.Unlock()
	if err := a.call(ctx, "list named", namespace); err != nil {
		return nil, err
	}
	s := a.secrets[namespace]
	if s == nil {
		return nil, nil
	}
	return &metav1.PartialObjectMetadata{ObjectMeta: *s.ObjectMeta.DeepCopy()}, nil
}

func (a *api) wrote(operation string, s *corev1.Secret) {
	a.writes = append(a.writes, operation+" "+s.Namespace)
	if a.judge != nil && !a.judge(s.Namespace, s.Annotations[keeper.AnnotationProject]) {
		a.wrong = append(a.wrong, s.Namespace+" got "+s.Annotations[keeper.AnnotationProject])
	}
}

func (a *api) Create(ctx context.Context, s *corev1.Secret) (*corev1.Secret, error) {
	defer a.mu.Unlock()
	if err := a.call(ctx, "create", s.Namespace); err != nil {
		return nil, err
	}
	if a.secrets[s.Namespace] != nil {
		return nil, apierrors.NewAlreadyExists(resource, s.Name)
	}
	a.wrote("create", s)
	return a.store(s), nil
}

func (a *api) Update(ctx context.Context, s *corev1.Secret) (*corev1.Secret, error) {
	defer a.mu.Unlock()
	if err := a.call(ctx, "update", s.Namespace); err != nil {
		return nil, err
	}
	is := a.secrets[s.Namespace]
	switch {
	case is == nil:
		return nil, apierrors.NewNotFound(resource, s.Name)
	case is.ResourceVersion != s.ResourceVersion || is.UID != s.UID:
		return nil, apierrors.NewConflict(resource, s.Name, fmt.Errorf("it changed"))
	case is.Type != s.Type || is.Immutable != nil && *is.Immutable:
		return nil, apierrors.NewInvalid(schema.GroupKind{Kind: "Secret"}, s.Name, nil)
	}
	a.wrote("update", s)
	s = s.DeepCopy()
	s.DeletionTimestamp = is.DeletionTimestamp
	return a.store(s), nil
}

func (a *api) Delete(ctx context.Context, namespace string, uid types.UID, version string) error {
	defer a.mu.Unlock()
	if err := a.call(ctx, "delete", namespace); err != nil {
		return err
	}
	is := a.secrets[namespace]
	switch {
	case is == nil:
		return apierrors.NewNotFound(resource, "rise-pull")
	case is.UID != uid || is.ResourceVersion != version:
		return apierrors.NewConflict(resource, "rise-pull", fmt.Errorf("it changed"))
	}
	a.writes = append(a.writes, "delete "+namespace)
	a.delete(namespace)
	return nil
}

// source is an endpoint.
type source struct {
	mu     sync.Mutex
	life   time.Duration
	asked  []string
	answer func(ctx context.Context, project string) error
	same   bool // it gives the credential that it gave
	first  time.Time
}

func (s *source) Forget(string) {}

func (s *source) Credentials(ctx context.Context, project string, access provider.Access) (provider.Credentials, error) {
	s.mu.Lock()
	s.asked = append(s.asked, project)
	answer, n := s.answer, len(s.asked)
	s.mu.Unlock()
	if answer != nil {
		if err := answer(ctx, project); err != nil {
			return provider.Credentials{}, err
		}
	}
	target, err := name.NewRepository("registry.example.com/rise/" + project)
	if err != nil {
		return provider.Credentials{}, err
	}
	c := provider.Credentials{Target: target, Access: access, Method: provider.LoginCredentials, Username: "cluster", Password: provider.NewSecret(fmt.Sprintf("s3cr3t-%s-%d", project, n))}
	if s.life > 0 {
		c.ExpiresAt = time.Now().Add(s.life)
	}
	if s.same {
		if s.first.IsZero() {
			s.first = time.Now()
		}
		c.Password, c.ExpiresAt = provider.NewSecret("s3cr3t-"+project), s.first.Add(s.life)
	}
	return c, nil
}

func (s *source) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

func (s *source) fail(err error) { s.answers(func(context.Context, string) error { return err }) }

func (s *source) answers(do func(ctx context.Context, project string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = do
}

func (s *source) well() { s.answers(nil) }

// events is what was said, by reason.
type events struct {
	mu   sync.Mutex
	said []string
}

func (e *events) Say(namespace, kind, reason, message string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.said = append(e.said, fmt.Sprintf("%s %s %s: %s", namespace, kind, reason, message))
}

func (e *events) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.said...)
}

// world is all of it, in a bubble.
type world struct {
	*api
	t        *testing.T
	source   keeper.Source
	endpoint *source
	events   *events
	logs     *buffer
	metrics  *prometheus.Registry
	count    *keeper.Metrics
	check    func() error
	keeper   *keeper.Keeper
	stop     func()
}

type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// in runs a test with a world, whose controller isn't running yet.
func in(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{api: newAPI(), t: t, endpoint: &source{life: time.Hour}, events: &events{}, logs: &buffer{}, metrics: prometheus.NewRegistry(), check: func() error { return nil }}
		w.source, w.count = w.endpoint, keeper.NewMetrics(w.metrics)
		test(w)
		if w.stop != nil {
			w.stop()
		}
		require.Empty(t, w.wrong)
		for _, text := range append(w.events.all(), w.logs.String()) {
			require.NotContains(t, text, "s3cr3t", "a secret is told")
		}
	})
}

// start starts a controller, as a leader does.
func (w *world) start() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	w.keeper = keeper.New(keeper.Config{
		API: w.api, Source: w.source, Mapping: mapping.Label{}, Events: w.events, Metrics: w.count, Log: slog.New(slog.NewTextHandler(w.logs, nil)),
		Secret: "rise-pull", Installation: installation, Workers: 4, Patience: 45 * time.Second,
	})
	ended := make(chan error)
	go func() { ended <- w.keeper.Run(ctx, w.check) }()
	w.stop = func() {
		cancel()
		require.NoError(w.t, <-ended)
		w.stop = nil
	}
	w.settle()
}

// meanwhile has do called before each of the controller's calls.
func (a *api) meanwhile(do func(operation, namespace string)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.before = do
}

// settle lets what is due at once be done.
func (w *world) settle() {
	time.Sleep(100 * time.Millisecond) // the bubble's clock
	synctest.Wait()
}

func (w *world) pass(d time.Duration) {
	time.Sleep(d)
	w.settle()
}

// value is a metric's, by name and labels' values.
func (w *world) value(name string, labels ...string) float64 {
	w.t.Helper()
	families, err := w.metrics.Gather()
	require.NoError(w.t, err)
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(w.keeper)
	own, err := r.Gather()
	require.NoError(w.t, err)
	for _, f := range append(families, own...) {
		for _, m := range f.GetMetric() {
			values := map[string]bool{}
			for _, l := range m.GetLabel() {
				values[l.GetValue()] = true
			}
			wanted := map[string]bool{}
			for _, l := range labels {
				wanted[l] = true
			}
			if f.GetName() == name && maps.Equal(values, wanted) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return -1
}

// project is whose credential a namespace has, by its content.
func (w *world) project(namespace string) string {
	s := w.secret(namespace)
	if s == nil {
		return ""
	}
	for _, project := range []string{"shop", "blog", "other"} {
		if bytes.Contains(s.Data[corev1.DockerConfigJsonKey], []byte("s3cr3t-"+project)) {
			return project
		}
	}
	return "?"
}

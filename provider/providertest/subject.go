package providertest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// projects are names that a sloppy match confuses: prefixes and suffixes of each other.
func projects() []string { return []string{"a", "ab", "a-b", "b"} }

// A subject is what one subtest tests, and how it does that.
type subject struct {
	*testing.T
	Harness
	newHarness func(*testing.T) Harness
	created    map[string]bool
}

func newSubject(t *testing.T, newHarness func(*testing.T) Harness) *subject {
	t.Helper()
	h := newHarness(t)
	if err := h.check(); err != nil {
		t.Fatalf("the harness isn't complete:\n%v", err)
	}
	if h.Patience == 0 {
		h.Patience = 10 * time.Second
	}
	return &subject{T: t, Harness: h, newHarness: newHarness, created: make(map[string]bool)}
}

// another returns a fresh subject beside s.
func (s *subject) another() *subject {
	s.Helper()
	return newSubject(s.T, s.newHarness)
}

// reason returns why a can't be tested; "" if it can.
func (s *subject) reason(a Ability) string {
	if why, declared := s.Cannot[a]; declared {
		return why
	}
	if _, fault := faults()[a]; fault {
		return s.Cannot[Upstream]
	}
	return ""
}

// need skips the test where a is declared to be missing.
func (s *subject) need(a Ability) {
	s.Helper()
	if why := s.reason(a); why != "" {
		s.Skipf("the harness declares that it lacks %q: %s", string(a), why)
	}
}

// requests returns the requests for project that the provider has to serve. One names its caller, by what would be a
// pattern if it were taken for one: that gives no other rights.
func (s *subject) requests(project string) []provider.Request {
	rs := []provider.Request{
		{Project: project, Access: provider.Push},
		{Project: project, Access: provider.Push, Caller: "*"},
	}
	if s.reason(PullOnly) == "" {
		rs = append(rs, provider.Request{Project: project, Access: provider.Pull})
		if s.reason(Cluster) == "" {
			rs = append(rs, provider.Request{Project: project, Access: provider.Pull, Consumer: provider.Cluster})
		}
	}
	return rs
}

// ask calls Credentials. A panic is an error, so that it fails one test and not all of them.
func (s *subject) ask(ctx context.Context, r provider.Request) (c provider.Credentials, err error) {
	defer func() {
		if v := recover(); v != nil {
			c, err = provider.Credentials{}, fmt.Errorf("panic in Credentials: %v", v)
		}
	}()
	return s.Provider.Credentials(ctx, r)
}

// issue asks for what the provider has to have.
func (s *subject) issue(r provider.Request) provider.Credentials {
	s.Helper()
	c, err := s.ask(s.Context(), r)
	if err != nil {
		s.Fatalf("Credentials(%s): %v", show(r), err)
	}
	return c
}

// name calls Repository, as ask does Credentials.
func (s *subject) name(project string, consumer provider.Consumer) (repository name.Repository, err error) {
	defer func() {
		if v := recover(); v != nil {
			repository, err = name.Repository{}, fmt.Errorf("panic in Repository: %v", v)
		}
	}()
	return s.Provider.Repository(project, consumer)
}

// repository names what the provider has to name.
func (s *subject) repository(project string, consumer provider.Consumer) name.Repository {
	s.Helper()
	repository, err := s.name(project, consumer)
	if err != nil {
		s.Fatalf("Repository(%q, %v): %v", project, consumer, err)
	}
	return repository
}

// wantKind checks an error, and that nothing came with it.
func (s *subject) wantKind(what string, c provider.Credentials, err error, kind provider.Kind) {
	s.Helper()
	var e *provider.Error
	switch {
	case err == nil:
		s.Errorf("%s: no error, want one of kind %q", what, string(kind))
	case !errors.As(err, &e):
		s.Errorf("%s: the error is a %T, want a *provider.Error: %v", what, err, err)
	case !errors.Is(err, kind) || provider.KindOf(err) != kind:
		s.Errorf("%s: an error of kind %q, want %q: %v", what, string(provider.KindOf(err)), string(kind), err)
	case c.Username != "" || !c.Password.IsZero():
		s.Errorf("%s: a credential came along with the error %v", what, err)
	}
}

// calls returns the count of calls upstream; 0 where nothing is called.
func (s *subject) calls() int {
	if s.Calls == nil {
		return 0
	}
	return s.Calls()
}

// wantNoCalls checks that nothing was called upstream since before was counted.
func (s *subject) wantNoCalls(what string, before int) {
	s.Helper()
	if n := s.calls() - before; n != 0 {
		s.Errorf("%s: %d calls reached the upstream, want none", what, n)
	}
}

func show(r provider.Request) string {
	if r.AllProjects {
		return fmt.Sprintf("all projects, project %+q, %v, %v", r.Project, r.Access, r.Consumer)
	}
	text := fmt.Sprintf("%+q, %v, %v", r.Project, r.Access, r.Consumer)
	if r.ProjectID != "" {
		text += fmt.Sprintf(", id %+q", r.ProjectID)
	}
	if r.Caller != "" {
		text += fmt.Sprintf(", caller %+q", r.Caller)
	}
	return text
}

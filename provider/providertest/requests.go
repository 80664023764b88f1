package providertest

import (
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

func testPushRequest(s *subject) {
	s.wantAnswer(provider.Request{Project: "hello", Access: provider.Push})
}

func testPullRequest(s *subject) {
	r := provider.Request{Project: "hello", Access: provider.Pull}
	s.wantUnsupported(PullOnly, r)
	s.wantAnswer(r)
}

func testClusterRequest(s *subject) {
	r := provider.Request{Project: "hello", Access: provider.Pull, Consumer: provider.Cluster}
	s.wantUnsupported(PullOnly, r)
	s.wantUnsupported(Cluster, r)
	c := s.wantAnswer(r)
	if c.Method == provider.ClientLogin {
		return
	}
	if _, err := c.PullSecret(); err != nil {
		s.Errorf("Credentials(%s) can't be used by a kubelet: %v", show(r), err)
	}
}

func testAllProjectsRequest(s *subject) {
	r := provider.Request{AllProjects: true, Access: provider.Pull}
	s.wantUnsupported(AllProjects, r)
	s.wantAnswer(r)
}

// testProjectIDRequest: who has no use for ids ignores them.
func testProjectIDRequest(s *subject) {
	for _, id := range []string{"p-1", "p-2", strings.Repeat("i", provider.MaxProjectIDLength)} {
		for _, r := range s.requests("hello") {
			r.ProjectID = id
			s.wantAnswer(r)
		}
	}
}

// wantUnsupported checks, where the harness declares that the provider lacks a, that it says so itself.
func (s *subject) wantUnsupported(a Ability, r provider.Request) {
	s.Helper()
	if s.reason(a) == "" {
		return
	}
	c, err := s.ask(s.Context(), r)
	s.wantKind("Credentials("+show(r)+")", c, err, provider.ErrUnsupported)
	s.need(a)
}

// wantAnswer checks that r is answered with a credential for exactly that. Whether it is alive is another test's.
func (s *subject) wantAnswer(r provider.Request) provider.Credentials {
	s.Helper()
	c := s.issue(r)
	if err := c.Check(r, time.Time{}); err != nil {
		s.Fatalf("Credentials(%s): %v", show(r), err)
	}
	host := s.repository(projects()[0], r.Consumer).Registry
	want := host.String()
	if !r.AllProjects {
		want = s.repository(r.Project, r.Consumer).String()
	}
	if got := c.Target.String(); got != want {
		s.Errorf("Credentials(%s): the target is %s, but Repository says %s", show(r), got, want)
	}
	return c
}

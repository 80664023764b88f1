package providertest

import (
	"strings"

	"github.com/rise-deploy/rise-registry-go/provider"
)

func testInvalidProjects(s *subject) {
	for _, project := range invalidNames() {
		for _, access := range []provider.Access{provider.Pull, provider.Push} {
			s.wantRefused(provider.Request{Project: project, Access: access})
		}
	}
	s.wantCounting()
}

func testInvalidRequests(s *subject) {
	for _, r := range []provider.Request{
		{},
		{Project: "a"},
		{Project: "a", Access: provider.Push + 1},
		{Project: "a", Access: provider.Push, Consumer: provider.Cluster + 1},
		{Access: provider.Pull},
		{Access: provider.Push},
		{AllProjects: true},
		{AllProjects: true, Access: provider.Push},
		{AllProjects: true, Access: provider.Push + 1},
		{AllProjects: true, Access: provider.Pull, Project: "a"},
		{AllProjects: true, Access: provider.Pull, Project: "*"},
		{AllProjects: true, Access: provider.Pull, Consumer: provider.Cluster + 1},
		{AllProjects: true, Access: provider.Pull, Caller: "ci"},
		{AllProjects: true, Access: provider.Pull, ProjectID: "p-1"},
		{Project: "a", ProjectID: "p 1", Access: provider.Push},
		{Project: "a", ProjectID: "*", Access: provider.Push},
		{Project: "a", ProjectID: "${a}", Access: provider.Push},
		{Project: "a", ProjectID: strings.Repeat("i", provider.MaxProjectIDLength+1), Access: provider.Push},
		{Project: "a", Access: provider.Push, Caller: "c\ni"},
		{Project: "a", Access: provider.Push, Caller: "\xff"},
		{Project: "a", Access: provider.Push, Caller: strings.Repeat("c", provider.MaxCallerLength+1)},
	} {
		s.wantRefused(r)
	}
	s.wantCounting()
}

// wantRefused checks that r is refused without a call upstream.
func (s *subject) wantRefused(r provider.Request) {
	s.Helper()
	before := s.calls()
	c, err := s.ask(s.Context(), r)
	what := "Credentials(" + show(r) + ")"
	s.wantKind(what, c, err, provider.ErrInvalidRequest)
	s.wantNoCalls(what, before)
}

// wantCounting checks that a valid request counts as a call, since otherwise no calls mean nothing.
func (s *subject) wantCounting() {
	s.Helper()
	if s.Calls == nil {
		return
	}
	s.issue(provider.Request{Project: projects()[0], Access: provider.Push})
	if s.calls() == 0 {
		s.Error("Calls is 0 after a credential was issued: the harness doesn't count")
	}
}

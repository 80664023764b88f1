package providertest

import (
	"context"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// testFault returns the test that fault comes out as its kind of error, and not as a credential.
func testFault(fault Ability) func(*subject) {
	return func(s *subject) {
		s.need(fault)
		s.fault(fault, provider.Request{Project: "hello", Access: provider.Push})
	}
}

// fault asks for r of an upstream that fails.
func (s *subject) fault(fault Ability, r provider.Request) {
	s.Helper()
	s.Faults[fault]()
	c, err := s.askPatiently(r)
	s.wantKind("Credentials("+show(r)+"), upstream "+string(fault), c, err, faults()[fault])

	// The same with other credentials at hand, none of which may take its place. A provider that needs nothing more
	// from upstream isn't hit.
	s = s.another()
	for _, earlier := range append(s.requests("before"), s.requests(r.Project)...) {
		if earlier != r {
			s.issue(earlier)
		}
	}
	before := s.calls()
	s.Faults[fault]()
	c, err = s.askPatiently(r)
	if err != nil || s.calls() > before {
		s.wantKind("Credentials("+show(r)+"), upstream "+string(fault)+" after others", c, err, faults()[fault])
	}
}

// testGrant is testFault for each request: an upstream may narrow or widen one kind of them alone.
func testGrant(fault Ability) func(*subject) {
	return func(s *subject) {
		s.need(fault)
		for _, r := range s.requests("hello") {
			s.another().fault(fault, r)
		}
	}
}

// askPatiently asks while the upstream fails. It sets a deadline, as a provider may wait for better times until then; the
// error still has to say what was wrong.
func (s *subject) askPatiently(r provider.Request) (provider.Credentials, error) {
	ctx, cancel := context.WithTimeout(s.Context(), s.Patience)
	defer cancel()
	return s.ask(ctx, r)
}

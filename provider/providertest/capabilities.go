package providertest

import (
	"fmt"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// decorator wraps a provider as a service's own would.
type decorator struct{ provider.Provider }

func (d decorator) Unwrap() provider.Provider { return d.Provider }

// maxDepth is how many decorators may be around each other; more are a chain without an end.
const maxDepth = 100

// chain returns the provider and what it decorates, outermost first.
func (s *subject) chain() []provider.Provider {
	s.Helper()
	var ps []provider.Provider
	for p := s.Provider; p != nil; {
		if ps = append(ps, p); len(ps) > maxDepth {
			s.Fatalf("Unwrap leads through more than %d decorators, so that look-ups don't end", maxDepth)
		}
		w, ok := p.(interface{ Unwrap() provider.Provider })
		if !ok {
			break
		}
		p = w.Unwrap()
	}
	return ps
}

func testCapabilities(s *subject) {
	s.chain() // ends
	for how, p := range map[string]provider.Provider{
		"the provider":                   s.Provider,
		"the provider in two decorators": decorator{decorator{s.Provider}},
	} {
		got := ""
		if typed, ok := provider.As[provider.Typed](p); ok {
			got = typed.Type()
		}
		if got != s.Type {
			s.Errorf("%s is of type %q, but the harness says %q", how, got, s.Type)
		}
		if s.Type != "" && provider.TypeOf(p) != s.Type {
			s.Errorf("TypeOf says that %s is %q, but the harness says %q", how, provider.TypeOf(p), s.Type)
		}
		for _, c := range s.Capabilities {
			if !c.in(p) {
				s.Errorf("As[%s] finds nothing in %s", c.name, how)
			}
		}
	}
}

func testClose(s *subject) {
	s.chain() // ends
	s.issue(provider.Request{Project: "hello", Access: provider.Push})
	for i := range 2 {
		if err := s.closed(decorator{s.Provider}); err != nil {
			s.Errorf("Close, time %d: %v", i+1, err)
		}
	}
	if err := s.closed(s.another().Provider); err != nil {
		s.Errorf("Close of a provider that was never asked: %v", err)
	}
}

// closed closes p. A panic is an error.
func (s *subject) closed(p provider.Provider) (err error) {
	s.Helper()
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic in Close: %v", v)
		}
	}()
	return provider.Close(p)
}

// Package diagnosis is the checks of oci-token-issuer's diagnosis. They show the registry tokens that open nothing, and the token server a grant that
// has ended, and change nothing but for an upload that is asked for.
//
// Files: this one lists the checks, a file each for what they look at; checkup.go is what they share, subject.go what they are told.
package diagnosis

import (
	"cmp"
	"context"

	"github.com/rise-deploy/rise-registry-go/internal/probe"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// The checks, in order.
const (
	checkKeys           = "signing_keys"
	checkRegistry       = "registry"
	checkClientRegistry = "client_registry"
	checkCertificate    = "registry_certificate"
	checkClock          = "clock"
	checkChallenge      = "challenge"
	checkRealm          = "realm"
	checkTokenService   = "token_service"
	checkAnonymous      = "anonymous_access"
	checkToken          = "token"
	checkForeign        = "foreign_tokens"
	checkOther          = "other_repository"
	checkPull           = "pull_access"
	checkPush           = "push_access"
)

// probeProject is the project of a diagnosis that is about none.
const probeProject = "rise-probe"

// Checks makes the checks of one run. Those of the client's registry are there only if it isn't the cluster's.
func (s Subject) Checks(o diagnosis.Options) []diagnosis.Check {
	d := &checkup{Subject: s, host: probe.NewHost(s.Transport), project: cmp.Or(o.Project, probeProject)}
	one := s.Clients.Registry == s.Cluster.Registry
	reached := checkRegistry
	checks := []diagnosis.Check{
		{ID: checkKeys, Run: d.checkKeys},
		{ID: checkRegistry, Run: d.reach(s.Cluster, one)},
	}
	if !one {
		reached = checkClientRegistry
		checks = append(checks, diagnosis.Check{ID: reached, Run: d.reach(s.Clients, true)})
	}
	token := []string{checkKeys, checkChallenge}
	checks = append(checks,
		diagnosis.Check{ID: checkCertificate, Needs: []string{reached}, Run: d.checkCertificate},
		diagnosis.Check{ID: checkClock, Needs: []string{reached}, Run: d.checkClock},
		diagnosis.Check{ID: checkChallenge, Needs: []string{reached}, Run: d.checkChallenge},
		diagnosis.Check{ID: checkRealm, Needs: []string{checkChallenge}, Run: d.checkRealm},
		diagnosis.Check{ID: checkTokenService, Needs: token, Run: d.checkTokenService},
		diagnosis.Check{ID: checkAnonymous, Needs: []string{checkChallenge}, Run: d.checkAnonymous},
		diagnosis.Check{ID: checkToken, Needs: token, Run: d.checkToken},
		diagnosis.Check{ID: checkForeign, Needs: []string{checkToken}, Run: d.checkForeign},
		diagnosis.Check{ID: checkOther, Needs: []string{checkToken}, Run: d.checkOther},
	)
	if o.Project == "" {
		return checks
	}
	push := d.checkPush
	if !o.WriteProbe {
		push = func(context.Context) diagnosis.Finding {
			return diagnosis.Finding{Status: diagnosis.Skipped, Summary: "whether a push is allowed shows only by starting one", Remedy: "ask for it: --write-probe"}
		}
	}
	return append(checks,
		diagnosis.Check{ID: checkPull, Needs: []string{checkToken}, Run: d.checkPull},
		diagnosis.Check{ID: checkPush, Needs: []string{checkToken}, Run: push})
}

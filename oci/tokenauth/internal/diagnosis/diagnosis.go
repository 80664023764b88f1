// Package diagnosis is the checks of oci-token-auth's diagnosis. They make the requests that a credential would make, look at what the token says, and show it to
// the registry. Nothing is changed but for an upload that is asked for, and what the registry's token server does by itself when it is asked.
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
	checkRegistry       = "registry"
	checkClientRegistry = "client_registry"
	checkChallenge      = "challenge"
	checkTokenServer    = "token_server"
	checkLogin          = "login"
	checkToken          = "token"
	checkLifetime       = "lifetime"
	checkPullToken      = "pull_token"
	checkPushToken      = "push_token"
	checkPullLogin      = "pull_login"
	checkTakesToken     = "takes_token"
	checkRepository     = "repository"
	checkPush           = "push_access"
)

// Checks makes the checks of one run. That of the client's registry is there only if it isn't the cluster's.
func (s Subject) Checks(o diagnosis.Options) []diagnosis.Check {
	d := &checkup{Subject: s, host: probe.NewHost(s.Transport), repository: s.Prefix + cmp.Or(o.Project, s.ProbeProject), writes: o.WriteProbe}
	checks := []diagnosis.Check{{ID: checkRegistry, Run: d.reach(s.Cluster)}}
	if s.Clients.Registry != s.Cluster.Registry {
		checks = append(checks, diagnosis.Check{ID: checkClientRegistry, Run: d.reach(s.Clients)})
	}
	checks = append(checks,
		diagnosis.Check{ID: checkChallenge, Needs: []string{checkRegistry}, Run: d.checkChallenge},
		diagnosis.Check{ID: checkTokenServer, Needs: []string{checkChallenge}, Run: d.checkTokenServer},
		diagnosis.Check{ID: checkLogin, Needs: []string{checkTokenServer}, Run: d.checkLogin},
		diagnosis.Check{ID: checkToken, Needs: []string{checkLogin}, Run: d.checkToken},
		diagnosis.Check{ID: checkLifetime, Needs: []string{checkToken}, Run: d.checkLifetime},
		diagnosis.Check{ID: checkPullToken, Needs: []string{checkToken}, Run: d.checkPullToken},
		diagnosis.Check{ID: checkPushToken, Needs: []string{checkToken}, Run: d.checkPushToken},
		diagnosis.Check{ID: checkPullLogin, Needs: []string{checkTokenServer}, Run: d.checkPullLogin},
		diagnosis.Check{ID: checkTakesToken, Needs: []string{checkPullToken}, Run: d.checkTakesToken},
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
		diagnosis.Check{ID: checkRepository, Needs: []string{checkTakesToken}, Run: d.checkRepository},
		diagnosis.Check{ID: checkPush, Needs: []string{checkTakesToken, checkPushToken}, Run: push})
}

package diagnosis

import (
	"context"
	"net/http"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// letRegistryCheck is what to do where something gets in that shouldn't.
const letRegistryCheck = "let the registry itself check tokens and what they can do (distribution's does from 2.8.2 and 3.0.0 on), and no proxy before it"

// alone is what to do where something of a token isn't looked at, which its signature can stand in for.
const alone = "use a signing key for this registry alone, if it isn't: " + howToMake

func (d *checkup) repository() string { return d.Prefix + d.project }

// other is a repository whose name begins as the project's. Nobody has to have it.
func (d *checkup) other() string {
	const suffix = "-rise-probe"
	return d.Prefix + d.project[:min(len(d.project), provider.MaxProjectLength-len(suffix))] + suffix
}

func (d *checkup) checkAnonymous(ctx context.Context) diagnosis.Finding {
	a := d.host.DoAs(ctx, http.MethodGet, d.base+"/v2/"+tags(d.repository()), "")
	f, bad := unusable(a, nil, "without a token")
	switch {
	case bad:
		return f
	case opened(a):
		f = failed(letRegistryCheck, "the repository %s can be read without a token: what is before the registry lets everybody in, with a login of its own or past the authentication", d.repository())
	case refused(a):
		f = passed("nothing can be read without a token")
	default:
		f = failed("look at the registry's log", "the registry answered %d to a request without a token", a.Status)
	}
	f.Evidence = a.Evidence
	return f
}

// checkForeign shows tokens that no registry may take. What they would open is a repository that is nobody's.
func (d *checkup) checkForeign(ctx context.Context) diagnosis.Finding {
	now := time.Now()
	stranger, err := d.Keys.Ring().Stranger(now)
	if err != nil {
		return failed("", "%v", err)
	}
	for _, try := range []struct {
		token  Token
		status diagnosis.Status
		says   string
		remedy string
	}{
		{Token{Ring: stranger}, diagnosis.Failed, "the registry takes a token that a stranger signed: whoever reaches it can push and pull everything", letRegistryCheck},
		{Token{Made: now.Add(-3 * time.Hour), Life: time.Hour}, diagnosis.Failed, "the registry takes a token that ended two hours ago: what was handed out once is good for ever", letRegistryCheck},
		{Token{Service: d.Service + "-rise-probe"}, diagnosis.Warned, "the registry takes a token that is for another service, as zot does: those of another registry with the same signing key are good here", alone},
		{Token{Issuer: d.Issuer + "-rise-probe"}, diagnosis.Warned, "the registry takes a token of another issuer, as zot does: those of another service with the same signing key are good here", alone},
	} {
		try.token.Repository, try.token.Actions = d.other(), []string{"pull"}
		a, err := d.ask(ctx, http.MethodGet, tags(d.other()), try.token)
		f, bad := unusable(a, err, "with a token that it may not take")
		switch {
		case bad:
			return f
		case opened(a):
			return diagnosis.Finding{Status: try.status, Summary: try.says, Remedy: try.remedy, Evidence: a.Evidence}
		case !refused(a):
			f = failed("look at the registry's log", "the registry answered %d to a token that it may not take", a.Status)
			f.Evidence = a.Evidence
			return f
		}
	}
	return passed("the registry takes no token of a stranger's, none that has ended, and none for another service")
}

func (d *checkup) checkOther(ctx context.Context) diagnosis.Finding {
	a, err := d.ask(ctx, http.MethodGet, tags(d.other()), Token{Repository: d.repository(), Actions: []string{"pull", "push"}})
	f, bad := unusable(a, err, "for another repository than the token's")
	switch {
	case bad:
		return f
	case refused(a):
		f = passed("a token for one project's repository opens no other")
	case opened(a):
		f = failed(letRegistryCheck, "a token for one project's repository opens another: what a token can do isn't looked at")
	default:
		f = failed("look at the registry's log", "the registry answered %d to a token for another repository", a.Status)
	}
	f.Evidence = a.Evidence
	return f
}

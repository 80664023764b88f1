package diagnosis

import (
	"context"
	"net/http"

	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// checkTakesToken looks whether the registry takes the token, for a repository that there may not be.
func (d *checkup) checkTakesToken(ctx context.Context) diagnosis.Finding {
	asked := "with a token that may pull from " + d.repository
	d.tags = d.ask(ctx, http.MethodGet, d.repository+"/tags/list", d.pull)
	f, bad := unusable(d.tags, asked)
	switch {
	case bad:
		return f
	case d.tags.Status == http.StatusOK || d.tags.Status == http.StatusNotFound:
		f = passed("the registry takes a token that may pull from %s", d.repository)
	default:
		f = failed("look at the registry's log, and at that of a proxy before it", "the registry answered %d to a request %s", d.tags.Status, asked)
	}
	f.Evidence = d.tags.Evidence
	return f
}

// checkRepository goes by what the registry said then.
func (d *checkup) checkRepository(context.Context) diagnosis.Finding {
	f := passed("%s is there", d.repository)
	if d.tags.Status == http.StatusNotFound {
		f = diagnosis.Finding{Status: diagnosis.Warned, Summary: d.repository + " isn't there: most registries make it at the first push, some don't",
			Remedy: "push, or see whether a push could begin: --write-probe; where the registry makes none by itself, make it there"}
		if d.writes {
			f.Status, f.Remedy = diagnosis.Passed, ""
			f.Summary = d.repository + " isn't there yet; whether a push makes it, the next check finds out"
		}
	}
	f.Evidence = d.tags.Evidence
	return f
}

// checkPush starts an upload.
func (d *checkup) checkPush(ctx context.Context) diagnosis.Finding {
	asked := "with a token that may push to " + d.repository
	a := d.ask(ctx, http.MethodPost, d.repository+"/blobs/uploads/", d.push)
	f, bad := unusable(a, asked)
	switch {
	case bad:
		return f
	case a.Status == http.StatusAccepted:
		f = passed("an upload to %s was started, and is left to expire", d.repository)
	case a.Status == http.StatusNotFound:
		f = failed("make the repository there, or what it is in (a project in Harbor, a project in GitLab, an organization)",
			"%s isn't there, and the registry makes none by itself", d.repository)
	case a.Status == http.StatusMethodNotAllowed:
		f = failed("look at its maintenance mode, and at limits of a proxy before it (limit_except of nginx)",
			"the registry answered 405 to a request %s: it, or what is before it, is read-only", asked)
	default:
		f = failed("look at the registry's log: it may be read-only, full, over a quota, or have rules of its own", "the registry answered %d to a request %s", a.Status, asked)
	}
	f.Evidence = a.Evidence
	return f
}

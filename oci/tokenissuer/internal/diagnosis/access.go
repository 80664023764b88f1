package diagnosis

import (
	"context"
	"net/http"
	"net/url"

	"github.com/rise-deploy/rise-registry-go/internal/probe"
	"github.com/rise-deploy/rise-registry-go/oci/internal/reach"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

func (d *checkup) checkPull(ctx context.Context) diagnosis.Finding {
	a, err := d.ask(ctx, http.MethodGet, tags(d.repository()), Token{Repository: d.repository(), Actions: []string{"pull"}})
	return d.own(a, err, "pull from", opened(a))
}

func (d *checkup) checkPush(ctx context.Context) diagnosis.Finding {
	a, err := d.ask(ctx, http.MethodPost, d.repository()+"/blobs/uploads/", Token{Repository: d.repository(), Actions: []string{"pull", "push"}})
	f := d.own(a, err, "push to", a.Status == http.StatusAccepted)
	if f.Status == diagnosis.Passed {
		f.Summary += ": an upload was started, and is left to expire"
		if at, err := url.Parse(d.base + "/v2/"); err == nil {
			f = reach.Upload(f, at, a.Header.Get("Location"))
		}
	}
	return f
}

// own is the finding about a project's own repository.
func (d *checkup) own(a probe.Answer, err error, what string, good bool) diagnosis.Finding {
	f, bad := unusable(a, err, "with a token that may "+what+" "+d.repository())
	switch {
	case bad:
		return f
	case good:
		f = passed("a token may %s %s", what, d.repository())
	case a.Status == http.StatusMethodNotAllowed:
		f = failed("look at storage.maintenance.readonly of distribution's registry, and at limits of a proxy before it (limit_except of nginx)",
			"the registry answered 405 to a token that may %s %s: it, or what is before it, is read-only", what, d.repository())
	default:
		f = failed("look at the registry's log, and at that of a proxy before it: it may be read-only, full, or have rules of its own",
			"the registry answered %d to a token that may %s %s", a.Status, what, d.repository())
	}
	f.Evidence = a.Evidence
	return f
}

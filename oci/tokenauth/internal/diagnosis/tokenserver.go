package diagnosis

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/rise-deploy/rise-registry-go/oci/internal/reach"
	"github.com/rise-deploy/rise-registry-go/oci/tokenauth/internal/tokenserver"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

func (d *checkup) reach(site reach.Site) func(context.Context) diagnosis.Finding {
	return func(ctx context.Context) diagnosis.Finding {
		f, found := reach.Registry(ctx, d.host, site)
		if asks := found.Authentication; asks != "" && asks != "bearer" && len(tokenserver.Bearer(found.Header)) == 0 {
			f.Status, f.Remedy = diagnosis.Failed, "use type oci-client-auth with it, or let it have token authentication"
			f.Summary += ", and not for a token"
		}
		return f
	}
}

func (d *checkup) checkChallenge(ctx context.Context) diagnosis.Finding {
	known, err := d.Challenge(ctx)
	if err != nil {
		return failure(err)
	}
	d.known = known
	f := passed("the registry sends its clients for tokens to where they may be asked for")
	f.Evidence = []slog.Attr{slog.String("realm", known.Realm.String()), slog.String("service", known.Service)}
	return f
}

// checkTokenServer asks without a login: any answer that clients of token servers understand will do.
func (d *checkup) checkTokenServer(ctx context.Context) diagnosis.Finding {
	to := *d.known.Realm
	to.RawQuery = "service=" + url.QueryEscape(d.known.Service)
	a := d.host.Do(ctx, http.MethodGet, to.String(), nil)
	const remedy = "check the realm of the registry's challenge, and token_url"
	var f diagnosis.Finding
	switch {
	case a.Failure != nil:
		f = failed(a.Failure.Remedy, "the token server can't be asked: %s", a.Failure.Summary)
	case a.Status/100 == 3:
		f = failed("let it answer by itself, or the registry name the host that does: a login is never sent after a redirection", "the token server redirects")
	case a.Status == http.StatusTooManyRequests || a.Status >= http.StatusInternalServerError:
		f = failed("look at its log; try again later", "the token server fails or is busy: it answered %d", a.Status)
	case a.IsPage() && a.Status != http.StatusUnauthorized:
		f = failed(remedy, "what answers where the token server should be is a web page")
	case a.Status == http.StatusNotFound || a.Status == http.StatusMethodNotAllowed:
		f = failed(remedy, "there is no token server where it should be: it answered %d", a.Status)
	default:
		f = passed("the token server answers")
	}
	f.Evidence = a.Evidence
	return f
}

package diagnosis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/rise-deploy/rise-registry-go/internal/probe"
	"github.com/rise-deploy/rise-registry-go/oci/tokenauth/internal/tokenserver"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// checkup is one run. What a check finds for later ones is in it.
type checkup struct {
	Subject
	host       probe.Host
	repository string
	writes     bool // an upload may be started

	known      *tokenserver.Known
	own        tokenserver.Token // of the service's own login, to pull
	ownErr     error             // what is wrong with it, the login apart
	pull, push tokenserver.Token
	tags       probe.Answer // with the token to pull
}

func passed(format string, args ...any) diagnosis.Finding {
	return diagnosis.Finding{Status: diagnosis.Passed, Summary: fmt.Sprintf(format, args...)}
}

func failed(remedy, format string, args ...any) diagnosis.Finding {
	return diagnosis.Finding{Status: diagnosis.Failed, Summary: fmt.Sprintf(format, args...), Remedy: remedy}
}

// failure makes a finding of an error: what was wrong, and the remedy that it has.
func failure(err error) diagnosis.Finding {
	var e *provider.Error
	if !errors.As(err, &e) {
		return failed("see the log", "it couldn't be found out")
	}
	f := failed(e.Hint, "%v", e.Err)
	if e.Op != "" {
		f.Summary = "to " + e.Op + ": " + f.Summary
	}
	f.Evidence = []slog.Attr{slog.String("kind", string(e.Kind))}
	if e.RetryAfter > 0 {
		f.Evidence = append(f.Evidence, slog.Duration("retry_after", e.RetryAfter))
	}
	return f
}

// ask asks the registry with a token.
func (d *checkup) ask(ctx context.Context, method, path string, t tokenserver.Token) probe.Answer {
	to := url.URL{Scheme: d.known.Base.Scheme, Host: d.known.Base.Host, Path: "/v2/" + path}
	return d.host.DoAs(ctx, method, to.String(), "Bearer "+t.Text.Reveal())
}

// unusable is the finding about an answer that isn't about what was asked; ok is false if it is.
func unusable(a probe.Answer, asked string) (f diagnosis.Finding, ok bool) {
	switch {
	case a.Failure != nil:
		f = failed(a.Failure.Remedy, "the registry can't be asked %s: %s", asked, a.Failure.Summary)
	case a.Status == http.StatusRequestHeaderFieldsTooLarge:
		f = failed("let what is before it take headers of 16 KiB (large_client_header_buffers of nginx)", "the registry refuses a request %s, for the length of its header", asked)
	case a.Status == http.StatusTooManyRequests || a.Status >= http.StatusInternalServerError:
		f = failed("look at its log, and at that of a proxy before it; try again later", "the registry fails or is busy: it answered %d to a request %s", a.Status, asked)
	case a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden:
		f = failed("check that the registry trusts this token server: its issuer, its key or certificate (rootcertbundle of distribution's registry), the service's name, and both clocks",
			"the registry refuses the token of its own token server: it answered %d to a request %s", a.Status, asked)
	case a.Status/100 == 3:
		f = failed("let the registry, or what is before it, answer by itself", "the registry redirects a request %s, with which clients lose the token", asked)
	default:
		return diagnosis.Finding{}, false
	}
	f.Evidence = a.Evidence
	return f, true
}

package diagnosis

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/scrub"
	"github.com/rise-deploy/rise-registry-go/internal/hostport"
	"github.com/rise-deploy/rise-registry-go/internal/probe"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

func (d *checkup) checkRegistryHost(context.Context) diagnosis.Finding {
	handedOut, named := d.HandedOut, d.token.ProxyHost()
	evidence := []slog.Attr{slog.String("handed_out", handedOut), slog.String("proxy_endpoint", named)}
	if d.Agrees(named) {
		return passed("ECR names the image registry that is handed out", evidence...)
	}
	return diagnosis.Finding{Status: diagnosis.Warned, Evidence: evidence,
		Summary: "ECR names the image registry " + named + ", and " + handedOut + " is handed out",
		Remedy:  "if it isn't meant (a PrivateLink name, a mirror), take out registry_host and check region and account_id"}
}

func (d *checkup) checkRegistry(ctx context.Context) diagnosis.Finding {
	host := d.HandedOut
	login := url.UserPassword(d.token.Username, d.token.Password.Reveal())
	at := loginAt{"https://" + host, login}
	// The token goes nowhere before the host has shown a certificate; by plain HTTP to this machine only.
	a := d.host.Do(ctx, http.MethodGet, at.base+"/v2/", login)
	if name, _, err := hostport.Split(host); a.Failure != nil && a.Failure.PlainHTTP && err == nil && hostport.IsLoopback(name) {
		at.base = "http://" + host
		a = d.host.Do(ctx, http.MethodGet, at.base+"/v2/", login)
	}
	f := diagnosis.Finding{Status: diagnosis.Failed, Evidence: a.Evidence}
	switch {
	case a.Failure != nil:
		f.Summary, f.Remedy = "the image registry can't be used: "+a.Failure.Summary, a.Failure.Remedy
		if d.HostConfigured {
			f.Remedy += "; check registry_host"
		}
	case a.Status == http.StatusOK && !a.IsPage():
		d.login = at
		return passed("the image registry can be reached and takes the token", a.Evidence...)
	case a.Status == http.StatusTooManyRequests || a.Status >= http.StatusInternalServerError:
		f.Summary, f.Remedy = "the image registry fails or is busy", "try again later; see AWS's health dashboard"
	case a.Status == http.StatusUnauthorized && !a.IsPage():
		f.Summary = "the image registry doesn't take the token: it is another registry than the one that issued it"
		f.Remedy = "check registry_host: it must be the registry of account " + d.Setup.AccountID + " in " + d.Setup.Region
	case a.Status == http.StatusForbidden && !a.IsPage():
		f.Summary = "the image registry refuses the token: " + d.said(a)
		f.Remedy = "a token is bound to its region: check registry_host and region"
	default:
		f.Summary, f.Remedy = "what answers is no image registry", "check registry_host, and proxies that answer in its place"
	}
	return f
}

// said is the message in the image registry's answer, safe to print.
func (d *checkup) said(a probe.Answer) string {
	text := ociMessage(a.Body)
	if text == "" {
		return "HTTP status " + http.StatusText(a.Status)
	}
	return scrub.Said(strings.ReplaceAll(text, "\n", " "), d.once.Secrets(), d.Setup.AccountID, d.repositoryName())
}

type ociErrors struct {
	Errors []struct{ Code, Message string }
}

func ociCode(body []byte) string {
	var e ociErrors
	if json.Unmarshal(body, &e) != nil || len(e.Errors) == 0 {
		return ""
	}
	return e.Errors[0].Code
}

func ociMessage(body []byte) string {
	var e ociErrors
	if json.Unmarshal(body, &e) != nil || len(e.Errors) == 0 {
		return ""
	}
	return e.Errors[0].Message
}

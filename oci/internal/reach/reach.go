// Package reach finds out whether a registry can be used by its clients, as far as that shows without a login.
package reach

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/rise-deploy/rise-registry-go/internal/hostport"
	"github.com/rise-deploy/rise-registry-go/internal/probe"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// Site is a registry and how it is configured.
type Site struct {
	Registry name.Registry
	// Key and Text are the key of the configuration that names it, and what it says.
	Key, Text string
	// Insecure: plain HTTP is allowed off loopback.
	Insecure bool
}

// Found is what there is.
type Found struct {
	// Scheme is how it was reached: https, or http.
	Scheme string
	// Authentication is what it asks for: basic, bearer or none.
	Authentication string
	// Header is its answer's.
	Header http.Header
	// Certificate is the registry's; nil without TLS.
	Certificate *x509.Certificate
}

// plain reports whether plain HTTP is expected, and whether it is allowed.
func plain(registry name.Registry, text string, insecure bool) (expected, allowed bool) {
	scheme, _, ok := strings.Cut(strings.ToLower(text), "://")
	if ok {
		return scheme == "http", scheme == "http"
	}
	host, _, err := hostport.Split(registry.RegistryStr())
	return false, insecure || (err == nil && hostport.IsLoopback(host))
}

// Registry asks for /v2/ without a login. The finding, whose check has no name yet, says whether it is a registry, and which login it asks for;
// what was found is zero where it failed.
func Registry(ctx context.Context, host probe.Host, s Site) (diagnosis.Finding, Found) {
	registry, key := s.Registry, s.Key
	expected, allowed := plain(registry, s.Text, s.Insecure)
	scheme := "https"
	if expected {
		scheme = "http"
	}
	a := host.Do(ctx, http.MethodGet, scheme+"://"+registry.RegistryStr()+"/v2/", nil)
	if a.Failure != nil && a.Failure.PlainHTTP && allowed {
		scheme = "http"
		a = host.Do(ctx, http.MethodGet, "http://"+registry.RegistryStr()+"/v2/", nil)
	}
	f := diagnosis.Finding{Evidence: append(a.Evidence, slog.String("scheme", scheme))}
	if a.Failure != nil {
		f.Status, f.Summary, f.Remedy = diagnosis.Failed, key+" can't be used: "+a.Failure.Summary, a.Failure.Remedy
		switch {
		case a.Failure.PlainHTTP:
			f.Remedy = fmt.Sprintf("let it serve TLS; or declare plain HTTP with %s: http://%s and insecure: true, and list the host in "+
				"insecure-registries of docker's daemon.json", key, registry.RegistryStr())
		case a.Failure.SpeaksTLS:
			f.Remedy = fmt.Sprintf("set %s: https://%s", key, registry.RegistryStr())
		}
		return f, Found{}
	}
	challenge := schemeOf(a.Header.Values("WWW-Authenticate"))
	switch {
	case a.Status == http.StatusOK && !a.IsPage():
		challenge = "none"
	case a.Status == http.StatusUnauthorized && challenge != "":
	default:
		f.Status, f.Summary = diagnosis.Failed, fmt.Sprintf("%s doesn't speak the OCI distribution API: GET /v2/ answered %d", key, a.Status)
		f.Remedy = "check that the host and port are the registry's, not those of its website, of a load balancer, or of a proxy"
		if a.Status == http.StatusOK {
			f.Summary += " with a web page"
		}
		if to := redirected(a); to != "" {
			f.Summary = key + " redirects to " + to
			f.Remedy = "set " + key + ": " + to + ", if that is the registry; else use the host and port that answer GET /v2/ themselves"
		}
		if a.Status == http.StatusTooManyRequests || a.Status >= 500 {
			f.Summary, f.Remedy = fmt.Sprintf("%s fails or is busy: GET /v2/ answered %d", key, a.Status), "look at the registry's log; try again later"
		}
		return f, Found{}
	}
	f.Status, f.Summary = diagnosis.Passed, key+" speaks the OCI distribution API and asks for "+asksFor(challenge)
	f.Evidence = append(f.Evidence, slog.String("authentication", challenge))
	found := Found{Scheme: scheme, Authentication: challenge, Header: a.Header, Certificate: a.Certificate}
	if challenge == "bearer" {
		f = checkRealm(ctx, f, key, scheme, registry, a.Header)
	}
	return f, found
}

// redirected is the scheme and host that an answer sends elsewhere to; empty if it doesn't.
func redirected(a probe.Answer) string {
	to, err := url.Parse(a.Header.Get("Location"))
	if err != nil || a.Status/100 != 3 || (to.Scheme != "https" && to.Scheme != "http") {
		return ""
	}
	if _, _, err := hostport.Split(to.Host); err != nil { // it is the registry's text
		return ""
	}
	return to.Scheme + "://" + to.Host
}

// schemeOf is the first scheme of authentication in the challenges that clients of registries know, in lower case; empty if there is none.
func schemeOf(challenges []string) string {
	for _, c := range challenges {
		if scheme, _, _ := strings.Cut(strings.ToLower(c), " "); scheme == "basic" || scheme == "bearer" {
			return scheme
		}
	}
	return ""
}

func asksFor(challenge string) string {
	switch challenge {
	case "basic":
		return "a user name and password"
	case "bearer":
		return "a token of its token service"
	}
	return "no login"
}

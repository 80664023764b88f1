package tokenserver

import (
	"errors"
	"net/url"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/rise-deploy/rise-registry-go/internal/hostport"
)

// Place is what is configured of a registry and of where its token server may be.
type Place struct {
	Registry name.Registry
	// Text is registry_url, for its scheme.
	Text string
	// Insecure allows plain HTTP off loopback.
	Insecure bool
	// TokenURL is token_url, read by ParseTokenURL; nil: the token server is on the registry's own host and port.
	TokenURL *url.URL
	// Service is token_service; empty: whatever the registry calls itself.
	Service string
}

// ParseTokenURL reads token_url, or what a challenge names. Errors are the end of a sentence and hold no part of text.
func ParseTokenURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case len(text) > maxRealm:
		return nil, errors.New("is too long for an address")
	case err != nil || !u.IsAbs() || u.Opaque != "" || (u.Scheme != "https" && u.Scheme != "http"):
		return nil, errors.New("must be an absolute https URL, such as https://gitlab.com/jwt/auth")
	case u.User != nil || strings.Contains(u.Host, "@"):
		return nil, errors.New("must not hold a login")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(text, "#"):
		return nil, errors.New("must not have a query or a fragment")
	}
	if _, _, err := hostport.Split(u.Host); err != nil {
		return nil, err
	}
	return u, nil
}

const maxRealm = 1024

// IsPlain reports whether a token URL is plain HTTP to another machine.
func IsPlain(u *url.URL) bool {
	host, _, err := hostport.Split(u.Host)
	return u.Scheme == "http" && (err != nil || !hostport.IsLoopback(host))
}

// schemes are how the registry is asked: plain HTTP alone where registry_url says so, after TLS where that is allowed.
func (p Place) schemes() []string {
	scheme, _, ok := strings.Cut(strings.ToLower(p.Text), "://")
	host, _, err := hostport.Split(p.Registry.RegistryStr())
	switch {
	case ok:
		return []string{scheme}
	case p.Insecure || err == nil && hostport.IsLoopback(host):
		return []string{"https", "http"}
	}
	return []string{"https"}
}

// elsewhereError is a realm where no login may go.
type elsewhereError struct {
	what string
	url  string // the line to configure, if that can be said
}

func (e *elsewhereError) Error() string {
	return "the registry sends its clients for tokens to " + e.what
}

// plainPath is a path that can be shown.
var plainPath = regexp.MustCompile(`^[A-Za-z0-9/._-]{0,200}$`)

// realm compares what a challenge names with what is configured, and returns where the login goes: what is configured, never what is named, but for
// its path. scheme is how the registry was reached.
func (p Place) realm(text, scheme string) (*url.URL, error) {
	if text == "" {
		return nil, &elsewhereError{what: "nowhere: its challenge names no realm"}
	}
	named, err := ParseTokenURL(text)
	if err != nil {
		return nil, &elsewhereError{what: "what " + strings.Replace(err.Error(), "must", "should", 1)}
	}
	if p.TokenURL != nil {
		if sameHost(named, p.TokenURL.Scheme, p.TokenURL.Host) && path(named) == path(p.TokenURL) {
			return p.TokenURL, nil
		}
		return nil, &elsewhereError{"another place than token_url names" + shown(named), line(named)}
	}
	registry := p.Registry.RegistryStr()
	switch {
	case sameHost(named, "https", registry), scheme == "http" && sameHost(named, "http", registry):
		return &url.URL{Scheme: named.Scheme, Host: registry, Path: named.Path, RawPath: named.RawPath}, nil
	case sameHost(named, "http", registry):
		return nil, &elsewhereError{what: "plain HTTP on its own host, though it serves TLS itself"}
	}
	return nil, &elsewhereError{"another host or port than its own" + shown(named), line(named)}
}

// sameHost reports whether u has that scheme, and the host and port of address.
func sameHost(u *url.URL, scheme, address string) bool {
	host, port, err := hostport.Split(u.Host)
	other, otherPort, otherErr := hostport.Split(address)
	if err != nil || otherErr != nil {
		return false
	}
	standard := map[string]string{"https": "443", "http": "80"}[scheme]
	if port == "" {
		port = standard
	}
	if otherPort == "" {
		otherPort = standard
	}
	return u.Scheme == scheme && host == other && port == otherPort
}

func path(u *url.URL) string {
	if p := u.EscapedPath(); p != "" {
		return p
	}
	return "/"
}

// shown is where a URL leads, if that can be shown.
func shown(u *url.URL) string {
	if !plainPath.MatchString(u.EscapedPath()) {
		return ""
	}
	return ", " + u.Scheme + "://" + u.Host + u.EscapedPath()
}

func line(u *url.URL) string {
	if shown(u) == "" || IsPlain(u) {
		return ""
	}
	return "token_url: " + strings.TrimPrefix(shown(u), ", ")
}

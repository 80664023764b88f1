package oci

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/rise-deploy/rise-registry-go/internal/hostport"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// maxReference is how long clients let a repository's name be, its host included (OCI distribution-spec, "Pulling manifests").
const maxReference = 255

// namespacePattern is a repository's name (OCI distribution-spec, "Pulling manifests").
var namespacePattern = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)

// Docker Hub's other names. go-containerregistry and docker use the one that is [name.DefaultRegistry].
var hubAliases = map[string]bool{
	"docker.io": true, "index.docker.io": true, "registry-1.docker.io": true, "registry.docker.io": true, "registry.hub.docker.com": true,
}

// parseRegistry makes a registry's name of what people write: host, host:port, a URL, with or without a trailing slash.
// go-containerregistry's own parser takes what later fails, or means another registry. Errors hold no part of text: it
// may be a URL with a login in it.
func parseRegistry(text string, insecure bool) (name.Registry, error) {
	scheme, rest, hasScheme := strings.Cut(text, "://")
	if !hasScheme {
		scheme, rest = "", text
	}
	scheme = strings.ToLower(scheme)
	if hasScheme && scheme != "http" && scheme != "https" {
		return name.Registry{}, errors.New("must begin with https://, http:// or the host itself")
	}
	authority := strings.TrimRight(rest, "/")
	switch {
	case strings.Contains(authority, "@"):
		return name.Registry{}, errors.New("must not hold a login: clients use their own")
	case strings.ContainsAny(authority, "?#"):
		return name.Registry{}, errors.New("must not have a query or a fragment")
	case strings.Contains(authority, "/"):
		return name.Registry{}, errors.New("must not have a path: put it into namespace")
	}
	host, port, err := hostport.Split(authority)
	if err != nil {
		return name.Registry{}, err
	}
	hub := hubAliases[host]
	switch {
	case host == "hub.docker.com":
		return name.Registry{}, errors.New("is Docker Hub's website; its registry is docker.io")
	case hub && (scheme == "http" || (port != "" && port != "443")):
		return name.Registry{}, errors.New("must be just docker.io for Docker Hub, which is served with https on port 443")
	case hub:
		return name.NewRegistry(name.DefaultRegistry)
	case scheme == "http" && port == "443", scheme == "https" && port == "80":
		return name.Registry{}, fmt.Errorf("has scheme %s with port %s, which is the other scheme's", scheme, port)
	}
	loopback := hostport.IsLoopback(host)
	if scheme == "http" && !insecure && !loopback {
		return name.Registry{}, errors.New("is plain HTTP and not on loopback: use https, or declare it with insecure: true")
	}
	port, err = explicitPort(host, port, scheme)
	if err != nil {
		return name.Registry{}, err
	}
	var opts []name.Option
	if scheme == "http" || (scheme == "" && (insecure || loopback)) {
		opts = append(opts, name.Insecure)
	}
	return name.NewRegistry(hostport.Join(host, port), append(opts, name.StrictValidation)...)
}

// explicitPort returns the port as it belongs into image references, if any. The default port of a scheme goes,
// since clients keep logins by host as text; it stays, or comes, where the host alone would read as a Docker Hub name.
func explicitPort(host, port, scheme string) (string, error) {
	if (scheme == "https" && port == "443") || (scheme == "http" && port == "80") {
		port = ""
	}
	switch {
	case port != "":
		return port, nil
	case scheme == "http": // a reference doesn't carry the scheme, and https would be asked on 443
		return "80", nil
	case hostport.IsRegistry(host):
		return "", nil
	case scheme == "https":
		return "443", nil
	default:
		return "", errors.New("must have a dot or a port: image references take anything else for a Docker Hub name; add the port, such as :5000")
	}
}

// parseNamespace returns the namespace without slashes around it.
func parseNamespace(text string) (string, error) {
	namespace := strings.Trim(text, "/")
	if namespace != "" && !namespacePattern.MatchString(namespace) {
		return "", errors.New("must be parts of a-z and 0-9, with . _ or - inside, separated by single slashes")
	}
	return namespace, nil
}

// prefixFor returns the namespace with a trailing slash, or nothing, if the registries can have it.
func prefixFor(namespace string, registries ...name.Registry) (string, error) {
	for _, registry := range registries {
		if registry.RegistryStr() == name.DefaultRegistry && (namespace == "" || strings.Contains(namespace, "/")) {
			return "", errors.New("must be one name on Docker Hub: the user's or organization's")
		}
		longest := len(registry.RegistryStr()) + 1 + len(namespace) + 1 + provider.MaxProjectLength
		if longest > maxReference {
			return "", fmt.Errorf("is too long: with host and project it makes up to %d characters, and clients take %d", longest, maxReference)
		}
	}
	if namespace == "" {
		return "", nil
	}
	return namespace + "/", nil
}

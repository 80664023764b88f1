package setup

import (
	"regexp"
	"strings"
)

// HubHost is Docker Hub's host, as credentials name it.
const HubHost = "index.docker.io"

// HostOf is the registry's host in what a client asks for: a host, or a URL of http or https, with or without a path. What is written otherwise is no other host's
// name: a client may mean by it whom it doesn't name here.
func HostOf(asked string) string {
	host := strings.Map(lower, strings.TrimSpace(asked))
	for _, scheme := range []string{"https://", "http://"} {
		if rest, ok := strings.CutPrefix(host, scheme); ok {
			host = rest
			break
		}
	}
	host, _, _ = strings.Cut(host, "/")
	switch host {
	case "docker.io", "registry-1.docker.io":
		return HubHost
	}
	return host
}

// lower is of ASCII alone: others' lower case may be ASCII where their names in the DNS are not.
func lower(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r - 'A' + 'a'
	}
	return r
}

// hostPattern is a name or an IPv4 address, or an IPv6 address, with or without a port.
var hostPattern = regexp.MustCompile(`^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[1-9][0-9]{0,4})?$`)

// hostProblem says what is wrong with a configured host, in words that don't show it.
func hostProblem(host string) string {
	lower := strings.ToLower(host)
	switch {
	case host == "":
		return "is empty; name the registry's host, such as registry.example.com or localhost:5001"
	case strings.Contains(host, "://"), strings.Contains(host, "/"):
		return "must be the registry's host alone, such as registry.example.com: no scheme, no path"
	case host != lower:
		return "must be in lower case, as clients ask for it"
	case !hostPattern.MatchString(host):
		return "must be a host, or a host and a port, such as registry.example.com or localhost:5001"
	case HostOf(host) != HubHost && !strings.ContainsAny(host, ".:") && host != "localhost":
		return "has neither a dot nor a port: clients would look for it on Docker Hub; name the port, such as registry:5000"
	}
	return ""
}

// Keys are what clients ask a helper by for this host: docker's config.json has Docker Hub under a URL.
func Keys(host string) (docker, podman string) {
	if HostOf(host) == HubHost {
		return "https://index.docker.io/v1/", "docker.io"
	}
	return host, host
}

// listed puts names into a sentence.
func listed(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

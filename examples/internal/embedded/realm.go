package embedded

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// TokenPath is where tokens are asked for. Some clients of other registries know it as OtherTokenPath.
const (
	TokenPath      = "/token"
	OtherTokenPath = "/auth/token"
)

// realmFor is where the sender of r asks for tokens: at this registry by the name that it is asked by, since clients refuse private addresses
// elsewhere. A name that isn't this machine's own may be somebody's who wants the passwords, and so may be what a header says: own then.
func realmFor(r *http.Request, own string) string {
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil || !isPort(port) || !isThisMachine(host) {
		return "http://" + own + TokenPath
	}
	return "http://" + net.JoinHostPort(host, port) + TokenPath
}

func isPort(s string) bool {
	return s != "" && len(s) <= 5 && strings.Trim(s, "0123456789") == ""
}

// isThisMachine reports whether a host can be no other machine, as seen from this one or its containers.
func isThisMachine(host string) bool {
	if address, err := netip.ParseAddr(host); err == nil {
		return address.Zone() == "" && address.Unmap().IsLoopback()
	}
	switch host = strings.ToLower(host); host {
	case "localhost", "host.docker.internal", "host.containers.internal":
		return true
	}
	name, ok := strings.CutSuffix(host, ".localhost")
	return ok && name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") == ""
}

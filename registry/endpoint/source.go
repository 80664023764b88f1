package endpoint

import (
	"net/http"
	"net/netip"
	"strings"
)

// SourceAddress returns the address that r came from: its peer's, or, where the peer is a trusted proxy, the last one in
// X-Forwarded-For that isn't a trusted proxy's. What comes before that, the client may have written itself. It is the zero
// address when the peer's isn't known, as behind a Unix socket.
//
// The peer's address is r.RemoteAddr, with a port or without: middleware that takes it from a header (chi's RealIP,
// gorilla's ProxyHeaders) leaves the port out, and believes whoever sends one.
func SourceAddress(r *http.Request, trusted ...netip.Prefix) netip.Addr {
	address, ok := parseHop(r.RemoteAddr)
	if !ok {
		return netip.Addr{}
	}
	if !within(address, trusted) {
		return address
	}
	headers := r.Header.Values("X-Forwarded-For")
	for i := len(headers) - 1; i >= 0; i-- {
		for rest, more := headers[i], true; more; { // from its end, as the client may have made it a megabyte long
			var text string
			comma := strings.LastIndexByte(rest, ',')
			rest, text, more = rest[:max(comma, 0)], rest[comma+1:], comma >= 0
			hop, ok := parseHop(strings.TrimSpace(text))
			if !ok {
				return address
			}
			if address = hop; !within(address, trusted) {
				return address
			}
		}
	}
	return address
}

// parseHop reads an address as proxies write it: with a port or without.
func parseHop(text string) (netip.Addr, bool) {
	if address, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return address.Unmap().WithZone(""), true
	}
	withPort, err := netip.ParseAddrPort(text)
	return withPort.Addr().Unmap().WithZone(""), err == nil
}

func within(address netip.Addr, prefixes []netip.Prefix) bool {
	for _, p := range prefixes {
		if p.Contains(address) {
			return true
		}
	}
	return false
}

package oidc

import (
	"errors"
	"net/netip"
	"syscall"
)

// reach is where a request may go, after its host has been resolved.
type reach int

const (
	anywhere     reach = iota // configured
	onlyLoopback              // plain HTTP
	onlyPublic                // named by a document
)

// control looks at each address that is dialed.
func (r reach) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return errors.New("the address isn't one")
	}
	switch ip := to.Addr().Unmap(); {
	case r == onlyLoopback && !ip.IsLoopback():
		return errors.New("plain HTTP is for loopback, and the host isn't there")
	case r == onlyPublic && !public(ip):
		return errors.New("what a document names has to be public or on the issuer's host, and this is neither: configure jwks_url if it is right")
	}
	return nil
}

// special are the blocks of IANA's special-purpose registries that aren't globally reachable, or reach an IPv4 address that would have to be looked at itself.
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
	"192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
)

// global are the IPv6 addresses that are given out, and notGlobal what among them is special.
var (
	global    = netip.MustParsePrefix("2000::/3")
	notGlobal = prefixes("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "2620:4f:8000::/48")
)

func prefixes(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// public reports whether ip, unmapped, is on the Internet.
func public(ip netip.Addr) bool {
	within := func(all []netip.Prefix) bool {
		for _, p := range all {
			if p.Contains(ip) {
				return true
			}
		}
		return false
	}
	if ip.Is4() {
		return !within(special)
	}
	return ip.Is6() && ip.Zone() == "" && global.Contains(ip) && !within(notGlobal)
}

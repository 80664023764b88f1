package config

import (
	"errors"
	"net"
	"net/netip"
	"strings"
)

// onLoopback reports whether nobody but this machine reaches address.
func onLoopback(address string) (bool, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil || port == "" {
		return false, errors.New("must be host:port, such as 127.0.0.1:3000, or :3000 for every address")
	}
	return isLoopback(host), nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && ip.Unmap().IsLoopback()
}

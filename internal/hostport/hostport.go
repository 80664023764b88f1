// Package hostport checks the hosts that become part of image references and endpoints. What go-containerregistry and
// net/url accept is wider than what clients can use.
package hostport

import (
	"errors"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

var dnsName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)

// Split returns the host, without brackets and in lower case, and the port, if any, of text: host, host:port, or either
// with an IPv6 address in brackets. Errors are the end of a sentence, such as "has no host", and hold no part of text.
func Split(text string) (host, port string, err error) {
	text = strings.ToLower(text)
	if text == "" {
		return "", "", errors.New("has no host")
	}
	u, err := url.Parse("//" + text)
	if err != nil || u.Host != text {
		return "", "", errHost(text)
	}
	host, port = u.Hostname(), u.Port()
	if strings.HasSuffix(text, ":") {
		return "", "", errors.New("has a colon but no port")
	}
	if port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || port[0] == '0' {
			return "", "", errors.New("must have a port between 1 and 65535")
		}
	}
	if strings.HasPrefix(text, "[") {
		ip, err := netip.ParseAddr(host)
		if err != nil || !ip.Is6() || ip.Zone() != "" {
			return "", "", errors.New("must have an IPv6 address without a zone in the brackets")
		}
		return ip.String(), port, nil
	}
	if len(host) > 253 || !dnsName.MatchString(host) {
		return "", "", errHost(text)
	}
	if last := host[strings.LastIndexByte(host, '.')+1:]; strings.Trim(last, "0123456789") == "" {
		if _, err := netip.ParseAddr(host); err != nil { // what ends in a number is an IPv4 address or nothing
			return "", "", errors.New("must have an IPv4 address of four numbers from 0 to 255, or a host name")
		}
	}
	return host, port, nil
}

func errHost(text string) error {
	if strings.Count(text, ":") > 1 {
		return errors.New("must have a host or host:port, with an IPv6 address in brackets such as [::1]:5000")
	}
	return errors.New("must have a host name of letters, digits, hyphens and dots, and maybe a port, such as registry.example.com:5000")
}

// Join is the reverse of Split.
func Join(host, port string) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port == "" {
		return host
	}
	return host + ":" + port
}

// IsRegistry reports whether an image reference that begins with host, without a port, is read as naming that host. Any
// other is read as a repository on Docker Hub.
func IsRegistry(host string) bool { return strings.ContainsAny(host, ".:") || host == "localhost" }

// IsLoopback reports whether host, without brackets and port, is this machine by its name alone.
func IsLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

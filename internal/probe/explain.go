package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
)

// Failure is why there was no HTTP answer, or none of the expected protocol.
type Failure struct {
	// Step is how far it came: dns, proxy, tcp, tls or http.
	Step string
	// Summary is the end of a sentence such as "the name x doesn't exist"; Remedy says what to do.
	Summary, Remedy string
	// PlainHTTP: HTTPS was asked for and plain HTTP is spoken; SpeaksTLS: the reverse.
	PlainHTTP, SpeaksTLS bool
}

func failure(step, summary, remedy string) Failure {
	return Failure{Step: step, Summary: summary, Remedy: remedy}
}

// Explain finds the network's part in err. ok is false if it has none.
func Explain(err error) (f Failure, ok bool) {
	host := hostOf(err)
	var dial *net.OpError // before what is inside of it, such as that the proxy's name doesn't exist
	if errors.As(err, &dial) && dial.Op == "proxyconnect" {
		return failure("proxy", "the HTTP proxy for"+host+" can't be reached or refuses",
			"check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"), true
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		name := quoted(dns.Name)
		switch {
		case dns.IsNotFound:
			return failure("dns", "the host name"+name+" doesn't exist in DNS",
				"check the name, and the resolver that this process uses"), true
		case dns.IsTimeout:
			return failure("dns", "the DNS resolver didn't answer for"+name,
				"check that this process can reach its DNS resolver"), true
		default:
			return failure("dns", "the DNS resolver failed for"+name,
				"check that this process can reach its DNS resolver"), true
		}
	}
	if f, ok := explainTLS(err, host); ok {
		return f, true
	}
	if refusedByProxy(err) {
		return failure("proxy", "the HTTP proxy for"+host+" refuses to connect to it",
			"check that the proxy lets this host through and which login it wants: HTTPS_PROXY, HTTP_PROXY and NO_PROXY"), true
	}
	if dial != nil && dial.Op == "dial" {
		to := host
		if to == "" && dial.Addr != nil {
			to = " " + dial.Addr.String()
		}
		switch {
		case errors.Is(err, syscall.ECONNREFUSED):
			return failure("tcp", "nothing listens at"+to+" (connection refused)",
				"check host and port, and that the server runs"), true
		case dial.Timeout():
			return failure("tcp", "no connection to"+to+" in time",
				"check firewalls, security groups, routes and whether a proxy or VPC endpoint is needed"), true
		default:
			return failure("tcp", "no connection to"+to,
				"check routes and firewalls, and whether a proxy or VPC endpoint is needed"), true
		}
	}
	var network net.Error
	switch {
	case strings.Contains(err.Error(), "malformed HTTP"):
		if strings.Contains(err.Error(), `\x15\x03`) { // a TLS alert
			return speaksTLS(host), true
		}
		return failure("http", "what listens at"+host+" doesn't speak HTTP",
			"check host and port"), true
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return failure("http", "no answer in time"+from(host),
			"check the network between here and there, and what it is doing"), true
	case errors.Is(err, context.Canceled):
		return Failure{}, false
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return failure("http", "the connection"+toward(host)+" was cut before an answer",
			"check proxies and firewalls on the way, and the server's log"), true
	}
	return Failure{}, false
}

// refusedByProxy: of a proxy's answer to CONNECT, net/http makes an error that is its status's text and nothing else.
func refusedByProxy(err error) bool {
	var sent *url.Error
	if !errors.As(err, &sent) {
		return false
	}
	for status := http.StatusBadRequest; status <= http.StatusNetworkAuthenticationRequired; status++ {
		if text := http.StatusText(status); text != "" && sent.Err.Error() == text {
			return true
		}
	}
	return false
}

const caRemedy = "trust the certificate's authority: set AWS_CA_BUNDLE for AWS's endpoints, or add it to the system's or container's authorities"

func explainTLS(err error, host string) (Failure, bool) {
	var unknown x509.UnknownAuthorityError
	var wrongName x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var remote *net.OpError // with which crypto/tls reports the other side's alert
	switch {
	case errors.Is(err, http.ErrSchemeMismatch):
		return Failure{Step: "tls", Summary: "plain HTTP is spoken at" + host + ", where HTTPS is expected",
			Remedy: "let it serve TLS, or use the port that does", PlainHTTP: true}, true
	case errors.As(err, &unknown):
		return failure("tls", "the certificate of"+host+" is signed by an unknown authority, which isn't trusted",
			caRemedy), true
	case errors.As(err, &wrongName):
		return failure("tls", "the certificate of"+host+" is for other names",
			"use a name that is in the certificate, or a certificate that has the name"), true
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return failure("tls", "the certificate of"+host+" has expired or isn't valid yet",
			"renew it; check this machine's clock"), true
	case errors.As(err, &verification), errors.As(err, &invalid):
		return failure("tls", "the certificate of"+host+" isn't trusted",
			caRemedy), true
	case errors.As(err, &record):
		return failure("tls", "what listens at"+host+" doesn't speak TLS",
			"check host and port"), true
	case errors.As(err, &remote) && remote.Op == "remote error", strings.Contains(err.Error(), ": tls: "):
		return failure("tls", "the TLS handshake with"+host+" failed",
			"check which TLS versions and client certificates it asks for"), true
	case strings.Contains(err.Error(), "TLS handshake timeout"):
		return failure("tls", "the TLS handshake with"+host+" took too long",
			"check proxies and firewalls on the way"), true
	}
	return Failure{}, false
}

func speaksTLS(host string) Failure {
	return Failure{Step: "tls", Summary: "HTTPS is spoken at" + host + ", where plain HTTP is expected", Remedy: "use https://", SpeaksTLS: true}
}

// hostOf returns a space and the host that was asked; without anything else of its URL, which may hold a login.
func hostOf(err error) string {
	var sent *url.Error
	if errors.As(err, &sent) {
		if u, parseErr := url.Parse(sent.URL); parseErr == nil {
			return " " + u.Host
		}
	}
	return ""
}

func quoted(name string) string {
	if name == "" {
		return ""
	}
	return " " + name
}

func from(host string) string { return preposition(" from", host) }

func toward(host string) string { return preposition(" to", host) }

func preposition(word, host string) string {
	if host == "" {
		return ""
	}
	return word + host
}

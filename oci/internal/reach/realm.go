package reach

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/rise-deploy/rise-registry-go/internal/hostport"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

const realmRemedy = "set the realm of the registry's token authentication (auth.token.realm of distribution's registry) to an absolute https URL " +
	"that its clients reach, such as https://registry.example.com/token"

// checkRealm makes f, a passed finding, one about the token service that a registry names, if clients can't use it: of its form alone,
// so that it shows without a login. header is the answer's whose challenge is bearer, and scheme how the registry was reached.
func checkRealm(ctx context.Context, f diagnosis.Finding, key, scheme string, registry name.Registry, header http.Header) diagnosis.Finding {
	fail := func(status diagnosis.Status, what, remedy string) diagnosis.Finding {
		f.Status, f.Summary, f.Remedy = status, key+" asks for a token of its token service, but "+what, remedy
		return f
	}
	challenge, err := Challenge(ctx, header)
	if err != nil {
		return fail(diagnosis.Failed, "its WWW-Authenticate header can't be read", realmRemedy)
	}
	realm, err := url.Parse(challenge.Parameters["realm"])
	switch {
	case challenge.Parameters["realm"] == "":
		return fail(diagnosis.Failed, "names none: WWW-Authenticate has no realm", realmRemedy)
	case err != nil || (realm.Scheme != "https" && realm.Scheme != "http"):
		return fail(diagnosis.Failed, "the realm that it names is no absolute http or https URL", realmRemedy)
	}
	host, _, err := hostport.Split(realm.Host)
	refuse := "go-containerregistry (crane, kaniko) and oras send"
	if sameHost(registry, host) {
		refuse = "go-containerregistry (crane, kaniko) sends"
	}
	switch {
	case err != nil || realm.User != nil: // it is the registry's text, and may be anything
		return fail(diagnosis.Failed, "the realm that it names has no valid host, or holds a login", realmRemedy)
	case realm.Scheme == "http" && scheme == "https":
		return fail(diagnosis.Failed, "the realm that it names is plain HTTP: clients refuse it, or send passwords in the clear", realmRemedy)
	case realm.Host != registry.RegistryStr() && isPrivateLiteral(host):
		return fail(diagnosis.Warned, "the realm that it names is at the private address "+realm.Host+", where "+refuse+" no login",
			"serve the token service on the registry's own host and port, or by a public name in DNS")
	}
	return f
}

// Challenge is what go-containerregistry reads of an answer's headers.
func Challenge(ctx context.Context, header http.Header) (*transport.Challenge, error) {
	registry, err := name.NewRegistry("registry.invalid")
	if err != nil {
		return nil, err
	}
	return transport.Ping(ctx, registry, answered(header))
}

// answered answers every request with a 401 that has these headers.
type answered http.Header

func (a answered) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusUnauthorized, Header: http.Header(a), Body: http.NoBody, Request: r}, nil
}

// PrivateName returns the private address that a realm's host resolves to, if it is a name, and another one than the registry's: oras sends no login
// there (oras-go 2.7). The zero address: there is none, or it can't be resolved from here.
func PrivateName(ctx context.Context, registry name.Registry, realm *url.URL) netip.Addr {
	host, _, err := hostport.Split(realm.Host)
	if err != nil || sameHost(registry, host) || isPrivateLiteral(host) {
		return netip.Addr{}
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.Addr{}
	}
	for _, a := range addresses {
		if isPrivate(a) {
			return a.Unmap()
		}
	}
	return netip.Addr{}
}

// sameHost: ports don't count.
func sameHost(registry name.Registry, host string) bool {
	own, _, err := hostport.Split(registry.RegistryStr())
	return err == nil && own == host
}

func isPrivateLiteral(host string) bool {
	address, err := netip.ParseAddr(host)
	return err == nil && isPrivate(address)
}

func isPrivate(address netip.Addr) bool {
	address = address.Unmap()
	return address.IsPrivate() || address.IsLoopback() || address.IsLinkLocalUnicast() || address.IsUnspecified()
}

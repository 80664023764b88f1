package diagnosis

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/rise-deploy/rise-registry-go/oci/internal/reach"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

func (d *checkup) checkChallenge(ctx context.Context) diagnosis.Finding {
	turnOn := d.section("turn on its token authentication; of distribution's registry")
	challenge, err := reach.Challenge(ctx, d.found.Header)
	switch {
	case d.found.Authentication == "none":
		return failed(turnOn, "the registry asks for no login: whoever reaches it can push and pull everything")
	case err != nil || challenge.Scheme != "bearer":
		return failed(turnOn, "the registry asks for a user name and password of its own, and not for a token: what is handed out is no login there")
	}
	service := challenge.Parameters["service"]
	if service != d.Service {
		remedy := d.section("let the registry have this name for itself")
		if service != "" && len(service) <= 128 {
			remedy = fmt.Sprintf("set token_service: %+q, or ", service) + remedy
		}
		return failed(remedy, "the registry asks for tokens for the service %+.100q, and token_service is %+q: clients are answered 400, and no token would be taken", service, d.Service)
	}
	if d.realm, err = url.Parse(challenge.Parameters["realm"]); err != nil { // its form was looked at before
		return failed(turnOn, "the registry names no realm")
	}
	f := passed("the registry asks for tokens for the service %+q", d.Service)
	f.Evidence = []slog.Attr{slog.String("realm", d.realm.Redacted())}
	return f
}

// noName is a host that there is not: a registry that answers to it does so to any.
const noName = "rise-probe.invalid"

// checkRealm looks at where the registry sends its clients: whether it is always there, and whether all go.
func (d *checkup) checkRealm(ctx context.Context) diagnosis.Finding {
	evidence := []slog.Attr{slog.String("realm", d.realm.Redacted())}
	if a := d.host.DoFor(ctx, http.MethodGet, d.base+"/v2/", noName); a.Failure == nil && a.Status == http.StatusUnauthorized {
		challenge, err := reach.Challenge(ctx, a.Header)
		if err == nil {
			if realm, err := url.Parse(challenge.Parameters["realm"]); err == nil && realm.Hostname() == noName {
				f := warned(d.section("leave out autoredirect, and name the realm"),
					"the registry sends clients to whatever host they asked for (autoredirect of distribution's registry): a name that leads to it by mistake or malice is where they "+
						"send their login")
				f.Evidence = evidence
				return f
			}
		}
	}
	var f diagnosis.Finding
	switch private := reach.PrivateName(ctx, d.Clients.Registry, d.realm); {
	case private.IsValid():
		f = warned(d.section("let /token be a route on the registry's own host, or serve it by a public name"),
			"the realm that the registry names is at %s, which is the private address %v and not the registry's name: oras sends no login there", d.realm.Host, private)
	default:
		f = passed("clients send their login to the realm that the registry names")
	}
	f.Evidence = evidence
	return f
}

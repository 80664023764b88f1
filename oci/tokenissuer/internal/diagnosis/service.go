package diagnosis

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// checkTokenService shows a grant that has ended at the realm: only this service knows that it is one of its own, and nobody has a use for it.
func (d *checkup) checkTokenService(ctx context.Context) diagnosis.Finding {
	now := time.Now()
	username, grant, err := d.Grant(now.Add(-2*time.Hour), now.Add(-time.Hour)) // whatever the clock is there
	if err != nil {
		return failed(Renew, "no grant can be made: %v", err)
	}
	at := *d.realm
	query := at.Query()
	query.Set("service", d.Service)
	at.RawQuery = query.Encode()
	a := d.host.DoAs(ctx, http.MethodGet, at.String(), "Basic "+base64.StdEncoding.EncodeToString([]byte(username+":"+grant)))
	says := func(sentence string) bool {
		return a.Status == http.StatusUnauthorized && strings.Contains(string(a.Body), sentence)
	}
	const route = "let a proxy before the registry send /token to this service; of nginx:\n" +
		"location = /token { proxy_pass http://127.0.0.1:3000; }  # where the service listens"
	var f diagnosis.Finding
	switch {
	case a.Failure != nil:
		f = failed(a.Failure.Remedy+"; or name another realm, where this service is:\n"+d.section("of distribution's registry"),
			"the realm that the registry names can't be used: %s", a.Failure.Summary)
	case says(d.Expired):
		f = passed("this service answers at the realm that the registry names")
	case says(d.Forged):
		f = failed("give all replicas the same signing keys, registry_url, namespace, token_service and token_issuer; is it another installation's, name this one's realm:\n"+
			d.section("of distribution's registry"),
			"what answers at the realm that the registry names is a service of this kind, with other signing keys or another configuration")
	case says(d.Missing):
		f = failed("let what is before the service pass the Authorization header on: no auth_basic of its own there, no proxy_set_header that empties it",
			"this service answers at the realm that the registry names, but the login doesn't arrive there: what is before it drops the Authorization header")
	case a.Status == http.StatusTooManyRequests || a.Status >= http.StatusInternalServerError:
		f = failed("look at the service's log, and at that of a proxy before it; try again later", "what answers at the realm that the registry names fails or is busy: %d", a.Status)
	case a.Status/100 == 3:
		f = failed(d.section("name a realm where the service itself answers"), "the realm that the registry names redirects elsewhere, with which clients lose their login")
	case d.realm.Host == d.Clients.Registry.RegistryStr():
		f = failed(route, "on the registry's own host, at %s, with %d, isn't this service, but the registry or another", d.realm.Path, a.Status)
		f.Summary = "what answers " + f.Summary
	default:
		f = failed(d.section("name a realm that is this service's /token"), "what answers at the realm that the registry names, with %d, isn't this service", a.Status)
	}
	f.Evidence = a.Evidence
	return f
}

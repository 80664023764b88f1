package diagnosis

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/internal/probe"
	"github.com/rise-deploy/rise-registry-go/oci/internal/reach"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// checkToken shows a token that opens nothing.
func (d *checkup) checkToken(ctx context.Context) diagnosis.Finding {
	a, err := d.ask(ctx, http.MethodGet, "", Token{})
	f, bad := unusable(a, err, "with a token")
	switch {
	case bad:
		return f
	case a.Status == http.StatusOK:
		f = d.taken(ctx)
	case refused(a):
		f = d.why(ctx, a)
	default:
		f = failed("look at the registry's log", "the registry answered %d to a token", a.Status)
	}
	f.Evidence = append(f.Evidence, a.Evidence...)
	return f
}

// taken looks whether the registry's authority is the one that signed the signing certificate: it takes a token that doesn't name the others then.
func (d *checkup) taken(ctx context.Context) diagnosis.Finding {
	short, ok := d.Keys.Ring().Short()
	if !ok || d.takes(ctx, Token{Ring: short}) {
		return passed("the registry takes this service's tokens")
	}
	f := warned(d.section("give the registry the authority that signed the signing certificate, and none above it"),
		"the registry takes this service's tokens by an authority above the one that signed the signing certificate: whoever has any other certificate below that can sign tokens, too")
	f.Evidence = d.authority()
	return f
}

// takes reports whether the registry takes a token that differs from the service's own.
func (d *checkup) takes(ctx context.Context, t Token) bool {
	a, err := d.ask(ctx, http.MethodGet, "", t)
	return err == nil && a.Failure == nil && a.Status == http.StatusOK
}

// why tells apart why the registry, whose answer is a, takes no token. It says so in its log alone, so tokens with one difference each are shown to it.
func (d *checkup) why(ctx context.Context, a probe.Answer) diagnosis.Finding {
	now := time.Now()
	if d.takes(ctx, Token{Made: now.Add(-time.Hour), Life: 2 * time.Hour}) {
		f := failed(keepClocks, "the registry takes this service's tokens only while they are good for an hour before and after: the clocks differ")
		if d.dated && d.offset.Abs() >= late {
			f.Summary = "the registry takes no token of this service's, since " + clockSays(d.offset)
		}
		return f
	}
	for _, issuer := range d.otherIssuers() {
		if d.takes(ctx, Token{Issuer: issuer}) {
			return failed(fmt.Sprintf("set token_issuer: %+q, or ", issuer)+d.section("let the registry take tokens of this issuer"),
				"the registry takes tokens of the issuer %+q, and token_issuer is %+q", issuer, d.Issuer)
		}
	}
	name, keyID := d.Keys.Ring().Authority()
	check := d.section(fmt.Sprintf("its log says which of the two (level info). Its authorities have to have %s, with the key %s: openssl x509 -in ca.crt -noout -subject -ext subjectKeyIdentifier\n"+
		"They are read when it starts: start it again after a change. Its configuration", name, cmp.Or(keyID, "that signed the signing certificate")))
	f := failed(check, "the registry takes no token of this service's: it lacks the authority of the signing certificate (rootcertbundle), or has read it before that was there, "+
		"or has another issuer than %+q", d.Issuer)
	if a.Status == http.StatusForbidden {
		f = failed("look at what is before the registry: a proxy or firewall with rules of its own, and its log", "a request with a token is answered 403, which no registry with token "+
			"authentication does: something before it refuses")
	} else if challenge, err := reach.Challenge(ctx, a.Header); err == nil && challenge.Parameters["error"] == "" {
		f = failed("let what is before the registry pass the Authorization header on: no auth_basic of its own there, no proxy_set_header that empties it. If there is nothing before it:\n"+check,
			"the registry answers a token as if none had come: what is before it drops the Authorization header; or it is one that doesn't say so where it takes no token of this service's")
	}
	f.Evidence = append(d.authority(), slog.String("issuer", d.Issuer))
	return f
}

// otherIssuers are what a registry is often told instead: what documentation has, its own name and address, and other spellings.
func (d *checkup) otherIssuers() []string {
	var all []string
	for _, host := range []string{d.Service, d.Clients.Registry.RegistryStr(), d.Cluster.Registry.RegistryStr(), d.realm.Host} {
		all = append(all, host, "https://"+host)
	}
	trimmed := strings.TrimRight(strings.TrimSpace(d.Issuer), "/")
	all = append(all, d.realm.String(), "rise", "registry-token-issuer", "Acme auth server", trimmed, trimmed+"/", "https://"+trimmed, strings.ToLower(d.Issuer))
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(issuer string) bool { return issuer == d.Issuer || issuer == "" })
}

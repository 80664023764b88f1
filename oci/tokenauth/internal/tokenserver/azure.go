package tokenserver

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/oci/tokenauth/internal/bearer"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// EntraAudience is for what Entra's token is asked: Azure's registries alone, not all of Azure's management.
const EntraAudience = "https://containerregistry.azure.net/.default"

const (
	opEntra    = "ask Entra"
	entra      = "Entra"
	opExchange = "exchange Entra's token at the registry"
)

// Entra is an application in a tenant of Entra's, and where that is.
type Entra struct {
	// Authority is Entra's own address, without a path.
	Authority *url.URL
	TenantID  string
	ClientID  string
}

// aadsts is the number of an error of Entra's.
var aadsts = regexp.MustCompile(`^AADSTS([0-9]{3,9}):`)

// EntraToken exchanges an assertion, a workload's federated token, for Entra's access token for Azure's registries (Microsoft identity platform, OAuth 2.0 client
// credentials flow, "Third case: Access token request with a federated credential"). It goes to the authority alone.
func (s Sender) EntraToken(ctx context.Context, e Entra, assertion provider.Secret) (provider.Secret, error) {
	a, err := s.send(ctx, form(at(e.Authority, "/"+e.TenantID+"/oauth2/v2.0/token"), url.Values{
		"grant_type": {"client_credentials"}, "client_id": {e.ClientID}, "scope": {EntraAudience},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion.Reveal()},
	}), opEntra, entra)
	if err != nil {
		return provider.Secret{}, err
	}
	if e := unexpected(a, opEntra, entra); e != nil {
		return provider.Secret{}, e
	}
	if a.status != http.StatusOK {
		return provider.Secret{}, refusedByEntra(a)
	}
	return secretOf(a, "access_token", opEntra, entra)
}

// refusedByEntra makes an error of Entra's, of which its number is shown and nothing else.
func refusedByEntra(a answer) error {
	var said struct {
		Description string `json:"error_description"`
	}
	_ = json.Unmarshal([]byte(a.body), &said)
	number, kind, hint := "", provider.ErrAccessDenied, "look the number up: https://learn.microsoft.com/entra/identity-platform/reference-error-codes"
	if m := aadsts.FindStringSubmatch(said.Description); m != nil {
		number = m[1]
	}
	switch number {
	case "":
		return fail(provider.ErrBadResponse, opEntra, "check azure.authority_host and azure.tenant_id", "Entra answered %d, and not as it does", a.status)
	case "90002", "900021", "90023":
		kind, hint = provider.ErrMisconfigured, "check azure.tenant_id: Entra doesn't know that tenant"
	case "700016", "700038":
		kind, hint = provider.ErrMisconfigured, "check azure.client_id: there is no such application in azure.tenant_id"
	case "70021", "700211", "700212", "700213":
		hint = "add a federated credential to the application of azure.client_id, whose issuer, subject and audience are those of the token in azure.token_file"
	case "700024", "700027":
		hint = "check that the token in azure.token_file is renewed, and this machine's clock"
	case "500011", "500014":
		kind, hint = provider.ErrMisconfigured, "the tenant doesn't know Azure's registries ("+strings.TrimSuffix(EntraAudience, "/.default")+"): is azure.tenant_id the registry's?"
	}
	return fail(kind, opEntra, hint, "Entra refuses the application's federated token: AADSTS%s", number)
}

// Exchange exchanges Entra's access token for a refresh token of the registry's own, at the registry's own host alone, and says until when that is to be used
// (Azure/acr, docs/AAD-OAuth.md).
func (c *Client) Exchange(ctx context.Context, k *Known, tenant string, access provider.Secret) (provider.Secret, time.Time, error) {
	none := func(err error) (provider.Secret, time.Time, error) { return provider.Secret{}, time.Time{}, err }
	a, err := c.sender.send(ctx, form(at(k.Base, "/oauth2/exchange"), url.Values{
		"grant_type": {"access_token"}, "service": {k.Service}, "tenant": {tenant}, "access_token": {access.Reveal()},
	}), opExchange, theRegistry)
	if err != nil {
		return none(err)
	}
	if e := unexpected(a, opExchange, theRegistry); e != nil {
		return none(e)
	}
	switch {
	case slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden}, a.status):
		return none(fail(provider.ErrAccessDenied, opExchange, "give the application of azure.client_id the role AcrPush on the registry, and check that azure.tenant_id is the registry's",
			"the registry refuses Entra's token: it answered %d", a.status))
	case a.status != http.StatusOK:
		return none(fail(provider.ErrMisconfigured, opExchange, "azure is for Azure's container registry: check registry_url", "the registry takes no token of Entra's: it answered %d", a.status))
	}
	refresh, err := secretOf(a, "refresh_token", opExchange, theRegistry)
	if err != nil {
		return none(err)
	}
	return refresh, a.began.Add(keep(refresh.Reveal(), a)), nil
}

// keep is how long a refresh token is used: half of its life, as it carries the rights of when it was made; five minutes, if it doesn't say.
func keep(token string, a answer) time.Duration {
	const least = 5 * time.Minute
	ends := bearer.Expiry(token)
	now := a.came
	if date, err := http.ParseTime(a.header.Get("Date")); err == nil {
		now = date
	}
	if ends.IsZero() {
		return least
	}
	return min(ends.Sub(now)/2, longest)
}

// secretOf is a member of an answer.
func secretOf(a answer, member, op, who string) (provider.Secret, error) {
	var said map[string]json.RawMessage
	var text string
	err := json.Unmarshal([]byte(a.body), &said)
	if err == nil {
		err = json.Unmarshal(said[member], &text)
	}
	if err != nil || text == "" || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		what := fmt.Sprintf("JSON without a plain %s", member)
		if page(a) {
			what = "a web page"
		}
		return provider.Secret{}, fail(provider.ErrBadResponse, op, "", "the answer of %s is %s", who, what)
	}
	return provider.NewSecret(text), nil
}

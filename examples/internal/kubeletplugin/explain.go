package kubeletplugin

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// noToken says why the kubelet sent none, and what to do.
func noToken(r Request) string {
	if newest := Versions()[0]; r.APIVersion != newest {
		return fmt.Sprintf("the kubelet sends the pod's service account token only with apiVersion %s and tokenAttributes: set both in its CredentialProviderConfig", newest)
	}
	return "the kubelet sent no service account token: set tokenAttributes in its CredentialProviderConfig (Kubernetes 1.34 or later), with requireServiceAccount: true"
}

// explain says whose token didn't get what it was for, and what to do on a node or in the service's configuration. err says which project, and what happened.
func explain(err error, token provider.Secret) error {
	who, claims := claimsOf(token)
	return fmt.Errorf("for %s: %w%s", who, err, advice(err, claims))
}

func advice(err error, claims string) string {
	switch {
	case errors.Is(err, provider.ErrAccessDenied):
		return "; the token has " + claims + ": an entry of the service's auth.oidc has to have that issuer and audience, and a rule that fits; " +
			"the audience comes from serviceAccountTokenAudience in the kubelet's CredentialProviderConfig"
	case errors.Is(err, provider.ErrNotFound):
		return "; a rule of the service's auth.oidc has to give this service account the project, and server.cluster_credentials has to be true"
	case errors.Is(err, provider.ErrMisconfigured):
		return "; RISE_URL and RISE_CA_FILE, or the flags, are in the kubelet's CredentialProviderConfig"
	case errors.Is(err, provider.ErrConflict), errors.Is(err, provider.ErrThrottled), errors.Is(err, provider.ErrUnavailable), errors.Is(err, provider.ErrTimeout):
		return "; the kubelet tries again by itself"
	}
	return ""
}

func now() string { return time.Now().UTC().Format(time.RFC3339) }

// claimsOf reads who a service account's token is for, without verifying anything: it is for a message. Nothing that it returns is secret.
func claimsOf(token provider.Secret) (who, claims string) {
	const unreadable = "a service account whose token isn't a JWT"
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 {
		return unreadable, "no claims that can be read"
	}
	var c struct {
		Issuer   string          `json:"iss"`
		Subject  string          `json:"sub"`
		Audience json.RawMessage `json:"aud"`
		Expires  float64         `json:"exp"`
	}
	if text, err := base64.RawURLEncoding.DecodeString(parts[1]); err != nil || json.Unmarshal(text, &c) != nil {
		return unreadable, "no claims that can be read"
	}
	expires := time.Unix(int64(c.Expires), 0).UTC()
	claims = fmt.Sprintf("issuer %+.200q, audience %+.200q, and lives until %s", c.Issuer, audience(c.Audience), expires.Format(time.RFC3339))
	if !expires.After(time.Now()) {
		claims += ", which this node's clock says is over: it says " + now()
	}
	return fmt.Sprintf("%+.200q", c.Subject), claims
}

// audience is the first: Kubernetes writes a list of one.
func audience(raw json.RawMessage) string {
	var one string
	var several []string
	if json.Unmarshal(raw, &several) == nil && len(several) > 0 {
		return several[0]
	}
	_ = json.Unmarshal(raw, &one) // else there is none
	return one
}

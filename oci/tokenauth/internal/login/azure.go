package login

import (
	"context"
	"time"

	"github.com/rise-deploy/rise-registry-go/oci/tokenauth/internal/tokenserver"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// Azure is a workload's identity: the token that its platform keeps in a file is exchanged at Entra, and what that gives at the registry, for a refresh token which
// is used for half of its life. Make it with [NewAzure].
type Azure struct {
	entra  tokenserver.Entra
	file   string
	sender tokenserver.Sender
	client *tokenserver.Client
	turn   chan struct{} // to look at kept, and to renew it
	kept   kept
}

type kept struct {
	proof tokenserver.Proof
	until time.Time
}

// NewAzure makes one for the registry of client.
func NewAzure(entra tokenserver.Entra, tokenFile string, sender tokenserver.Sender, client *tokenserver.Client) *Azure {
	return &Azure{entra: entra, file: tokenFile, sender: sender, client: client, turn: make(chan struct{}, 1)}
}

// Key returns "azure.client_id".
func (a *Azure) Key() string { return "azure.client_id" }

// Prove returns a refresh token. What fails at Entra or the registry is an error of its kind; a file that can't be used is [provider.ErrMisconfigured].
func (a *Azure) Prove(ctx context.Context) (tokenserver.Proof, error) {
	select {
	case a.turn <- struct{}{}:
	case <-ctx.Done():
		return tokenserver.Proof{}, &provider.Error{Kind: provider.ErrTimeout, Op: "exchange login", Err: ctx.Err()}
	}
	defer func() { <-a.turn }()
	if a.kept.good(time.Now()) {
		return a.kept.proof, nil
	}
	a.kept = kept{}
	k, err := a.client.Known(ctx) // first: a registry that isn't the configured one gets nothing
	if err != nil {
		return tokenserver.Proof{}, err
	}
	assertion, err := readSecret(a.file)
	if err != nil {
		return tokenserver.Proof{}, &provider.Error{Kind: provider.ErrMisconfigured, Op: "read login", Err: provider.NewConfigError("azure.token_file", "%s", err.Error())}
	}
	access, err := a.sender.EntraToken(ctx, a.entra, assertion)
	if err != nil {
		return tokenserver.Proof{}, err
	}
	refresh, until, err := a.client.Exchange(ctx, k, a.entra.TenantID, access)
	if err != nil {
		return tokenserver.Proof{}, err
	}
	a.kept = kept{tokenserver.Proof{RefreshToken: refresh}, until}
	return a.kept.proof, nil
}

// good goes by both clocks, as the monotonic one stands still while a machine sleeps.
func (k kept) good(now time.Time) bool {
	return now.Before(k.until) && now.Round(0).Before(k.until.Round(0))
}

// Refused has the next Prove get another refresh token, if p is still what is used.
func (a *Azure) Refused(p tokenserver.Proof) {
	select {
	case a.turn <- struct{}{}:
	default:
		return // it is being renewed
	}
	defer func() { <-a.turn }()
	if a.kept.proof.RefreshToken.Equal(p.RefreshToken) {
		a.kept = kept{}
	}
}

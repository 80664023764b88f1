package decorator

import (
	"context"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/internal/kept"
)

// Reuser is the capability of a decorator to hand out once more what it got for an equal request and kept, as registry/cache
// does. [provider.Issue] asks it first, of the outermost provider only: whoever decorates the decorator may change its answers.
type Reuser interface {
	provider.Provider
	// Reuse returns what is kept for r and may be handed out at now, the present time; nil if there is nothing. Then
	// Credentials is asked. It must be quick, and nobody changes what it returns.
	Reuse(ctx context.Context, r provider.Request, now time.Time) *Issued
}

// Issued is a credential that was checked, by [IssueForReuse] alone, together with what it was checked for. The zero Issued
// was checked for nothing. Its methods are
//
//	For(r provider.Request) bool       // whether it was issued for r
//	Request() provider.Request         // what it was issued for
//	Credentials() provider.Credentials // as they were when they were checked: they may have expired since
type Issued = kept.Issued[provider.Request, provider.Credentials]

// IssueForReuse asks p for r as [provider.Issue] does, for reuser, which decorates p and keeps the answer: the target is compared with
// the repository that reuser names for the project. [provider.Issue] takes it from that very reuser, and for an equal request only; a
// type that embeds a Reuser, and so has its methods, is another.
//
// reuser has to be a pointer: anything else may keep it too, but is checked each time.
func IssueForReuse(ctx context.Context, reuser Reuser, p provider.Provider, r provider.Request) (Issued, error) {
	c, err := provider.Issue(ctx, named{credentials: p, names: reuser}, r)
	if err != nil {
		return Issued{}, err
	}
	c.Details = slices.Clip(c.Details) // many get it, and who appends to it mustn't write into what another has
	return kept.New(reuser, r, c), nil
}

// named is one provider's credentials by another one's names, and has no capability of either: what it answers is always checked.
type named struct{ credentials, names provider.Provider }

func (n named) Repository(project string, consumer provider.Consumer) (name.Repository, error) {
	return n.names.Repository(project, consumer)
}

func (n named) Credentials(ctx context.Context, r provider.Request) (provider.Credentials, error) {
	return n.credentials.Credentials(ctx, r)
}

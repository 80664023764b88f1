package repository

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// Manager is the capability of providers whose registry needs a repository to be made before an image is pushed:
// it makes repositories, keeps their settings, and lets go of them without losing images by mistake. Find it with
// [ManagerOf].
//
// Every method reads, just before it changes anything, what proves that a repository belongs to this installation and to
// the project; what isn't proven is refused. Every method may be repeated: after a failure in the middle, running it again
// completes it. All of them are safe for concurrent use, in several processes too.
//
// Beside the errors that every provider has (ErrInvalidRequest for a name or id that can't be one, ErrAccessDenied, ...):
// [provider.ErrNotFound] where there must be a repository and is none, [provider.ErrNotOurs] for one of nobody, of another installation or of
// another project, [provider.ErrOrphaned] for one that was released, [provider.ErrMisconfigured] where the configuration doesn't allow it.
type Manager interface {
	// EnsureRepository makes p's repository, or mends the settings of the one that there is. An orphaned one is restored
	// if p.ID is the one that it was released with, and is ErrOrphaned otherwise: a new owner of the name doesn't get the
	// former owner's images.
	EnsureRepository(ctx context.Context, p provider.Project, o EnsureOptions) (Change, error)

	// AdoptRepository makes an existing repository of nobody's p's. One with a policy that lets strangers in is
	// ErrConflict unless force is set.
	AdoptRepository(ctx context.Context, p provider.Project, force bool) (Change, error)

	// ReleaseRepository lets go of p's repository: it is marked as orphaned, from when on no credential works with it, and
	// removed later if the configuration says so. None at all is a success. With an ID in p, another's is ErrNotOurs.
	ReleaseRepository(ctx context.Context, p provider.Project) (Change, error)

	// RestoreRepository takes back a ReleaseRepository, whoever the images belonged to: it is for operators who know.
	// With an ID in p, another's is ErrOrphaned.
	RestoreRepository(ctx context.Context, p provider.Project) (Change, error)

	// SuspendRepository makes all credentials for the project's repository fail, those handed out before included, or,
	// with suspended false, work again.
	SuspendRepository(ctx context.Context, project string, suspended bool) (Change, error)

	// PurgeRepository removes a repository, with its images, that was orphaned olderThan ago or earlier; olderThan is at
	// least what Retention says. One that isn't ours, isn't orphaned, or not for so long, or of which it can't be told
	// when, is left alone: a change without actions. Ages are by the registry's clock. It and ReleaseRepository fail where
	// the registry doesn't say what time it is (ErrBadResponse), or where that and this machine's time are five minutes
	// apart or more (ErrMisconfigured).
	PurgeRepository(ctx context.Context, project string, olderThan time.Duration) (Change, error)

	// RepositoryOwner reads whose a project's repository is, in one call upstream. None is ErrNotFound; one that isn't ours
	// is no error.
	RepositoryOwner(ctx context.Context, project string) (Owner, error)

	// ListRepositories yields all repositories whose name a project could have, in no order, page by page: it keeps none
	// of them. It yields an error once, at the end.
	ListRepositories(ctx context.Context) iter.Seq2[Repository, error]

	// Retention is what becomes of released repositories. It is ErrMisconfigured when the configuration doesn't allow
	// letting go of any.
	Retention() (Retention, error)
}

// PushCreator is the capability of providers whose registry makes a repository by itself when an image is pushed to it,
// so that there is nothing to manage.
type PushCreator interface {
	CreatesOnPush() bool
}

// ManagerOf returns p's capability to manage repositories, or a [provider.ErrUnsupported] error that says why it has none.
func ManagerOf(p provider.Provider) (Manager, error) {
	if m, ok := provider.As[Manager](p); ok {
		return m, nil
	}
	e := &provider.Error{Kind: provider.ErrUnsupported, Op: "manage repositories", Err: fmt.Errorf("type %s can't", provider.TypeOf(p))}
	if c, ok := provider.As[PushCreator](p); ok && c.CreatesOnPush() {
		e.Err = errors.New("there is nothing to manage with type " + provider.TypeOf(p))
		e.Hint = "its repositories appear when an image is pushed to them"
	}
	return nil, e
}

package reconcile

import (
	"errors"
	"fmt"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// guard returns what may be released, and an error if that is nothing because of the configuration. kept is how many
// repositories are a wanted project's.
func (n *run) guard(releases []leftOver, kept int) ([]leftOver, error) {
	g := &n.report.Guard
	var refused error
	if n.removesAtOnce() && len(releases) > 0 {
		refused = &provider.Error{
			Kind: provider.ErrMisconfigured, Op: "release repositories",
			Err:  fmt.Errorf("%d are left over, and none is released: released repositories are removed at once, which leaves nothing to count", len(releases)),
			Hint: "release them one by one, or have released repositories kept for a time (remove_after: 24h)",
		}
		for _, l := range releases {
			n.leave(l.project, reasonAtOnce)
		}
		releases = nil
	}
	g.Ours += kept
	g.ToRelease = len(releases)
	g.Limit = max(1, g.Ours*n.options.MaxOrphanedPercent/100)
	if n.options.MaxOrphanedPercent == 100 {
		g.Limit = g.Ours + g.Unread
	}
	if g.exceeded() {
		n.hold(releases)
		releases = nil
	}
	return releases, refused
}

func (g Guard) exceeded() bool { return g.Orphaned+g.Unread+g.ToRelease > g.Limit }

func (n *run) hold(list []leftOver) {
	for _, l := range list {
		n.leave(l.project, reasonGuard)
		n.report.Guard.Held = true
	}
}

func (g Guard) err(percent int) error {
	return &provider.Error{
		Kind: provider.ErrConflict, Op: "release repositories",
		Err: errors.New("the guard held back all releasing and purging: " + fmt.Sprintf(
			"of %d repositories of ours, %d were orphaned within 24 hours, %d more are to be released and %d couldn't be read; %d%% of them, %d, are allowed",
			g.Ours, g.Orphaned, g.ToRelease, g.Unread, percent, g.Limit)),
		Hint: "if these projects are really gone, raise MaxOrphanedPercent for one run or release them one by one; " +
			"else see why the list of wanted projects lacks them, and restore what was released",
	}
}

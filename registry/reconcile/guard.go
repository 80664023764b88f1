package reconcile

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// guard returns what may be released, and an error if that is nothing because of the configuration. there are the wanted
// projects' repositories.
func (n *run) guard(releases []leftOver, there []pair) ([]leftOver, error) {
	g := &n.report.Guard
	wanted := 0
	for _, p := range there {
		if settled(*p.repository) {
			wanted++
		}
	}
	g.Ours += max(0, wanted-n.evidence.foreign(len(there)))
	g.Wanted = len(there)
	g.Read = n.evidence.met.read + n.evidence.sampled.read
	g.Found = n.evidence.met.orphaned + n.evidence.sampled.orphaned
	g.WantedOrphaned = n.evidence.wantedOrphaned(len(there))
	g.Purged = n.memory.lately(n.time())
	g.ToRelease = len(releases)
	for _, r := range n.regrets {
		if r.missing && !removesAtOnce(n.retention) {
			g.ToRelease++
		}
	}
	g.Limit = max(1, g.Ours*n.options.MaxOrphanedPercent/100)
	if n.options.MaxOrphanedPercent == 100 {
		g.Limit = max(g.Ours, g.sum())
	}
	var refused error
	if removesAtOnce(n.retention) {
		if len(releases) > 0 {
			refused = &provider.Error{
				Kind: provider.ErrMisconfigured, Op: "release repositories",
				Err:  fmt.Errorf("%d are left over, and none is released: released repositories are removed at once, which leaves nothing to count", len(releases)),
				Hint: "release them one by one, or have released repositories kept for a time (remove_after: 24h)",
			}
		}
		for _, l := range releases {
			n.leave(l.project, reasonAtOnce)
		}
		for _, r := range n.regrets {
			n.leave(r.project.Name, reasonAtOnce)
		}
		releases, n.regrets = nil, nil
	}
	if g.exceeded() {
		n.hold(releases)
		for _, r := range n.regrets {
			n.hold([]leftOver{{project: r.project.Name}})
		}
		n.hold(n.purges)
		releases, n.regrets, n.purges = nil, nil, nil
	}
	if n.clocksDiffer() && len(releases)+len(n.regrets)+len(n.purges) > 0 {
		for _, l := range slices.Concat(releases, n.purges) {
			n.leave(l.project, reasonClocks)
		}
		for _, r := range n.regrets {
			n.leave(r.project.Name, reasonClocks)
		}
		releases, n.regrets, n.purges = nil, nil, nil
		refused = errors.Join(refused, &provider.Error{
			Kind: provider.ErrBadResponse, Op: "release repositories",
			Err:  errors.New("the registry's answers show times that are half an hour or more apart, so that no age is known"),
			Hint: "see what stands between here and the registry (a proxy, a cache) and sets the dates of its answers",
		})
	}
	n.purges = slices.DeleteFunc(n.purges, n.open)
	return releases, refused
}

// open tells whether an orphan may have been wanted since it was released, in which case it isn't purged: its project was
// lacking then, as it is now, but nobody may have come upon it in between. It can't have been where all that is wanted was
// read, as then what is orphaned is restored; and it won't have been where the list fits what there is (nothing is to be
// released, and nothing that was read is orphaned), nor where this Reconciler has known it for long, and nobody else restored
// any of what it knows within that time.
func (n *run) open(l leftOver) bool {
	g := n.report.Guard
	if n.options.MaxOrphanedPercent == 100 || g.Read == g.Wanted || g.Found+g.ToRelease+g.Unread == 0 ||
		!n.memory.restoredLately(n.time()) && n.memory.unwanted(l.project, n.time()) {
		return false
	}
	n.leave(l.project, reasonOpen)
	return true
}

func (g Guard) sum() int { return g.WantedOrphaned + g.Orphaned + g.Unread + g.Purged + g.ToRelease }

func (g Guard) exceeded() bool { return g.sum() > g.Limit }

func (n *run) hold(list []leftOver) {
	for _, l := range list {
		n.leave(l.project, reasonGuard)
		n.report.Guard.Held = true
	}
}

func (g Guard) err(percent int) error {
	e := &provider.Error{
		Kind: provider.ErrConflict, Op: "release repositories",
		Err: errors.New("the guard held back all releasing and purging: " + fmt.Sprintf(
			"of %d repositories of ours that are a day old, %d were orphaned within 24 hours, %d were purged, %d more are to be released and %d couldn't be read; "+
				"of %d wanted ones %d were read and %d were orphaned, so up to %d are; together that is %d, and %d%% of ours, %d, are allowed",
			g.Ours, g.Orphaned, g.Purged, g.ToRelease, g.Unread, g.Wanted, g.Read, g.Found, g.WantedOrphaned, g.sum(), percent, g.Limit)),
		Hint: "if these projects are really gone, raise MaxOrphanedPercent for one run or release them one by one; " +
			"else see why the list of wanted projects lacks them, and restore what was released",
	}
	if g.sum()-g.WantedOrphaned+g.Found <= g.Limit {
		e.Hint = "raise AuditBudget: what was read leaves too much open; if many of the wanted ones are orphaned, " +
			"see which list of wanted projects lacked them, and restore them"
	}
	return e
}

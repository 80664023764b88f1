package reconcile

import (
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// evidence is what a run read of the wanted repositories: those that are orphaned speak against the list of wanted projects,
// or against one that came before it.
type evidence struct {
	// met are those that were read because they drifted, or are remembered as orphaned; sampled those of the random sample.
	met, sampled struct{ read, orphaned, foreign int }
	// read are the projects of both. What is met and then sampled counts as met: the sample is of the others.
	read map[string]struct{}
}

// saw records what was found at a wanted project's repository, before anything was done about it.
func (n *run) saw(p provider.Project, c repository.Change, err error, sampled bool) {
	if c.Calls == 0 && err == nil {
		return // it turned out that there was nothing to do
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, again := n.evidence.read[p.Name]; again {
		return
	}
	if n.evidence.read == nil {
		n.evidence.read = map[string]struct{}{}
	}
	n.evidence.read[p.Name] = struct{}{}
	count := &n.evidence.met
	if sampled {
		count = &n.evidence.sampled
	}
	count.read++
	if speaksAgainst(p, c, err) {
		count.orphaned++
	}
	if !c.Owner.Ours && c.Owner.Reason != "" {
		count.foreign++
	}
}

// speaksAgainst tells whether a wanted project's repository was orphaned, however long ago, or may have been.
func speaksAgainst(p provider.Project, c repository.Change, err error) bool {
	o := c.Owner
	switch {
	case has(c, repository.ActionRestore), has(c, repository.ActionCreate): // it was listed, so somebody removed it since
		return true
	case o.Ours && o.Orphaned:
		// That of the name's former project is one that nobody wants, and counts as those do.
		return !former(p, o) || recent(o)
	case o.Ours || o.Reason != "":
		return false
	default:
		return err != nil
	}
}

// former tells whether a repository is known to be that of another project, which had the name before.
func former(p provider.Project, o repository.Owner) bool {
	return p.ID != "" && o.ProjectID != "" && o.ProjectID != p.ID
}

// wantedOrphaned is how many of the wanted repositories are orphaned at most.
func (e *evidence) wantedOrphaned(there int) int {
	return e.met.orphaned + atMost(there-e.met.read, e.sampled.read, e.sampled.orphaned)
}

// foreign is how many of the wanted repositories aren't ours at most, so that a list of another installation's projects doesn't
// make a majority of those. Where the sample has none, what it may have missed makes less of a difference to the limit than
// what wantedOrphaned takes for granted.
func (e *evidence) foreign(there int) int {
	if e.sampled.foreign == 0 {
		return e.met.foreign
	}
	return e.met.foreign + atMost(there-e.met.read, e.sampled.read, e.sampled.foreign)
}

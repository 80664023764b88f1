package reconcile

import (
	"cmp"
	"hash/maphash"
	"math"
	"slices"
	"sync"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// rolling is where a reconciler's audits are. They go round in an order of the reconciler's own that has nothing to do with
// names: what a run audits is a random sample, also of a list that lacks a stretch. What was audited longer ago is the
// likelier to be orphaned, if anything, so going on where the last run ended finds as many orphans as drawing anew does.
type rolling struct {
	mu   sync.Mutex
	seed maphash.Seed
	// last is the place of the project that was audited last, 0 before the first.
	last uint64
	// cost is how many calls an audit takes at most, as far as is known; measured reports whether one was made.
	cost     int
	measured bool
}

// minAuditCost is what an audit takes at least: whose it is, and what a listing doesn't show.
const minAuditCost = 2

// place is where in the round a project is.
func (r *rolling) place(name string) uint64 { return maphash.String(r.seed, name) }

// order is there in the order in which it is to be audited.
func (r *rolling) order(there []pair) (next func(i int) pair) {
	r.mu.Lock()
	defer r.mu.Unlock()
	type placed struct {
		place uint64
		i     int
	}
	round := make([]placed, len(there))
	for i, p := range there {
		round[i] = placed{r.place(p.project.Name), i}
	}
	slices.SortFunc(round, func(a, b placed) int { return cmp.Compare(a.place, b.place) })
	begin, found := slices.BinarySearchFunc(round, r.last, func(p placed, last uint64) int { return cmp.Compare(p.place, last) })
	if found {
		begin++
	}
	return func(i int) pair { return there[round[(begin+i)%len(round)].i] }
}

// batch is how many audits may be made at once with what is left of the budget.
func (r *rolling) batch(left, most int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cost = max(r.cost, minAuditCost)
	if !r.measured {
		most = min(most, 1)
	}
	return min(left/r.cost, most)
}

// spent is what an audit takes from the budget: its reading. What mending takes isn't part of it.
func (r *rolling) spent(c repository.Change, err error) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.Changed() || err != nil {
		return min(c.Calls, r.cost)
	}
	r.cost, r.measured = max(r.cost, c.Calls), true
	return c.Calls
}

func (r *rolling) reached(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = r.place(name)
}

// evidence is what a run read of the wanted repositories: those that are orphaned speak against the list of wanted projects,
// or against one that came before it.
type evidence struct {
	// met are those that were read because they drifted, or are remembered as orphaned; sampled those of the random sample.
	met, sampled struct{ read, orphaned, foreign int }
	// read are the projects of both. What is met and then sampled counts as met: the sample is of the others.
	read map[string]struct{}
}

// saw records what was found at a wanted project's repository, before anything was done about it.
func (e *evidence) saw(p provider.Project, c repository.Change, err error, sampled bool) {
	if c.Calls == 0 && err == nil {
		return // it turned out that there was nothing to do
	}
	if _, again := e.read[p.Name]; again {
		return
	}
	if e.read == nil {
		e.read = map[string]struct{}{}
	}
	e.read[p.Name] = struct{}{}
	count := &e.met
	if sampled {
		count = &e.sampled
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

// mistaken is how often the guard may take too few wanted repositories for orphaned: in one run of 10⁹.
const mistaken = 1e-9

// atMost is how many of population there are at most of what was found that often in a random sample of so many of them, right
// but for one sample in 10⁹: the one-sided bound of Clopper and Pearson, with the hypergeometric distribution, as nothing is
// drawn twice. It is found where all were drawn.
func atMost(population, sample, found int) int {
	low, high := found, population-sample+found // high is what there can be
	for low < high {                            // the more there are, the less likely are so few
		if mid := low + (high-low+1)/2; fewOrLess(population, mid, sample, found) > mistaken {
			low = mid
		} else {
			high = mid - 1
		}
	}
	return low
}

// fewOrLess is the probability that of orphans among population at most found are in a random sample.
func fewOrLess(population, orphans, sample, found int) float64 {
	alive := population - orphans
	least := max(0, sample-alive)
	if found < least {
		return 0
	}
	// Of each term to the one before it there is a plain ratio; only the last one needs logarithms.
	term := math.Exp(logChoose(orphans, found) + logChoose(alive, sample-found) - logChoose(population, sample))
	sum := term
	for i := found; i > least; i-- {
		term *= float64(i) * float64(alive-sample+i) / (float64(orphans-i+1) * float64(sample-i+1))
		sum += term
	}
	return sum
}

// logChoose is the logarithm of n over k.
func logChoose(n, k int) float64 {
	return logFactorial(n) - logFactorial(k) - logFactorial(n-k)
}

func logFactorial(n int) float64 {
	l, _ := math.Lgamma(float64(n) + 1)
	return l
}

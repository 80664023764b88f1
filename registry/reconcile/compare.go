package reconcile

import (
	"slices"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// pair is a wanted project and its repository.
type pair struct {
	project    provider.Project
	repository *repository.Repository
}

// compare tells apart the projects without a repository, those with one, and the repositories without a project. Both lists
// are sorted.
func compare(listed []repository.Repository, wanted []provider.Project) (missing []provider.Project, there []pair, rest []*repository.Repository) {
	there = make([]pair, 0, min(len(listed), len(wanted)))
	i := 0
	for _, p := range wanted {
		for i < len(listed) && listed[i].Project < p.Name {
			rest = append(rest, &listed[i])
			i++
		}
		if i < len(listed) && listed[i].Project == p.Name {
			there = append(there, pair{p, &listed[i]})
			i++
		} else {
			missing = append(missing, p)
		}
	}
	for ; i < len(listed); i++ {
		rest = append(rest, &listed[i])
	}
	return missing, there, rest
}

// toMend is again, and then those of there that drifted. Both are sorted, and again is part of there.
func toMend(there, again []pair) []pair {
	mend := slices.Clone(again)
	for _, p := range there {
		if len(again) > 0 && again[0].project.Name == p.project.Name {
			again = again[1:]
		} else if len(p.repository.Drift) > 0 {
			mend = append(mend, p)
		}
	}
	return mend
}

func byID(wanted []provider.Project) map[string]string {
	ids := map[string]string{}
	for _, p := range wanted {
		if p.ID != "" {
			ids[p.ID] = p.Name
		}
	}
	return ids
}

package configload

import "strings"

// nearest returns the known name that name is most likely a slip of, or "" when none is near.
func nearest(name string, known []string) string {
	if len(name) > maxShownKey {
		return ""
	}
	var best string
	bestDistance := -1
	for _, k := range known {
		a, b := foldName(name), foldName(k)
		// A third of the letters may be wrong: more and the guess is noise.
		limit := (max(len(a), len(b)) + 1) / 3
		if len(a)-len(b) > limit || len(b)-len(a) > limit {
			continue
		}
		if d := distance(a, b); d <= limit && (bestDistance < 0 || d < bestDistance) {
			best, bestDistance = k, d
		}
	}
	return best
}

// foldName makes repo_prefix, repo-prefix and RepoPrefix alike.
func foldName(s string) string {
	return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(s))
}

// distance is the optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours.
func distance(a, b string) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}

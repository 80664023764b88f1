package reconcile

import "math"

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

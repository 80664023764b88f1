package bounds

import "math"

// Spare is how many connections a listener that has so many may hold besides: three times as many, if that is no more than a quarter of the files
// that are left, since there are other listeners.
func Spare(connections int) int {
	return max(0, min(3*connections, (Fit(math.MaxInt)-connections)/4))
}

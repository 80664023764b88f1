//go:build race

package endpoint_test

// raceEnabled: of thousands of goroutines that end at once, the detector's runtime now and then fails a check of its own (tsan_rtl.cpp,
// "exiting || thr->fast_state.epoch() == kEpochLast"). What needs that many runs without it.
const raceEnabled = true

package realtest

import (
	"os"
	"testing"
	"time"
)

// OnlyLong skips a test that takes minutes, by clocks that can't be moved, unless RISE_TEST_LONG is 1.
func OnlyLong(t *testing.T, took string) {
	t.Helper()
	if !long() {
		t.Skip("this takes " + took + ": set RISE_TEST_LONG=1")
	}
}

func long() bool { return os.Getenv("RISE_TEST_LONG") == "1" }

// patience is how long a program may run.
func patience() time.Duration {
	if long() {
		return 15 * time.Minute
	}
	return 2 * time.Minute
}

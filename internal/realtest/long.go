package realtest

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// Long says at once that all of a package's tests take over half a minute; go test shows it where it is asked for one package. It is for
// TestMain.
func Long(took string) {
	flag.Parse()
	if flag.Lookup("test.run").Value.String() == "" {
		fmt.Printf("these tests take %s on two idle cores; -run chooses some\n", took)
	}
}

// OnlyLong skips a test that takes minutes by the clock unless RISE_TEST_LONG is 1.
func OnlyLong(t *testing.T, took string) {
	t.Helper()
	if !long() {
		t.Skip("this takes " + took + ": set RISE_TEST_LONG=1")
	}
}

func long() bool { return os.Getenv("RISE_TEST_LONG") == "1" }

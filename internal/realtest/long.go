package realtest

import (
	"flag"
	"fmt"
)

// Long says at once that all of a package's tests take over half a minute; go test shows it where it is asked for one package. It is for
// TestMain.
func Long(took string) {
	flag.Parse()
	if flag.Lookup("test.run").Value.String() == "" {
		fmt.Printf("these tests take %s on two idle cores; -run chooses some\n", took)
	}
}

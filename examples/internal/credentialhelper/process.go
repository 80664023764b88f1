package credentialhelper

import (
	"io"
	"runtime/debug"
	"time"

	"github.com/rise-deploy/rise-registry-go/examples/internal/credentialhelper/configure"
	"github.com/rise-deploy/rise-registry-go/examples/internal/credentialhelper/setup"
)

// Name is the program's. Clients call it "rise".
const Name = "docker-credential-" + configure.Program

// DefaultPatience is how long asking the endpoint may take, with all that is tried again: a person waits for it, and clients say nothing meanwhile.
const DefaultPatience = time.Minute

// Process is what the program's process gives it.
type Process struct {
	Args           []string // without the name
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	LookupEnv      setup.Lookup
	Patience       time.Duration // zero: [DefaultPatience]
}

// version is the module's, as go install and releases have it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

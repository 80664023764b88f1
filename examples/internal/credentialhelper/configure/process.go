package configure

import (
	"io"

	"github.com/rise-deploy/rise-registry-go/examples/internal/credentialhelper/setup"
)

// Program is what clients call the helper: they run docker-credential- and this.
const Program = "rise"

// Process is what the program's process gives the command.
type Process struct {
	Args      []string // without the program's and the command's names
	Stdin     io.Reader
	Stdout    io.Writer
	LookupEnv setup.Lookup
}

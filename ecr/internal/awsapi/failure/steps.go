package failure

// What is being done when a call fails: the step's name in errors, and what hints go by.
const (
	OpCredentials      = "find AWS credentials"
	OpCallerIdentity   = "get caller identity"
	OpAssumeController = "assume controller role"
	OpAssumePush       = "assume push role"
	OpAssumePull       = "assume pull role"
	OpToken            = "get authorization token"
)

// in names the step that failed inside the SDK's search for credentials.
type in struct {
	op  string
	err error
}

func (e *in) Error() string { return e.op + ": " + e.err.Error() }
func (e *in) Unwrap() error { return e.err }

// In returns err as that of a step inside of the one that its caller names.
func In(op string, err error) error { return &in{op, err} }

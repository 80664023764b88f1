package config

import "github.com/rise-deploy/rise-registry-go/provider"

// Audit is where the records of what is handed out go, and what happens when they can't.
type Audit struct {
	// File is appended to, in JSON, a line each. It may be a named pipe. One that was moved away is made anew. Empty: to the log's own stream.
	File string `yaml:"file"`
	// OnFailure says what becomes of a credential whose record can't be written: [Refuse], which empty is, or [Serve].
	OnFailure string `yaml:"on_failure"`
	// Ready has /readyz fail while records can't be written, for a File on this machine's own disk: another instance may do better.
	Ready bool `yaml:"ready"`
}

// What OnFailure may be.
const (
	// Refuse answers with 503.
	Refuse = "refuse"
	// Serve hands it out, and counts it.
	Serve = "serve"
)

func (a Audit) validate() (errs []error) {
	switch a.OnFailure {
	case "", Refuse, Serve:
	default:
		errs = append(errs, provider.NewConfigError("audit.on_failure", "must be %s or %s", Refuse, Serve))
	}
	if a.Ready && a.File == "" {
		errs = append(errs, provider.NewConfigError("audit.ready", "needs audit.file: the log's stream is nothing that another instance does better with"))
	}
	if a.Ready && a.OnFailure == Serve {
		errs = append(errs, provider.NewConfigError("audit.ready", "goes with on_failure: %s alone: what serves without a record is ready", Refuse))
	}
	return errs
}

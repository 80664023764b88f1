package diagnosis

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
)

// Status is the outcome of a check. Its zero value is none of them.
type Status uint8

const (
	// Passed means: it is as it should be.
	Passed Status = iota + 1
	// Failed means: credentials aren't issued or don't work because of this.
	Failed
	// Warned means: it works, but isn't as it should be.
	Warned
	// Skipped means: it wasn't checked; see [Finding].Because and [Finding].Summary.
	Skipped
)

var statusNames = [...]string{Passed: "passed", Failed: "failed", Warned: "warned", Skipped: "skipped"}

// String returns the status's name, such as "passed".
func (s Status) String() string {
	if s < Passed || s > Skipped {
		return fmt.Sprintf("Status(%d)", uint8(s))
	}
	return statusNames[s]
}

// MarshalText implements [encoding.TextMarshaler]. A status that is none is an error.
func (s Status) MarshalText() ([]byte, error) {
	if s < Passed || s > Skipped {
		return nil, fmt.Errorf("%v is no status", s)
	}
	return []byte(s.String()), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *Status) UnmarshalText(text []byte) error {
	for i := Passed; i <= Skipped; i++ {
		if statusNames[i] == string(text) {
			*s = i
			return nil
		}
	}
	return errors.New("must be passed, failed, warned or skipped")
}

// Finding is what one check of a diagnosis found. No field of it ever holds a secret. It isn't for tenants.
type Finding struct {
	// Check names what was checked. It is a stable label such as "push_role".
	Check string
	// Status is the outcome.
	Status Status
	// Summary says in one sentence what was found.
	Summary string
	// Because names the earlier check that made this one pointless; only with Skipped, and empty where another reason, which is in
	// Summary, made it so.
	Because string
	// Evidence are facts: request ids, ARNs, hosts, HTTP statuses. Keys don't repeat.
	Evidence []slog.Attr
	// Remedy says in an operator's words what to do; it may have several lines, with a policy statement or a command to
	// copy. Empty if there is nothing to do.
	Remedy string
}

// MarshalJSON implements [json.Marshaler]: an object with check, status and summary, and because, evidence (an object) and
// remedy where there are any.
func (f Finding) MarshalJSON() ([]byte, error) {
	evidence := make(map[string]any, len(f.Evidence))
	for _, a := range f.Evidence {
		evidence[a.Key] = plain(a.Value.Resolve())
	}
	return json.Marshal(struct {
		Check    string         `json:"check"`
		Status   Status         `json:"status"`
		Summary  string         `json:"summary"`
		Because  string         `json:"because,omitempty"`
		Evidence map[string]any `json:"evidence,omitempty"`
		Remedy   string         `json:"remedy,omitempty"`
	}{f.Check, f.Status, f.Summary, f.Because, evidence, f.Remedy})
}

func plain(v slog.Value) any {
	switch v.Kind() {
	case slog.KindDuration:
		return v.Duration().String()
	case slog.KindGroup:
		group := make(map[string]any, len(v.Group()))
		for _, a := range v.Group() {
			group[a.Key] = plain(a.Value.Resolve())
		}
		return group
	default:
		return v.Any()
	}
}

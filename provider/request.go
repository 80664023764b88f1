package provider

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// A Request says what a credential is for. Requests are comparable, so they can be keys of a map. The zero Request is
// invalid: nobody gets a credential by leaving things out.
type Request struct {
	// Project is the project whose repository the credential is for, by the rule of [ValidateProject]. It is empty
	// when, and only when, AllProjects is set.
	Project string
	// ProjectID is the service's immutable id of the project, by the rule of [Project.Validate]: the credential then works
	// as long as the name is this project's, and no longer, where the provider can tell; others ignore it. Empty: without
	// an id, as always with AllProjects. Requests that differ in it alone never share a credential.
	ProjectID string
	// AllProjects asks for a credential that can pull from the repositories of every project: what a cluster that runs
	// all tenants' images needs. It goes with [Pull] only.
	AllProjects bool
	// Access is what the credential can do. There is no default.
	Access Access
	// Consumer is who will use the credential. The zero value is [Client].
	Consumer Consumer
	// Caller asks for a credential of this caller's own, so that the upstream's log tells callers apart: a provider that
	// names sessions puts it, or a hash of it, into the name. It gives no other rights. Empty, as usual: callers share one.
	// It is at most [MaxCallerLength] bytes of printable text, goes with one project only, and isn't secret.
	Caller string
}

// MaxCallerLength is the longest [Request.Caller], in bytes.
const MaxCallerLength = 1024

// Validate reports whether r makes sense, whatever the provider. Its errors are [ErrInvalidRequest].
func (r Request) Validate() error {
	invalid := func(format string, args ...any) error {
		return &Error{Kind: ErrInvalidRequest, Op: "check request", Err: fmt.Errorf(format, args...)}
	}
	if !r.Access.valid() {
		return invalid("access is missing or unknown; it must be pull or push")
	}
	if !r.Consumer.valid() {
		return invalid("consumer is unknown; it must be client or cluster")
	}
	if !printable(r.Caller) {
		return invalid("the caller must be at most %d bytes of printable text", MaxCallerLength)
	}
	if !r.AllProjects {
		return Project{Name: r.Project, ID: r.ProjectID}.Validate()
	}
	if r.Caller != "" {
		return invalid("a credential for all projects is nobody's own")
	}
	if r.Project != "" {
		return invalid("a request is for one project or for all, not both")
	}
	if r.ProjectID != "" {
		return invalid("a credential for all projects has no project's id")
	}
	if r.Access != Pull {
		return invalid("a credential for all projects can only pull")
	}
	return nil
}

func printable(caller string) bool {
	if len(caller) > MaxCallerLength || !utf8.ValidString(caller) {
		return false
	}
	for _, r := range caller {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// Access is what a credential can do. Its zero value is invalid.
type Access uint8

const (
	// Pull reads images.
	Pull Access = iota + 1
	// Push writes images, and reads them.
	Push
)

func (a Access) valid() bool { return a == Pull || a == Push }

// Includes reports whether whoever has a may ask for b: Push includes Pull, and everything includes itself. Invalid
// values include nothing and are included by nothing.
func (a Access) Includes(b Access) bool { return a.valid() && b.valid() && a >= b }

// String returns "pull" or "push", or a text that names the invalid value.
func (a Access) String() string {
	switch a {
	case Pull:
		return "pull"
	case Push:
		return "push"
	default:
		return fmt.Sprintf("Access(%d)", uint8(a))
	}
}

// MarshalText returns "pull" or "push", and an empty text for the zero value. Any other value is an error.
func (a Access) MarshalText() ([]byte, error) {
	switch {
	case a == 0:
		return nil, nil
	case a.valid():
		return []byte(a.String()), nil
	default:
		return nil, fmt.Errorf("access %d is unknown", uint8(a))
	}
}

// UnmarshalText accepts exactly "pull" and "push".
func (a *Access) UnmarshalText(text []byte) error {
	switch string(text) {
	case "pull":
		*a = Pull
	case "push":
		*a = Push
	default:
		return problem("must be pull or push")
	}
	return nil
}

// Consumer is who uses a credential. It decides two things that belong together: by which host name the registry is
// reached, and which form of credential works there.
type Consumer uint8

const (
	// Client is a person's or a CI job's docker, podman, skopeo, ...
	Client Consumer = iota
	// Cluster is what pulls images to run them: a kubelet, a controller. It takes a user name and a password only.
	Cluster
)

func (c Consumer) valid() bool { return c == Client || c == Cluster }

// Validate reports an unknown consumer, as [ErrInvalidRequest].
func (c Consumer) Validate() error {
	if !c.valid() {
		return &Error{Kind: ErrInvalidRequest, Op: "check consumer", Err: fmt.Errorf("%v is unknown; it must be client or cluster", c)}
	}
	return nil
}

// String returns "client" or "cluster", or a text that names the invalid value.
func (c Consumer) String() string {
	switch c {
	case Client:
		return "client"
	case Cluster:
		return "cluster"
	default:
		return fmt.Sprintf("Consumer(%d)", uint8(c))
	}
}

package provider

import (
	"errors"
	"fmt"
)

// MaxProjectLength is the longest project name, in bytes: that of a DNS label.
const MaxProjectLength = 63

// ProjectRule is the rule of [ValidateProject] in words, for error messages.
const ProjectRule = "a project name is at most 63 characters of a-z and 0-9, with single hyphens inside"

// ValidateProject reports whether project is a project's name: [a-z0-9]+(-[a-z0-9]+)*, at most [MaxProjectLength] bytes.
//
// Such a name means only itself wherever it ends up: in a policy (no wildcards, no variables), an ARN, a session name, a
// repository's path, a DNS label. Any other name is [ErrInvalidRequest].
func ValidateProject(project string) error {
	if validProject(project) {
		return nil
	}
	shown := project
	if len(shown) > MaxProjectLength {
		shown = shown[:MaxProjectLength] + "..."
	}
	return &Error{Kind: ErrInvalidRequest, Op: "check project name", Err: fmt.Errorf("%+q is not valid: %s", shown, ProjectRule)}
}

// MaxProjectIDLength is the longest id of a project, in bytes.
const MaxProjectIDLength = 128

// ProjectIDRule is the rule for [Project].ID and [Request].ProjectID in words, for error messages.
const ProjectIDRule = "a project id is at most 128 characters of A-Z, a-z, 0-9 and _.:/=+@-"

// ErrNoProjectID is what an error of kind [ErrInvalidRequest] wraps where the provider is configured to serve no request
// and no [Project] without an id, and there is none. It is the service's mistake, never its caller's.
const ErrNoProjectID = missing("the project's id is missing")

type missing string

func (m missing) Error() string { return string(m) }

// Project names a project to providers: by its name, which decides the repository, and by the service's
// immutable id for it, which tells apart projects that had one name after the other.
type Project struct {
	// Name is the project's name; see [ValidateProject].
	Name string
	// ID is the service's id of the project, which never changes and is never used again; see [Project.Validate]. Without
	// ids an orphaned repository is given back by RestoreRepository only, as nobody can tell whose it was.
	ID string
}

// Validate reports whether p's name is one, by the rule of [ValidateProject], and whether its id, if there is one, is at most
// [MaxProjectIDLength] bytes of A-Z, a-z, 0-9 and _.:/=+@-: like a name, such an id means only itself in a policy and in a
// tag. Its errors are [ErrInvalidRequest].
func (p Project) Validate() error {
	if err := ValidateProject(p.Name); err != nil {
		return err
	}
	if !validProjectID(p.ID) {
		return &Error{Kind: ErrInvalidRequest, Op: "check project id", Project: p.Name, Err: errors.New(ProjectIDRule)}
	}
	return nil
}

// validProjectID takes an empty one: ids are optional.
func validProjectID(s string) bool {
	if len(s) > MaxProjectIDLength {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '_', c == '.', c == ':', c == '/', c == '=', c == '+', c == '@', c == '-':
		default:
			return false
		}
	}
	return true
}

func validProject(s string) bool {
	if s == "" || len(s) > MaxProjectLength || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		case c == '-' && s[i-1] != '-':
		default:
			return false
		}
	}
	return true
}

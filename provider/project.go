package provider

import "fmt"

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

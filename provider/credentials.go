package provider

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-containerregistry/pkg/authn"
)

// Credentials are one credential and what it is good for. They are a value: a copy is independent of the original, but
// for Details, which nobody changes.
//
// Credentials print without their secret, whatever prints them.
type Credentials struct {
	// Target is what the credential is for: the project's name.Repository, or the name.Registry for all projects.
	Target authn.Resource
	// Access is what it can do.
	Access Access
	// Method is how it is used.
	Method Method
	// Username goes with [LoginCredentials]; empty otherwise.
	Username string
	// Password is the password of [LoginCredentials], or the token of [RegistryToken]; empty with [ClientLogin].
	Password Secret
	// ExpiresAt is until when the credential works at least, by this machine's clock as it was when the credential was issued
	// and as exactly as the registry says it (to the second, mostly). It may go on working after that: for a minute, as clocks differ, and
	// longer where an upstream gives no shorter life. Zero: it doesn't expire.
	ExpiresAt time.Time
	// Details are facts for an audit log that aren't secret, such as a session's name and the upstream's request ids.
	Details []slog.Attr
}

// Method is how a credential is used. Its zero value is invalid.
type Method uint8

const (
	// ClientLogin carries no secret: the client uses the login that it already has at the registry.
	ClientLogin Method = iota + 1
	// LoginCredentials are a user name and a password, as for docker login.
	LoginCredentials
	// RegistryToken is a bearer token for the registry itself ("registrytoken" in docker's configuration). Kubelets,
	// containerd, and podman's and skopeo's auth files can't use it.
	RegistryToken
)

// String returns "client_login", "login_credentials" or "registry_token", or a text that names the invalid value.
func (m Method) String() string {
	switch m {
	case ClientLogin:
		return "client_login"
	case LoginCredentials:
		return "login_credentials"
	case RegistryToken:
		return "registry_token"
	default:
		return fmt.Sprintf("Method(%d)", uint8(m))
	}
}

// Check reports whether c is what r asks for and alive at now: nobody hands out, uses or keeps a credential that isn't.
//
// [ErrInvalidRequest] says that r is invalid, [ErrBadResponse] that c is another project's or access's, is malformed, or
// has expired. That c's target is the very repository that a provider names for r, only [Issue] can tell.
func (c Credentials) Check(r Request, now time.Time) error {
	if err := r.Validate(); err != nil {
		return err
	}
	for _, check := range []error{c.checkTarget(r), c.checkAccess(r), c.checkForm(), c.checkExpiry(now)} {
		if check != nil {
			return &Error{Kind: ErrBadResponse, Op: "check credential", Project: r.Project, Err: check}
		}
	}
	return nil
}

func (c Credentials) checkTarget(r Request) error {
	if c.Target == nil {
		return errors.New("it has no target")
	}
	target, host := c.Target.String(), c.Target.RegistryStr()
	path, isRepository := strings.CutPrefix(target, host+"/")
	switch {
	case host == "" || (!isRepository && target != host):
		return fmt.Errorf("its target %q is neither a registry nor a repository", target)
	case r.AllProjects && isRepository:
		return fmt.Errorf("its target %q is one repository, but all projects were asked for", target)
	case r.AllProjects:
		return nil
	case !isRepository:
		return fmt.Errorf("its target %q is a whole registry, but one project was asked for", target)
	case !endsInProject(path, r.Project):
		return fmt.Errorf("its target %q is another project's", target)
	}
	return nil
}

// endsInProject is as much as a path alone can tell: a prefix may end in anything ("team-"). Issue compares exactly.
func endsInProject(path, project string) bool {
	return strings.HasSuffix(path[strings.LastIndexByte(path, '/')+1:], project)
}

func (c Credentials) checkAccess(r Request) error {
	if c.Access != r.Access {
		return fmt.Errorf("its access is %v, but %v was asked for", c.Access, r.Access)
	}
	return nil
}

func (c Credentials) checkForm() error {
	if hasControl(c.Username) || hasControl(c.Password.Reveal()) {
		return errors.New("its user name or password holds control characters")
	}
	switch c.Method {
	case ClientLogin:
		if c.Username != "" || !c.Password.IsZero() {
			return errors.New("it is the client's own login, but carries a user name or a password")
		}
	case LoginCredentials:
		if c.Username == "" || c.Password.IsZero() {
			return errors.New("it lacks the user name or the password")
		}
		if strings.Contains(c.Username, ":") { // RFC 7617, section 2
			return errors.New("its user name holds a colon")
		}
	case RegistryToken:
		if c.Username != "" || c.Password.IsZero() {
			return errors.New("it is a token, but lacks it or has a user name")
		}
	default:
		return fmt.Errorf("its method %v is unknown", c.Method)
	}
	return nil
}

// hasControl is quick for ASCII: passwords are kilobytes, and checked each time that they are handed out.
func hasControl(s string) bool {
	for i := range len(s) {
		if b := s[i]; b < ' ' || b == 0x7f {
			return true
		} else if b >= utf8.RuneSelf {
			return strings.ContainsFunc(s[i:], unicode.IsControl)
		}
	}
	return false
}

// checkExpiry goes by the wall clock and, where both times have a reading of it, by the monotonic one too: that one stands still while
// the machine is suspended.
func (c Credentials) checkExpiry(now time.Time) error {
	if !c.ExpiresAt.IsZero() && (!c.ExpiresAt.After(now) || !c.ExpiresAt.Round(0).After(now.Round(0))) {
		return fmt.Errorf("it expired at %s", c.ExpiresAt.UTC().Format(time.RFC3339))
	}
	return nil
}

// LogValue implements [slog.LogValuer]: everything but the secret.
func (c Credentials) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("access", c.Access.String()), slog.String("method", c.Method.String())}
	if c.Target != nil {
		attrs = append(attrs, slog.String("target", c.Target.String()))
	}
	if !c.ExpiresAt.IsZero() {
		attrs = append(attrs, slog.Time("expires_at", c.ExpiresAt))
	}
	return slog.GroupValue(append(attrs, c.Details...)...)
}

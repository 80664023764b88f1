package provider

import (
	"fmt"

	"github.com/google/go-containerregistry/pkg/authn"
)

// Authenticator returns c for go-containerregistry. Unlike authn.Basic and authn.FromConfig it doesn't print its secret;
// what its Authorization method returns does.
//
// A [ClientLogin] has nothing to authenticate with: [ErrUnsupported]. One without its user name or secret is
// [ErrBadResponse], as go-containerregistry would go on without any login. For credentials that renew themselves, see
// [NewKeychain].
func (c Credentials) Authenticator() (authn.Authenticator, error) {
	if c.Method != LoginCredentials && c.Method != RegistryToken {
		return nil, c.unsupported("make an authenticator", "it carries no secret; use the client's own login, for example authn.DefaultKeychain")
	}
	if err := c.checkForm(); err != nil {
		return nil, malformed("make an authenticator", err)
	}
	return authenticator{c}, nil
}

func malformed(op string, err error) error { return &Error{Kind: ErrBadResponse, Op: op, Err: err} }

func (c Credentials) unsupported(op, why string) error {
	return &Error{Kind: ErrUnsupported, Op: op, Err: fmt.Errorf("credential of method %v: %s", c.Method, why)}
}

type authenticator struct{ credentials Credentials }

func (a authenticator) Authorization() (*authn.AuthConfig, error) {
	if a.credentials.Method == RegistryToken {
		return &authn.AuthConfig{RegistryToken: a.credentials.Password.Reveal()}, nil
	}
	return &authn.AuthConfig{Username: a.credentials.Username, Password: a.credentials.Password.Reveal()}, nil
}

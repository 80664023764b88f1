package provider

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
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

type dockerAuth struct {
	Username      string `json:"username,omitempty"`
	Password      string `json:"password,omitempty"`
	Auth          string `json:"auth,omitempty"`
	RegistryToken string `json:"registrytoken,omitempty"`
}

// DockerConfig returns a docker config.json with this credential, keyed by the registry's host as docker does. Two
// projects on one host therefore need two files (DOCKER_CONFIG selects the folder).
//
// The result holds the secret in the clear. A [RegistryToken] works with docker, BuildKit, crane, kaniko, oras and helm, not
// with podman, skopeo and regctl. A [ClientLogin] has nothing to write: [ErrUnsupported]. One without a target, its user name or its
// secret is [ErrBadResponse].
func (c Credentials) DockerConfig() ([]byte, error) {
	switch c.Method {
	case LoginCredentials:
		return c.dockerConfig(dockerAuth{Auth: c.basic()})
	case RegistryToken:
		return c.dockerConfig(dockerAuth{RegistryToken: c.Password.Reveal()})
	default:
		return nil, c.unsupported("write docker configuration", "it carries no secret; the client logs in itself")
	}
}

// PullSecret returns the payload of a Kubernetes secret of type kubernetes.io/dockerconfigjson, that is the value of its
// key ".dockerconfigjson", before base64.
//
// The result holds the secret in the clear. What a kubelet can't use is refused with [ErrUnsupported]: anything but
// [LoginCredentials]; and so is a credential that can do more than pull, since every pod's owner can read the secret. One
// without a target, its user name or its password is [ErrBadResponse].
func (c Credentials) PullSecret() ([]byte, error) {
	const op = "write pull secret"
	if c.Access != Pull {
		return nil, &Error{Kind: ErrUnsupported, Op: op, Err: errors.New("it must not carry more than pull access; ask for provider.Pull")}
	}
	switch c.Method {
	case LoginCredentials:
	case RegistryToken:
		return nil, c.unsupported(op, "a kubelet takes a user name and a password only, and this is a bearer token: docker, BuildKit, crane, kaniko, oras and helm can use it")
	default:
		return nil, c.unsupported(op, "a kubelet takes a user name and a password only")
	}
	return c.dockerConfig(dockerAuth{Username: c.Username, Password: c.Password.Reveal(), Auth: c.basic()})
}

func (c Credentials) basic() string {
	return base64.StdEncoding.EncodeToString([]byte(c.Username + ":" + c.Password.Reveal()))
}

func (c Credentials) dockerConfig(auth dockerAuth) ([]byte, error) {
	const op = "write docker configuration"
	if c.Target == nil {
		return nil, malformed(op, errors.New("the credential has no target"))
	}
	if err := c.checkForm(); err != nil {
		return nil, malformed(op, err)
	}
	host := c.Target.RegistryStr()
	if host == name.DefaultRegistry { // docker's own key for Docker Hub
		host = authn.DefaultAuthKey
	}
	return json.Marshal(map[string]map[string]dockerAuth{"auths": {host: auth}})
}

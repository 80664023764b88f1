package kubeletplugin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/client"
)

// keepUnexpiring is how long a kubelet keeps a credential that doesn't expire: as long as package client does.
const keepUnexpiring = 5 * time.Minute

// ask is the endpoint, asked with a pod's token.
type ask func(token provider.Secret) (*client.Client, error)

// answer is the answer to a request: the pull credential for the image's repository, or nothing where the image is no project's.
func answer(ctx context.Context, images Images, with ask, r Request) (Response, error) {
	found, ok, err := images.Find(r.Image)
	if err != nil || !ok {
		return nothing(r), err
	}
	if r.ServiceAccountToken == "" {
		return Response{}, errors.New(noToken(r))
	}
	token := provider.NewSecret(r.ServiceAccountToken)
	c, err := with(token)
	if err != nil {
		return Response{}, err
	}
	credentials, err := c.Credentials(ctx, found.Project, provider.Pull)
	if err != nil {
		return Response{}, explain(err, token)
	}
	if err := usable(credentials, found); err != nil {
		return Response{}, err
	}
	made := nothing(r)
	made.CacheDuration = keepFor(credentials.ExpiresAt).String()
	made.Auth = map[string]AuthConfig{found.Key: {Username: credentials.Username, Password: credentials.Password.Reveal()}}
	return made, nil
}

// usable refuses what a kubelet can't use, and what isn't for the image's own repository.
func usable(c provider.Credentials, found Found) error {
	switch {
	case c.Method != provider.LoginCredentials:
		return fmt.Errorf("project %s: the service hands out no user name and password for its registry (it says %q), and a kubelet can use nothing else: this program is no use there", found.Project, c.Method)
	case c.Target.String() != found.Repository.String():
		return fmt.Errorf("project %s: the service's credential is for %s, and the image is of %s: RISE_REGISTRY and RISE_NAMESPACE aren't what the service's configuration says",
			found.Project, c.Target, found.Repository)
	}
	return nil
}

// keepFor is half of what is left of a credential's life, so that a pull that begins with a kept one has the other half. What is left is by this
// machine's clock, as is the time that it ends: whether that clock is right doesn't matter.
func keepFor(expires time.Time) time.Duration {
	if expires.IsZero() {
		return keepUnexpiring
	}
	return max(0, time.Until(expires)/2).Truncate(time.Second)
}

package credentialhelper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/docker/docker-credential-helpers/credentials"

	"github.com/rise-deploy/rise-registry-go/examples/internal/credentialhelper/setup"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/client"
)

// tokenUser is the user name by which a helper says that its secret is an identity token: what docker and podman then send to the registry's
// token server as a refresh token.
const tokenUser = "<token>"

// listedUser is the user name that list gives, without asking: what a credential's is, only the endpoint knows.
const listedUser = "rise"

// helper implements [credentials.Helper], for one command.
type helper struct {
	Process
	ctx context.Context //nolint:containedctx // of the whole process; the interface has none
}

// Get implements [credentials.Helper].
func (h *helper) Get(asked string) (user, secret string, err error) {
	host := setup.HostOf(asked)
	e, where, err := h.entry(host)
	if err != nil {
		return "", "", err
	}
	c, err := h.ask(host, e)
	if err != nil {
		return "", "", &refusal{host, e, where, err}
	}
	switch {
	case c.Method == provider.ClientLogin:
		h.say(fmt.Sprintf("%s: %s hands out nothing for %s: its registry takes your own login. Take the helper out of the client's configuration (%s configure --registry %s --undo), and run docker login %[3]s.",
			Name, e.URL, host, Name, host))
		return "", "", credentials.NewErrCredentialsNotFound()
	case c.Method != provider.LoginCredentials || c.Username == tokenUser:
		return "", "", fmt.Errorf("%s hands out a bearer token for %s, and docker's protocol has user names and passwords alone: "+
			"put it into a config.json as \"registrytoken\" instead, which docker, BuildKit, crane and kaniko read", e.URL, host)
	}
	return c.Username, c.Password.Reveal(), nil
}

// entry finds the host's. It is docker's not found that there is none.
func (h *helper) entry(host string) (e setup.Entry, where string, err error) {
	s, err := setup.Load(h.LookupEnv)
	if errors.Is(err, setup.ErrNone) {
		h.say(fmt.Sprintf("%s: nothing is configured: run %[1]s configure, or set %s, %s, %s and a token; %[1]s --help has examples.",
			Name, setup.EnvURL, setup.EnvRegistry, setup.EnvProject))
		return setup.Entry{}, "", credentials.NewErrCredentialsNotFound()
	}
	if err != nil {
		return setup.Entry{}, "", err
	}
	e, ours, err := s.For(host)
	if !ours {
		return setup.Entry{}, "", credentials.NewErrCredentialsNotFound()
	}
	return e, s.Where, err
}

func (h *helper) ask(host string, e setup.Entry) (provider.Credentials, error) {
	logger := slog.New(progress{h.Stderr})
	c, err := e.Client(host, h.Patience, client.WithUserAgent(Name+"/"+version()), client.WithLogger(logger))
	if err != nil {
		return provider.Credentials{}, err
	}
	return c.Credentials(h.ctx, e.Project, e.Wanted())
}

// Add implements [credentials.Helper]: docker login ends with it, and fails where it does.
func (h *helper) Add(c *credentials.Credentials) error {
	err := h.nothingKept(c.ServerURL)
	if err == nil {
		h.say(fmt.Sprintf("%s: nothing is kept: each time it is needed, a credential for %s is asked for.", Name, setup.HostOf(c.ServerURL)))
	}
	return err
}

// Delete implements [credentials.Helper], for docker logout.
func (h *helper) Delete(asked string) error {
	if err := h.nothingKept(asked); !errors.Is(err, errKeepsNothing) {
		return err
	}
	return credentials.NewErrCredentialsNotFound()
}

var errKeepsNothing = errors.New("this helper keeps no logins, and asks for those of its own registries alone: have it in config.json's credHelpers, for each of these, and not in credsStore")

// nothingKept succeeds for a host of ours, of which there is nothing to keep.
func (h *helper) nothingKept(asked string) error {
	s, err := setup.Load(h.LookupEnv)
	if err != nil && !errors.Is(err, setup.ErrNone) {
		return err
	}
	if _, ours, _ := s.For(setup.HostOf(asked)); !ours {
		return errKeepsNothing
	}
	return nil
}

// List implements [credentials.Helper], without asking anybody.
func (h *helper) List() (map[string]string, error) {
	s, err := setup.Load(h.LookupEnv)
	if err != nil && !errors.Is(err, setup.ErrNone) {
		return nil, err
	}
	all := map[string]string{}
	for _, host := range s.Hosts() {
		key, _ := setup.Keys(host)
		all[key] = listedUser
	}
	return all, nil
}

// say tells the user, as most clients let through what a helper writes to stderr.
func (h *helper) say(sentence string) { _, _ = fmt.Fprintln(h.Stderr, sentence) }

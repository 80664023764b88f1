package kubeletplugin

import (
	"errors"
	"fmt"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/registry/client"
)

// options are what a kubelet's configuration says. Each is a variable too, see variables.
type options struct {
	URL             string `name:"url" placeholder:"URL" help:"The service whose credentials endpoint is asked, such as https://deploy.example.com (RISE_URL)."`
	Registry        string `placeholder:"HOST" help:"The registry's host, and port if it has one, as images name it: registry.example.com (RISE_REGISTRY)."`
	Namespace       string `placeholder:"PATH" help:"What projects' repositories are below, such as rise-apps; default nothing (RISE_NAMESPACE)."`
	SubRepositories bool   `help:"A project's images may be below its repository too, as hello/web, because the service's registry has sub_repositories: true (RISE_SUB_REPOSITORIES)."`
	CAFile          string `name:"ca-file" placeholder:"FILE" help:"The authorities, as PEM, that the service's certificate is from; default this machine's (RISE_CA_FILE)."`
	Timeout         string `placeholder:"DURATION" help:"How long asking may take, with what is tried again: 1s to 55s, as the kubelet ends this program after a minute; default 45s (RISE_TIMEOUT)."`
}

// variables are the environment's, by flag. The flag wins, and an empty variable is none.
func variables() map[string]string {
	return map[string]string{
		"url": "RISE_URL", "registry": "RISE_REGISTRY", "namespace": "RISE_NAMESPACE", "sub-repositories": "RISE_SUB_REPOSITORIES",
		"ca-file": "RISE_CA_FILE", "timeout": "RISE_TIMEOUT",
	}
}

const (
	defaultTimeout = 45 * time.Second
	leastTimeout   = time.Second
	mostTimeout    = 55 * time.Second
)

// settings are the command's, checked.
type settings struct {
	images Images
	with   ask
}

func (c *options) settings() (settings, error) {
	images, err := NewImages(c.Registry, c.Namespace, c.SubRepositories)
	if err != nil {
		return settings{}, err
	}
	timeout := defaultTimeout
	if c.Timeout != "" {
		if timeout, err = time.ParseDuration(c.Timeout); err != nil || timeout < leastTimeout || timeout > mostTimeout {
			return settings{}, fmt.Errorf("the timeout %+.40q isn't a duration from %v to %v, such as 45s", c.Timeout, leastTimeout, mostTimeout)
		}
	}
	if c.URL == "" {
		return settings{}, errors.New("where the service is isn't said: give --url or RISE_URL, such as https://deploy.example.com")
	}
	opts := []client.Option{
		client.WithConsumer(provider.Cluster), client.WithRegistry(images.registry.RegistryStr()), client.WithUserAgent(Name + "/" + version()),
		client.WithTimeout(min(timeout, client.DefaultTimeout)), client.WithPatience(timeout),
	}
	if c.CAFile != "" {
		opts = append(opts, client.WithCAFile(c.CAFile))
	}
	with := func(token provider.Secret) (*client.Client, error) {
		return client.New(c.URL, client.Fixed(token), opts...)
	}
	if _, err := with(provider.NewSecret("checked-without-a-pod")); err != nil { // nobody is asked yet
		return settings{}, err
	}
	return settings{images: images, with: with}, nil
}

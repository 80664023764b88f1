package provider_test

import (
	"context"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// named is a provider of nothing but names. Of what it shares, it knows one repository, and what is below hello's.
type named struct{ client, cluster, prefix string }

func (n named) Repository(project string, consumer provider.Consumer) (name.Repository, error) {
	if err := provider.ValidateProject(project); err != nil {
		return name.Repository{}, err
	}
	host := n.client
	if consumer == provider.Cluster && n.cluster != "" {
		host = n.cluster
	}
	registry, err := name.NewRegistry(host)
	return registry.Repo(n.prefix + project), err
}

func (named) Credentials(context.Context, provider.Request) (provider.Credentials, error) {
	return provider.Credentials{}, provider.ErrUnsupported
}

type shared struct{ named }

func (shared) NamesRegistry(host string) bool { return host == "alias.example.com" }

func (shared) SharesRepository(project, repository string) bool {
	return repository == "base" || strings.HasPrefix(repository, "rise/"+project+"/")
}

const (
	imageDigest = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	ok          = provider.Kind("")
	refused     = provider.ErrNotFound
	invalid     = provider.ErrInvalidRequest
)

func TestCheckImage(t *testing.T) {
	t.Parallel()
	plain := named{"registry.example.com", "rise-registry:5000", "rise/"}
	closed := []string{}
	wrapped := &wrapper{Provider: &wrapper{Provider: shared{plain}, closed: &closed}, closed: &closed}
	hub := named{"docker.io", "", "acme/"}
	official := named{"docker.io", "", "library/"}
	local := named{"localhost:5000", "", ""}
	address := named{"10.0.0.7:5000", "[2001:db8::7]:5000", ""}
	for _, test := range []struct {
		p     provider.Provider
		image string
		want  provider.Kind
	}{
		// Tags and digests.
		{plain, "registry.example.com/rise/hello", ok},
		{plain, "registry.example.com/rise/hello:v1", ok},
		{plain, "registry.example.com/rise/hello" + imageDigest, ok},
		{plain, "registry.example.com/rise/hello:v1" + imageDigest, ok},
		{plain, "registry.example.com/rise/other", refused},
		{plain, "registry.example.com/rise/other:v1", refused},
		{plain, "registry.example.com/rise/other" + imageDigest, refused},
		{plain, "registry.example.com/rise/other:rise/hello", invalid},
		{plain, "registry.example.com/rise/other:v1" + imageDigest, refused},
		{plain, "registry.example.com/rise/other" + imageDigest + ":v1", invalid},
		{plain, "registry.example.com/rise/other" + imageDigest + "/rise/hello", invalid},
		{plain, "registry.example.com/rise/hello" + imageDigest + imageDigest, invalid},
		{plain, "registry.example.com/rise/hello:", invalid},
		{plain, "registry.example.com/rise/hello:v1:v2", invalid},
		{plain, "registry.example.com/rise/hello@v1", invalid},
		{plain, "registry.example.com/rise/hello@sha256:0", invalid},

		// Paths.
		{plain, "registry.example.com/rise/hello/web", refused},
		{plain, "registry.example.com/rise/hello-2", refused},
		{plain, "registry.example.com/rise/hell", refused},
		{plain, "registry.example.com/hello", refused},
		{plain, "registry.example.com/rise", refused},
		{plain, "registry.example.com/library/hello", refused},
		{plain, "registry.example.com/x/rise/hello", refused},
		{plain, "registry.example.com/base", refused},
		{plain, "registry.example.com/rise/hello/../other", invalid},
		{plain, "registry.example.com/rise/../rise/hello", invalid},
		{plain, "registry.example.com/../rise/other", invalid},
		{plain, "registry.example.com/rise/./other", invalid},
		{plain, "registry.example.com//rise/other", invalid},
		{plain, "registry.example.com/rise//other", invalid},
		{plain, "registry.example.com/rise/other/", invalid},
		{plain, "registry.example.com/", invalid},
		{plain, "registry.example.com/rise/Hello", invalid},
		{plain, "registry.example.com/RISE/hello", invalid},
		{plain, "registry.example.com/rise%2fother", invalid},
		{plain, "registry.example.com/rise/%6fther", invalid},
		{plain, "registry.example.com/rise/other?x=/rise/hello", invalid},
		{plain, "registry.example.com/rise/other#hello", invalid},
		{plain, `registry.example.com\rise\x`, invalid},
		{plain, "registry.example.com/v2/rise/other", refused},

		// Hosts and ports.
		{plain, "Registry.Example.COM/rise/other", refused},
		{plain, "REGISTRY.EXAMPLE.COM/rise/hello", ok},
		{plain, "registry.example.com:443/rise/other", refused},
		{plain, "registry.example.com:0443/rise/other", refused},
		{plain, "registry.example.com:80/rise/other", refused},
		{plain, "registry.example.com:5000/rise/other", refused},
		{plain, "registry.example.com:99999/rise/other", refused},
		{plain, "registry.example.com:443/rise/hello", ok},
		{plain, "registry.example.com:/rise/other", invalid},
		{plain, "registry.example.com:https/rise/other", invalid},
		{plain, "registry.example.com./rise/other", invalid},
		{plain, "registry.example.com.:443/rise/other", invalid},
		{plain, ".registry.example.com/rise/other", invalid},
		{plain, "registry..example.com/rise/other", invalid},
		{plain, "registry%2eexample.com/rise/other", invalid},
		{plain, "registry.example.com%00/rise/other", invalid},
		{plain, "registry.example.com\x00/rise/other", invalid},
		{plain, "me@registry.example.com/rise/other", invalid},
		{plain, "me:secret@registry.example.com/rise/other", invalid},
		{plain, "x@registry.example.com:443/rise/other", invalid},
		{plain, "https://registry.example.com/rise/other", invalid},
		{plain, "//registry.example.com/rise/other", invalid},
		{plain, "/registry.example.com/rise/other", invalid},
		{plain, "docker://registry.example.com/rise/other", invalid},
		{plain, "dir:/etc", invalid},
		{plain, "registry。example。com/rise/other", invalid},
		{plain, "ｒegistry.example.com/rise/other", invalid},
		{plain, "regıstry.example.com/rise/other", invalid},
		{plain, "registrу.example.com/rise/other", invalid}, // a Cyrillic letter
		{plain, "registry.examp\u00adle.com/rise/other", invalid},
		{plain, "registry.example.com\u200b/rise/other", invalid},
		{plain, "xn--rgistry-bya.example.com/rise/other", ok},
		{plain, "registry.example.com.evil.com/rise/other", ok},
		{plain, "evil-registry.example.com/rise/other", ok},
		{plain, "example.com/rise/other", ok},
		{plain, "registry-example.com/rise/other", ok},
		{plain, "evil.com/registry.example.com/rise/other", ok},
		{plain, "registry.example.com", ok},      // docker.io/library/registry.example.com
		{plain, "registry.example.com:5000", ok}, // the same, with a tag

		// The cluster's host.
		{plain, "rise-registry:5000/rise/hello", ok},
		{plain, "rise-registry:5000/rise/other", refused},
		{plain, "RISE-registry:5000/rise/other", refused},
		{plain, "RISE-registry/rise/other", refused}, // docker reads a host, as it isn't in lower case
		{plain, "rise-registry/rise/other", ok},      // and here a name on Docker Hub
		{plain, "rise-registry:443/rise/other", refused},

		// White space, and nothing.
		{plain, "", invalid},
		{plain, " registry.example.com/rise/other", invalid},
		{plain, "registry.example.com/rise/other ", invalid},
		{plain, "registry.example.com/rise/other\n", invalid},
		{plain, "registry.example.com/rise/hello\n", invalid},
		{plain, "registry.example.com /rise/other", invalid},
		{plain, "registry.example.com/rise/hello\tregistry.example.com/rise/other", invalid},
		{plain, "registry.example.com/" + strings.Repeat("a", 256), invalid},
		{plain, strings.Repeat("a", 2000), invalid},

		// Images that are on the machine.
		{plain, imageDigest[1:], invalid},
		{plain, strings.ToUpper(imageDigest[1:]), invalid},
		{plain, imageDigest[8:], invalid},
		{plain, "redis:0123456789abcdef0123456789abcdef01234567", ok},

		// Other registries.
		{plain, "nginx", ok},
		{plain, "nginx:1.29", ok},
		{plain, "bitnami/redis", ok},
		{plain, "rise/other", ok},
		{plain, "docker.io/rise/other", ok},
		{plain, "ghcr.io/acme/x" + imageDigest, ok},
		{plain, "localhost/x", ok},
		{plain, "127.0.0.1:5000/x", ok},

		// What is shared, below a project's own, and an alias; behind decorators.
		{wrapped, "registry.example.com/base:1", ok},
		{wrapped, "rise-registry:5000/base", ok},
		{wrapped, "registry.example.com/base/x", refused},
		{wrapped, "registry.example.com/rise/hello/web:1", ok},
		{wrapped, "registry.example.com/rise/other/web", refused},
		{wrapped, "alias.example.com/rise/other", refused},
		{wrapped, "Alias.example.com:8443/rise/other", refused},
		{wrapped, "alias.example.com/rise/hello", ok},
		{wrapped, "alias.example.com/base", ok},

		// Docker Hub's spellings.
		{hub, "acme/hello", ok},
		{hub, "docker.io/acme/hello:1", ok},
		{hub, "index.docker.io/acme/hello", ok},
		{hub, "registry-1.docker.io/acme/hello", ok},
		{hub, "acme/other", refused},
		{hub, "docker.io/acme/other", refused},
		{hub, "index.docker.io/acme/other", refused},
		{hub, "registry-1.docker.io/acme/other", refused},
		{hub, "registry.hub.docker.com/acme/other", refused},
		{hub, "Docker.io/acme/other", refused},
		{hub, "docker.io:443/acme/other", refused},
		{hub, "nginx", refused},
		{hub, "library/nginx", refused},
		{hub, "hello", refused},
		{hub, "docker.io.evil.com/acme/other", ok},
		{hub, "notdocker.io/acme/other", ok},
		{hub, "acme.io/acme/other", ok},
		{official, "hello", ok},
		{official, "hello" + imageDigest, ok},
		{official, "library/hello", ok},
		{official, "docker.io/hello", ok},
		{official, "index.docker.io/library/hello", ok},
		{official, "other", refused},
		{official, "library/other", refused},
		{official, "docker.io/other", refused},
		{official, "index.docker.io/other", refused},
		{official, "registry-1.docker.io/library/other", refused},
		{official, "docker.io/library/library/hello", refused},
		{official, "localhost/other", ok},
		{official, "LIBRARY/other", ok}, // docker reads a host

		// This machine, and addresses.
		{local, "localhost:5000/hello", ok},
		{local, "127.0.0.1:5000/hello", ok},
		{local, "localhost:5000/other", refused},
		{local, "LocalHost/other", refused},
		{local, "localhost/other", refused},
		{local, "127.0.0.1:5000/other", refused},
		{local, "127.1.2.3:5000/other", refused},
		{local, "0.0.0.0:5000/other", refused},
		{local, "[::1]:5000/other", refused},
		{local, "[0:0:0:0:0:0:0:1]:5000/other", refused},
		{local, "[::]:5000/other", refused},
		{local, "[::ffff:7f00:1]:5000/other", refused},
		{local, "a.localhost:5000/other", refused},
		{local, "127.1:5000/other", invalid},
		{local, "2130706433:5000/other", invalid},
		{local, "0x7f000001:5000/other", invalid},
		{local, "0x7F.1:5000/other", invalid},
		{local, "127.0.0.01:5000/other", invalid},
		{local, "0177.0.0.1:5000/other", invalid},
		{local, "localhost:5000", ok}, // docker.io/library/localhost
		{address, "10.0.0.7:5000/other", refused},
		{address, "10.0.0.7/other", refused},
		{address, "[::ffff:a00:7]:5000/other", refused},
		{address, "10.7:5000/other", invalid},
		{address, "[2001:DB8:0::7]:5000/other", refused},
		{address, "[2001:db8::7]/hello", ok},
		{address, "[2001:db8::8]/other", ok},
		{address, "[fe80::1%25eth0]/other", invalid},
		{address, "[::::]/other", invalid},
		{address, "10.0.0.8:5000/other", ok},
	} {
		err := provider.CheckImage(test.p, "hello", test.image)
		require.Equal(t, test.want, provider.KindOf(err), "%q for %+v: %v", test.image, test.p, err)
	}
}

func TestCheckImageOfNoProject(t *testing.T) {
	t.Parallel()
	p := named{client: "registry.example.com"}
	for _, project := range []string{"", "*", "../hello", "hello/x", "Hello"} {
		require.ErrorIs(t, provider.CheckImage(p, project, "nginx"), provider.ErrInvalidRequest, project)
	}
	require.ErrorIs(t, provider.CheckImage(named{client: "my_registry:5000"}, "hello", "nginx"), provider.ErrMisconfigured, "nothing could be compared with it")
	err := provider.CheckImage(p, "hello", "registry.example.com/other\u202e"+strings.Repeat("x", 900))
	require.ErrorIs(t, err, provider.ErrInvalidRequest)
	require.Regexp(t, `^[ -~]{1,600}$`, err.Error())
}

// dockerReads is what docker and Kubernetes read an image as, as far as github.com/distribution/reference differs from go-containerregistry: what is a
// host, and what is taken at all is left to go-containerregistry.
func dockerReads(image string) string {
	host, rest, found := strings.Cut(image, "/")
	if found && strings.ToLower(host) != host && !strings.ContainsAny(host, ".:") {
		return host + ":443/" + rest
	}
	return image
}

// Whatever go-containerregistry, or docker, would ask our registry for is judged as ours: a tenant gets none of it but its own.
func FuzzCheckImage(f *testing.F) {
	for _, seed := range []string{
		"registry.example.com/rise/other", "Registry.example.com:0443/rise/other:v1" + imageDigest, "registry.example.com./rise/other", "rise-registry:5000/rise/hello",
		"RISE-REGISTRY/rise/other", "127.0.0.1:5000/x", "docker.io/acme/other", "index.docker.io/acme/hello", "registry-1.docker.io:443/acme/x", "hello", "library/hello", "[::1]:5000/x",
		"registry。example。com/rise/other", "registry.example.com/rise/hello/../other", "registry.example.com/rise/hello@sha256:0", "a@b/c:d", "localhost:5000", "localhost/x", imageDigest[1:],
	} {
		f.Add(seed)
	}
	providers := []named{{"registry.example.com", "rise-registry:5000", "rise/"}, {"docker.io", "", "acme/"}, {"docker.io", "", "library/"}, {"localhost:5000", "127.0.0.1:5001", ""}}
	ascii := regexp.MustCompile(`^[!-~]+$`)
	f.Fuzz(func(t *testing.T, image string) {
		for _, p := range providers {
			err := provider.CheckImage(p, "hello", image)
			if err != nil {
				require.Contains(t, []provider.Kind{refused, invalid}, provider.KindOf(err))
				continue
			}
			require.Regexp(t, ascii, image)
			for _, text := range []string{image, dockerReads(image)} {
				ref, err := name.ParseReference(text)
				if err != nil {
					continue // nothing to pull
				}
				asked := ref.Context()
				u, err := url.Parse("https://" + asked.RegistryStr())
				require.NoError(t, err)
				if host := strings.ToLower(u.Hostname()); !hostsOf(p)[host] {
					continue
				}
				own, err := p.Repository("hello", provider.Client)
				require.NoError(t, err)
				require.Equal(t, own.RepositoryStr(), asked.RepositoryStr(), "%q is asked of our registry", image)
			}
		}
	})
}

// hostsOf are hosts that lead to the registry.
func hostsOf(p named) map[string]bool {
	hosts := map[string]bool{}
	for _, host := range []string{p.client, p.cluster} {
		host, _, _ = strings.Cut(host, ":")
		hosts[host] = host != ""
	}
	if p.client == "docker.io" {
		hosts["index.docker.io"], hosts["registry-1.docker.io"] = true, true
	}
	if p.client == "localhost:5000" {
		hosts["127.0.0.2"], hosts["::1"], hosts["0.0.0.0"] = true, true, true
	}
	return hosts
}

package kubeletplugin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// Images tells projects by the names of their images. It is as much of a [provider.Provider] as [provider.CheckImage] needs.
type Images struct {
	registry name.Registry
	prefix   string // of a project's repository: the namespace and a slash, or nothing
	sub      bool
}

// Found is an image that is a project's.
type Found struct {
	Project string
	// Repository is the project's.
	Repository name.Repository
	// Key is the image's name without tag and digest, spelled as in the request: kubelets compare it with that, letter by letter.
	Key string
}

var namespaceName = regexp.MustCompile(`^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$`)

// NewImages is for the images of a registry, by the host and maybe the port that they are named by, below a namespace, which may be empty. With
// subRepositories, what is below a project's repository is the project's too.
func NewImages(registry, namespace string, subRepositories bool) (Images, error) {
	host, namespace := strings.ToLower(registry), strings.Trim(namespace, "/")
	switch {
	case host == "":
		return Images{}, errors.New("which registry's images are the projects' isn't said: give --registry or RISE_REGISTRY, such as registry.example.com")
	case strings.HasSuffix(host, "]"):
		return Images{}, fmt.Errorf("the registry %+.260q has no port, and a kubelet matches an IPv6 address only with one: add it, such as :443", registry)
	case namespace != "" && !namespaceName.MatchString(namespace):
		return Images{}, fmt.Errorf("the namespace %+.260q isn't how repositories' names begin: parts of a-z and 0-9, with . _ or - inside, separated by slashes", namespace)
	}
	m := Images{sub: subRepositories}
	if namespace != "" {
		m.prefix = namespace + "/"
	}
	var err error
	if m.registry, err = name.NewRegistry(host, name.StrictValidation); err == nil {
		err = provider.CheckImage(m, "hello", host+"/"+m.prefix+"hello") // the grammar of hosts, which that above doesn't know
	}
	if err != nil || !isHost(host) {
		return Images{}, fmt.Errorf("the registry %+.260q isn't a host that images are named by, with a port or without: such as registry.example.com or registry:5000", registry)
	}
	return m, nil
}

// isHost reports whether an image's name that begins with host is read as naming it, and not a repository on Docker Hub.
func isHost(host string) bool {
	if _, port, err := net.SplitHostPort(host); err == nil {
		n, err := strconv.Atoi(port)
		return err == nil && 0 < n && n < 1<<16
	}
	return strings.Contains(host, ".") || host == "localhost"
}

// Find tells whose image it is. It is nobody's where it is in another registry, at another port, in another namespace, or no project can have its
// name. An error says that it isn't an image's name at all.
func (m Images) Find(image string) (found Found, ok bool, err error) {
	if err := provider.CheckImage(m, "hello", image); errors.Is(err, provider.ErrInvalidRequest) {
		return Found{}, false, err
	}
	key := withoutVersion(image)
	host, path, _ := strings.Cut(key, "/")
	project, below := strings.CutPrefix(path, m.prefix)
	if m.sub {
		project, _, _ = strings.Cut(project, "/")
	}
	if !m.in(host) || !below || provider.ValidateProject(project) != nil {
		return Found{}, false, nil //nolint:nilerr // nobody's
	}
	return Found{Project: project, Repository: m.registry.Repo(m.prefix + project), Key: key}, true, nil
}

// in reports whether host is the registry's, port included. Docker Hub's has two names.
func (m Images) in(host string) bool {
	registry, err := name.NewRegistry(strings.ToLower(host), name.StrictValidation)
	return err == nil && registry.RegistryStr() == m.registry.RegistryStr()
}

// withoutVersion is an image's name without its tag and digest.
func withoutVersion(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if colon := strings.LastIndexByte(image, ':'); colon > strings.LastIndexByte(image, '/') {
		return image[:colon]
	}
	return image
}

// Repository implements [provider.Provider].
func (m Images) Repository(project string, _ provider.Consumer) (name.Repository, error) {
	return m.registry.Repo(m.prefix + project), nil
}

// Credentials implements [provider.Provider]: an image has none.
func (Images) Credentials(context.Context, provider.Request) (provider.Credentials, error) {
	return provider.Credentials{}, provider.ErrUnsupported
}

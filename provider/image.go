package provider

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

// CheckImage reports whether a tenant's deployment of project may name image, as docker, a kubelet or go-containerregistry would pull it: with or
// without a tag and a digest. In p's registry that is the project's own repository and what [RepositorySharer] adds, and nothing else there: on
// Docker Hub, where others' images are in the same registry, none of theirs. Images of other registries are none of p's business, and may be named.
//
// A registry is told by its host, whatever the port: those that p names for both consumers, the further ones that [HostNamer] knows, and each in
// all its spellings (case, addresses, this machine's names, Docker Hub's). What DNS alone knows, such as an alias, isn't known here. The names of
// repositories are compared byte for byte.
//
// It does no I/O. nil: it may. What isn't an image's name by the grammar that docker and Kubernetes share, and an image's id, which would be looked for
// among what others have pulled to the same machine, is [ErrInvalidRequest], as is a project's bad name; what the project may not have is [ErrNotFound],
// whether it exists or not. A repository that p itself names and that isn't an image's name is [ErrMisconfigured].
func CheckImage(p Provider, project, image string) error {
	fail := func(kind Kind, err error) error {
		return &Error{Kind: kind, Op: "check image", Project: project, Err: err}
	}
	ours, own := map[string]bool{}, ""
	for _, consumer := range []Consumer{Client, Cluster} {
		repository, err := p.Repository(project, consumer)
		if err != nil {
			return err
		}
		host, path, err := readImage(repository.String())
		if err != nil {
			return fail(ErrMisconfigured, fmt.Errorf("the provider's own repository %w", err))
		}
		ours[host], own = true, path // which is one for all consumers
	}
	host, path, err := readImage(image)
	if err != nil {
		return fail(ErrInvalidRequest, fmt.Errorf("%s %w", shown(image), err))
	}
	if namer, ok := As[HostNamer](p); ok && namer.NamesRegistry(host) {
		ours[host] = true
	}
	sharer, shares := As[RepositorySharer](p)
	if !ours[host] || path == own || shares && sharer.SharesRepository(project, path) {
		return nil
	}
	return fail(ErrNotFound, fmt.Errorf("%s isn't the project's own, nor shared with it", shown(image)))
}

// HostNamer is the capability of a provider whose registry has more hosts than Repository returns.
type HostNamer interface {
	// NamesRegistry reports whether host, in lower case and without a port, may be one. It does no I/O.
	NamesRegistry(host string) bool
}

// RepositorySharer is the capability of a provider whose credentials pull from more than the project's own repository.
type RepositorySharer interface {
	// SharesRepository reports whether those for project pull from repository, by its whole name in the registry, which is well-formed. It does no
	// I/O. project is valid.
	SharesRepository(project, repository string) bool
}

const (
	maxImage      = 1024
	maxRepository = 255 // docker's and go-containerregistry's
)

// What docker and Kubernetes take for an image's name (github.com/distribution/reference). go-containerregistry takes more: hosts that aren't ASCII,
// which are mapped to some that are, hosts with a final dot, and "..".
var (
	imageHost = regexp.MustCompile(`^((?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?$`)
	imagePath = regexp.MustCompile(`^([a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)(?::\w[\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[[:xdigit:]]{32,})?$`)
	imageID   = regexp.MustCompile(`^(?i:[a-f0-9]{64}|(?:sha256|sha384|sha512|blake3):[a-f0-9]{32,})$`)
	number    = regexp.MustCompile(`^(?:[0-9]+|0x[0-9a-f]*)$`)
)

const hub = "docker.io"

// readImage returns which host an image is pulled from, in one of its spellings for all, and the repository there. Errors are the end of a sentence.
func readImage(image string) (host, repository string, err error) {
	switch {
	case len(image) > maxImage:
		return "", "", fmt.Errorf("is longer than %d characters", maxImage)
	case imageID.MatchString(image):
		return "", "", errors.New("is an image's id, not its name")
	}
	host, rest, found := strings.Cut(image, "/")
	if !found || host != "localhost" && !strings.ContainsAny(host, ".:") && strings.ToLower(host) == host {
		host, rest = hub, image
	}
	authority, parts := imageHost.FindStringSubmatch(host), imagePath.FindStringSubmatch(rest)
	if authority == nil || parts == nil || len(parts[1]) > maxRepository {
		return "", "", errors.New("is not an image's name")
	}
	if host, err = oneSpelling(strings.ToLower(authority[1])); err != nil {
		return "", "", err
	}
	if repository = parts[1]; host == hub && !strings.Contains(repository, "/") {
		repository = "library/" + repository
	}
	return host, repository, nil
}

// oneSpelling returns the name for host that stands for all of its names that are known without asking.
func oneSpelling(host string) (string, error) {
	bare := strings.Trim(host, "[]")
	if bare != host || number.MatchString(host[strings.LastIndexByte(host, '.')+1:]) { // what ends in a number is an address, of which resolvers know further forms
		ip, err := netip.ParseAddr(bare)
		if err != nil {
			return "", errors.New("has a host that is no IP address, and no name either")
		}
		if ip = ip.Unmap(); ip.IsLoopback() || ip.IsUnspecified() {
			return "localhost", nil
		}
		return ip.String(), nil
	}
	switch {
	case strings.HasSuffix(host, ".localhost"):
		return "localhost", nil
	case strings.HasSuffix(host, "."+hub), host == "registry.hub.docker.com", host == "hub.docker.com":
		return hub, nil
	}
	return host, nil
}

// shown is image for messages.
func shown(image string) string {
	const most = 300
	if len(image) > most {
		return fmt.Sprintf("%+q...", image[:most])
	}
	return fmt.Sprintf("%+q", image)
}

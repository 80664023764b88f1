package tokenserver

import (
	"net/url"
	"strings"

	"github.com/rise-deploy/rise-registry-go/internal/hostport"
)

// Kind is whose token server it is, as far as its challenge shows. Remedies depend on it, and nothing else does. The zero Kind is one that isn't
// known.
type Kind uint8

// The kinds.
const (
	GitLab Kind = iota + 1
	Harbor
	Quay
	DockerHub
	ACR
	GHCR
	Gitea
	Google
)

// kindOf goes by where the token server is and what it calls the registry.
func kindOf(realm *url.URL, service string) Kind {
	host, _, err := hostport.Split(realm.Host)
	switch {
	case err != nil:
		return 0
	case host == "ghcr.io":
		return GHCR
	case host == "auth.docker.io", service == "registry.docker.io":
		return DockerHub
	case strings.HasSuffix(host, ".pkg.dev"), host == "gcr.io", strings.HasSuffix(host, ".gcr.io"):
		return Google
	case service == "harbor-registry", strings.HasSuffix(realm.Path, "/service/token"):
		return Harbor
	case strings.HasSuffix(realm.Path, "/jwt/auth"):
		return GitLab
	case service == "container_registry" && strings.HasSuffix(realm.Path, "/v2/token"):
		return Gitea
	case strings.HasSuffix(realm.Path, "/v2/auth"):
		return Quay
	case strings.HasSuffix(realm.Path, "/oauth2/token"):
		return ACR
	}
	return 0
}

// MakesRepositories reports whether being asked for push is enough for the token server to make the repository.
func (k Kind) MakesRepositories() bool { return k == Quay }

// LoginMayBeWrong reports whether a token for nothing may mean that the login is wrong.
func (k Kind) LoginMayBeWrong() bool { return k == Harbor }

// less says what to do about a token for less than was asked. key is the configuration's, of the account.
func (k Kind) less(key string) string {
	switch k {
	case GitLab:
		return "let namespace begin with the path of a GitLab project that exists and has its container registry on, give the account of " + key +
			" the role Developer there (Reporter, to pull), and its token write_registry and read_registry"
	case Harbor:
		return "check the password (Harbor answers a wrong one with a token for nothing), that namespace begins with a Harbor project that exists, and that the robot of " +
			key + " has Push Repository and Pull Repository there (Pull Repository alone, to pull)"
	case Quay:
		return "give the robot of " + key + " Write to the repository, or let it be in a team of the organization with the role Creator, so that pushes make repositories"
	case DockerHub:
		return "give the access token of " + key + " Read & Write, and its account rights to the repository; namespace is the organization or user"
	case ACR:
		return "give the identity of " + key + " the role AcrPush (AcrPull, to pull), or its scope map content/read and content/write of the repositories below namespace"
	}
	return "let the account of " + key + " do this on the repositories below namespace, in the rules of the registry's token server"
}

// more says what to do about a token for more.
func (k Kind) more(key string) string {
	const pulls = "; where pulls come out as pushes, set pull_username to an account that can only pull"
	switch k {
	case Harbor:
		return "Harbor lists all that a robot may do on the repository, whatever is asked: leave the robot of " + key +
			" Push Repository and Pull Repository alone (no Delete, no scanner), and set pull_username to a robot that has Pull Repository alone"
	case ACR:
		return "take all but content/read and content/write from the scope map of " + key + pulls
	}
	return "take all rights but pull and push from the account of " + key + pulls
}

// unsaid says what to do about a token that doesn't tell.
func (k Kind) unsaid() string {
	const instead = "use type oci-client-auth with it, or a registry whose tokens have the claim access of the distribution project's specification"
	switch k {
	case GHCR:
		return "GHCR's tokens are opaque: " + instead
	case Gitea:
		return "Gitea's and Forgejo's tokens name a user, and are good for all that the user may do: " + instead
	case Google:
		return "Google's tokens can't be narrowed to a repository: " + instead
	}
	return "tokens like that (Nexus's, GHCR's, Gitea's, Google's) may be good for everything that the account may do: " + instead
}

// refusal says what to do about a login that isn't taken.
func (k Kind) refusal(key string) string {
	switch k {
	case GitLab:
		return "check " + key + " and its password, an access token of GitLab's (a deploy token's user name is its own): whether it has expired, was revoked, or lacks the scopes read_registry and write_registry"
	case DockerHub:
		return "check " + key + " and its password, an access token of Docker Hub's: whether it was revoked, or the account has to log in otherwise"
	case ACR:
		return "check " + key + " and its password: a service principal's client id and secret, or the name and a password of a token of the registry's own, as long as they last"
	case Quay, Harbor:
		return "check " + key + " and its password: a robot's whole name (with its prefix: robot$rise, acme+rise) and token, as long as it isn't disabled or expired"
	}
	return "check " + key + " and its password"
}

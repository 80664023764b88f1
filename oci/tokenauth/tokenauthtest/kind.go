package tokenauthtest

import (
	"encoding/base64"
	"net/http"
	"strings"
	"time"
)

// Kind is whose token server is doubled.
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
	Nexus
	Google
)

// Kinds are all of them.
func Kinds() []Kind { return []Kind{GitLab, Harbor, Quay, DockerHub, ACR, GHCR, Gitea, Nexus, Google} }

// String returns the name that people know it by.
func (k Kind) String() string {
	names := [...]string{"none", "GitLab", "Harbor", "Quay", "Docker Hub", "ACR", "GHCR", "Gitea", "Nexus", "Google"}
	if int(k) < len(names) {
		return names[k]
	}
	return names[0]
}

// Scoped reports whether its tokens say what they can do.
func (k Kind) Scoped() bool { return k >= GitLab && k <= ACR }

// behavior is what is particular to one.
type behavior struct {
	path, service, issuer string // an empty service is the registry's host
	elsewhere             bool   // on another host
	life                  time.Duration
	answer                func(token string, life time.Duration, now time.Time) map[string]any
	everything            bool // what is asked doesn't narrow
	wrongIsNobody         bool // a wrong login is none
	creates               bool // being asked for push makes the repository
	meta                  func(repository string, entry map[string]any)
	refusal               func(w http.ResponseWriter)
}

func (k Kind) behavior() behavior {
	onlyToken := func(token string, _ time.Duration, _ time.Time) map[string]any { return map[string]any{"token": token} }
	refuse := func(text string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(text))
		}
	}
	unauthorized := func(message string) func(http.ResponseWriter) {
		return refuse(`{"errors":[{"code":"UNAUTHORIZED","message":"` + message + `","detail":{}}]}`)
	}
	switch k {
	case GitLab:
		return behavior{
			path: "/jwt/auth", service: "container_registry", issuer: "gitlab-issuer", elsewhere: true, life: 5 * time.Minute, answer: onlyToken,
			refusal: unauthorized("HTTP Basic: Access denied."),
			meta: func(repository string, entry map[string]any) {
				entry["meta"] = map[string]any{"project_path": repository[:max(strings.LastIndexByte(repository, '/'), 0)], "project_id": 7}
			},
		}
	case Harbor:
		return behavior{
			path: "/service/token", service: "harbor-registry", issuer: "harbor-token-issuer", life: 30 * time.Minute, everything: true, wrongIsNobody: true,
			answer: func(token string, life time.Duration, now time.Time) map[string]any {
				return map[string]any{"token": token, "access_token": "", "expires_in": int(life.Seconds()), "issued_at": now.Format(time.RFC3339)}
			},
			refusal: unauthorized("unauthorized"),
		}
	case Quay:
		return behavior{
			path: "/v2/auth", issuer: "quay", life: time.Hour, answer: onlyToken, creates: true,
			refusal: unauthorized("Invalid Username or Password"),
		}
	case DockerHub:
		return behavior{
			path: "/token", service: "registry.docker.io", issuer: "auth.docker.io", elsewhere: true, life: 5 * time.Minute,
			answer: func(token string, life time.Duration, now time.Time) map[string]any {
				return map[string]any{"token": token, "access_token": token, "expires_in": int(life.Seconds()), "issued_at": now.Format(time.RFC3339Nano)}
			},
			refusal: refuse(`{"details":"incorrect username or password"}`),
			meta: func(_ string, entry map[string]any) {
				entry["parameters"] = map[string]any{"pull_limit": "200", "pull_limit_interval": "21600"}
			},
		}
	case ACR:
		return behavior{
			path: "/oauth2/token", issuer: "Azure Container Registry", life: 75 * time.Minute,
			answer: func(token string, _ time.Duration, _ time.Time) map[string]any {
				return map[string]any{"access_token": token}
			},
			refusal: unauthorized("authentication required, visit https://aka.ms/acr/authorization for more information."),
		}
	case GHCR:
		return behavior{path: "/token", service: "ghcr.io", answer: onlyToken, refusal: unauthorized("authentication required")}
	case Gitea:
		return behavior{path: "/v2/token", service: "container_registry", life: 24 * time.Hour, answer: onlyToken, refusal: unauthorized("")}
	case Nexus:
		return behavior{path: "/v2/token", answer: onlyToken, refusal: unauthorized("access to the requested resource is not authorized")}
	default:
		return behavior{
			path: "/v2/token", life: time.Hour, refusal: unauthorized("Not authorized."),
			answer: func(token string, life time.Duration, now time.Time) map[string]any {
				return map[string]any{"token": token, "expires_in": int(life.Seconds()), "issued_at": now.Format(time.RFC3339)}
			},
		}
	}
}

// opaque is a token that doesn't say what it can do.
func (k Kind) opaque(random string) string {
	switch k {
	case GHCR:
		return base64.StdEncoding.EncodeToString([]byte("ghp_" + random))
	case Nexus:
		return "DockerToken." + random
	default:
		return "ya29." + random
	}
}

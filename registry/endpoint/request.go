package endpoint

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/rise-deploy/rise-registry-go/provider"
)

const (
	maxQuery = 4 << 10
	maxToken = 8 << 10

	formatPullSecret = "dockerconfigjson" // the end of the type of Kubernetes' secret
)

// wish is what a request asks for, and in which form.
type wish struct {
	provider.Request
	pullSecret bool
}

// forCluster reports whether it is what [WithClusterCredentials] allows.
func (w wish) forCluster() bool { return w.Consumer != provider.Client || w.pullSecret }

// parse reads what is asked for; of which project, named says, where it knows.
func parse(r *http.Request, named func(*http.Request) (string, bool)) (wish, error) {
	invalid := func(problem string) (wish, error) {
		return wish{}, &provider.Error{Kind: provider.ErrInvalidRequest, Op: "read request", Err: errors.New(problem)}
	}
	if len(r.URL.RawQuery) > maxQuery {
		return invalid("the query is too long")
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return invalid("the query is malformed")
	}
	request := wish{Request: provider.Request{Access: provider.Push, Consumer: provider.Client}}
	elsewhere := false
	if named != nil {
		request.Project, elsewhere = named(r)
	}
	if !elsewhere {
		if len(query["project"]) != 1 {
			return invalid("project is missing or repeated")
		}
		request.Project = query["project"][0]
	}
	switch access := query["access"]; len(access) {
	case 0:
	case 1:
		if err := request.Access.UnmarshalText([]byte(access[0])); err != nil {
			return invalid("access " + err.Error())
		}
	default:
		return invalid("access is repeated")
	}
	switch consumer := query["consumer"]; {
	case len(consumer) > 1:
		return invalid("consumer is repeated")
	case len(consumer) == 0 || consumer[0] == provider.Client.String():
	case consumer[0] == provider.Cluster.String():
		request.Consumer = provider.Cluster
	default:
		return invalid("consumer must be client or cluster")
	}
	switch format := query["format"]; {
	case len(format) > 1:
		return invalid("format is repeated")
	case len(format) == 0:
	case format[0] == formatPullSecret:
		request.pullSecret = true
	default:
		return invalid("format must be " + formatPullSecret)
	}
	if err := request.Validate(); err != nil {
		return wish{}, err
	}
	if request.forCluster() && request.Access != provider.Pull {
		return invalid("for a cluster, or as a pull secret, access must be pull")
	}
	return request, nil
}

// BearerToken returns the token of an Authorization header of the form "Bearer <token>" (RFC 6750, section 2.1), and
// false when there is none, when there is more than one header, or when the token is longer than 8 KiB.
func BearerToken(r *http.Request) (provider.Secret, bool) {
	headers := r.Header.Values("Authorization")
	if len(headers) != 1 || len(headers[0]) > maxToken {
		return provider.Secret{}, false
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" || strings.ContainsAny(token, " \t") {
		return provider.Secret{}, false
	}
	return provider.NewSecret(token), true
}

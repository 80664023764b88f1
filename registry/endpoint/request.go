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
)

// parse reads what is asked for; of which project, named says, where it knows. The consumer is always the client: clusters don't ask for themselves.
func parse(r *http.Request, named func(*http.Request) (string, bool)) (provider.Request, error) {
	invalid := func(problem string) (provider.Request, error) {
		return provider.Request{}, &provider.Error{Kind: provider.ErrInvalidRequest, Op: "read request", Err: errors.New(problem)}
	}
	if len(r.URL.RawQuery) > maxQuery {
		return invalid("the query is too long")
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return invalid("the query is malformed")
	}
	request := provider.Request{Access: provider.Push, Consumer: provider.Client}
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
	return request, request.Validate()
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

package tokenissuer

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

const (
	maxPassword = 8 << 10
	maxForm     = 64 << 10
)

// question is what a client asks /token.
type question struct {
	service  []string
	scopes   []scope
	password provider.Secret // empty: none, or one that nobody has
}

// errForm is of a form that can't be read, errSlow of one that didn't come in time.
var (
	errForm = errors.New("the form is malformed or too large")
	errSlow = errors.New("the form took too long to arrive")
)

// read reads a request of either form: GET with Basic authentication, or POST of a form, with the password in it or in the header. The error is the end of
// a sentence.
func read(w http.ResponseWriter, r *http.Request) (question, error) {
	if len(r.URL.RawQuery) > maxForm {
		return question{}, errForm
	}
	values, _ := url.ParseQuery(r.URL.RawQuery) // what can't be parsed is left out
	var password string
	if headers := r.Header.Values("Authorization"); len(headers) == 1 {
		_, password, _ = r.BasicAuth()
	}
	if r.Method == http.MethodPost {
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && kind == "application/x-www-form-urlencoded" {
			if err := readForm(w, r); err != nil {
				return question{}, err
			}
			values = r.PostForm
		}
		switch grants := values["grant_type"]; {
		case len(grants) == 0:
		case len(grants) == 1 && grants[0] == "password":
			password = r.PostForm.Get("password")
		default:
			return question{}, errors.New("the only grant_type is password")
		}
	}
	q := question{service: values["service"], scopes: parseScopes(values["scope"])}
	if len(password) <= maxPassword {
		q.password = provider.NewSecret(password)
	}
	return q, nil
}

// readForm reads a form before the request's context ends: not every server that this is mounted in has a time for bodies.
func readForm(w http.ResponseWriter, r *http.Request) error {
	ended := make(chan struct{})
	stop := context.AfterFunc(r.Context(), func() {
		defer close(ended)
		_ = http.NewResponseController(w).SetReadDeadline(time.Now()) // where it can't be had, the server's own time counts
	})
	defer func() {
		if !stop() {
			<-ended // with HTTP/2 nobody may touch w once the handler has returned
		}
	}()
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	switch err := r.ParseForm(); {
	case err == nil:
		return nil
	case r.Context().Err() != nil:
		return errSlow
	}
	return errForm
}

// isFor reports whether the question is for that service, as far as it says.
func (q question) isFor(service string) bool {
	for _, named := range q.service {
		if named != "" && named != service {
			return false
		}
	}
	return true
}

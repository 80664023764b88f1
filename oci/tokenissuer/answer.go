package tokenissuer

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// answer is one HTTP answer.
type answer struct {
	status int
	code   string // of the OCI distribution specification; empty for a token
	body   []byte
	header http.Header
}

func (a answer) write(w http.ResponseWriter) {
	h := w.Header()
	for name, values := range a.header {
		h[name] = values
	}
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the client is gone: nobody to tell
}

// refusal is an answer of the form that clients show the sentence of (OCI distribution-spec, "Error Codes").
func refusal(status int, code, sentence string) answer {
	type one struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	return answer{status: status, code: code, body: encode(struct {
		Errors []one `json:"errors"`
	}{[]one{{code, sentence}}})}
}

func (a answer) with(name, value string) answer {
	a.header = http.Header{name: {value}}
	return a
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // texts and numbers
	}
	return append(b, '\n')
}

const (
	defaultRetryAfter = 5 * time.Second
	maxRetryAfter     = time.Hour
)

func (a answer) retryAfter(d time.Duration) answer {
	if d <= 0 {
		d = defaultRetryAfter
	}
	d = min(d, maxRetryAfter)
	return a.with("Retry-After", strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10))
}

// The refusals. What a client's user reads is in their sentences.

func badRequest(sentence string) answer {
	return refusal(http.StatusBadRequest, "UNSUPPORTED", sentence)
}

func badMethod() answer {
	return refusal(http.StatusMethodNotAllowed, "UNSUPPORTED", "Only GET and POST are allowed here.").with("Allow", "GET, POST")
}

// unauthorized is about the credential, whatever is wrong with it.
func unauthorized(service, sentence string) answer {
	return refusal(http.StatusUnauthorized, "UNAUTHORIZED", sentence).with("Www-Authenticate", `Basic realm="`+service+`"`)
}

func denied(sentence string) answer {
	return refusal(http.StatusForbidden, "DENIED", sentence)
}

func tooMany(wait time.Duration) answer {
	return refusal(http.StatusTooManyRequests, "TOOMANYREQUESTS", "Too many requests for tokens; try again later.").retryAfter(wait)
}

func unavailable(wait time.Duration) answer {
	return refusal(http.StatusServiceUnavailable, "UNAVAILABLE", "The token service is unavailable at present; try again later.").retryAfter(wait)
}

func internal() answer {
	return refusal(http.StatusInternalServerError, "UNKNOWN", "Something went wrong in the token service.")
}

// issued is a token's answer. It says neither when it was made, since clients would compare clocks, nor has it a refresh token, which they
// would keep for ever.
func issued(token string, left time.Duration) answer {
	b := make([]byte, 0, 2*len(token)+64)
	b = append(append(b, `{"token":"`...), token...) // in the alphabet of base64url, which JSON doesn't escape
	b = append(append(b, `","access_token":"`...), token...)
	b = strconv.AppendInt(append(b, `","expires_in":`...), int64(left/time.Second), 10)
	return answer{status: http.StatusOK, body: append(b, "}\n"...)}
}

const (
	sayMissing = "A user name and a password are required: ask the service for a credential for your project, and log in with it."
	sayForged  = "This credential isn't one of this service's, or no longer: ask the service for a new one, and log in with it."
	sayExpired = "This credential has expired: ask the service for a new one, and log in with it."
	sayRevoked = "This credential is no longer good: its project is suspended, is gone, or its name is another project's."
	sayNobody  = "The password is neither a credential for a project nor a token that this service takes as one."
	sayNothing = "You have no right to what was asked for, or there is no such repository."
)

// sayGoodFor is what a grant is good for, for who holds it and asked for something else.
func (s settings) sayGoodFor(r provider.Request) string {
	what := "pulling from"
	if r.Access == provider.Push {
		what = "pushing to and pulling from"
	}
	where := s.repository(r)
	switch {
	case r.AllProjects:
		where = "the projects' repositories"
	case s.below:
		where += " and what is below it"
	}
	return "This credential is good for " + what + " " + where + ", and not for what was asked for."
}

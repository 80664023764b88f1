package endpoint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/decorator"
)

// ErrUnauthenticated is what an authenticate function returns, or wraps, when a request carries no valid credential: 401.
// Any other error means that it couldn't tell: 503.
const ErrUnauthenticated = sentinel("unauthenticated")

// Caller is an authenticated caller, of the service's own type.
type Caller interface {
	// Subject identifies the caller in audit events and to the rate limit. It isn't secret.
	Subject() string
}

// Authenticate tells who makes a request: from its bearer token ([BearerToken]), a client certificate, a session. It
// returns [ErrUnauthenticated] for a request that nobody valid makes. It is called concurrently.
type Authenticate[C Caller] func(*http.Request) (C, error)

// Authorize tells whether caller may have a credential for r, a valid request for one project, yet without its id; with
// [WithProjectIDs] it is called again with the id, by which a service may decide then. It returns nil if so;
// [provider.ErrNotFound] or [provider.ErrAccessDenied] for a project that doesn't exist and for one that the caller has
// no right to, in this access (both are one answer, and should take the same steps); [provider.ErrConflict] when the
// service refuses for now. Any other error means that it couldn't tell: 503. It is called concurrently.
type Authorize[C Caller] func(ctx context.Context, caller C, r provider.Request) error

// New returns a handler that serves p's credentials, to be mounted at any path. It panics if p or one of the functions is
// nil. The handler is safe for concurrent use.
func New[C Caller](p provider.Provider, authenticate Authenticate[C], authorize Authorize[C], opts ...Option) http.Handler {
	if p == nil || authenticate == nil || authorize == nil {
		panic("endpoint.New: the provider and both functions are required")
	}
	h := &handler[C]{
		provider: p, providerType: provider.TypeOf(p), authenticate: authenticate, authorize: authorize,
		options: options{timeout: DefaultTimeout, audit: Log(nil)},
	}
	for _, opt := range opts {
		opt(&h.options)
	}
	return h
}

type handler[C Caller] struct {
	provider     provider.Provider
	providerType string
	authenticate Authenticate[C]
	authorize    Authorize[C]
	options
}

func (h *handler[C]) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	e := Event{Provider: h.providerType, RemoteAddr: r.RemoteAddr}
	if len(h.proxies) > 0 {
		if address := SourceAddress(r, h.proxies...); address.IsValid() {
			e.SourceAddr = address.String()
		}
	}
	a := h.answer(r, &e)
	e.Status, e.Code, e.Duration = a.status, a.code, time.Since(start)
	e.Outcome = outcomeOf(r.Context(), a.status)
	h.audit(context.WithoutCancel(r.Context()), e) // before the answer, so that no credential leaves unseen
	a.write(w)
}

// answer goes through the checks in the order that the package's documentation promises.
func (h *handler[C]) answer(r *http.Request, e *Event) (a answer) {
	defer func() {
		if v := recover(); v != nil {
			if v == http.ErrAbortHandler {
				panic(v)
			}
			a = fail(e, answers.internal, recovered(v))
		}
	}()
	ctx, cancel := context.WithTimeout(r.Context(), h.timeout)
	defer cancel()
	r = r.WithContext(ctx)
	if wait := h.limitAddress(r); wait > 0 {
		return fail(e, answers.limited.retryAfter(wait), nil)
	}
	if r.Method != http.MethodGet {
		return fail(e, answers.method, nil)
	}
	caller, err := h.authenticate(r)
	if err != nil {
		if errors.Is(err, ErrUnauthenticated) {
			return fail(e, answers.unauthenticated, err)
		}
		return fail(e, answers.unavailable, fmt.Errorf("authenticate: %w", err))
	}
	e.Subject = caller.Subject()
	if wait := h.limitSubject(ctx, e.Subject); wait > 0 {
		return fail(e, answers.limited.retryAfter(wait), nil)
	}
	request, err := parse(r)
	if err == nil {
		// A provider may narrow what a project name can be.
		_, err = h.provider.Repository(request.Project, request.Consumer)
	}
	if err != nil {
		return fail(e, answerTo(err), err)
	}
	e.Project, e.Access = request.Project, request.Access
	if err := h.authorize(ctx, caller, request); err != nil {
		return fail(e, answerToRefusal(err), fmt.Errorf("authorize: %w", err))
	}
	if h.identify != nil {
		id, err := h.identify(ctx, request.Project)
		if err != nil {
			return fail(e, answerToRefusal(err), fmt.Errorf("identify: %w", err))
		}
		request.ProjectID = id
		if err := request.Validate(); err != nil || id == "" {
			return fail(e, answers.internal, fmt.Errorf("identify: what it returned is no id: %w", cmp.Or[error](err, provider.ErrNoProjectID)))
		}
		if err := h.authorize(ctx, caller, request); err != nil { // the name may have been given away between the two
			return fail(e, answerToRefusal(err), fmt.Errorf("authorize: %w", err))
		}
		e.ProjectID = id
	}
	if h.repositories != nil {
		project, mayMake := provider.Project{Name: request.Project, ID: request.ProjectID}, h.makeOnPull || request.Access.Includes(provider.Push)
		if err := h.repositories.ensure(ctx, e.Subject, project, mayMake, h.timeout); err != nil {
			return fail(e, answerTo(err), err)
		}
	}
	if h.ownSessions {
		request.Caller = e.Subject
		if err := request.Validate(); err != nil || request.Caller == "" {
			return fail(e, answers.internal, fmt.Errorf("the caller's subject can't name a session: %w", cmp.Or(err, errors.New("it is empty"))))
		}
	}
	c, err := provider.Issue(decorator.OnBehalfOf(ctx, e.Subject), h.provider, request)
	if err != nil {
		return fail(e, answerTo(err), err)
	}
	e.ExpiresAt, e.Details = c.ExpiresAt, c.Details
	return issued(request, c, time.Now())
}

func fail(e *Event, a answer, err error) answer {
	e.Err, e.Kind = err, provider.KindOf(err)
	var failure *provider.Error
	if errors.As(err, &failure) {
		e.Details = failure.Details
	}
	return a
}

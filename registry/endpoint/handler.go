package endpoint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/decorator"
)

// ErrUnauthenticated is what an authenticate function returns, or wraps, when a request carries no valid credential: 401.
// Any other error means that it couldn't tell: 503.
const ErrUnauthenticated = sentinel("unauthenticated")

// Caller is an authenticated caller, of the service's own type. If it has a method Details() []slog.Attr too, these begin the Details of its events: what
// of it decided, such as a token's claims. They aren't secret.
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
	return newHandler(p, authenticate, authorize, opts)
}

func newHandler[C Caller](p provider.Provider, authenticate Authenticate[C], authorize Authorize[C], opts []Option) *handler[C] {
	if p == nil || authenticate == nil || authorize == nil {
		panic("endpoint: the provider and both functions are required")
	}
	h := &handler[C]{
		provider: p, providerType: provider.TypeOf(p), authenticate: authenticate, authorize: authorize,
		options: options{timeout: DefaultTimeout, audit: Log(nil)},
	}
	for _, opt := range opts {
		opt(&h.options)
	}
	h.ownSessions = h.ownSessions || provider.BoundToCallers(p)
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
	start, e := time.Now(), h.event(r)
	a := h.answer(r, &e)
	if err := h.record(r, &e, a, start); err != nil && e.Outcome == Issued { // before the answer, so that no credential leaves unseen
		a = answers.unavailable.retryAfter(retryAfterOf(err))
	}
	a.write(w)
}

// event begins the audit record of a request.
func (h *handler[C]) event(r *http.Request) Event {
	e := Event{Provider: h.providerType, RemoteAddr: r.RemoteAddr}
	if len(h.proxies) > 0 {
		if address := SourceAddress(r, h.proxies...); address.IsValid() {
			e.SourceAddr = address.String()
		}
	}
	return e
}

// of notes who asks.
func (e *Event) of(caller Caller) {
	e.Subject = caller.Subject()
	if c, ok := caller.(interface{ Details() []slog.Attr }); ok {
		e.caller = c.Details()
	}
}

func (h *handler[C]) record(r *http.Request, e *Event, a answer, start time.Time) error {
	e.Status, e.Code, e.Duration = a.status, a.code, time.Since(start)
	e.Outcome = outcomeOf(r.Context(), a.status)
	if len(e.caller) > 0 {
		e.Details, e.caller = slices.Concat(e.caller, e.Details), nil
	}
	return h.audit(context.WithoutCancel(r.Context()), *e)
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
	e.of(caller)
	if wait := h.limitSubject(ctx, e.Subject); wait > 0 {
		return fail(e, answers.limited.retryAfter(wait), nil)
	}
	asked, err := parse(r, h.named)
	if err != nil {
		return fail(e, answerTo(err), err)
	}
	request, refused := h.permit(ctx, caller, asked, e)
	if refused != nil {
		return *refused
	}
	c, err := provider.Issue(decorator.OnBehalfOf(ctx, e.Subject), h.provider, request)
	if err != nil {
		return fail(e, answerTo(err), err)
	}
	e.Details = c.Details
	if asked.pullSecret {
		secret, err := c.PullSecret()
		if err != nil { // what the provider issues is of no use to a kubelet: that is for the operator to see
			a := fail(e, answerTo(err), err)
			e.Details = c.Details
			return a
		}
		e.ExpiresAt = c.ExpiresAt
		return issuedAs(secret, c)
	}
	e.ExpiresAt = c.ExpiresAt
	return issued(request, c, time.Now())
}

// permit goes through the checks of an authenticated caller's valid request and completes it, or answers it with a refusal.
func (h *handler[C]) permit(ctx context.Context, caller C, asked wish, e *Event) (provider.Request, *answer) {
	request := asked.Request
	refuse := func(a answer, err error) (provider.Request, *answer) {
		a = fail(e, a, err)
		return provider.Request{}, &a
	}
	// A provider may narrow what a project name can be.
	if _, err := h.provider.Repository(request.Project, request.Consumer); err != nil {
		return refuse(answerTo(err), err)
	}
	e.Project, e.Access, e.Consumer = request.Project, request.Access, request.Consumer
	if asked.forCluster() && !h.clusters {
		return refuse(answers.notFound, errors.New("it is for a cluster, and this service serves none (WithClusterCredentials)"))
	}
	if err := h.authorize(ctx, caller, request); err != nil {
		return refuse(answerToRefusal(err), fmt.Errorf("authorize: %w", err))
	}
	if h.identify != nil {
		id, err := h.identify(ctx, request.Project)
		if err != nil {
			return refuse(answerToRefusal(err), fmt.Errorf("identify: %w", err))
		}
		request.ProjectID = id
		if err := request.Validate(); err != nil || id == "" {
			return refuse(answers.internal, fmt.Errorf("identify: what it returned is no id: %w", cmp.Or[error](err, provider.ErrNoProjectID)))
		}
		if err := h.authorize(ctx, caller, request); err != nil { // the name may have been given away between the two
			return refuse(answerToRefusal(err), fmt.Errorf("authorize: %w", err))
		}
		e.ProjectID = id
	}
	if h.repositories != nil {
		project, mayMake := provider.Project{Name: request.Project, ID: request.ProjectID}, h.makeOnPull || request.Access.Includes(provider.Push)
		if err := h.repositories.ensure(ctx, e.Subject, project, mayMake, h.timeout); err != nil {
			return refuse(answerTo(err), err)
		}
	}
	if h.ownSessions {
		request.Caller = e.Subject
		if err := request.Validate(); err != nil || request.Caller == "" {
			return refuse(answers.internal, fmt.Errorf("the caller's subject can't name a session: %w", cmp.Or(err, errors.New("it is empty"))))
		}
	}
	return request, nil
}

func fail(e *Event, a answer, err error) answer {
	e.Err, e.Kind = err, provider.KindOf(err)
	var failure *provider.Error
	if errors.As(err, &failure) {
		e.Details = failure.Details
	}
	return a
}

package tokenissuer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"time"

	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/internal/keys"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// DefaultTimeout is how long an exchange may take.
const DefaultTimeout = 30 * time.Second

// maxLogins is how many projects a password that isn't a grant is asked about.
const maxLogins = 8

// Login says who has a password that isn't a grant, and which of the asked requests, each for one project, he may have: as asked, or with less access. It is
// called concurrently; r is the client's request. Nothing asked for is a login: only who it is matters.
//
// [provider.ErrAccessDenied] says that nobody valid has this password: 401. [provider.ErrThrottled] says that who asks has to wait ([provider.Error].RetryAfter):
// 429. Any other error means that it couldn't tell: 503. What he has no right to is left out, and is no error.
//
// What endpoint.Logins returns is one.
type Login func(r *http.Request, password provider.Secret, asked []provider.Request) (subject string, granted []provider.Request, err error)

// HandlerOption changes how [Provider.Handler]'s handler works.
type HandlerOption func(*handler)

// WithAudit sets the hook that is told of each exchange, instead of [Log]: before the answer goes out, and concurrently. The context isn't canceled with the request,
// and the exchange's time doesn't end the hook, which has to bound itself.
//
// An error says that there is no record. Then no token leaves: the answer is 503, with the Retry-After of a [provider.Error] if it is one. A refusal stays what it
// is. A hook that returns nil whatever happens has tokens handed out unseen.
func WithAudit(hook func(context.Context, Exchange) error) HandlerOption {
	return func(h *handler) {
		if hook != nil {
			h.audit = hook
		}
	}
}

// WithSource tells the address of who asks, for [Exchange].SourceAddr: behind proxies that are trusted, endpoint.SourceAddress does.
func WithSource(source func(*http.Request) string) HandlerOption {
	return func(h *handler) { h.source = source }
}

// WithAddressLimit limits what fails: a missing or bad credential is answered with 429 instead of 401 while the sender has to wait for so long. A grant that
// verifies is never refused for what others at its address do; passwords that aren't grants are a [Login]'s to limit. See endpoint.RateLimit.
func WithAddressLimit(limit func(*http.Request) time.Duration) HandlerOption {
	return func(h *handler) { h.limitAddress = limit }
}

// WithGrantLimit limits the exchanges of one grant, by its id: 429. limit says how long it has to wait; zero lets it through. It should be generous: a push asks up to
// ten times, and docker never tries again.
func WithGrantLimit(limit func(ctx context.Context, grant string) time.Duration) HandlerOption {
	return func(h *handler) { h.limitGrant = limit }
}

// WithTimeout sets how long an exchange may take, until its form has arrived included. Zero and less mean [DefaultTimeout].
func WithTimeout(d time.Duration) HandlerOption {
	return func(h *handler) {
		if h.timeout = d; d <= 0 {
			h.timeout = DefaultTimeout
		}
	}
}

// Handler returns the token server, to be mounted where the registry's realm points to: any path. Its answers are those of the distribution project's token
// specification; refusals have the error body of the OCI distribution specification, with a sentence that clients show:
//
//	400  another service than token_service, or another grant_type than password
//	401  no credential, or one that is forged, expired or no longer good
//	403  a good one, but for nothing of what was asked for
//	429  too many exchanges; Retry-After
//	503  stillGood or login couldn't tell, the signing certificate has expired, or the audit hook has failed; Retry-After
//
// stillGood is asked about grants. login is asked about passwords that aren't; nil takes none. It panics if stillGood is nil.
func (p *Provider) Handler(stillGood StillGood, login Login, opts ...HandlerOption) http.Handler {
	if stillGood == nil {
		panic("tokenissuer: a function that says whether a grant is still good is required")
	}
	h := &handler{Provider: p, login: login, audit: Log(nil), timeout: DefaultTimeout}
	for _, opt := range opts {
		opt(h)
	}
	h.good = newGoodness(stillGood, h.timeout)
	return h
}

type handler struct {
	*Provider
	good         *goodness
	login        Login
	audit        func(context.Context, Exchange) error
	source       func(*http.Request) string
	limitAddress func(*http.Request) time.Duration
	limitGrant   func(context.Context, string) time.Duration
	timeout      time.Duration
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	e := Exchange{RemoteAddr: r.RemoteAddr}
	if h.source != nil {
		e.SourceAddr = h.source(r)
	}
	a := h.answer(w, r, &e)
	e.Status, e.Code, e.Duration = a.status, a.code, time.Since(start)
	switch {
	case a.status < http.StatusBadRequest:
		e.Outcome = Issued
	case a.status < http.StatusInternalServerError:
		e.Outcome = Refused
	case errors.Is(r.Context().Err(), context.Canceled):
		e.Outcome = Canceled
	default:
		e.Outcome = Failed
	}
	if err := h.audit(context.WithoutCancel(r.Context()), e); err != nil && e.Outcome == Issued { // before the answer, so that no token leaves unseen
		a = unavailable(retryAfterOf(err))
	}
	a.write(w)
}

func (h *handler) answer(w http.ResponseWriter, r *http.Request, e *Exchange) (a answer) {
	defer func() {
		if v := recover(); v != nil {
			if v == http.ErrAbortHandler {
				panic(v)
			}
			a = fail(e, internal(), recovered(v))
		}
	}()
	ctx, cancel := context.WithTimeout(r.Context(), h.timeout)
	defer cancel()
	r = r.WithContext(ctx)
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return fail(e, badMethod(), nil)
	}
	q, err := read(w, r)
	if err != nil {
		return fail(e, badRequest("The request can't be answered: "+err.Error()+"."), err)
	}
	for _, s := range q.scopes {
		e.Asked = append(e.Asked, s.String())
	}
	switch {
	case !q.isFor(h.settings.service):
		return fail(e, badRequest("This token service is for another registry: its service name, as the registry's challenge has it, is "+h.settings.service+"."), nil)
	case q.password.IsZero():
		return h.unauthorized(r, e, sayMissing, errNone)
	case h.keys.Ring().IsGrant(q.password.Reveal()):
		return h.byGrant(r, e, q)
	}
	return h.byLogin(r, e, q)
}

var errNone = errors.New("there is no credential")

// unauthorized refuses a bad grant, or none. They count for the sender's address.
func (h *handler) unauthorized(r *http.Request, e *Exchange, sentence string, err error) answer {
	if h.limitAddress != nil {
		if wait := h.limitAddress(r); wait > 0 {
			return fail(e, tooMany(wait), err)
		}
	}
	return fail(e, unauthorized(h.settings.service, sentence), err)
}

func (h *handler) byGrant(r *http.Request, e *Exchange, q question) answer {
	ctx := r.Context()
	ring := h.keys.Ring()
	g, err := h.settings.readGrant(ring, q.password.Reveal(), time.Now())
	switch {
	case errors.Is(err, errExpired):
		e.note(g)
		return h.unauthorized(r, e, sayExpired, err)
	case err != nil:
		return h.unauthorized(r, e, sayForged, err)
	}
	e.note(g)
	if h.limitGrant != nil {
		if wait := h.limitGrant(ctx, g.id); wait > 0 {
			return fail(e, tooMany(wait), nil)
		}
	}
	if err := h.good.of(ctx, Question{Request: g.request, Grant: g.id, MadeAt: g.made}); err != nil {
		if isNo(err) {
			return fail(e, unauthorized(h.settings.service, sayRevoked), fmt.Errorf("the grant is no longer good: %w", err))
		}
		return fail(e, unavailable(retryAfterOf(err)), fmt.Errorf("ask whether the grant is good: %w", err))
	}
	var failed error
	granted := h.settings.grantedOf(q.scopes, func(project string) provider.Access {
		if !g.request.AllProjects {
			if project == g.request.Project {
				return g.request.Access
			}
			return 0
		}
		if failed != nil {
			return 0
		}
		one := g.request
		one.AllProjects, one.Project = false, project
		err := h.good.of(ctx, Question{Request: one, OfAllProjects: true, Grant: g.id, MadeAt: g.made})
		switch {
		case err == nil:
			return g.request.Access
		case !isNo(err):
			failed = err
		}
		return 0
	})
	if failed != nil {
		return fail(e, unavailable(retryAfterOf(failed)), fmt.Errorf("ask whether the grant is good for a project: %w", failed))
	}
	if !time.Now().Before(g.ends) { // it took long
		return h.unauthorized(r, e, sayExpired, errExpired)
	}
	return h.issue(ring, e, q, granted, h.settings.sayGoodFor(g.request))
}

func (h *handler) byLogin(r *http.Request, e *Exchange, q question) answer {
	if h.login == nil {
		return h.unauthorized(r, e, sayNobody, errors.New("the password is no grant"))
	}
	subject, granted, err := h.login(r, q.password, h.settings.requestsFor(q.scopes))
	switch {
	case errors.Is(err, provider.ErrAccessDenied):
		return fail(e, unauthorized(h.settings.service, sayNobody), err)
	case errors.Is(err, provider.ErrThrottled):
		return fail(e, tooMany(retryAfterOf(err)), err)
	case err != nil:
		return fail(e, unavailable(retryAfterOf(err)), fmt.Errorf("log in: %w", err))
	}
	e.Subject = subject
	may := map[string]provider.Access{}
	for _, one := range granted {
		if !one.AllProjects {
			may[one.Project] = one.Access
		}
	}
	return h.issue(h.keys.Ring(), e, q, h.settings.grantedOf(q.scopes, func(project string) provider.Access { return may[project] }), sayNothing)
}

// requestsFor are those that an endpoint would be asked for what the scopes are about: one for each project, as many as a login is asked about.
func (s settings) requestsFor(asked []scope) []provider.Request {
	var requests []provider.Request
	at := map[string]int{}
	for _, one := range asked {
		project, ok := s.projectOf(one.repository)
		wants := one.wants()
		if !ok || wants == 0 {
			continue
		}
		if i, again := at[project]; again {
			requests[i].Access = max(requests[i].Access, wants)
		} else if len(requests) < maxLogins {
			at[project] = len(requests)
			requests = append(requests, provider.Request{Project: project, Access: wants})
		}
	}
	return requests
}

// issue makes the token, unless something was asked for and nothing of it granted.
func (h *handler) issue(ring *keys.Ring, e *Exchange, q question, granted []access, sayDenied string) answer {
	if len(q.scopes) > 0 && len(granted) == 0 {
		return fail(e, denied(sayDenied), nil)
	}
	now := time.Now()
	token, ends, err := h.settings.newToken(ring, e.Subject, granted, now)
	if err != nil {
		return fail(e, unavailable(0), err)
	}
	for _, a := range granted {
		e.Granted = append(e.Granted, a.String())
	}
	e.ExpiresAt = ends
	return issued(token, ends.Sub(now))
}

// note is what an exchange knows of a grant that verifies.
func (e *Exchange) note(g grant) {
	e.Grant, e.Subject = g.id, g.request.Caller
	e.Project, e.ProjectID, e.AllProjects = g.request.Project, g.request.ProjectID, g.request.AllProjects
}

func fail(e *Exchange, a answer, err error) answer {
	e.Err, e.Kind = err, provider.KindOf(err)
	return a
}

// isNo reports whether a service's error says no, rather than that it couldn't tell.
func isNo(err error) bool {
	switch provider.KindOf(err) {
	case provider.ErrNotFound, provider.ErrAccessDenied, provider.ErrConflict:
		return true
	}
	return false
}

func retryAfterOf(err error) time.Duration {
	var e *provider.Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

// recovered makes an error of a panic's value, which may hold anything: only the runtime's own are shown.
func recovered(v any) error {
	if err, ok := v.(runtime.Error); ok {
		return fmt.Errorf("panic: %w", err)
	}
	return fmt.Errorf("panic of type %T", v)
}

package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// Logins returns what a token server of this service's own asks about passwords that are bearer tokens of the endpoint's callers, with the arguments that
// [New] takes: who has it, and which of the asked requests he may have. Each is what a request to the endpoint would be, with the same checks, limits,
// identity and audit ([Event].Login), but for that nothing is issued; a push that is refused is tried as a pull. What the endpoint would answer with
// 400, 404 or 409 is left out.
//
//	issuer, ok := provider.As[*tokenissuer.Provider](p)
//	...
//	mux.Handle("/token", issuer.Handler(stillGood, endpoint.Logins(p, authenticate, authorize, options...)))
//
// authenticate gets a request that has the password as its bearer token and the sender's address, which is the one before trusted proxies
// ([WithTrustedProxies]), and nothing else of the client's.
//
// Errors are [provider.ErrAccessDenied] for a token that nobody valid has, [provider.ErrThrottled] over a limit of this service, with RetryAfter, and
// [provider.ErrUnavailable] for what the endpoint would answer with 5xx. The function is safe for concurrent use. Logins panics if p or one of the functions is nil.
func Logins[C Caller](p provider.Provider, authenticate Authenticate[C], authorize Authorize[C], opts ...Option) func(
	r *http.Request, password provider.Secret, asked []provider.Request,
) (subject string, granted []provider.Request, err error) {
	return newHandler(p, authenticate, authorize, opts).login
}

func (h *handler[C]) login(r *http.Request, password provider.Secret, asked []provider.Request) (string, []provider.Request, error) {
	ctx, cancel := context.WithTimeout(r.Context(), h.timeout)
	defer cancel()
	r = r.WithContext(ctx)
	start, e := time.Now(), h.event(r)
	e.Login = true
	if wait := h.limitAddress(r); wait > 0 {
		return "", nil, h.throttled(r, e, start, wait)
	}
	caller, err := h.bearerOf(ctx, e, password)
	if errors.Is(err, ErrUnauthenticated) {
		_ = h.record(r, &e, fail(&e, answers.unauthenticated, err), start) // a refusal stays one
		return "", nil, &provider.Error{Kind: provider.ErrAccessDenied, Op: opLogin, Err: err}
	} else if err != nil {
		err = fmt.Errorf("authenticate: %w", err)
		_ = h.record(r, &e, fail(&e, answers.unavailable, err), start)
		return "", nil, unavailable(err)
	}
	e.of(caller)
	var granted []provider.Request
	for i := range max(1, len(asked)) {
		if wait := h.limitSubject(ctx, e.Subject); wait > 0 {
			return "", nil, h.throttled(r, e, start, wait)
		}
		if len(asked) == 0 {
			break
		}
		one, err := h.most(r, caller, asked[i], e)
		if err != nil {
			return "", nil, err
		}
		if one.Access != 0 {
			granted = append(granted, one)
		}
	}
	return e.Subject, granted, nil
}

// most returns asked, or as much of it as caller may have: perhaps nothing, the zero Request.
func (h *handler[C]) most(r *http.Request, caller C, asked provider.Request, begun Event) (provider.Request, error) {
	for access := asked.Access; access >= provider.Pull; access-- {
		start, e := time.Now(), begun
		asked.Access = access
		request, refused := h.permit(r.Context(), caller, wish{Request: asked}, &e)
		if refused == nil {
			if err := h.record(r, &e, answer{status: http.StatusOK}, start); err != nil {
				return provider.Request{}, unavailable(fmt.Errorf("audit: %w", err))
			}
			return request, nil
		}
		_ = h.record(r, &e, *refused, start)
		if refused.status >= http.StatusInternalServerError {
			return provider.Request{}, unavailable(e.Err)
		}
	}
	return provider.Request{}, nil
}

const opLogin = "log in"

func (h *handler[C]) throttled(r *http.Request, e Event, start time.Time, wait time.Duration) error {
	_ = h.record(r, &e, fail(&e, answers.limited, nil), start)
	return &provider.Error{Kind: provider.ErrThrottled, Op: opLogin, RetryAfter: wait}
}

func unavailable(err error) error {
	return &provider.Error{Kind: provider.ErrUnavailable, Op: opLogin, RetryAfter: retryAfterOf(err), Err: err}
}

// bearerOf tells whose token a password is. What no header of a request could hold is nobody's, and never shown: authenticate may rest on that, and pass a
// token on by lines.
func (h *handler[C]) bearerOf(ctx context.Context, e Event, password provider.Secret) (caller C, err error) {
	if strings.ContainsFunc(password.Reveal(), unicode.IsControl) {
		return caller, fmt.Errorf("%w: the password holds a control character", ErrUnauthenticated)
	}
	return h.authenticate(bearer(ctx, e, password))
}

// bearer is a request with a token, from where e says.
func bearer(ctx context.Context, e Event, token provider.Secret) *http.Request {
	r := (&http.Request{
		Method: http.MethodGet, URL: &url.URL{Path: "/"}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody,
		Header: http.Header{"Authorization": {"Bearer " + token.Reveal()}}, RemoteAddr: e.RemoteAddr,
	}).WithContext(ctx)
	if address, err := netip.ParseAddr(e.SourceAddr); err == nil {
		r.RemoteAddr = netip.AddrPortFrom(address, 0).String()
	}
	return r
}

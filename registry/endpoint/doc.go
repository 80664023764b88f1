// Package endpoint serves a provider's credentials over HTTP, to a service's own callers.
//
// A service says how a request is authenticated and what a caller may do, and mounts the handler where it likes:
//
//	h := endpoint.New(p,
//		func(r *http.Request) (User, error) { // authenticate
//			token, ok := endpoint.BearerToken(r)
//			if !ok {
//				return User{}, endpoint.ErrUnauthenticated
//			}
//			return users.ByToken(r.Context(), token)
//		},
//		func(ctx context.Context, u User, r provider.Request) error { // authorize
//			return users.MayAccess(ctx, u, r.Project, r.Access) // provider.ErrNotFound if not
//		},
//	)
//	mux.Handle("/api/v1/registry/credentials", h)
//
// # Request
//
//	GET /api/v1/registry/credentials?project=<name>[&access=push|pull][&consumer=client|cluster][&format=dockerconfigjson]
//	Authorization: Bearer <token>
//
// access defaults to push, consumer to client. A cluster's credential and a format go with access=pull, and only where the service serves them: see
// [WithClusterCredentials]. Other query parameters are ignored, and so is a body. The project may be elsewhere, as in a path: see
// [WithProject]. Whose the name is at that moment, the service says: see [WithProjectIDs].
//
// # Answers
//
// A credential, with registry_url being the repository's full path; expires_in (seconds) and expires_at are absent when
// it doesn't expire, and user name and password are empty where the client uses its own login:
//
//	{"credentials": {"registry_url": "…/rise/hello", "username": "AWS", "password": "…", "expires_in": 3599,
//	                 "expires_at": "2026-01-01T12:00:00Z", "auth_method": "login_credentials"},
//	 "repository": "hello"}
//
// with format=dockerconfigjson a pull secret's payload, and the header Rise-Expires-At (RFC 3339) unless it doesn't expire:
//
//	{"auths": {"123456789012.dkr.ecr.eu-west-1.amazonaws.com": {"username": "AWS", "password": "…", "auth": "…"}}}
//
// or an error, {"error": "<sentence>", "code": "<code>"}, checked in this order:
//
//	429 too_many_requests   by address, before everything else; Retry-After
//	405 method_not_allowed  another method; Allow: GET
//	401 unauthenticated     WWW-Authenticate: Bearer
//	429 too_many_requests   by subject; Retry-After
//	400 invalid_request     project missing, repeated or malformed; access, consumer or format repeated or unknown; a push for a cluster, or as a pull secret
//	404 not_found           unknown project, no right to it, or nothing that this service serves to clusters: one answer for all
//	409 conflict            the service refuses for now; the repository is suspended, another's or a former project's, or
//	                        there is none yet, and a pull makes none
//	502 upstream_denied     the registry denied us or answered nonsense, or we are misconfigured
//	503 unavailable         the registry is throttling, unreachable or failing, authorization failed, too many repositories
//	                        wait to be made, or the audit hook has failed; Retry-After
//	504 timeout             the registry took too long: the request's time ended, or it hung in every attempt
//	500 internal            a bug
//
// A service that is its registry's token server too (package oci/tokenissuer) lets its callers log in there with the same bearer tokens:
// see [Logins].
//
// Every answer carries Cache-Control: no-store and X-Content-Type-Options: nosniff. Causes go to the audit hook, by
// default the log, never to the caller. No credential leaves without the hook's consent: see [WithAudit].
package endpoint

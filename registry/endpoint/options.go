package endpoint

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// DefaultTimeout is how long a request may take, authentication and authorization included.
const DefaultTimeout = 30 * time.Second

// Option changes how [New]'s handler works.
type Option func(*options)

type options struct {
	timeout        time.Duration
	named          func(*http.Request) (string, bool)
	audit          func(context.Context, Event) error
	addressLimiter func(*http.Request) time.Duration
	subjectLimiter func(context.Context, string) time.Duration
	repositories   *repositories
	makeOnPull     bool
	proxies        []netip.Prefix
	ownSessions    bool
	clusters       bool
	identify       func(context.Context, string) (string, error)
}

// WithTimeout sets how long a request may take. Zero and less mean [DefaultTimeout].
func WithTimeout(d time.Duration) Option {
	return func(o *options) {
		if o.timeout = d; d <= 0 {
			o.timeout = DefaultTimeout
		}
	}
}

// WithProject says where a request's project is, in place of its query: in its path ([http.Request.PathValue], where the handler is mounted at a
// pattern with a wildcard), or in a header. ok false: it is in the query after all; with ok, a project in the query counts for nothing. The name is
// checked as any other, so one that is missing is invalid too. What else a path says, [Authenticate] sees in the whole request, and can put
// into its caller for [Authorize] to decide by. It is called for authenticated requests, concurrently. It panics if project is nil.
func WithProject(project func(*http.Request) (name string, ok bool)) Option {
	if project == nil {
		panic("endpoint.WithProject: the function is required")
	}
	return func(o *options) { o.named = project }
}

// WithAudit sets the audit hook, instead of [Log]: it is called once for each request, before the answer goes out, and
// concurrently. The context isn't canceled with the request, and the request's time doesn't end the hook, which has to bound itself.
//
// An error says that there is no record. Then no credential leaves: the answer is 503, with the Retry-After of a [provider.Error] if it is one. A
// refusal stays what it is. A hook that returns nil whatever happens has credentials handed out unseen.
func WithAudit(hook func(context.Context, Event) error) Option {
	return func(o *options) {
		if hook != nil {
			o.audit = hook
		}
	}
}

// WithAddressLimit refuses requests (429) before anything else is looked at, the method included. limit says how long the sender has to wait; zero
// lets it through. It has to find out by itself who that is: behind a proxy, RemoteAddr is the proxy's. See [RateLimit].
func WithAddressLimit(limit func(*http.Request) time.Duration) Option {
	return func(o *options) { o.addressLimiter = limit }
}

// WithSubjectLimit refuses requests (429) of an authenticated subject. limit says how long it has to wait; zero lets it
// through. See [RateLimit].
func WithSubjectLimit(limit func(ctx context.Context, subject string) time.Duration) Option {
	return func(o *options) { o.subjectLimiter = limit }
}

// WithTrustedProxies names the proxies, by address, whose X-Forwarded-For header is believed: [Event].SourceAddr is then the
// client's. By default nobody's is, since anybody can send one; for that reason 0.0.0.0/0 and ::/0 are never right. It is about
// events only: [RateLimit.ByAddress] has its own.
func WithTrustedProxies(proxies ...netip.Prefix) Option {
	return func(o *options) { o.proxies = append(o.proxies, proxies...) }
}

// WithSessionPerCaller issues a credential of each caller's own, named by its subject in the upstream's log (see
// [provider.Request].Caller), where callers of one project otherwise share one. It costs an issue for each caller. A subject
// that is empty, or that can't be a Caller, is answered with 500. Providers whose credentials are bound to callers
// ([provider.CallerBound]) have it always.
func WithSessionPerCaller() Option {
	return func(o *options) { o.ownSessions = true }
}

// WithClusterCredentials serves what clusters pull with, too, which is answered with 404 otherwise: credentials for [provider.Cluster] (consumer=cluster in the
// query), which name the registry as clusters reach it, and pull secrets (format=dockerconfigjson), the value of ".dockerconfigjson" in a secret of type
// kubernetes.io/dockerconfigjson. Both are for one project and can only pull, and whoever asks needs the right to pull from it; [Authorize] may look at
// the request's Consumer, if not all who may pull are to have them: a pull secret is read by whoever reads secrets in its namespace.
//
// A pull secret says nothing of its end, so the header Rise-Expires-At does (RFC 3339), if it has one. What a kubelet can't use ([provider.Credentials.PullSecret])
// is answered with 502, as whatever the service's registry isn't fit for.
func WithClusterCredentials() Option {
	return func(o *options) { o.clusters = true }
}

// WithRepositories sees to it that a project's repository is there before the project's first credential. It reads whose it is
// ([repository.Manager.RepositoryOwner]), and what isn't there it makes, for a push
// ([repository.Manager.EnsureRepository]); what was released is restored for a project with the same id, and what bears
// no id gets the project's. The settings of what is there are left alone: a reconciler mends them.
//
// What it found is remembered for an hour, so that a request costs nothing more; callers who ask at once wait for one call. A
// failure is remembered for three seconds. A few looks and a few makings (fifty a second) go on at once; other requests wait for
// their turn, fair by the callers' subjects, and are answered with 503 where too many do.
//
// A pull makes none, as whoever may pull all of "team-*" could make as many as there are names: it is 409 until the
// project's first push. See [WithRepositoriesOnPull]. For pushes, an [Authorize] has to refuse names of projects that don't exist.
//
// The service that gives a name to another project needs [WithProjectIDs], so that the new project gets 409 and not the former
// one's images.
//
// A suspended repository, one that isn't ours and one of a former project are 409; other errors are answered as those of
// the provider's Credentials. It panics if m is nil: repository.ManagerOf says why there is none.
func WithRepositories(m repository.Manager) Option {
	if m == nil {
		panic("endpoint.WithRepositories: the manager is required")
	}
	r := newRepositories(m)
	return func(o *options) { o.repositories = r }
}

// WithRepositoriesOnPull has [WithRepositories] make a project's repository for a pull, too: for services whose [Authorize] lets
// nobody pull from a project that doesn't exist.
func WithRepositoriesOnPull() Option {
	return func(o *options) { o.makeOnPull = true }
}

// WithProjectIDs has each request name the service's immutable id of its project ([provider.Request].ProjectID), and the
// repository that [WithRepositories] makes, so that a name can be given to another project: the new one gets neither the former
// one's images (it gets 409) nor, where the provider can tell, has its credentials to fear.
//
// identify returns the id for the validated name of an authorized request; its errors are answered as those of an
// [Authorize]. It is called once for each request, concurrently, between two calls of Authorize: were the name given away after a
// single one, the former owner's caller would get the new one's id, and credential. What can't be an id ([provider.Project.Validate]), the empty
// one included, is answered with 500: without its id nobody gets a credential. It panics if identify is nil.
func WithProjectIDs(identify func(ctx context.Context, project string) (id string, err error)) Option {
	if identify == nil {
		panic("endpoint.WithProjectIDs: the function is required")
	}
	return func(o *options) { o.identify = identify }
}

func (o *options) limitAddress(r *http.Request) time.Duration {
	if o.addressLimiter == nil {
		return 0
	}
	return o.addressLimiter(r)
}

func (o *options) limitSubject(ctx context.Context, subject string) time.Duration {
	if o.subjectLimiter == nil {
		return 0
	}
	return o.subjectLimiter(ctx, subject)
}

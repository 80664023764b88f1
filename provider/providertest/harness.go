package providertest

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// A Harness is a provider and the means to put it to the test: a registry that honours its credentials, and a hold on the
// upstream, which is whatever the provider asks for credentials (a cloud's API, a token server).
//
// Provider is required. Of the rest, what only helps may be left out; what the suite would prove less without has to be
// there or be declared in Cannot, with the reason.
type Harness struct {
	// Provider is what is tested. The registry that it names is one that the credentials work at, here and now.
	Provider provider.Provider
	// Type is what [provider.TypeOf] says of Provider; empty if it has no [provider.Typed].
	Type string
	// Capabilities are further optional interfaces that Provider, or what it decorates, is to offer; see [Has].
	Capabilities []Capability

	// Transport reaches the registry. Nil is remote.DefaultTransport of go-containerregistry.
	Transport http.RoundTripper
	// Own is the client's own login, for credentials of [provider.ClientLogin]. Nil is anonymous.
	Own authn.Keychain
	// CreateRepository makes the registry ready for pushes to project's repository. It is called before the first use of
	// a project, once per harness; a repository that exists is fine. Nil: repositories appear when they are pushed to.
	CreateRepository func(project string) error

	// HandOver gives project's name, at the registry, to the project of that id, from now on: its repository bears the id, as
	// the provider's own repositories do. It is called for repositories that were created. Or declare [ProjectIDs].
	HandOver func(project, id string) error

	// Suspend has the credentials for project's repository refused from now on, those too that were handed out: until somebody asks the registry again
	// with them, that is, and perhaps a token that was got with them goes on. Or declare [Suspension].
	Suspend func(project string) error

	// Secrets returns what must never show, such as keys that the provider was configured with and credentials that the
	// upstream has given it, but for the Password of Credentials, which the suite sees itself. Or declare [Secrets].
	Secrets func() []string
	// Calls counts the calls that have arrived upstream so far, unanswered ones included. Or declare [Upstream].
	Calls func() int
	// Expiry returns when the registry will refuse c in fact, by this machine's clock, whatever the registry's says; the zero
	// time means never. Or declare [Expiry].
	Expiry func(c provider.Credentials) time.Time
	// Faults make the upstream fail from now on, each in the way that its ability is documented: one for each of
	// [Denied], [Throttled], [Unavailable], [Malformed], [Expired], [GrantsLess], [GrantsMore] and [Hanging]. Or declare these.
	Faults map[Ability]func()

	// Cannot declares what this provider or this harness can't do, each with the reason, which the skipped subtests show.
	// [Upstream] declares all faults, too.
	Cannot map[Ability]string

	// Patience is how long a call may go on after its context has ended, before it counts as stuck, and the deadline of
	// calls during a fault, for providers that wait until then. Zero is 10 seconds.
	Patience time.Duration
}

// An Ability is something that the suite puts to the test unless the harness declares, in [Harness].Cannot, that it can't
// be done.
type Ability string

const (
	// Isolation says that a credential opens its own project's repository and no other. A provider that lacks it may
	// only hand out [provider.ClientLogin], which the suite checks: a secret that opens more than was asked for breaks
	// the contract.
	Isolation Ability = "isolation"
	// PullOnly says that there are credentials that can pull and not push. A provider that lacks it answers
	// [provider.ErrUnsupported].
	PullOnly Ability = "pull-only"
	// Cluster says that there are pull credentials that a kubelet can use. A provider that lacks it answers
	// [provider.ErrUnsupported].
	Cluster Ability = "cluster"
	// AllProjects says that there are credentials that pull from every project. A provider that lacks it answers
	// [provider.ErrUnsupported].
	AllProjects Ability = "all-projects"
	// ProjectIDs says that a credential for a [provider.Request].ProjectID works no longer than the name is that project's;
	// [Harness].HandOver gives it to another. A provider that lacks it ignores ids.
	ProjectIDs Ability = "project-ids"
	// Suspension says that a project's credentials can be made worthless before they end; [Harness].Suspend does so.
	Suspension Ability = "suspension"
	// Secrets says that there are secrets beside the passwords that are handed out; [Harness].Secrets lists them.
	Secrets Ability = "secrets"
	// Expiry says that it is known when the registry refuses a credential; [Harness].Expiry tells.
	Expiry Ability = "expiry"
	// Bounded says that the registry takes a credential for no more than a minute after it says that it ends. A provider lacks it whose registry
	// gives longer lives than it can ask for, or tell; it needs [Expiry].
	Bounded Ability = "bounded"
	// Upstream says that something is called for credentials; [Harness].Calls counts.
	Upstream Ability = "upstream"

	// Denied is the fault of an upstream that refuses who asks, or its rights: [provider.ErrAccessDenied].
	Denied Ability = "denied"
	// Throttled is the fault of an upstream that limits the rate of calls: [provider.ErrThrottled].
	Throttled Ability = "throttled"
	// Unavailable is the fault of an upstream that can't be reached, or fails on its side: [provider.ErrUnavailable].
	Unavailable Ability = "unavailable"
	// Malformed is the fault of an upstream whose answer can't be right: [provider.ErrBadResponse].
	Malformed Ability = "malformed"
	// Expired is the fault of an upstream that gives a credential which has expired: [provider.ErrBadResponse].
	Expired Ability = "expired"
	// GrantsLess is the fault of an upstream whose answer says that it grants less than it was asked for, whatever that is (a pull for a push,
	// nothing for a pull): [provider.ErrAccessDenied].
	GrantsLess Ability = "grants-less"
	// GrantsMore is the fault of an upstream whose answer says that it grants more than it was asked for, whatever that is (another repository,
	// or a push): [provider.ErrMisconfigured], since it doesn't do what it is there for.
	GrantsMore Ability = "grants-more"
	// Hanging is the fault of an upstream that takes calls and doesn't answer: [provider.ErrTimeout], as soon as the
	// context ends. The harness has to let go of such calls when its test ends.
	Hanging Ability = "hanging"
)

// faults are the abilities that are faults, with the kind of error that each must come out as.
func faults() map[Ability]provider.Kind {
	return map[Ability]provider.Kind{
		Denied: provider.ErrAccessDenied, Throttled: provider.ErrThrottled, Unavailable: provider.ErrUnavailable,
		Malformed: provider.ErrBadResponse, Expired: provider.ErrBadResponse, Hanging: provider.ErrTimeout,
		GrantsLess: provider.ErrAccessDenied, GrantsMore: provider.ErrMisconfigured,
	}
}

// A Capability is an optional interface that a provider offers by itself or by what it wraps. Make it with [Has].
type Capability struct {
	name string
	in   func(provider.Provider) bool
}

// Has is the capability that [provider.As] finds as a T.
func Has[T any]() Capability {
	return Capability{
		name: fmt.Sprintf("%T", (*T)(nil))[1:],
		in:   func(p provider.Provider) bool { _, ok := provider.As[T](p); return ok },
	}
}

// check reports everything that is missing, contradictory or unknown.
func (h Harness) check() error {
	var errs []error
	problem := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if h.Provider == nil {
		problem("Provider is missing")
	}
	// There is a hook or a declaration, and not both.
	either := func(a Ability, there bool, hook string) {
		_, declared := h.Cannot[a]
		if there == declared && there {
			problem("%s is there, but Cannot[%q] says that it can't be", hook, a)
		} else if there == declared {
			problem("%s is missing: provide it, or say in Cannot[%q] why that can't be", hook, a)
		}
	}
	either(ProjectIDs, h.HandOver != nil, "HandOver")
	either(Suspension, h.Suspend != nil, "Suspend")
	either(Secrets, h.Secrets != nil, "Secrets")
	either(Upstream, h.Calls != nil, "Calls")
	either(Expiry, h.Expiry != nil, "Expiry")
	_, alone := h.Cannot[Upstream]
	for _, f := range slices.Sorted(maps.Keys(faults())) {
		hook := fmt.Sprintf("Faults[%q]", f)
		switch {
		case !alone:
			either(f, h.Faults[f] != nil, hook)
		case h.Faults[f] != nil:
			problem("%s is there, but Cannot[%q] says that nothing is called", hook, Upstream)
		}
	}
	for _, f := range slices.Sorted(maps.Keys(h.Faults)) {
		if _, known := faults()[f]; !known {
			problem("Faults[%q] is unknown", f)
		}
	}
	switches := []Ability{Isolation, PullOnly, Cluster, AllProjects, ProjectIDs, Suspension, Secrets, Expiry, Bounded, Upstream}
	for _, a := range slices.Sorted(maps.Keys(h.Cannot)) {
		if _, fault := faults()[a]; !fault && !slices.Contains(switches, a) {
			problem("Cannot[%q] is unknown", a)
		}
		if strings.TrimSpace(h.Cannot[a]) == "" {
			problem("Cannot[%q] lacks the reason", a)
		}
	}
	for i, c := range h.Capabilities {
		if c.in == nil {
			problem("Capabilities[%d] is the zero Capability: make it with Has", i)
		}
	}
	return errors.Join(errs...)
}

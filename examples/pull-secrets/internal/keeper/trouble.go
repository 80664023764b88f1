package keeper

import (
	"errors"
	"math/rand/v2"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/rise-deploy/rise-registry-go/provider"
)

var (
	errNotOurs = errors.New("there is a secret of this name that isn't ours")
	// errMoved isn't a failure: what was asked for has no place any longer.
	errMoved = errors.New("the namespace isn't mapped to this project any longer")
)

// trouble is what to do and to say about a failure. Nothing in it is the endpoint's text: who may read a namespace's events isn't who runs the endpoint.
type trouble struct {
	code     string // of the metric
	reason   string // of the event
	sentence string
	refused  bool // the endpoint says that there is none
	least    time.Duration
	most     time.Duration
}

// troubles are the failures of asking, by kind.
func troubles(kind provider.Kind) trouble {
	soon := func(reason, sentence string) trouble {
		return trouble{string(kind), reason, sentence, false, 2 * time.Second, time.Minute}
	}
	late := func(reason, sentence string) trouble {
		return trouble{string(kind), reason, sentence, false, 15 * time.Second, 5 * time.Minute}
	}
	switch kind {
	case provider.ErrNotFound:
		t := late("ProjectRefused", "the credentials endpoint knows no such project, or doesn't let this controller have it for a cluster")
		t.refused = true
		return t
	case provider.ErrConflict:
		t := late("ProjectRefused", "the credentials endpoint gives no credentials for the project at present")
		t.refused = true
		return t
	case provider.ErrAccessDenied:
		return soon("EndpointRefused", "the credentials endpoint doesn't accept this controller's token")
	case provider.ErrThrottled:
		return soon("EndpointBusy", "the credentials endpoint has had too many requests")
	case provider.ErrUnavailable:
		return soon("EndpointUnavailable", "the credentials endpoint can't be reached, or isn't well")
	case provider.ErrTimeout:
		return soon("EndpointUnavailable", "the credentials endpoint didn't answer in time")
	case provider.ErrMisconfigured:
		return soon("EndpointUnusable", "this controller can't use the credentials endpoint; its log says why")
	case provider.ErrBadResponse:
		return soon("EndpointUnusable", "the credentials endpoint answered with nothing that can be used; this controller's log says why")
	case provider.ErrUnsupported:
		return late("CredentialUnusable", "the registry's credentials are of a kind that kubelets can't use")
	case provider.ErrInvalidRequest:
		return late("EndpointRefused", "the credentials endpoint doesn't take the request; this controller's log says why")
	default:
		return trouble{"other", "Failed", "something went wrong; this controller's log says what", false, 2 * time.Second, time.Minute}
	}
}

// What goes wrong with the cluster.
func kubernetes() trouble {
	return trouble{"kubernetes", "WriteFailed", "the secret couldn't be written; this controller's log says why", false, time.Second, 30 * time.Second}
}

func notOurs() trouble {
	return trouble{"not_ours", "NotOurs", "there is a secret of this name that this controller didn't make; it is left as it is. Delete it, or have the controller use another name", false, 15 * time.Second, 2 * time.Minute}
}

// troubleOf finds what a failure is, and how long the endpoint wants to be left alone.
func troubleOf(err error) (trouble, time.Duration) {
	if errors.Is(err, errNotOurs) {
		return notOurs(), 0
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return kubernetes(), 0
	}
	var e *provider.Error
	if errors.As(err, &e) {
		return troubles(e.Kind), e.RetryAfter
	}
	return troubles(provider.KindOf(err)), 0
}

// wait is how long to wait after the failure, which is the nth in a row.
func (t trouble) wait(n int) time.Duration {
	d := t.least
	for range min(n-1, 20) {
		d = min(2*d, t.most)
	}
	return d + rand.N(d/4) //nolint:gosec // so that namespaces don't ask in step
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

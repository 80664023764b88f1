package diagnosis

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/oci/tokenauth/internal/tokenserver"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// checkLogin asks for a token to pull with the service's own login: of no registry does that change anything.
func (d *checkup) checkLogin(ctx context.Context) diagnosis.Finding {
	token, q, err := d.OwnToken(ctx, d.repository)
	switch {
	case err != nil && (q.Repository == "" || tokenserver.IsLogin(err) || tokenserver.IsTemporary(err)): // not asked, not taken, or not now
		return failure(err)
	case err != nil && !errors.Is(err, provider.ErrAccessDenied):
		d.ownErr = err
	}
	d.own = token
	return passed("the token server takes the login of %s", q.Key)
}

func (d *checkup) checkToken(context.Context) diagnosis.Finding {
	if d.ownErr != nil {
		return failure(d.ownErr)
	}
	return passed("tokens say what they can do, for which registry, and until when")
}

// short is how long a token lives that is too short for most pushes: nobody can renew it.
const short = 4*time.Minute + 30*time.Second

func (d *checkup) checkLifetime(context.Context) diagnosis.Finding {
	if d.own.Known == nil {
		return diagnosis.Finding{Status: diagnosis.Skipped, Summary: "the token server gave no token to the service's own login"}
	}
	left := time.Until(d.own.Ends).Round(time.Second)
	f := passed("tokens live for %v", left)
	if left < short {
		f.Status, f.Remedy = diagnosis.Warned, "let the registry's token server make tokens that live longer: 15 minutes or more"
		f.Summary += ", which is short: clients can't renew them, and a push that isn't done by then fails"
	}
	f.Evidence = []slog.Attr{slog.Duration("lives", left)}
	return f
}

// compared asks for a token as a credential would be, and compares what it can do.
func (d *checkup) compared(ctx context.Context, access provider.Access, into *tokenserver.Token) diagnosis.Finding {
	token, q, err := d.Token(ctx, d.repository, access)
	if err == nil {
		err = token.Exactly(q)
	}
	if err != nil {
		return failure(err)
	}
	*into = token
	return passed("asked with %s for %s of %s, the token is good for that and nothing else", q.Key, strings.Join(q.Actions, " and "), q.Repository)
}

func (d *checkup) checkPullToken(ctx context.Context) diagnosis.Finding {
	return d.compared(ctx, provider.Pull, &d.pull)
}

func (d *checkup) checkPushToken(ctx context.Context) diagnosis.Finding {
	if d.known.Kind.MakesRepositories() && !d.writes {
		return diagnosis.Finding{Status: diagnosis.Skipped, Remedy: "ask for it: --write-probe",
			Summary: "this registry makes a repository when somebody asks for a token that can push to it"}
	}
	return d.compared(ctx, provider.Push, &d.push)
}

func (d *checkup) checkPullLogin(ctx context.Context) diagnosis.Finding {
	if d.ProvePull == nil {
		return diagnosis.Finding{Status: diagnosis.Skipped, Summary: "there is no pull_username: clusters get no credentials"}
	}
	if err := d.ProvePull(ctx); err != nil {
		return failure(err)
	}
	return passed("the token server takes the login of pull_username, and it can only pull from %s%s", d.Prefix, d.ProbeProject)
}

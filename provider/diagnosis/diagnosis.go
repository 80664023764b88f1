package diagnosis

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// Diagnoser is the capability to find out why credentials aren't issued or don't work. Use it through [Of].
type Diagnoser interface {
	// Diagnose runs ordered checks, one after the other as findings are taken, and yields one finding for each. It
	// changes nothing upstream unless o.WriteProbe asks for it, though its calls show in the upstream's logs. It ends soon after
	// ctx does, whatever hangs, and then yields what it couldn't check as skipped. Ranging over the result again checks
	// again.
	//
	// Callers have checked o.Project and o.ProjectID.
	Diagnose(ctx context.Context, o Options) iter.Seq[Finding]
}

// Options say what is diagnosed. The zero value is everything that isn't about one project.
type Options struct {
	// Project is the project whose repository is looked at too; empty for none.
	Project string
	// ProjectID is the service's immutable id of Project, as requests name it; empty for none.
	ProjectID string
	// WriteProbe starts an upload to Project's repository, to see whether a push is allowed. It is canceled where the
	// registry can do that, and is else left to expire.
	WriteProbe bool
}

// Of returns p's diagnosis, found through decorators. It does nothing until its findings are taken.
//
// Without the capability it is [provider.ErrUnsupported]; a project or id that can't be one, and an id or a write probe without a
// project, are [provider.ErrInvalidRequest].
func Of(ctx context.Context, p provider.Provider, o Options) (iter.Seq[Finding], error) {
	if o.Project != "" {
		if err := (provider.Project{Name: o.Project, ID: o.ProjectID}).Validate(); err != nil {
			return nil, err
		}
	} else if o.WriteProbe || o.ProjectID != "" {
		return nil, &provider.Error{Kind: provider.ErrInvalidRequest, Op: "diagnose", Err: errors.New("a write probe and an id need a project")}
	}
	d, ok := provider.As[Diagnoser](p)
	if !ok {
		return nil, &provider.Error{Kind: provider.ErrUnsupported, Op: "diagnose", Err: fmt.Errorf("type %s has no diagnosis", provider.TypeOf(p))}
	}
	return d.Diagnose(ctx, o), nil
}

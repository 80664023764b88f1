package repositories

import (
	"context"
	"errors"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

const noScanning = "scan on push couldn't be set for the repository: AWS leaves it to the registry's scanning configuration"

// mend sets what isn't as configured, one call each.
func (o *operation) mend(ctx context.Context, drift []repository.Action, opts repository.EnsureOptions) error {
	var errs []error
	for _, d := range drift {
		if opts.DryRun {
			o.did(d)
			continue
		}
		switch d {
		case repository.ActionScanOnPush:
			errs = append(errs, o.putScanning(ctx))
		case repository.ActionTagMutability:
			errs = append(errs, o.putMutability(ctx))
		}
	}
	if !opts.ListedOnly {
		errs = append(errs, o.mendLifecycle(ctx, opts.DryRun))
	}
	return errors.Join(errs...)
}

func (o *operation) putScanning(ctx context.Context) error {
	if o.m.scansItself.Load() {
		return nil
	}
	err := o.write(ctx, awsapi.OpScanning, func(ctx context.Context) error { return o.aws.PutScanning(ctx, o.m.settings.scanning()) })
	if err == nil {
		o.did(repository.ActionScanOnPush)
		// A registry that scans by itself may take it and show false all the same: never again then.
		r, err := o.describe(ctx)
		if err != nil || r == nil || len(o.m.settings.drift(*r, false)) == 0 || o.m.settings.drift(*r, false)[0] != repository.ActionScanOnPush {
			return err
		}
	} else if !refused(err) {
		return err
	}
	o.m.scansItself.Store(true)
	o.note(noScanning)
	return nil
}

func (o *operation) putMutability(ctx context.Context) error {
	err := o.write(ctx, awsapi.OpMutability, func(ctx context.Context) error {
		return o.aws.PutMutability(ctx, o.m.settings.Mutability, o.m.settings.exclusionFilters())
	})
	if err == nil {
		o.did(repository.ActionTagMutability)
	}
	return err
}

func (o *operation) mendLifecycle(ctx context.Context, dryRun bool) error {
	want, err := o.m.settings.lifecyclePolicy()
	if err != nil {
		return err
	}
	have, err := o.aws.LifecyclePolicy(ctx)
	switch {
	case err != nil:
		return o.explained(err)
	case sameJSON(have, want):
		return nil
	case dryRun:
		o.did(repository.ActionLifecycle)
		return nil
	case want == "":
		return o.deleteLifecycle(ctx)
	}
	return o.putLifecycle(ctx, want)
}

func (o *operation) putLifecycle(ctx context.Context, lifecycle string) error {
	err := o.write(ctx, awsapi.OpPutLifecycle, func(ctx context.Context) error { return o.aws.PutLifecycle(ctx, lifecycle) })
	if err == nil {
		o.did(repository.ActionLifecycle)
	}
	return err
}

func (o *operation) deleteLifecycle(ctx context.Context) error {
	err := o.write(ctx, awsapi.OpDeleteLifecycle, o.aws.DeleteLifecycle)
	if err == nil {
		o.did(repository.ActionLifecycle)
	}
	return err
}

// refused tells whether AWS understood a call and doesn't take its parameters, rights apart.
func refused(err error) bool {
	switch failure.CodeOf(err) {
	case "ValidationException", "InvalidParameterException", "UnsupportedOperationException":
		return true
	}
	return false
}

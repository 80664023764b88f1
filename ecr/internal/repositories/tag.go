package repositories

import (
	"context"
	"errors"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/provider"
)

func (o *operation) tag(ctx context.Context, op string, tags map[string]string) error {
	if tags[policy.TagProjectID] != "" {
		return o.setOwner(ctx, op, tags)
	}
	err := o.write(ctx, op, func(ctx context.Context) error { return o.aws.Tag(ctx, op, tags) })
	if err == nil {
		o.unsettle = true
	}
	return err
}

func (o *operation) untag(ctx context.Context, op string, keys ...string) error {
	err := o.write(ctx, op, func(ctx context.Context) error { return o.aws.Untag(ctx, op, keys...) })
	if err == nil {
		o.unsettle = true
	}
	return err
}

// setOwner sets tags that name the project's id, which a repository gets once. The SDK makes one attempt only: between two of
// its own the name's next owner may have set its id, and the second would take the repository back, images and all. Whatever
// fails (a Deny, as the controller's policy lets nobody change an id; an answer that was lost; throttling), the tags are read
// before anything else is done: with the same id it is a success, with another one ErrNotOurs.
func (o *operation) setOwner(ctx context.Context, op string, tags map[string]string) error {
	for attempt := 0; ; attempt++ {
		failed := o.explained(o.aws.TagOnce(ctx, op, tags))
		if failed == nil {
			o.unsettle = true
			return nil
		}
		if known, err := o.ownerSet(ctx, op, tags, failed); known {
			return err
		}
		if denied := errors.Is(failed, provider.ErrAccessDenied); denied && !o.unsettle || !passes(failed, attempt, o.unsettle) || !wait(ctx, settleDelays()[attempt]) {
			return failed
		}
		if known, err := o.ownerSet(ctx, op, tags, failed); known {
			return err
		}
	}
}

// ownerSet reads what became of tags that couldn't be set, or nobody knows whether they were. It isn't known while the
// repository bears no id.
func (o *operation) ownerSet(ctx context.Context, op string, tags map[string]string, failed error) (known bool, err error) {
	before := o.change.Owner
	now, err := o.readTags(ctx)
	switch {
	case errors.Is(err, provider.ErrNotFound):
		return true, err
	case err != nil: // without reading, nothing is tried again
		o.change.Owner = before
		return true, failed
	case o.another():
		return true, o.notOurs(op)
	case o.change.Owner.ProjectID == "":
		return false, nil
	}
	rest := map[string]string{} // set by another call for this project, its id may have come without these
	for key, value := range tags {
		if have, ok := now[key]; !ok || have != value {
			rest[key] = value
		}
	}
	if len(rest) > 0 {
		return true, o.tag(ctx, op, rest)
	}
	o.unsettle = true
	return true, nil
}

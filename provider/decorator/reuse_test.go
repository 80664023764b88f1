package decorator_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/decorator"
)

// reuser is a decorator that keeps one answer and hands it out for whatever is asked.
type reuser struct {
	*fake
	kept   *decorator.Issued
	reused int
}

func (r *reuser) Reuse(context.Context, provider.Request, time.Time) *decorator.Issued {
	r.reused++
	return r.kept
}

func (r *reuser) keep(t *testing.T, request provider.Request) {
	t.Helper()
	kept, err := decorator.IssueForReuse(t.Context(), r, r.fake, request)
	require.NoError(t, err)
	require.Equal(t, request, kept.Request())
	r.kept = &kept
}

// altering embeds a decorator that reuses, and so has its methods, but changes what it answers.
type altering struct {
	*reuser
	change func(*provider.Credentials)
	asked  int
}

func (a *altering) Credentials(ctx context.Context, r provider.Request) (provider.Credentials, error) {
	a.asked++
	c, err := a.reuser.Credentials(ctx, r)
	a.change(&c)
	return c, err
}

// renaming names repositories itself.
type renaming struct{ *reuser }

func (renaming) Repository(project string, _ provider.Consumer) (name.Repository, error) {
	return name.NewRepository("mirror.example.com/rise/" + project)
}

func TestIssueOfAReuser(t *testing.T) {
	t.Parallel()
	r := &reuser{fake: &fake{credentials: valid(t)}}
	_, err := provider.Issue(t.Context(), r, push)
	require.NoError(t, err, "nothing is kept: it's asked")
	require.EqualValues(t, 1, r.asked.Load())
	r.keep(t, push)
	for range 3 {
		c, err := provider.Issue(t.Context(), r, push)
		require.NoError(t, err)
		require.Equal(t, "registry.example.com/rise/hello", c.Target.String())
	}
	require.EqualValues(t, 2, r.asked.Load())
	require.Equal(t, 4, r.reused)
}

func TestIssueForReuseChecks(t *testing.T) {
	t.Parallel()
	wrong := valid(t)
	wrong.Target = repository(t, "registry.example.com/rise/x-hello")
	p := &fake{credentials: wrong}
	kept, err := decorator.IssueForReuse(t.Context(), &reuser{fake: p}, p, push)
	require.ErrorIs(t, err, provider.ErrBadResponse)
	require.Equal(t, decorator.Issued{}, kept)
	_, err = decorator.IssueForReuse(t.Context(), &reuser{fake: p}, p, provider.Request{})
	require.ErrorIs(t, err, provider.ErrInvalidRequest)
	require.EqualValues(t, 1, p.asked.Load())

	// By the names of the one that hands it out.
	p = &fake{credentials: valid(t)}
	outer := renaming{&reuser{fake: p}}
	_, err = decorator.IssueForReuse(t.Context(), &outer, p, push)
	require.ErrorIs(t, err, provider.ErrBadResponse)
}

// An audit hook that adds to a kept credential's details adds to its own.
func TestKeptDetailsAreShared(t *testing.T) {
	t.Parallel()
	c := valid(t)
	c.Details = append(make([]slog.Attr, 0, 8), slog.String("session", "s"))
	r := &reuser{fake: &fake{credentials: c}}
	r.keep(t, push)
	var got [2][]slog.Attr
	for i := range got {
		issued, err := provider.Issue(t.Context(), r, push)
		require.NoError(t, err)
		got[i] = append(issued.Details, slog.Int("request", i))
	}
	require.EqualValues(t, 0, got[0][1].Value.Int64())
	require.EqualValues(t, 1, r.asked.Load())
}

// What a provider that reuses may do wrong is what Issue finds, or what it doesn't take.
func TestIssueChecksWhoReuses(t *testing.T) {
	t.Parallel()
	other := provider.Request{Project: "other", Access: provider.Push}
	answer := func(r provider.Request) provider.Credentials {
		c := valid(t)
		c.Target, c.Access = repository(t, "registry.example.com/rise/"+r.Project), r.Access
		return c
	}
	fresh := func() *reuser { return &reuser{fake: &fake{answer: answer}} }
	for name, test := range map[string]struct {
		provider func() (p provider.Provider, asked func() bool)
		want     error
	}{
		"another project's": {func() (provider.Provider, func() bool) {
			r := fresh()
			r.keep(t, other)
			return r, func() bool { return r.asked.Load() == 2 }
		}, nil},
		"another access's": {func() (provider.Provider, func() bool) {
			r := fresh()
			r.keep(t, provider.Request{Project: "hello", Access: provider.Pull})
			return r, func() bool { return r.asked.Load() == 2 }
		}, nil},
		"another caller's": {func() (provider.Provider, func() bool) {
			r := fresh()
			r.keep(t, provider.Request{Project: "hello", Access: provider.Push, Caller: "ci"})
			return r, func() bool { return r.asked.Load() == 2 }
		}, nil},
		"another reuser's": {func() (provider.Provider, func() bool) {
			r, second := fresh(), fresh()
			second.keep(t, push)
			r.kept = second.kept
			return r, func() bool { return r.asked.Load() == 1 }
		}, nil},
		"nobody's": {func() (provider.Provider, func() bool) {
			r := fresh()
			r.kept = &decorator.Issued{}
			return r, func() bool { return r.asked.Load() == 1 }
		}, nil},
		"an expired one": {func() (provider.Provider, func() bool) {
			r := fresh()
			r.keep(t, push)
			time.Sleep(time.Hour)
			return r, func() bool { return r.asked.Load() == 1 }
		}, provider.ErrBadResponse},
		"altered by who embeds it": {func() (provider.Provider, func() bool) {
			a := &altering{reuser: fresh(), change: func(c *provider.Credentials) { c.Target = repository(t, "registry.example.com/rise/other") }}
			a.keep(t, push)
			return a, func() bool { return a.asked == 1 }
		}, provider.ErrBadResponse},
		"altered by a decorator": {func() (provider.Provider, func() bool) {
			a := &altering{reuser: fresh(), change: func(c *provider.Credentials) { c.Access = provider.Pull }}
			a.keep(t, push)
			return &wrapper{Provider: a}, func() bool { return a.asked == 1 }
		}, provider.ErrBadResponse},
		"renamed by who embeds it": {func() (provider.Provider, func() bool) {
			r := renaming{fresh()}
			r.keep(t, push)
			return r, func() bool { return r.asked.Load() == 2 }
		}, provider.ErrBadResponse},
		"with a target that changes": {func() (provider.Provider, func() bool) {
			r, target := fresh(), &movable{repository(t, "registry.example.com/rise/hello")}
			r.answer = func(request provider.Request) provider.Credentials {
				c := answer(request)
				c.Target = target
				return c
			}
			r.keep(t, push)
			target.Resource = repository(t, "registry.example.com/rise/other")
			return r, func() bool { return r.asked.Load() == 1 }
		}, provider.ErrBadResponse},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p, asked := test.provider()
				c, err := provider.Issue(t.Context(), p, push)
				require.ErrorIs(t, err, test.want)
				require.True(t, asked())
				if test.want != nil {
					require.Zero(t, c.Password)
					return
				}
				require.Equal(t, "registry.example.com/rise/hello", c.Target.String())
				require.NoError(t, c.Check(push, time.Now()))
			})
		})
	}
}

// movable is a target that changes behind a credential's back.
type movable struct{ authn.Resource }

// byValue can't be compared, which would panic.
type byValue struct {
	*fake
	kept map[string]*decorator.Issued
}

func (b byValue) Reuse(context.Context, provider.Request, time.Time) *decorator.Issued {
	return b.kept["it"]
}

func TestReuserByValue(t *testing.T) {
	t.Parallel()
	b := byValue{&fake{credentials: valid(t)}, map[string]*decorator.Issued{}}
	kept, err := decorator.IssueForReuse(t.Context(), b, b.fake, push)
	require.NoError(t, err)
	b.kept["it"] = &kept
	_, err = provider.Issue(t.Context(), b, push)
	require.NoError(t, err)
	require.EqualValues(t, 2, b.asked.Load(), "never unchecked")
}

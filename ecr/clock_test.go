package ecr_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
	"github.com/rise-deploy/rise-registry-go/registry/cache"
)

// offsets are how far AWS's clock is ahead of this machine's.
var offsets = []time.Duration{0, 4 * time.Minute, 20 * time.Minute, 50 * time.Minute, 2 * time.Hour, 30 * time.Hour,
	-4 * time.Minute, -20 * time.Minute, -2 * time.Hour, -30 * time.Hour}

// identities are the ways in which a process may have credentials of its own.
var identities = map[string]func(*testing.T, *awsServer) []ecr.Option{
	"keys":            func(*testing.T, *awsServer) []ecr.Option { return nil },
	"controller role": func(_ *testing.T, s *awsServer) []ecr.Option { s.outside(); return nil },
	"Pod Identity": func(_ *testing.T, s *awsServer) []ecr.Option {
		s.config.AccessKeyID, s.config.SecretAccessKey = provider.Secret{}, provider.Secret{}
		pod := s.AddPodIdentity(ecrtest.PodIdentity{Role: podRole(s)})
		return []ecr.Option{ecr.WithLoadOptions(config.WithCredentialsProvider(awssdk.NewCredentialsCache(endpointcreds.New(pod.URL, func(o *endpointcreds.Options) {
			o.AuthorizationToken, o.HTTPClient = pod.Token, s.Client()
		}))))}
	},
}

// works tells whether the image registry takes c.
func (s *awsServer) works(t *testing.T, p *ecr.Provider, c provider.Credentials) bool {
	t.Helper()
	auth, err := c.Authenticator()
	require.NoError(t, err)
	repository, err := p.Repository("hello", provider.Client)
	require.NoError(t, err)
	_, err = remote.Head(repository.Tag("none"), remote.WithAuth(auth), remote.WithTransport(s.Transport()))
	var refused *transport.Error
	require.ErrorAs(t, err, &refused)
	return refused.StatusCode == http.StatusNotFound
}

// wholeSecond waits for one: AWS's times have no fractions.
func wholeSecond() time.Time {
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
	return time.Now()
}

// Whichever way this machine's clock is off, a credential works until its ExpiresAt by that clock, and that is all of its life.
func TestLifeWhateverTheClock(t *testing.T) {
	t.Parallel()
	for _, offset := range offsets {
		for _, life := range []struct{ session, token, want time.Duration }{
			{time.Hour, 12 * time.Hour, time.Hour}, {15 * time.Minute, 12 * time.Hour, 15 * time.Minute},
			{12 * time.Hour, 12 * time.Hour, 12 * time.Hour}, {2 * time.Hour, 30 * time.Minute, 30 * time.Minute},
		} {
			t.Run(fmt.Sprint(offset, life), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					aws := newAWS(t, ecrtest.Config{InMemory: true, ClockOffset: offset, TokenLifetime: life.token, TokenDiesWithSession: true}, ecrtest.SetupOptions{})
					aws.config.SessionDuration = life.session
					p, err := ecr.New(t.Context(), aws.config, hermetic(), inMemory(aws.Server))
					require.NoError(t, err)
					aws.CreateRepository(aws.deployment.Repository("hello"))
					_, err = provider.Issue(t.Context(), p, push)
					require.NoError(t, err)
					start := wholeSecond() // from now on the SDK knows how far the clock is off, and one attempt is enough
					c, err := provider.Issue(t.Context(), p, push)
					require.NoError(t, err)
					require.Equal(t, life.want, c.ExpiresAt.Sub(start))
					require.NoError(t, c.Check(push, start))
					time.Sleep(life.want - time.Second)
					require.True(t, aws.works(t, p, c))
					time.Sleep(time.Second)
					require.False(t, aws.works(t, p, c), "that was all of its life")
				})
			})
		}
	}
}

// What is kept, of the process's own credentials too, is renewed in time, whichever way the clock is off.
func TestNothingExpiredWhateverTheClock(t *testing.T) {
	t.Parallel()
	for name, identity := range identities {
		for _, offset := range []time.Duration{0, 50 * time.Minute, 2 * time.Hour, 30 * time.Hour, -2 * time.Hour} {
			t.Run(fmt.Sprint(name, offset), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					aws := newAWS(t, ecrtest.Config{InMemory: true, ClockOffset: offset, TokenDiesWithSession: true}, ecrtest.SetupOptions{})
					p, err := ecr.New(t.Context(), aws.config, append(identity(t, aws), hermetic(), inMemory(aws.Server))...)
					require.NoError(t, err)
					kept := cache.New(p, cache.Options{})
					defer func() { require.NoError(t, kept.Close()) }()
					aws.CreateRepository(aws.deployment.Repository("hello"))
					for range 8 * 6 { // eight hours, of which Pod Identity's keys live six
						c, err := provider.Issue(t.Context(), kept, push)
						require.NoError(t, err)
						require.True(t, aws.works(t, p, c))
						_, err = p.RepositoryOwner(t.Context(), "hello")
						require.NoError(t, err)
						time.Sleep(10 * time.Minute)
					}
				})
			})
		}
	}
}

// The SDK finds IRSA's session itself, and asks nobody how long it lives.
func TestWebIdentityWhateverTheClock(t *testing.T) { //nolint:paralleltest // environment
	for _, offset := range offsets {
		t.Run(offset.String(), func(t *testing.T) { //nolint:paralleltest // environment
			file := filepath.Join(t.TempDir(), "token")
			clearAWS(t)
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file)
			t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/rise-backend")
			synctest.Test(t, func(t *testing.T) {
				aws := newAWS(t, ecrtest.Config{InMemory: true, ClockOffset: offset}, ecrtest.SetupOptions{})
				oidc := aws.AddOIDCProvider("https://oidc.example.com/id/1")
				aws.UpdateRole("rise-backend", func(r *ecrtest.Role) {
					r.Trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"` + oidc.ARN + `"},"Action":"sts:AssumeRoleWithWebIdentity"}]}`
				})
				require.NoError(t, os.WriteFile(file, []byte(oidc.Token("system:serviceaccount:ns:sa", "", 24*time.Hour)), 0o600))
				aws.config.AccessKeyID, aws.config.SecretAccessKey = provider.Secret{}, provider.Secret{}
				p, err := ecr.New(t.Context(), aws.config, inMemory(aws.Server))
				require.NoError(t, err)
				for range 5 * 6 {
					_, err := provider.Issue(t.Context(), p, push)
					require.NoError(t, err)
					time.Sleep(10 * time.Minute)
				}
				asked := 0
				for _, c := range aws.Calls() {
					require.NotContains(t, c.ErrorCode, "Expired")
					if c.Action == "AssumeRoleWithWebIdentity" {
						asked++
					}
				}
				require.LessOrEqual(t, asked, 6, "one an hour")
			})
		})
	}
}

// What has ended before its time by this machine's clock, as after it was set back, is given up for other credentials at once.
func TestEndedBeforeItsTime(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]func(*testing.T, *ecr.Provider) error{
		"issue": func(t *testing.T, p *ecr.Provider) error {
			t.Helper()
			_, err := provider.Issue(t.Context(), p, push)
			return err
		},
		"owner": func(t *testing.T, p *ecr.Provider) error {
			t.Helper()
			_, err := p.RepositoryOwner(t.Context(), "hello")
			return err
		},
		"list": func(t *testing.T, p *ecr.Provider) error {
			t.Helper()
			for _, err := range p.ListRepositories(t.Context()) {
				if err != nil {
					return err
				}
			}
			return nil
		},
	} {
		for _, identity := range []string{"controller role", "Pod Identity", "keys"} {
			t.Run(name+" "+identity, func(t *testing.T) {
				t.Parallel()
				aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
				p := aws.provider(t, identities[identity](t, aws)...)
				aws.CreateRepository(aws.deployment.Repository("hello"))
				require.NoError(t, use(t, p))
				calls := aws.Calls()
				used := calls[len(calls)-1].AccessKeyID
				if name == "issue" {
					used = calls[len(calls)-2].AccessKeyID
				}
				aws.Inject(ecrtest.Fault{Error: "ExpiredTokenException", If: func(c ecrtest.Call) bool { return c.AccessKeyID == used }})
				aws.ResetCalls()
				err := use(t, p)
				if identity == "keys" { // of which there are no others
					require.ErrorIs(t, err, provider.ErrAccessDenied)
					require.Len(t, aws.Calls(), 1)
					return
				}
				require.NoError(t, err)
				aws.ResetCalls()
				require.NoError(t, use(t, p))
				require.NotContains(t, fmt.Sprint(aws.Calls()), used, "they aren't used again")
			})
		}
	}
}

// header changes the headers of answers to one kind of call.
func (s *awsServer) header(action, name string, values ...string) {
	s.Inject(ecrtest.Fault{Action: action, Header: http.Header{name: values}})
}

// Nobody can tell how long what has no date lives.
func TestUndatedAnswers(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(s *awsServer, action string){
		"no date":      func(s *awsServer, action string) { s.header(action, "Date") },
		"no such date": func(s *awsServer, action string) { s.header(action, "Date", "yesterday") },
		"no time":      func(s *awsServer, action string) { s.header(action, "Date", "2000-01-01") },
		"two dates": func(s *awsServer, action string) {
			s.header(action, "Date", time.Now().UTC().Format(http.TimeFormat), time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		},
		"a cache's": func(s *awsServer, action string) { s.header(action, "Age", "3000") },
	} {
		for action, op := range map[string]string{sts: "assume push role", token: "get authorization token"} {
			t.Run(name+" "+action, func(t *testing.T) {
				t.Parallel()
				aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
				change(aws, action)
				_, err := provider.Issue(t.Context(), aws.provider(t), push)
				require.ErrorIs(t, err, provider.ErrBadResponse)
				require.Equal(t, op, asError(t, err).Op)
				require.ErrorContains(t, err, "it has no date")
			})
		}
	}
}

// A date that can't be true neither makes anything live longer than was asked for, nor lets in what has ended.
func TestImpossibleTimes(t *testing.T) {
	t.Parallel()
	const ancient, distant = "Sat, 01 Jan 1972 00:00:00 GMT", "Fri, 01 Jan 9999 00:00:00 GMT"
	until := func(text string) func([]byte) []byte {
		return func(body []byte) []byte {
			return regexp.MustCompile(`"expiresAt":[0-9.e+]+`).ReplaceAll(body, []byte(`"expiresAt":`+text))
		}
	}
	for name, test := range map[string]struct {
		faults []ecrtest.Fault
		says   string // the error; none: it lives for an hour
	}{
		"a session until 9999":         {faults: []ecrtest.Fault{{Action: sts, Mutate: expiration("9999-01-01T00:00:00Z")}}},
		"a token until 5138":           {faults: []ecrtest.Fault{{Action: token, Mutate: until("99999999999")}}},
		"both":                         {faults: []ecrtest.Fault{{Action: sts, Mutate: expiration("9999-01-01T00:00:00Z")}, {Action: token, Mutate: until("99999999999")}}},
		"a session's date long past":   {faults: []ecrtest.Fault{{Action: sts, Header: http.Header{"Date": {ancient}}}}},
		"both dates long past":         {faults: []ecrtest.Fault{{Header: http.Header{"Date": {ancient}}}}},
		"a session's date in 9999":     {faults: []ecrtest.Fault{{Action: sts, Header: http.Header{"Date": {distant}}}}, says: "its credentials expired at "},
		"a token's date in 9999":       {faults: []ecrtest.Fault{{Action: token, Header: http.Header{"Date": {distant}}}}, says: "its token expired at "},
		"a token older than a session": {faults: []ecrtest.Fault{{Action: token, Header: http.Header{"Date": {"Fri, 31 Dec 1999 23:55:00 GMT"}}}}, says: "it is older than the session that asked for it"},
		"a token as old as a session":  {faults: []ecrtest.Fault{{Action: token, Header: http.Header{"Date": {"Fri, 31 Dec 1999 23:55:01 GMT"}}}}},
		"a session that ends with its date": {
			faults: []ecrtest.Fault{{Action: sts, Mutate: expiration("2000-01-01T00:00:00Z")}}, says: "its credentials expired at 2000-01-01T00:00:00Z",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				aws := newAWS(t, ecrtest.Config{InMemory: true}, ecrtest.SetupOptions{})
				for _, f := range test.faults {
					aws.Inject(f)
				}
				p, err := ecr.New(t.Context(), aws.config, hermetic(), inMemory(aws.Server))
				require.NoError(t, err)
				c, err := provider.Issue(t.Context(), p, push)
				if test.says != "" {
					require.ErrorIs(t, err, provider.ErrBadResponse)
					require.ErrorContains(t, err, test.says)
					require.NotContains(t, err.Error(), "clock", "this machine's has no part in it")
					return
				}
				require.NoError(t, err)
				require.Equal(t, time.Hour, time.Until(c.ExpiresAt))
			})
		})
	}
}

// awsNow is AWS's time as it says it.
func awsNow(offset time.Duration) time.Time {
	return time.Now().Add(offset).UTC().Truncate(time.Second)
}

// aged makes an orphan of hello's repository that was released then, by AWS's clock.
func (l tenancy) aged(ago time.Duration, offset time.Duration) {
	l.UpdateRepository("rise/hello", func(r *ecrtest.Repository) {
		r.Tags["rise:orphaned"], r.Tags["rise:orphaned-at"] = "true", time.Now().Add(offset-ago).UTC().Format(time.RFC3339)
	})
}

// Ages are by AWS's clock, whatever this machine's says within what AWS takes signatures for; beyond that nothing is let go of.
func TestAgesWhateverTheClock(t *testing.T) {
	t.Parallel()
	const day, limit = 24 * time.Hour, 5 * time.Minute
	for _, offset := range []time.Duration{0, time.Minute, limit - time.Second, limit, 2 * time.Hour, 25 * time.Hour, 48 * time.Hour,
		-time.Minute, time.Second - limit, -limit, -2 * time.Hour, -25 * time.Hour, -48 * time.Hour, -10000 * time.Hour} {
		t.Run(offset.String(), func(t *testing.T) {
			t.Parallel()
			inTenancy(t, ecrtest.Config{ClockOffset: offset}, nil, func(t *testing.T, l tenancy) {
				l.ensure(t, hello)
				wholeSecond()
				if offset == limit { // which is found however late in its second
					time.Sleep(700 * time.Millisecond)
				}
				stopped := func(err error) {
					t.Helper()
					require.ErrorIs(t, err, provider.ErrMisconfigured)
					direction := "behind AWS's"
					if offset < 0 {
						direction = "ahead of AWS's"
					}
					if offset != limit {
						require.ErrorContains(t, err, "this machine's clock is off: "+offset.Abs().String()+" "+direction)
					}
					require.Contains(t, asError(t, err).Hint, "NTP")
				}
				owner, err := l.RepositoryOwner(t.Context(), "hello")
				require.NoError(t, err)
				require.Equal(t, awsNow(offset), owner.ReadAt)
				for r, err := range l.ListRepositories(t.Context()) {
					require.NoError(t, err)
					require.Equal(t, awsNow(offset), r.ReadAt)
				}

				change, err := l.ReleaseRepository(t.Context(), hello)
				r, _ := l.Server.Repository("rise/hello")
				if offset.Abs() >= limit {
					stopped(err)
					require.False(t, change.Changed())
					require.NotContains(t, r.Tags, "rise:orphaned")
				} else {
					require.NoError(t, err)
					require.Equal(t, awsNow(offset).Format(time.RFC3339), r.Tags["rise:orphaned-at"])
					require.Equal(t, awsNow(offset), change.Owner.OrphanedAt)
					require.Equal(t, awsNow(offset), change.Owner.ReadAt)
				}

				for _, ago := range []time.Duration{-time.Hour, 0, time.Hour, day - time.Second, day, 2 * day} {
					l.aged(ago, offset)
					change, err := l.PurgeRepository(t.Context(), "hello", day)
					if offset.Abs() >= limit {
						stopped(err)
						require.False(t, change.Changed())
						continue
					}
					require.NoError(t, err)
					require.Equal(t, ago >= day, change.Changed(), "released %v ago", ago)
					if ago >= day {
						require.Zero(t, change.Owner)
						return
					}
				}
				_, ok := l.Server.Repository("rise/hello")
				require.True(t, ok)
				restored, err := l.RestoreRepository(t.Context(), hello)
				require.NoError(t, err, "what takes nothing away works")
				require.True(t, restored.Changed())
				_, err = l.PurgeRepository(t.Context(), "hello", day)
				require.NoError(t, err, "and where there is no age to tell, there is no error")
			})
		})
	}
}

// remove_after: 0s takes no age into account, and yet nothing at all goes with a clock that is off.
func TestClockOffRemovesNothingAtOnce(t *testing.T) {
	t.Parallel()
	inTenancy(t, ecrtest.Config{ClockOffset: time.Hour}, func(c *ecr.Config) { c.RemoveAfter = new(time.Duration(0)) }, func(t *testing.T, l tenancy) {
		l.ensure(t, hello)
		_, err := l.ReleaseRepository(t.Context(), hello)
		require.ErrorIs(t, err, provider.ErrMisconfigured)
		l.aged(time.Hour, time.Hour)
		_, err = l.ReleaseRepository(t.Context(), hello)
		require.ErrorIs(t, err, provider.ErrMisconfigured)
		require.NotContains(t, l.names(), "ecr:DeleteRepository")
	})
}

// An answer without a date is no ground for letting go of anything.
func TestUndatedOwners(t *testing.T) {
	t.Parallel()
	for name, change := range map[string][]string{"Date": nil, "Age": {"0"}, "date": {"soon"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inTenancy(t, ecrtest.Config{}, nil, func(t *testing.T, l tenancy) {
				l.ensure(t, hello)
				l.header("ecr:*", name, change...)
				owner, err := l.RepositoryOwner(t.Context(), "hello")
				require.NoError(t, err)
				require.Zero(t, owner.ReadAt)
				for r, err := range l.ListRepositories(t.Context()) {
					require.NoError(t, err)
					require.Zero(t, r.ReadAt)
				}
				_, err = l.ReleaseRepository(t.Context(), hello)
				require.ErrorIs(t, err, provider.ErrBadResponse)
				require.ErrorContains(t, err, "it has no date")
				l.aged(1000*time.Hour, 0)
				_, err = l.ReleaseRepository(t.Context(), hello)
				require.ErrorIs(t, err, provider.ErrBadResponse)
				_, err = l.PurgeRepository(t.Context(), "hello", 24*time.Hour)
				require.ErrorIs(t, err, provider.ErrBadResponse)
				for _, err := range repository.Purge(t.Context(), l.Provider, 24*time.Hour) {
					require.ErrorIs(t, err, provider.ErrBadResponse)
				}
				require.NotContains(t, l.names(), "ecr:DeleteRepository")
				change := l.ensure(t, hello)
				require.Equal(t, []repository.Action{repository.ActionRestore}, change.Actions, "what takes nothing away works")
			})
		})
	}
}

// What was released in the future, by AWS's clock, is released again; never purged.
func TestReleasedInTheFuture(t *testing.T) {
	t.Parallel()
	for ahead, again := range map[time.Duration]bool{4 * time.Minute: false, 6 * time.Minute: true, 10000 * time.Hour: true} {
		const offset = 4 * time.Minute
		inTenancy(t, ecrtest.Config{ClockOffset: offset}, nil, func(t *testing.T, l tenancy) {
			l.ensure(t, hello)
			l.aged(-ahead, offset)
			change, err := l.PurgeRepository(t.Context(), "hello", 24*time.Hour)
			require.NoError(t, err)
			require.False(t, change.Changed())
			change, err = l.ReleaseRepository(t.Context(), hello)
			require.NoError(t, err)
			require.Equal(t, again, change.Changed())
			if again {
				require.Equal(t, awsNow(offset), change.Owner.OrphanedAt)
			}
		})
	}
}

// Denials right after a repository was made, or a listing of it, are waited out by AWS's clock too.
func TestSettlingByAWSsClock(t *testing.T) {
	t.Parallel()
	for _, offset := range []time.Duration{-2 * time.Hour, 2 * time.Hour} {
		for age, settles := range map[time.Duration]bool{time.Minute: true, 10 * time.Minute: false} {
			for _, from := range []string{"described", "listed", "released"} {
				t.Run(fmt.Sprint(offset, age, from), func(t *testing.T) {
					t.Parallel()
					inTenancy(t, ecrtest.Config{ClockOffset: offset}, managing, func(t *testing.T, l tenancy) {
						r := l.deployment.Repository("hello")
						r.CreatedAt = time.Now().Add(offset - age)
						l.CreateRepository(r)
						if from == "released" { // a moment ago, and made long ago
							l.UpdateRepository("rise/hello", func(r *ecrtest.Repository) { r.CreatedAt = time.Now().Add(-1000 * time.Hour) })
							l.aged(age, offset)
							l.Inject(ecrtest.Fault{Action: "ecr:UntagResource", Error: "AccessDeniedException", Status: 400, Times: 1})
							_, err := l.RestoreRepository(t.Context(), provider.Project{Name: "hello"})
							require.Equal(t, settles, err == nil, "%v", err)
							return
						}
						l.Inject(ecrtest.Fault{Action: "ecr:Put*", Error: "AccessDeniedException", Status: 400, Times: 1})
						var o repository.EnsureOptions
						for r, err := range l.ListRepositories(t.Context()) {
							require.NoError(t, err)
							if from == "listed" {
								o = repository.EnsureOptions{Listed: &r, ListedOnly: true}
							}
						}
						l.UpdateRepository("rise/hello", func(r *ecrtest.Repository) { // no tag is to be set, which would unsettle it
							r.Tags["team"], r.Tags["env"] = "platform", "prod"
						})
						_, err := l.EnsureRepository(t.Context(), provider.Project{Name: "hello"}, o)
						if settles {
							require.NoError(t, err)
						} else {
							require.ErrorIs(t, err, provider.ErrAccessDenied)
						}
					})
				})
			}
		}
	}
}

// What is left of a session counts, when STS's answer is an old one to the same request, with the date that it had.
func TestOldAnswerOfSTS(t *testing.T) {
	t.Parallel()
	for _, ago := range []time.Duration{time.Minute, 10 * time.Minute, 59 * time.Minute, time.Hour, 3 * time.Hour} {
		t.Run(ago.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				aws := newAWS(t, ecrtest.Config{InMemory: true}, ecrtest.SetupOptions{})
				p, err := ecr.New(t.Context(), aws.config, hermetic(), inMemory(aws.Server))
				require.NoError(t, err)
				var answer []byte
				remove := aws.Inject(ecrtest.Fault{Action: sts, Mutate: func(body []byte) []byte { answer = body; return body }})
				_, err = provider.Issue(t.Context(), p, push)
				require.NoError(t, err)
				remove()
				date := time.Now().UTC().Format(http.TimeFormat)
				time.Sleep(ago)
				aws.Inject(ecrtest.Fault{Action: sts, Header: http.Header{"Date": {date}}, Mutate: func([]byte) []byte { return answer }})
				c, err := provider.Issue(t.Context(), p, push)
				if ago < time.Hour {
					require.NoError(t, err)
					require.Equal(t, time.Hour-ago, time.Until(c.ExpiresAt))
					return
				}
				require.Error(t, err) // AWS knows
			})
		})
	}
}

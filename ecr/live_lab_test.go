package ecr_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsecr "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/static"
	imagetypes "github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/provider"
)

const (
	// liveTag is on every repository that the tests made, and on no other: when, and by which lab. Nothing else is deleted.
	liveTag = "rise-live-test"
	// abandoned is the age at which what an earlier run made can't belong to one that is still running.
	abandoned = 6 * time.Hour
	// steady is how often in a row something must be seen before it counts as so: AWS answers from many machines, which
	// learn of a change one by one.
	steady = 5
	// cleanUpTime bounds the removal of what one subtest made.
	cleanUpTime = 4 * time.Minute
)

// site is an account for experiments: AWS's, or the double.
type site struct {
	config    ecr.Config   // with the prefix that the tests have for themselves
	options   []ecr.Option // for the provider
	plainRole string       // a push role without conditions on tags; may be empty
	api       awssdk.Config
	transport http.RoundTripper // to the image registry
	poll      time.Duration     // between two looks at what takes effect in its own time
	patience  time.Duration     // the longest wait for that
	slow      bool
}

// lab is one test's part of a site, with names of its own and a list of what to undo.
type lab struct {
	*site
	config   ecr.Config // of the site, with a prefix of this lab's own
	id       string
	stamp    string // the value of liveTag
	provider *ecr.Provider
	undos    []func(context.Context) error
}

// skip is the error that something can't be tried here.
type skip struct{ why string }

func (s *skip) Error() string { return s.why }

// open makes a lab that is cleaned up after the test, whatever happens in between.
func (s *site) open(t *testing.T) *lab {
	t.Helper()
	l, err := s.newLab(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), cleanUpTime) // the test's own context has ended
		defer cancel()
		assert.NoError(t, printable(l.close(ctx)), "cleaning up: please delete by hand what is left under %s", l.config.RepoPrefix)
	})
	return l
}

func (s *site) newLab(ctx context.Context) (*lab, error) {
	l := &lab{site: s, config: s.config, id: strings.ToLower(rand.Text()[:10])}
	l.config.RepoPrefix += l.id + "/"
	l.stamp = time.Now().UTC().Format(time.RFC3339) + "/" + l.id
	var err error
	l.provider, err = ecr.New(ctx, l.config, l.options...)
	return l, err
}

// undo has f called when the lab is closed, before what was to be undone already. It is called before the thing is done: a
// call that seems to fail may have been carried out.
func (l *lab) undo(f func(context.Context) error) { l.undos = append(l.undos, f) }

// close undoes everything, also after failures.
func (l *lab) close(ctx context.Context) error {
	var errs []error
	for _, f := range slices.Backward(l.undos) {
		errs = append(errs, f(ctx))
	}
	l.undos = nil
	return errors.Join(errs...)
}

// project is a project's name that no other lab uses, so that session names are this lab's own, too.
func (l *lab) project(name string) string { return name + "-" + l.id }

func (l *lab) repository(project string) string { return l.config.RepoPrefix + project }

func (s *site) ecrAPI(options ...func(*awsecr.Options)) *awsecr.Client {
	return awsecr.NewFromConfig(s.api, options...)
}

func (s *site) arn(repository string) string {
	role, _ := arn.Parse(s.config.PushRoleARN) // which Config.Validate has parsed
	return fmt.Sprintf("arn:%s:ecr:%s:%s:repository/%s", role.Partition, s.config.Region, s.config.AccountID, repository)
}

// create makes a project's repository with the tags that the push role asks for.
func (l *lab) create(ctx context.Context, project string) error {
	repository := l.repository(project)
	l.undo(func(ctx context.Context) error {
		return l.remove(ctx, repository, func(stamp string) bool { return stamp == l.stamp })
	})
	var tags []types.Tag
	for key, value := range map[string]string{
		"rise:managed": "true", "rise:project": project, "rise:installation": l.config.Installation, liveTag: l.stamp,
	} {
		tags = append(tags, types.Tag{Key: &key, Value: &value})
	}
	_, err := l.ecrAPI().CreateRepository(ctx, &awsecr.CreateRepositoryInput{RepositoryName: &repository, Tags: tags})
	return err
}

// createReady makes repositories and waits until the library's credentials open them.
func (l *lab) createReady(ctx context.Context, projects ...string) error {
	for _, project := range projects {
		if err := l.create(ctx, project); err != nil {
			return err
		}
	}
	for _, project := range projects {
		c, err := l.issue(ctx, project, provider.Push)
		if err != nil {
			return err
		}
		_, ready, err := l.settles(ctx, func() (bool, error) { return l.mayRead(ctx, c, l.repository(project)) })
		if err != nil {
			return err
		}
		if !ready {
			return fmt.Errorf("a push credential doesn't open %s within %v: does the push role's policy allow repositories with the "+
				"prefix %s and the tag rise:installation=%s?", l.repository(project), l.patience, l.site.config.RepoPrefix, l.config.Installation)
		}
	}
	return nil
}

// remove deletes a repository with its images if it is the tests' own, by its tags as they are now.
func (s *site) remove(ctx context.Context, repository string, ours func(stamp string) bool) error {
	stamp, found, err := s.stampOf(ctx, repository)
	if err != nil || !found {
		return err
	}
	if !ours(stamp) {
		return fmt.Errorf("%s isn't deleted: its tag %s is %q, so it isn't this test's", repository, liveTag, stamp)
	}
	return s.forceDelete(ctx, repository)
}

func (s *site) forceDelete(ctx context.Context, repository string) error {
	_, err := s.ecrAPI().DeleteRepository(ctx, &awsecr.DeleteRepositoryInput{RepositoryName: &repository, Force: true})
	var gone *types.RepositoryNotFoundException
	if errors.As(err, &gone) {
		return nil
	}
	return err
}

// stampOf returns the value of a repository's liveTag, empty if it has none, and whether there is such a repository.
func (s *site) stampOf(ctx context.Context, repository string) (stamp string, found bool, err error) {
	out, err := s.ecrAPI().ListTagsForResource(ctx, &awsecr.ListTagsForResourceInput{ResourceArn: awssdk.String(s.arn(repository))})
	var gone *types.RepositoryNotFoundException
	switch {
	case errors.As(err, &gone):
		return "", false, nil
	case err != nil:
		return "", false, err
	}
	for _, tag := range out.Tags {
		if awssdk.ToString(tag.Key) == liveTag {
			stamp = awssdk.ToString(tag.Value)
		}
	}
	return stamp, true, nil
}

// sweep refuses a prefix with repositories that the tests didn't make, and removes what earlier runs left behind.
func (s *site) sweep(ctx context.Context) (removed []string, err error) {
	old := func(stamp string) bool {
		made, _, _ := strings.Cut(stamp, "/")
		at, err := time.Parse(time.RFC3339, made)
		return err == nil && time.Since(at) > abandoned
	}
	var leftovers, strangers []string
	for pages := awsecr.NewDescribeRepositoriesPaginator(s.ecrAPI(), &awsecr.DescribeRepositoriesInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range page.Repositories {
			repository := awssdk.ToString(r.RepositoryName)
			if !strings.HasPrefix(repository, s.config.RepoPrefix) {
				continue
			}
			switch stamp, found, err := s.stampOf(ctx, repository); {
			case err != nil:
				return nil, err
			case found && stamp == "":
				strangers = append(strangers, repository)
			case found && old(stamp):
				leftovers = append(leftovers, repository)
			}
		}
	}
	if len(strangers) > 0 {
		return nil, fmt.Errorf("these tests didn't make %s: choose a prefix of their own for them (RISE_LIVE_PREFIX), or delete "+
			"these repositories if a killed run left them behind", strings.Join(strangers, ", "))
	}
	for _, repository := range leftovers {
		if err := s.remove(ctx, repository, old); err != nil {
			return removed, err
		}
		removed = append(removed, repository)
	}
	return removed, nil
}

// issue asks the library for a credential.
func (l *lab) issue(ctx context.Context, project string, access provider.Access) (provider.Credentials, error) {
	return provider.Issue(ctx, l.provider, provider.Request{Project: project, Access: access})
}

// liveSession is a session of the push role, of which there is more in hand than the library gives away.
type liveSession struct {
	api          awssdk.CredentialsProvider
	credentials  provider.Credentials // its token
	name, arn    string
	issued, ends time.Time
}

// assume makes the session that the library makes for a push, but with the policy that change makes of its own. nil: with
// none, so that the role alone decides.
func (l *lab) assume(ctx context.Context, project string, duration time.Duration, change func(string) string) (liveSession, error) {
	r := provider.Request{Project: project, Access: provider.Push}
	policy, err := l.provider.SessionPolicy(r)
	if err != nil {
		return liveSession{}, err
	}
	var s liveSession
	if s.name, err = l.provider.SessionName(r); err != nil {
		return liveSession{}, err
	}
	in := &awssts.AssumeRoleInput{
		RoleArn: &l.config.PushRoleARN, RoleSessionName: &s.name, DurationSeconds: awssdk.Int32(int32(duration / time.Second)),
	}
	if change != nil {
		in.Policy = awssdk.String(change(policy))
	}
	if l.config.ExternalID != "" {
		in.ExternalId = &l.config.ExternalID
	}
	if l.config.SessionTags {
		in.Tags = sessionTag(project)
	}
	out, err := awssts.NewFromConfig(l.api).AssumeRole(ctx, in)
	if err != nil {
		return liveSession{}, err
	}
	s.arn = awssdk.ToString(out.AssumedRoleUser.Arn)
	s.ends = awssdk.ToTime(out.Credentials.Expiration)
	s.issued = s.ends.Add(-duration)
	s.api = credentials.NewStaticCredentialsProvider(awssdk.ToString(out.Credentials.AccessKeyId),
		awssdk.ToString(out.Credentials.SecretAccessKey), awssdk.ToString(out.Credentials.SessionToken))
	s.credentials, err = l.token(ctx, s.api)
	return s, err
}

// token asks ECR for a token as whom the credentials say.
func (l *lab) token(ctx context.Context, as awssdk.CredentialsProvider) (provider.Credentials, error) {
	out, err := l.ecrAPI(func(o *awsecr.Options) { o.Credentials = as }).GetAuthorizationToken(ctx, &awsecr.GetAuthorizationTokenInput{})
	if err != nil {
		return provider.Credentials{}, err
	}
	if len(out.AuthorizationData) == 0 {
		return provider.Credentials{}, errors.New("ECR answered without a token")
	}
	text, err := base64.StdEncoding.DecodeString(awssdk.ToString(out.AuthorizationData[0].AuthorizationToken))
	if err != nil {
		return provider.Credentials{}, errors.New("ECR's token isn't base64")
	}
	user, password, _ := strings.Cut(string(text), ":")
	return provider.Credentials{
		Target: l.host(), Access: provider.Push, Method: provider.LoginCredentials, Username: user, Password: provider.NewSecret(password),
	}, nil
}

func (l *lab) host() name.Registry {
	repository, err := l.provider.Repository("any", provider.Client)
	if err != nil {
		panic(err) // the name is valid
	}
	return repository.Registry
}

// reply is an answer of the image registry.
type reply struct {
	status        int
	code, message string // of its error
}

func (r reply) String() string { return fmt.Sprintf("%d %s %s", r.status, r.code, r.message) }

// request asks the image registry. What may be better the next time is tried again.
func (l *lab) request(ctx context.Context, c provider.Credentials, method, repository, path string) (reply, error) {
	for attempt := 1; ; attempt++ {
		r, err := l.requestOnce(ctx, c, method, repository, path)
		again := err != nil || r.status == http.StatusTooManyRequests || r.status >= http.StatusInternalServerError
		if !again || attempt == steady || ctx.Err() != nil {
			return r, err
		}
		if err := l.pause(ctx, l.poll); err != nil {
			return reply{}, err
		}
	}
}

func (l *lab) requestOnce(ctx context.Context, c provider.Credentials, method, repository, path string) (reply, error) {
	r, err := http.NewRequestWithContext(ctx, method, "https://"+l.host().RegistryStr()+"/v2/"+repository+path, nil)
	if err != nil {
		return reply{}, err
	}
	r.SetBasicAuth(c.Username, c.Password.Reveal())
	resp, err := l.transport.RoundTrip(r)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return reply{}, err
	}
	var failure struct {
		Errors []struct{ Code, Message string }
	}
	answer := reply{status: resp.StatusCode}
	if json.Unmarshal(body, &failure) == nil && len(failure.Errors) > 0 {
		answer.code, answer.message = failure.Errors[0].Code, failure.Errors[0].Message
	}
	return answer, nil
}

// mayRead asks for an image that isn't there: who may read is told so, who may not is refused.
func (l *lab) mayRead(ctx context.Context, c provider.Credentials, repository string) (bool, error) {
	return l.allowed(ctx, c, http.MethodGet, repository, "/manifests/absent")
}

// mayList asks for the list of tags, which no push role has a right to.
func (l *lab) mayList(ctx context.Context, c provider.Credentials, repository string) (bool, error) {
	return l.allowed(ctx, c, http.MethodGet, repository, "/tags/list")
}

func (l *lab) allowed(ctx context.Context, c provider.Credentials, method, repository, path string) (bool, error) {
	r, err := l.request(ctx, c, method, repository, path)
	switch {
	case err != nil:
		return false, err
	case r.status < 300, r.status == http.StatusNotFound && r.code != "NAME_UNKNOWN":
		return true, nil
	case r.status == http.StatusUnauthorized, r.status == http.StatusForbidden, r.status == http.StatusNotFound,
		r.status == http.StatusBadRequest: // as ECR's API answers when a session has ended
		return false, nil
	}
	return false, fmt.Errorf("%s %s%s: the image registry answers %v", method, repository, path, r)
}

// push pushes an image. It reports false when the registry refuses.
func (l *lab) push(ctx context.Context, c provider.Credentials, repository string, image v1.Image) (bool, error) {
	auth, err := c.Authenticator()
	if err != nil {
		return false, err
	}
	err = remote.Write(l.host().Repo(repository).Tag("v1"), image, remote.WithContext(ctx), remote.WithAuth(auth), remote.WithTransport(l.transport))
	var refused *transport.Error
	if errors.As(err, &refused) && refused.StatusCode >= 400 && refused.StatusCode < 500 && refused.StatusCode != http.StatusTooManyRequests {
		return false, nil
	}
	return err == nil, err
}

// newImage returns an image unlike all others, and its layer's digest.
func newImage() (v1.Image, string, error) {
	layer := static.NewLayer([]byte(rand.Text()), imagetypes.DockerLayer)
	digest, err := layer.Digest()
	if err != nil {
		return nil, "", err
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	return image, digest.String(), err
}

// publish pushes a new image to a project's repository with the library's credential, and returns its layer's digest.
func (l *lab) publish(ctx context.Context, project string) (string, error) {
	c, err := l.issue(ctx, project, provider.Push)
	if err != nil {
		return "", err
	}
	image, layer, err := newImage()
	if err != nil {
		return "", err
	}
	pushed, err := l.push(ctx, c, l.repository(project), image)
	if err == nil && !pushed {
		err = fmt.Errorf("a push credential can't push to %s", l.repository(project))
	}
	return layer, err
}

func (l *lab) pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// settles waits until it is so, time and again, and returns how long that took at the first time. It reports false when it
// isn't so for as long as patience reaches.
func (l *lab) settles(ctx context.Context, is func() (bool, error)) (took time.Duration, settled bool, err error) {
	return l.settlesWithin(ctx, l.patience, is)
}

func (l *lab) settlesWithin(ctx context.Context, limit time.Duration, is func() (bool, error)) (took time.Duration, settled bool, err error) {
	start, inARow := time.Now(), 0
	for {
		now := time.Since(start)
		yes, err := is()
		switch {
		case err != nil:
			return 0, false, err
		case !yes && now >= limit:
			return now, false, nil
		case !yes:
			inARow = 0
		case inARow == 0:
			took, inARow = now, 1
		default:
			inARow++
		}
		if inARow == steady {
			return took, true, nil
		}
		if err := l.pause(ctx, l.poll); err != nil {
			return 0, false, err
		}
	}
}

// isDenied reports whether AWS refused for lack of rights.
func isDenied(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && slices.Contains([]string{"AccessDenied", "AccessDeniedException"}, api.ErrorCode())
}

// printable is err as text without what AWS repeats of a request whose signature doesn't match, the session token included.
func printable(err error) error {
	if err == nil {
		return nil
	}
	lines := slices.DeleteFunc(strings.Split(err.Error(), "\n"), func(line string) bool {
		return strings.Contains(strings.ToLower(line), "x-amz-security-token:")
	})
	return errors.New(strings.Join(lines, "\n"))
}

func tenths(d time.Duration) time.Duration { return d.Round(100 * time.Millisecond) }

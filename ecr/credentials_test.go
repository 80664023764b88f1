package ecr_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// The session policies, for hello in eu-west-1.
const (
	pushPolicy = `{"Version":"2012-10-17","Statement":[` +
		`{"Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"},` +
		`{"Effect":"Allow","Action":["ecr:BatchCheckLayerAvailability","ecr:BatchGetImage","ecr:GetDownloadUrlForLayer",` +
		`"ecr:CompleteLayerUpload","ecr:InitiateLayerUpload","ecr:PutImage","ecr:UploadLayerPart"],` +
		`"Resource":"arn:aws:ecr:eu-west-1:123456789012:repository/rise/hello"},` +
		`{"Effect":"Deny","NotAction":"ecr:GetAuthorizationToken",` +
		`"NotResource":"arn:aws:ecr:eu-west-1:123456789012:repository/rise/hello"},` +
		`{"Effect":"Deny","NotAction":["ecr:GetAuthorizationToken","ecr:BatchCheckLayerAvailability","ecr:BatchGetImage",` +
		`"ecr:GetDownloadUrlForLayer","ecr:CompleteLayerUpload","ecr:InitiateLayerUpload","ecr:PutImage","ecr:UploadLayerPart"],` +
		`"Resource":"*"}]}`
	pullPolicy = `{"Version":"2012-10-17","Statement":[` +
		`{"Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"},` +
		`{"Effect":"Allow","Action":["ecr:BatchCheckLayerAvailability","ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],` +
		`"Resource":"arn:aws:ecr:eu-west-1:123456789012:repository/rise/hello"},` +
		`{"Effect":"Deny","NotAction":"ecr:GetAuthorizationToken",` +
		`"NotResource":"arn:aws:ecr:eu-west-1:123456789012:repository/rise/hello"},` +
		`{"Effect":"Deny","NotAction":["ecr:GetAuthorizationToken","ecr:BatchCheckLayerAvailability","ecr:BatchGetImage",` +
		`"ecr:GetDownloadUrlForLayer"],"Resource":"*"}]}`
)

func TestCredentialsCalls(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		setup   ecrtest.SetupOptions
		request provider.Request
		policy  string
		session string
		pull    bool // the pull role is assumed
		tagged  bool
	}{
		"push":                  {request: push, policy: pushPolicy, session: "rise-push-hello"},
		"pull":                  {request: pull, policy: pullPolicy, session: "rise-pull-hello"},
		"pull with a pull role": {setup: ecrtest.SetupOptions{PullRole: true}, request: pull, policy: pullPolicy, session: "rise-pull-hello"},
		"external id":           {setup: ecrtest.SetupOptions{ExternalID: "id-1"}, request: push, policy: pushPolicy, session: "rise-push-hello"},
		"session tags":          {setup: ecrtest.SetupOptions{SessionTags: true}, request: push, policy: pushPolicy, session: "rise-push-hello", tagged: true},
		"all projects, session tags": {
			setup: ecrtest.SetupOptions{PullRole: true, SessionTags: true}, request: all, session: "rise-pull-@all", pull: true,
			policy: strings.ReplaceAll(pullPolicy, "rise/hello", "rise/*"), // and no project to tag it with
		},
		"all projects": {
			setup: ecrtest.SetupOptions{PullRole: true}, request: all, session: "rise-pull-@all", pull: true,
			policy: strings.ReplaceAll(pullPolicy, "rise/hello", "rise/*"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			aws := newAWS(t, ecrtest.Config{}, test.setup)
			p := aws.provider(t)
			require.Empty(t, aws.Calls(), "building calls nothing")
			before := time.Now()
			c, err := provider.Issue(t.Context(), p, test.request)
			require.NoError(t, err)

			calls := aws.Calls()
			require.Equal(t, []string{"sts:AssumeRole", "ecr:GetAuthorizationToken"}, aws.names())
			role := aws.deployment.PushRoleARN
			if test.pull {
				role = aws.deployment.PullRoleARN
			}
			form := calls[0].Form
			require.Equal(t, role, form.Get("RoleArn"))
			require.Equal(t, test.session, form.Get("RoleSessionName"))
			require.Equal(t, "3600", form.Get("DurationSeconds"))
			require.Equal(t, test.setup.ExternalID, form.Get("ExternalId"))
			require.Equal(t, test.policy, form.Get("Policy"))
			require.Equal(t, aws.deployment.ControllerUser.ID, calls[0].AccessKeyID)
			if test.tagged {
				require.Equal(t, "rise:project", form.Get("Tags.member.1.Key"))
				require.Equal(t, "hello", form.Get("Tags.member.1.Value"))
			} else {
				require.Empty(t, form.Get("Tags.member.1.Key"))
			}
			require.Contains(t, calls[1].Principal, ":assumed-role/"+role[strings.LastIndexByte(role, '/')+1:]+"/"+test.session,
				"the token is the assumed session's")

			require.Equal(t, provider.LoginCredentials, c.Method)
			require.Equal(t, "AWS", c.Username)
			require.WithinRange(t, c.ExpiresAt, before.Add(time.Hour-time.Minute), before.Add(time.Hour+time.Minute), "the session ends first")
			if test.request.AllProjects {
				require.Equal(t, "123456789012.dkr.ecr.eu-west-1.amazonaws.com", c.Target.String())
			} else {
				require.Equal(t, "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rise/hello", c.Target.String())
			}
			details := fmt.Sprint(c.Details)
			require.Contains(t, details, "session_name="+test.session)
			require.Contains(t, details, "sts_request_id="+calls[0].RequestID)
			require.Contains(t, details, "ecr_request_id="+calls[1].RequestID)
		})
	}
}

func TestExpiryIsTheEarlier(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ token, session, want time.Duration }{
		"the session's": {12 * time.Hour, 2 * time.Hour, 2 * time.Hour},
		"the token's":   {30 * time.Minute, 2 * time.Hour, 30 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			aws := newAWS(t, ecrtest.Config{TokenLifetime: test.token}, ecrtest.SetupOptions{})
			aws.config.SessionDuration = test.session
			now := time.Now()
			c, err := provider.Issue(t.Context(), aws.provider(t), push)
			require.NoError(t, err)
			require.WithinRange(t, c.ExpiresAt, now.Add(test.want-time.Minute), now.Add(test.want+time.Minute))
		})
	}
}

func TestAllProjectsNeedsPullRole(t *testing.T) {
	t.Parallel()
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
	_, err := aws.provider(t).Credentials(t.Context(), all)
	require.ErrorIs(t, err, provider.ErrUnsupported)
	require.ErrorContains(t, err, "pull_role_arn")
	require.Empty(t, aws.Calls())
}

func TestInvalidRequestsNeverReachAWS(t *testing.T) {
	t.Parallel()
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{PullRole: true})
	p := aws.provider(t)
	requests := []provider.Request{{}, {AllProjects: true}, {AllProjects: true, Access: provider.Push}, {Project: "hello"}, {Project: "hello", Access: 9}}
	for _, project := range []string{
		"", "*", "a*", "?", "../b", "a/b", "A", "-a", "a--b", strings.Repeat("a", 64), "a%2fb", "a\nb", "é", "${aws:username}", "a,b", `a"b`,
	} {
		requests = append(requests, provider.Request{Project: project, Access: provider.Push}, provider.Request{Project: project, Access: provider.Pull})
		_, err := p.Repository(project, provider.Client)
		require.ErrorIs(t, err, provider.ErrInvalidRequest, "%q", project)
	}
	for _, r := range requests {
		_, err := p.Credentials(t.Context(), r)
		require.ErrorIs(t, err, provider.ErrInvalidRequest, "%+v", r)
		_, err = p.SessionPolicy(r)
		require.ErrorIs(t, err, provider.ErrInvalidRequest, "%+v", r)
	}
	_, err := p.Repository("hello", 7)
	require.ErrorIs(t, err, provider.ErrInvalidRequest)
	require.Empty(t, aws.Calls())
}

func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
	p := aws.provider(t)
	const requests = 1000
	for range requests {
		_, err := p.Credentials(t.Context(), push)
		require.NoError(t, err)
	}
	require.Len(t, aws.Calls(), 2*requests, "nothing is reused but connections")
	require.LessOrEqual(t, aws.Connections(""), 2, "one to each endpoint")
}

// recorder is a test that keeps what it is told.
type recorder struct{ text strings.Builder }

func (r *recorder) Errorf(format string, args ...any) { fmt.Fprintf(&r.text, format, args...) }

// Not even a printer that follows pointers into the SDK, as a failing test's does, finds a secret.
func TestProvidersDontPrintSecrets(t *testing.T) {
	t.Parallel()
	for _, outside := range []bool{false, true} {
		aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
		if outside {
			aws.outside()
		}
		var answers string
		aws.Inject(ecrtest.Fault{Action: "sts:AssumeRole", Mutate: func(body []byte) []byte { answers += string(body); return body }})
		p := aws.provider(t)
		c, err := provider.Issue(t.Context(), p, push)
		require.NoError(t, err)
		secrets := []string{aws.config.SecretAccessKey.Reveal(), c.Password.Reveal()}
		for _, m := range regexp.MustCompile(`<(?:SecretAccessKey|SessionToken)>([^<]+)<`).FindAllStringSubmatch(answers, -1) {
			secrets = append(secrets, m[1])
		}
		require.GreaterOrEqual(t, len(secrets), 4)
		diff := &recorder{}
		assert.Equal(diff, p, &ecr.Provider{})
		assert.Equal(diff, *p, ecr.Provider{})
		assert.Equal(diff, c, provider.Credentials{})
		text := diff.text.String() + fmt.Sprintf("%v %+v %#v %+v %#v %+v", p, p, p, *p, *p, aws.config)
		require.Contains(t, text, "rise-backend-ecr-push", "it printed something")
		for _, secret := range secrets {
			require.NotContains(t, text, secret)
		}
	}
}

// What a credential can do is tried at the registry, not read off the policy.
func TestCredentialsAreScoped(t *testing.T) {
	t.Parallel()
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
	aws.config.RegistryHost = aws.RegistryHost
	p := aws.provider(t)
	for _, project := range []string{"hello", "hello-2", "other"} {
		aws.CreateRepository(aws.deployment.Repository(project))
	}
	image, err := random.Image(512, 2)
	require.NoError(t, err)
	login := func(r provider.Request) remote.Option {
		c, err := provider.Issue(t.Context(), p, r)
		require.NoError(t, err)
		auth, err := c.Authenticator()
		require.NoError(t, err)
		return remote.WithAuth(auth)
	}
	tag := func(project string) name.Tag {
		repository, err := p.Repository(project, provider.Client)
		require.NoError(t, err)
		return repository.Tag("v1")
	}
	denied := func(err error) {
		t.Helper()
		var refused *transport.Error
		require.ErrorAs(t, err, &refused)
		require.Equal(t, http.StatusForbidden, refused.StatusCode)
	}
	pushing, pulling := login(push), login(pull)
	require.NoError(t, remote.Write(tag("hello"), image, pushing))
	for _, credential := range []remote.Option{pushing, pulling} {
		pulled, err := remote.Image(tag("hello"), credential)
		require.NoError(t, err)
		digest, err := pulled.Digest()
		require.NoError(t, err)
		want, err := image.Digest()
		require.NoError(t, err)
		require.Equal(t, want, digest)
		for _, project := range []string{"hello-2", "other"} {
			denied(remote.Write(tag(project), image, credential))
			_, err := remote.Image(tag(project), credential)
			denied(err)
		}
	}
	another, err := random.Image(512, 2) // of one that is there, nothing would be written
	require.NoError(t, err)
	denied(remote.Write(tag("hello"), another, pulling))
	denied(remote.Delete(tag("hello"), pushing))
	_, err = remote.Image(tag("hello"), remote.WithAuth(authn.Anonymous))
	require.ErrorContains(t, err, http.StatusText(http.StatusUnauthorized))
}

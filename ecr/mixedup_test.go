package ecr_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

var sessionARN = regexp.MustCompile(`<Arn>arn:aws:sts::123456789012:assumed-role/([^/<]+)/([^<]+)</Arn>`)

// A session that isn't the one that was asked for, whoever asks for whom, is no session.
func TestAnotherSession(t *testing.T) {
	t.Parallel()
	arn := func(to string) func([]byte) []byte {
		return func(body []byte) []byte {
			if !sessionARN.Match(body) {
				panic("the answer holds no session's ARN")
			}
			return sessionARN.ReplaceAll(body, []byte(to))
		}
	}
	mixups := map[string]struct {
		mutate func([]byte) []byte
		says   string
	}{
		"partition":       {arn(`<Arn>arn:aws-cn:sts::123456789012:assumed-role/$1/$2</Arn>`), "another partition"},
		"account":         {arn(`<Arn>arn:aws:sts::999999999999:assumed-role/$1/$2</Arn>`), "another account"},
		"role":            {arn(`<Arn>arn:aws:sts::123456789012:assumed-role/x$1/$2</Arn>`), "another role or session name"},
		"role's ending":   {arn(`<Arn>arn:aws:sts::123456789012:assumed-role/$1-2/$2</Arn>`), "another role or session name"},
		"session":         {arn(`<Arn>arn:aws:sts::123456789012:assumed-role/$1/$2-2</Arn>`), "another role or session name"},
		"no session":      {arn(`<Arn>arn:aws:sts::123456789012:assumed-role/$1</Arn>`), "another role or session name"},
		"empty session":   {arn(`<Arn>arn:aws:sts::123456789012:assumed-role/$1/</Arn>`), "another role or session name"},
		"longer":          {arn(`<Arn>arn:aws:sts::123456789012:assumed-role/$1/$2/x</Arn>`), "another role or session name"},
		"path":            {arn(`<Arn>arn:aws:sts::123456789012:assumed-role/a/$1/$2</Arn>`), "another role or session name"},
		"the role itself": {arn(`<Arn>arn:aws:iam::123456789012:role/$1</Arn>`), "another role or session name"},
		"a federated one": {arn(`<Arn>arn:aws:sts::123456789012:federated-user/$2</Arn>`), "another role or session name"},
		"region":          {arn(`<Arn>arn:aws:sts:eu-west-1:123456789012:assumed-role/$1/$2</Arn>`), "another role or session name"},
		"no ARN":          {arn(``), "none that it names"},
		"empty ARN":       {arn(`<Arn></Arn>`), "none that it names"},
		"no ARN at all":   {arn(`<Arn>$2</Arn>`), "none that it names"},
		"no user": {func(body []byte) []byte {
			return regexp.MustCompile(`<AssumedRoleUser>.*</AssumedRoleUser>`).ReplaceAll(body, nil)
		}, "none that it names"},
		"upper case": {func(body []byte) []byte {
			return sessionARN.ReplaceAllFunc(body, func(arn []byte) []byte {
				return []byte("<Arn>" + strings.ToUpper(string(arn[len("<Arn>"):len(arn)-len("</Arn>")])) + "</Arn>")
			})
		}, "none that it names"},
		"upper case session": {func(body []byte) []byte {
			return []byte(strings.ReplaceAll(string(body), "/rise-", "/Rise-"))
		}, "another role or session name"},
		"upper case role": {func(body []byte) []byte {
			return []byte(strings.ReplaceAll(string(body), "assumed-role/rise", "assumed-role/Rise"))
		}, "another role or session name"},
	}
	for who, ask := range map[string]struct {
		request provider.Request
		outside bool
		role    func(*awsServer) string
		op      string
	}{
		"push":       {push, false, func(s *awsServer) string { return s.deployment.PushRoleARN }, "assume push role"},
		"pull":       {pull, false, func(s *awsServer) string { return s.deployment.PushRoleARN }, "assume push role"},
		"all":        {all, false, func(s *awsServer) string { return s.deployment.PullRoleARN }, "assume pull role"},
		"controller": {push, true, func(s *awsServer) string { return s.deployment.ControllerRoleARN }, "assume controller role"},
	} {
		for what, test := range mixups {
			t.Run(who+" "+what, func(t *testing.T) {
				t.Parallel()
				aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{PullRole: true})
				if ask.outside {
					aws.outside()
				}
				role := ask.role(aws)
				aws.Inject(ecrtest.Fault{Action: sts, Mutate: test.mutate, If: func(c ecrtest.Call) bool { return c.Form.Get("RoleArn") == role }})
				p := aws.provider(t)
				_, err := provider.Issue(t.Context(), p, ask.request)
				require.ErrorIs(t, err, provider.ErrBadResponse)
				require.Equal(t, ask.op, asError(t, err).Op)
				require.ErrorContains(t, err, "the session in it is of "+test.says)
				require.NotContains(t, aws.names(), token, "nothing is done with it")

				if what != "session" || ask.request == pull { // for which there is no check
					return
				}
				check := strings.ReplaceAll(strings.TrimPrefix(ask.op, "assume "), " ", "_")
				for _, f := range diagnose(t.Context(), t, p, diagnosis.Options{}) {
					if f.Check == check {
						require.Equal(t, diagnosis.Failed, f.Status)
						require.Contains(t, fmt.Sprint(f.Evidence), "the session in it is of "+test.says)
						return
					}
				}
				t.Error("it wasn't diagnosed")
			})
		}
	}
}

// Each request gets the whole of the answer to another one.
func TestMixedUpSessions(t *testing.T) {
	t.Parallel()
	requests := map[string]provider.Request{
		"push": push, "pull": pull, "other": {Project: "other", Access: provider.Push}, "longer": {Project: "hello-2", Access: provider.Push},
		"cluster": {Project: "other", Access: provider.Pull, Consumer: provider.Cluster}, "all": all,
		"caller": {Project: "hello", Access: provider.Push, Caller: "ann"}, "another caller": {Project: "hello", Access: provider.Push, Caller: "Ann"},
		"strange caller": {Project: "hello", Access: provider.Push, Caller: "ann?"},
	}
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{PullRole: true, SessionTags: true})
	p := aws.provider(t)
	answers := map[string][]byte{}
	for name, r := range requests {
		remove := aws.Inject(ecrtest.Fault{Action: sts, Mutate: func(body []byte) []byte { answers[name] = body; return body }})
		_, err := provider.Issue(t.Context(), p, r)
		require.NoError(t, err)
		remove()
	}
	for asked, r := range requests {
		for answered, body := range answers {
			remove := aws.Inject(ecrtest.Fault{Action: sts, Mutate: func([]byte) []byte { return body }})
			_, err := provider.Issue(t.Context(), p, r)
			remove()
			if asked == answered {
				require.NoError(t, err)
				continue
			}
			require.ErrorIs(t, err, provider.ErrBadResponse, "%s got %s's", asked, answered)
		}
	}
}

// A role's path isn't in its sessions' ARNs.
func TestRoleWithPath(t *testing.T) {
	t.Parallel()
	aws := newAWS(t, ecrtest.Config{Region: "cn-north-1"}, ecrtest.SetupOptions{})
	aws.config.Region = "cn-north-1"
	aws.config.PushRoleARN = "arn:aws-cn:iam::123456789012:role/teams/platform/rise.push+1"
	aws.config.RoleARN = "arn:aws-cn:iam::123456789012:role/a/rise-controller"
	aws.AddRole(ecrtest.Role{Name: aws.config.RoleARN, Policies: []string{anything}, Trust: trusting(`"*"`)})
	aws.AddRole(ecrtest.Role{Name: aws.config.PushRoleARN, Policies: []string{anything}, Trust: trusting(`"*"`)})
	aws.UpdateUser("rise-backend", func(u *ecrtest.User) { u.Policies = []string{anything} })
	_, err := provider.Issue(t.Context(), aws.provider(t), push)
	require.NoError(t, err)
}

const anything = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`

func trusting(principal string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":` + principal + `}}}`
}

// The SDK's own search for credentials, too, takes no session but the one that it asked for.
func TestAnotherWebIdentity(t *testing.T) { //nolint:paralleltest // environment
	const subject = "system:serviceaccount:ns:sa"
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
	oidc := aws.AddOIDCProvider("https://oidc.example.com/id/1")
	aws.UpdateRole("rise-backend", func(r *ecrtest.Role) {
		r.Trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"` + oidc.ARN + `"},"Action":"sts:AssumeRoleWithWebIdentity"}]}`
	})
	aws.chain(t)
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte(oidc.Token(subject, "", time.Hour)), 0o600))
	t.Setenv("AWS_ROLE_ARN", aws.deployment.ControllerRoleARN)
	t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file)
	t.Setenv("AWS_ENDPOINT_URL_STS", aws.STSURL)
	t.Setenv("AWS_ENDPOINT_URL_ECR", aws.ECRURL)
	for name, mutate := range map[string]func([]byte) []byte{
		"another role": func(body []byte) []byte {
			return []byte(strings.ReplaceAll(string(body), "assumed-role/rise-backend/", "assumed-role/rise-backend-ecr-push/"))
		},
		"no credentials": func(body []byte) []byte {
			return regexp.MustCompile(`<Credentials>.*</Credentials>`).ReplaceAll(body, nil)
		},
		"no expiry": func(body []byte) []byte {
			return regexp.MustCompile(`<Expiration>.*</Expiration>`).ReplaceAll(body, nil)
		},
	} {
		remove := aws.Inject(ecrtest.Fault{Action: "sts:AssumeRoleWithWebIdentity", Mutate: mutate})
		p, err := ecr.New(t.Context(), aws.config)
		require.NoError(t, err)
		_, err = provider.Issue(t.Context(), p, push)
		require.ErrorIs(t, err, provider.ErrBadResponse, name)
		require.Equal(t, "find AWS credentials", asError(t, err).Op, name)
		remove()
	}
	p, err := ecr.New(t.Context(), aws.config)
	require.NoError(t, err)
	_, err = provider.Issue(t.Context(), p, push)
	require.NoError(t, err)
}

// Nor is what GetCallerIdentity says believed where it says nothing, and certainly not for ever.
func TestNoCallerIdentity(t *testing.T) {
	t.Parallel()
	for name, mutate := range map[string]func([]byte) []byte{
		"nothing": func(body []byte) []byte {
			return regexp.MustCompile(`<Arn>.*</Arn>|<Account>.*</Account>`).ReplaceAll(body, nil)
		},
		"no ARN": func(body []byte) []byte { return regexp.MustCompile(`<Arn>.*</Arn>`).ReplaceAll(body, nil) },
		"another account": func(body []byte) []byte {
			return regexp.MustCompile(`<Account>.*</Account>`).ReplaceAll(body, []byte("<Account>999999999999</Account>"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
			aws.outside()
			p := aws.provider(t)
			aws.Inject(ecrtest.Fault{Action: "sts:GetCallerIdentity", Mutate: mutate, Times: 1})
			_, err := provider.Issue(t.Context(), p, push)
			require.ErrorIs(t, err, provider.ErrBadResponse)
			require.Equal(t, "get caller identity", asError(t, err).Op)
			_, err = provider.Issue(t.Context(), p, push)
			require.NoError(t, err)
		})
	}
}

// Whatever ECR answers about another repository, account or region than was asked is no answer.
func TestAnotherRepository(t *testing.T) {
	t.Parallel()
	list := func(ctx context.Context, l tenancy) error {
		for _, err := range l.ListRepositories(ctx) {
			if err != nil {
				return err
			}
		}
		return nil
	}
	ensure := func(ctx context.Context, l tenancy) error {
		_, err := l.EnsureRepository(ctx, hello, repository.EnsureOptions{})
		return err
	}
	drifts := func(l tenancy) {
		l.CreateRepository(ecrtest.Repository{Name: "rise/hello", Tags: map[string]string{"rise:managed": "true", "rise:project": "hello", "rise:installation": "prod",
			"rise:project-id": "p-1", "team": "platform", "env": "prod"}})
	}
	adopt := func(ctx context.Context, l tenancy) error {
		_, err := l.AdoptRepository(ctx, hello, false)
		return err
	}
	for call, test := range map[string]struct {
		prepare func(l tenancy)
		do      func(context.Context, tenancy) error
		change  func(*ecr.Config)
		fields  string // what names something in the answer
	}{
		"DescribeRepositories":          {drifts, ensure, managing, "repositoryName repositoryArn registryId"},
		"CreateRepository":              {func(tenancy) {}, ensure, managing, "repositoryName repositoryArn registryId repository"},
		"PutImageScanningConfiguration": {drifts, ensure, managing, "repositoryName registryId"},
		"PutImageTagMutability":         {drifts, ensure, managing, "repositoryName registryId"},
		"PutLifecyclePolicy":            {drifts, ensure, managing, "repositoryName registryId"},
		"GetLifecyclePolicy": {func(l tenancy) {
			drifts(l)
			l.UpdateRepository("rise/hello", func(r *ecrtest.Repository) { r.LifecyclePolicy = managedLifecycle })
		}, ensure, managing, "repositoryName registryId"},
		"DeleteLifecyclePolicy": {func(l tenancy) {
			drifts(l)
			l.UpdateRepository("rise/hello", func(r *ecrtest.Repository) { r.LifecyclePolicy = managedLifecycle })
		}, ensure, nil, "repositoryName registryId"},
		"DescribeRepositories of all": {drifts, list, nil, "repositoryArn registryId"},
		"GetRepositoryPolicy": {func(l tenancy) {
			l.CreateRepository(ecrtest.Repository{Name: "rise/hello", Policy: `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"ecr:PutImage"}}`})
		}, adopt, nil, "repositoryName registryId"},
		"DeleteRepository": {func(l tenancy) {
			drifts(l)
			l.aged(1000*time.Hour, 0)
		}, func(ctx context.Context, l tenancy) error {
			_, err := l.PurgeRepository(ctx, "hello", 24*time.Hour)
			return err
		}, nil, "repositoryName repositoryArn registryId repository"},
	} {
		for field := range strings.FieldsSeq(test.fields) {
			for _, to := range []string{"another", ""} {
				if field == "repository" && to != "" { // which is no text
					continue
				}
				t.Run(call+" "+field+" "+to, func(t *testing.T) {
					t.Parallel()
					inTenancy(t, ecrtest.Config{}, test.change, func(t *testing.T, l tenancy) {
						test.prepare(l)
						action, _, _ := strings.Cut(call, " ")
						mutated := false
						l.Inject(ecrtest.Fault{Action: "ecr:" + action, Mutate: func(body []byte) []byte {
							changed := strings.ReplaceAll(string(body), `"`+field+`":"`, `"`+field+`":"x`)
							if to == "" {
								changed = strings.ReplaceAll(string(body), `"`+field+`":`, `"x":`)
							}
							mutated = changed != string(body)
							return []byte(changed)
						}})
						err := test.do(t.Context(), l)
						require.True(t, mutated)
						require.ErrorIs(t, err, provider.ErrBadResponse)
						require.ErrorContains(t, err, "it is about another re")
					})
				})
			}
		}
	}
}

// Tags name no repository but by the project's tag. A mix-up of them is another project's, or none.
func TestAnothersTags(t *testing.T) {
	t.Parallel()
	inTenancy(t, ecrtest.Config{}, nil, func(t *testing.T, l tenancy) {
		l.ensure(t, hello)
		l.ensure(t, provider.Project{Name: "other", ID: "p-2"})
		_, err := l.ReleaseRepository(t.Context(), provider.Project{Name: "other", ID: "p-2"})
		require.NoError(t, err)
		l.UpdateRepository("rise/other", func(r *ecrtest.Repository) { r.Tags["rise:orphaned-at"] = "1999-01-01T00:00:00Z" })
		var others []byte
		remove := l.Inject(ecrtest.Fault{Action: "ecr:ListTagsForResource", Mutate: func(body []byte) []byte { others = body; return body }})
		_, err = l.RepositoryOwner(t.Context(), "other")
		require.NoError(t, err)
		remove()
		remove = l.Inject(ecrtest.Fault{Action: "ecr:ListTagsForResource", Mutate: func([]byte) []byte { return others }})
		l.ResetCalls()
		owner, err := l.RepositoryOwner(t.Context(), "hello")
		require.NoError(t, err)
		require.False(t, owner.Ours)
		change, err := l.PurgeRepository(t.Context(), "hello", 24*time.Hour)
		require.NoError(t, err)
		require.False(t, change.Changed())
		_, err = l.ReleaseRepository(t.Context(), hello)
		require.ErrorIs(t, err, provider.ErrNotOurs)
		require.Empty(t, l.writes())
		remove()
		l.Inject(ecrtest.Fault{Action: "ecr:ListTagsForResource", Mutate: func([]byte) []byte {
			return []byte(`{"tags":[{"Key":"rise:managed","Value":"true"},{"Key":"rise:project","Value":"other"},{"Key":"rise:project","Value":"hello"},` +
				`{"Key":"rise:installation","Value":"prod"},{"Key":"rise:orphaned","Value":"true"},{"Key":"rise:orphaned-at","Value":"1999-01-01T00:00:00Z"}]}`)
		}})
		_, err = l.PurgeRepository(t.Context(), "hello", 24*time.Hour)
		require.ErrorIs(t, err, provider.ErrBadResponse)
		require.ErrorContains(t, err, "a tag is in it twice")
		require.Empty(t, l.writes())
	})
}

// A token of another account's or region's image registry isn't the session's. Hosts that aren't of ECR's form say nothing of that.
func TestAnotherRegistry(t *testing.T) {
	t.Parallel()
	for host, taken := range map[string]bool{
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com":      true,
		"123456789012.dkr.ecr-fips.eu-west-1.amazonaws.com": true,
		"123456789012.dkr-ecr.eu-west-1.on.aws":             true,
		"123456789012.dkr-ecr-fips.eu-west-1.on.aws":        true,
		"123456789012.DKR.ECR.EU-WEST-1.AMAZONAWS.COM":      true,
		"123456789012.dkr.ecr.eu-west-1.localhost:4566":     true,
		"vpce-1.dkr.ecr.us-east-1.vpce.amazonaws.com":       true,
		"mirror.example.com":                                true,
		"127.0.0.1:5000":                                    true,
		"[::1]:5000":                                        true,
		"localhost:5000":                                    true,
		"999999999999.dkr.ecr.eu-west-1.amazonaws.com":      false,
		"123456789012.dkr.ecr.eu-west-2.amazonaws.com":      false,
		"123456789012.dkr.ecr.eu-west-11.amazonaws.com":     false,
		"999999999999.dkr.ecr-fips.eu-west-1.amazonaws.com": false,
		"999999999999.dkr-ecr.eu-west-1.on.aws":             false,
		"123456789012.dkr-ecr-fips.us-east-1.on.aws":        false,
		"999999999999.DKR.ECR.EU-WEST-1.AMAZONAWS.COM":      false,
		"999999999999.dkr.ecr.eu-west-1.localhost:4566":     false,
		"999999999999.dkr.ecr.cn-north-1.amazonaws.com.cn":  false,
	} {
		for _, handedOut := range []string{"", "mirror.example.com"} {
			t.Run(host+" "+handedOut, func(t *testing.T) {
				t.Parallel()
				aws := newAWS(t, ecrtest.Config{RegistryHost: host}, ecrtest.SetupOptions{})
				aws.config.RegistryHost = handedOut
				p := aws.provider(t)
				_, err := provider.Issue(t.Context(), p, push)
				status := diagnosis.Passed
				if taken {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, provider.ErrBadResponse)
					require.ErrorContains(t, err, "the image registry of another account or region")
					status = diagnosis.Failed
				}
				if handedOut != "" {
					return
				}
				for _, f := range diagnose(t.Context(), t, p, diagnosis.Options{}) {
					if f.Check == "token" {
						require.Equal(t, status, f.Status)
					}
				}
			})
		}
	}
}

// So it is where ECR names the host without a scheme.
func TestAnotherRegistryWithoutScheme(t *testing.T) {
	t.Parallel()
	for endpoint, taken := range map[string]bool{
		"": true,
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com":     true,
		"999999999999.dkr.ecr.eu-west-1.amazonaws.com":     false,
		"999999999999.dkr.ecr.eu-west-1.amazonaws.com:443": false,
	} {
		aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
		aws.Inject(ecrtest.Fault{Action: token, Mutate: func(body []byte) []byte {
			return regexp.MustCompile(`"proxyEndpoint":"[^"]*"`).ReplaceAll(body, []byte(`"proxyEndpoint":"`+endpoint+`"`))
		}})
		_, err := provider.Issue(t.Context(), aws.provider(t), push)
		require.Equal(t, taken, err == nil, "%q: %v", endpoint, err)
	}
}

// A diagnosis, too, says nothing about a repository that it didn't ask about.
func TestDiagnosisOfAnotherRepository(t *testing.T) {
	t.Parallel()
	find := func(list []diagnosis.Finding, check string) diagnosis.Finding {
		for _, f := range list {
			if f.Check == check {
				return f
			}
		}
		return diagnosis.Finding{}
	}
	s := newPlace(t, ecrtest.Config{}, ecrtest.SetupOptions{})
	for _, name := range []string{"rise/hello", "rise/other"} { // or the prefix would be known to be right
		s.DeleteRepository(name)
	}
	s.CreateRepository(ecrtest.Repository{Name: "team/elsewhere", Tags: s.deployment.Tags("elsewhere")})
	s.Inject(ecrtest.Fault{Action: "ecr:DescribeRepositories", Mutate: func(body []byte) []byte {
		return []byte(strings.ReplaceAll(string(body), "arn:aws:ecr:eu-west-1:", "arn:aws:ecr:eu-west-2:"))
	}})
	missing := find(diagnose(t.Context(), t, s.build(t), diagnosis.Options{Project: "elsewhere"}), "repository")
	require.Equal(t, diagnosis.Failed, missing.Status)
	require.NotContains(t, missing.Summary, "team/elsewhere")

	r := s.deployment.Repository("hello")
	r.Policy = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"ecr:*"}}`
	s.CreateRepository(r)
	s.Inject(ecrtest.Fault{Action: "ecr:GetRepositoryPolicy", Mutate: func(body []byte) []byte {
		return []byte(strings.ReplaceAll(string(body), `"rise/hello"`, `"rise/other"`))
	}})
	policy := find(diagnose(t.Context(), t, s.build(t), diagnosis.Options{Project: "hello"}), "repository_policy")
	require.Equal(t, diagnosis.Warned, policy.Status)
	require.Contains(t, fmt.Sprint(policy.Evidence), "it is about another repository")
}

package ecr_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsecr "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/ecr/iampolicy"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

func diagnose(ctx context.Context, t *testing.T, p provider.Provider, o diagnosis.Options) []diagnosis.Finding {
	t.Helper()
	findings, err := diagnosis.Of(ctx, p, o)
	require.NoError(t, err)
	var list []diagnosis.Finding
	for f := range findings {
		list = append(list, f)
		keys := map[string]bool{}
		for _, a := range f.Evidence {
			require.False(t, keys[a.Key], "%s repeats in %+v", a.Key, f)
			keys[a.Key] = true
		}
		require.NotEmpty(t, f.Summary)
		if f.Status == diagnosis.Failed || f.Status == diagnosis.Warned {
			require.NotEmpty(t, f.Remedy, "%+v", f)
		}
	}
	return list
}

func readable(t *testing.T, list []diagnosis.Finding) string {
	t.Helper()
	text, err := json.MarshalIndent(list, "", " ")
	require.NoError(t, err)
	return strings.ReplaceAll(string(text), `\n`, "\n")
}

// reads lets the controller read what a diagnosis looks at beyond its own work.
func (s *awsServer) reads() {
	const policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:DescribePullThroughCacheRules",` +
		`"ecr:DescribeRepositoryCreationTemplates","ecr:GetRegistryPolicy","ecr:GetSigningConfiguration"],"Resource":"*"}]}`
	s.UpdateUser("rise-backend", func(u *ecrtest.User) { u.Policies = append(u.Policies, policy) })
	s.UpdateRole("rise-backend", func(r *ecrtest.Role) { r.Policies = append(r.Policies, policy) })
}

// generated gives all roles the policies that package iampolicy makes for the configuration, and nothing else.
func (s *awsServer) generated(t *testing.T) {
	t.Helper()
	s.outside()
	options := iampolicy.Options{ControllerARN: s.deployment.ControllerRoleARN, Principals: []string{"arn:aws:iam::123456789012:user/rise-backend-outside"}}
	policies, err := iampolicy.All(s.config, options)
	require.NoError(t, err)
	document := map[string]string{}
	for _, p := range policies {
		text, err := json.Marshal(p.Document)
		require.NoError(t, err)
		document[p.Name] = string(text)
	}
	s.UpdateUser("rise-backend-outside", func(u *ecrtest.User) { u.Policies = []string{document["user"]} })
	s.UpdateRole("rise-backend", func(r *ecrtest.Role) {
		r.Policies, r.Trust = []string{document["controller"], document["diagnose"]}, document["controller-trust"]
	})
	s.UpdateRole("rise-backend-ecr-push", func(r *ecrtest.Role) { r.Policies, r.Trust = []string{document["push"]}, document["push-trust"] })
	s.UpdateRole("rise-backend-ecr-pull", func(r *ecrtest.Role) { r.Policies, r.Trust = []string{document["pull"]}, document["pull-trust"] })
}

// withIDs demands ids, and gives hello's repository one.
func (s *awsServer) withIDs() {
	s.config.ProjectIDs = true
	s.UpdateRepository("rise/hello", func(r *ecrtest.Repository) { r.Tags["rise:project-id"] = "p-1" })
}

// With an id, the session that is diagnosed is one for it.
func TestDiagnosedSession(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]bool{"": false, "p-1": true} {
		aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
		aws.config.RegistryHost = aws.RegistryHost
		diagnose(t.Context(), t, aws.provider(t), diagnosis.Options{Project: "hello", ProjectID: id})
		assumed := 0
		for _, c := range aws.Calls() {
			if c.Name() == sts && c.Form.Get("RoleArn") == aws.deployment.PushRoleARN && !strings.Contains(c.Form.Get("Policy"), "aws:PrincipalTag/") { // push_role_tags'
				assumed++
				require.Equal(t, want, strings.Contains(c.Form.Get("Policy"), `{"aws:ResourceTag/rise:project-id":"`+id+`"}`), c.Form.Get("Policy"))
			}
		}
		require.Positive(t, assumed)
	}
}

func TestHealthy(t *testing.T) {
	t.Parallel()
	project := diagnosis.Options{Project: "hello"}
	for name, test := range map[string]struct {
		setup   ecrtest.SetupOptions
		change  func(*testing.T, *awsServer)
		opts    func(*awsServer) []ecr.Option
		o       diagnosis.Options
		reads   bool
		special string // what isn't passed
	}{
		"everything, outside AWS": {
			setup: ecrtest.SetupOptions{PullRole: true, SessionTags: true, ExternalID: "push-id", RoleExternalID: "outside-id"}, change: func(_ *testing.T, s *awsServer) { s.outside() },
			o: project, reads: true, special: "credentials warned",
		},
		"static keys": {o: project, special: "credentials warned, registry_policy skipped, creation_templates skipped, pull_through_rules skipped, managed_signing skipped"},
		"exactly the generated policies": {
			setup: ecrtest.SetupOptions{PullRole: true, SessionTags: true, ExternalID: "push-id"}, change: func(t *testing.T, s *awsServer) { t.Helper(); s.generated(t) }, o: project,
			special: "credentials warned",
		},
		"no project":  {reads: true, special: "credentials warned"},
		"write probe": {o: diagnosis.Options{Project: "hello", WriteProbe: true}, reads: true, special: "credentials warned"},
		"ids": {
			change: func(_ *testing.T, s *awsServer) { s.withIDs() }, reads: true, special: "credentials warned",
			o: diagnosis.Options{Project: "hello", ProjectID: "p-1", WriteProbe: true},
		},
		"ids, and none is named":    {change: func(_ *testing.T, s *awsServer) { s.withIDs() }, o: project, reads: true, special: "credentials warned"},
		"ids, and no project":       {change: func(_ *testing.T, s *awsServer) { s.withIDs() }, reads: true, special: "credentials warned"},
		"an id that isn't demanded": {o: diagnosis.Options{Project: "hello", ProjectID: "p-1"}, reads: true, special: "credentials warned"},
		"everything, Pod Identity": {
			setup: ecrtest.SetupOptions{PullRole: true, SessionTags: true}, reads: true, o: project,
			opts: func(s *awsServer) []ecr.Option {
				pod := s.AddPodIdentity(ecrtest.PodIdentity{Role: podRole(s)})
				s.config.RoleARN, s.config.AccessKeyID, s.config.SecretAccessKey = s.deployment.ControllerRoleARN, provider.Secret{}, provider.Secret{}
				return []ecr.Option{ecr.WithLoadOptions(containerCredentials(pod))}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			aws := newAWS(t, ecrtest.Config{}, test.setup)
			aws.config.RegistryHost, aws.config.Installation = aws.RegistryHost, "prod"
			for _, project := range []string{"hello", "other"} {
				aws.CreateRepository(aws.deployment.Repository(project))
			}
			if test.change != nil {
				test.change(t, aws)
			}
			if test.reads {
				aws.reads()
			}
			var opts []ecr.Option
			if test.opts != nil {
				opts = test.opts(aws)
			}
			list := diagnose(t.Context(), t, aws.provider(t, opts...), test.o)
			var special []string
			for _, f := range list {
				if f.Status != diagnosis.Passed {
					special = append(special, f.Check+" "+f.Status.String())
				}
			}
			require.Equal(t, test.special, strings.Join(special, ", "), readable(t, list))
			require.LessOrEqual(t, len(aws.Calls()), 19, aws.names())
		})
	}
}

// What remedies say to paste is no wider than what package iampolicy makes.
func TestRemediesAreNoWider(t *testing.T) {
	t.Parallel()
	statements := func(document any) []iampolicy.Statement {
		text, err := json.Marshal(document)
		if s, ok := document.(string); ok {
			text, err = []byte(s), nil
		}
		require.NoError(t, err)
		var d iampolicy.Document
		require.NoError(t, json.Unmarshal(text, &d))
		for i := range d.Statement {
			d.Statement[i].Sid = ""
			slices.Sort(d.Statement[i].Action)
		}
		return d.Statement
	}
	for _, tags := range []bool{false, true} {
		s := newPlace(t, ecrtest.Config{}, ecrtest.SetupOptions{SessionTags: tags, ExternalID: "push-id", PullRole: true})
		options := iampolicy.Options{ControllerARN: "arn:aws:iam::123456789012:user/rise-backend"}
		s.o.WriteProbe = true
		s.UpdateRole(pushName, func(r *ecrtest.Role) { r.Policies = replaced(r.Policies, `"ecr:InitiateLayerUpload",`, "") })
		wanted, err := iampolicy.Push(s.config)
		require.NoError(t, err)
		f := worst(diagnose(t.Context(), t, s.build(t), s.o))
		require.Equal(t, "repository_access", f.Check)
		require.Equal(t, statements(wanted)[1:2], statements(documents(t, f)[0]))

		for check, test := range map[string]struct {
			role string
			of   func(ecr.Config, iampolicy.Options) (iampolicy.Document, error)
		}{"push_role": {pushName, iampolicy.PushTrust}, "pull_role": {"rise-backend-ecr-pull", iampolicy.PullTrust}} {
			wanted, err := test.of(s.config, options)
			require.NoError(t, err)
			s.trust(test.role, nobody)
			list := diagnose(t.Context(), t, s.build(t), s.o)
			i := slices.IndexFunc(list, func(f diagnosis.Finding) bool { return f.Check == check })
			require.Equal(t, statements(wanted), statements(documents(t, list[i])[0]))
		}
	}
}

// A diagnosis reads. Every session that it opens is narrowed, as an issued credential's is.
func TestDiagnosisChangesNothing(t *testing.T) {
	t.Parallel()
	for _, write := range []bool{false, true} {
		aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{PullRole: true})
		aws.outside()
		aws.config.RegistryHost, aws.config.Installation = aws.RegistryHost, "prod"
		aws.CreateRepository(aws.deployment.Repository("hello"))
		diagnose(t.Context(), t, aws.provider(t), diagnosis.Options{Project: "hello", WriteProbe: write})
		reading := []string{"sts:GetCallerIdentity", "sts:AssumeRole", "ecr:GetAuthorizationToken", "registry:Ping", "registry:BatchGetImage"}
		written := 0
		for _, c := range aws.Calls() {
			switch name := c.Name(); name {
			case "sts:AssumeRole":
				require.NotEmpty(t, c.Form.Get("Policy"), "an unnarrowed session of %s", c.Form.Get("RoleArn"))
			case "registry:InitiateLayerUpload":
				written++
			default:
				require.True(t, slices.Contains(reading, name) || strings.HasPrefix(c.Action, "Describe") || strings.HasPrefix(c.Action, "Get") ||
					strings.HasPrefix(c.Action, "List"), name)
			}
		}
		require.Equal(t, write, written == 1, "%d uploads", written)
	}
}

// What a diagnosis may do as the controller is what it does, even where the controller's role allows everything.
func TestControllerSessionIsNarrow(t *testing.T) {
	t.Parallel()
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
	aws.outside()
	aws.config.RegistryHost = aws.RegistryHost
	aws.UpdateRole("rise-backend", func(r *ecrtest.Role) {
		r.Policies = []string{`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`}
	})
	var session awssdk.Credentials
	aws.Inject(ecrtest.Fault{Action: "sts:AssumeRole", Times: 1, Mutate: func(body []byte) []byte {
		field := func(name string) string {
			return regexp.MustCompile("<" + name + ">([^<]+)<").FindStringSubmatch(string(body))[1]
		}
		session = awssdk.Credentials{AccessKeyID: field("AccessKeyId"), SecretAccessKey: field("SecretAccessKey"), SessionToken: field("SessionToken")}
		return body
	}})
	diagnose(t.Context(), t, aws.provider(t), diagnosis.Options{})
	require.NotEmpty(t, session.AccessKeyID)
	client := awsecr.New(awsecr.Options{Region: "eu-west-1", BaseEndpoint: awssdk.String(aws.URL), Credentials: credentials.StaticCredentialsProvider{Value: session}})
	_, err := client.CreateRepository(t.Context(), &awsecr.CreateRepositoryInput{RepositoryName: awssdk.String("rise/new")})
	require.ErrorContains(t, err, "session policy")
	_, err = client.GetAuthorizationToken(t.Context(), nil)
	require.ErrorContains(t, err, "session policy")
}

// Whatever hangs, the diagnosis ends by its deadline, says what hung and leaves nothing out.
func TestDiagnosisEnds(t *testing.T) {
	t.Parallel()
	all := []string{
		"config", "credentials", "sts", "clock", "identity", "controller_role", "push_role", "pull_role", "token", "registry_host", "registry", "repository",
		"repository_access", "isolation", "repository_policy", "registry_policy", "creation_templates", "pull_through_rules", "managed_signing", "push_role_tags",
	}
	for name, test := range map[string]struct {
		action, check string
		skip          int
		deaf          bool // the credentials' source doesn't heed its context
	}{
		"STS":                 {action: "sts:*", check: "sts"},
		"controller role":     {action: "sts:AssumeRole", check: "controller_role"},
		"push role":           {action: "sts:AssumeRole", skip: 1, check: "push_role"},
		"token":               {action: "ecr:GetAuthorizationToken", check: "token"},
		"image registry":      {action: "registry:*", check: "registry"},
		"repository":          {action: "ecr:ListTagsForResource", check: "repository"},
		"listing":             {action: "ecr:DescribeRepositories", check: "repository"},
		"credentials' source": {check: "credentials", deaf: true},
	} {
		for _, limit := range []time.Duration{3 * time.Second, 0} {
			t.Run(fmt.Sprint(name, limit), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					aws := newAWS(t, ecrtest.Config{InMemory: true}, ecrtest.SetupOptions{PullRole: true})
					aws.outside()
					aws.config.Installation = "prod"
					aws.CreateRepository(aws.deployment.Repository("hello"))
					opts := []ecr.Option{hermetic(), inMemory(aws.Server)}
					if test.deaf {
						aws.config.AccessKeyID, aws.config.SecretAccessKey = provider.Secret{}, provider.Secret{}
						opts = append(opts, ecr.WithLoadOptions(config.WithCredentialsProvider(awssdk.CredentialsProviderFunc(func(context.Context) (awssdk.Credentials, error) {
							time.Sleep(time.Hour)
							return awssdk.Credentials{}, nil
						}))))
					} else {
						aws.Inject(ecrtest.Fault{Action: test.action, Skip: test.skip, Latency: 24 * time.Hour})
					}
					p, err := ecr.New(t.Context(), aws.config, opts...)
					require.NoError(t, err)
					ctx := t.Context()
					if limit > 0 {
						var cancel context.CancelFunc
						ctx, cancel = context.WithTimeout(ctx, limit)
						defer cancel()
					}
					start := time.Now()
					list := diagnose(ctx, t, p, diagnosis.Options{Project: "hello"})
					if limit == 0 {
						limit = time.Minute // each check has its own
					}
					require.LessOrEqual(t, time.Since(start), limit)
					require.Equal(t, test.check, worst(list).Check, readable(t, list))
					var checks []string
					for _, f := range list {
						checks = append(checks, f.Check)
					}
					require.Equal(t, all, checks)
					time.Sleep(2 * time.Hour) // whatever was left behind ends
				})
			})
		}
	}
}

// A context that has ended: nothing is asked.
func TestDiagnosisOfEndedContext(t *testing.T) {
	t.Parallel()
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, f := range diagnose(ctx, t, aws.provider(t), diagnosis.Options{Project: "hello"}) {
		require.Equal(t, diagnosis.Skipped, f.Status)
	}
	require.Empty(t, aws.Calls())
}

// An image registry that repeats the token, or sends elsewhere.
func TestHostileImageRegistry(t *testing.T) {
	t.Parallel()
	var visits, talked atomic.Int32
	elsewhere := plainListener(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visits.Add(1) }))
	for name, answer := range map[string]func(w http.ResponseWriter, r *http.Request, password string){
		"repeats": func(w http.ResponseWriter, r *http.Request, password string) {
			if r.URL.Path != "/v2/" {
				w.WriteHeader(http.StatusForbidden)
				_, _ = fmt.Fprintf(w, `{"errors":[{"code":"DENIED","message":"no %s %s \u001b[2J"}]}`, password, r.Header.Get("Authorization"))
			}
		},
		"repeats at once": func(w http.ResponseWriter, r *http.Request, password string) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprintf(w, `{"errors":[{"code":"DENIED","message":"%s %s"}]}`, password, r.Header.Get("Authorization"))
		},
		"redirects": func(w http.ResponseWriter, r *http.Request, _ string) {
			http.Redirect(w, r, "http://"+elsewhere, http.StatusTemporaryRedirect)
		},
		"asks for bearer": func(w http.ResponseWriter, _ *http.Request, _ string) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+elsewhere+`/token"`)
			w.WriteHeader(http.StatusUnauthorized)
		},
		"talks without end": func(w http.ResponseWriter, _ *http.Request, _ string) {
			w.WriteHeader(http.StatusForbidden)
			for chunk := bytes.Repeat([]byte("x"), 1<<16); talked.Add(1<<16) < 64<<20; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newPlace(t, ecrtest.Config{}, ecrtest.SetupOptions{})
			var passwords sync.Map
			s.config.RegistryHost = plainListener(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, password, _ := r.BasicAuth()
				passwords.Store(password, true)
				answer(w, r, password)
			}))
			s.watch()
			list := diagnose(t.Context(), t, s.build(t), s.o)
			require.Equal(t, diagnosis.Failed, worst(list).Status)
			text := readable(t, list)
			s.keeps(t, text)
			require.NotContains(t, text, "\x1b")
			require.NotContains(t, text, `\u001b`)
			passwords.Range(func(password, _ any) bool {
				require.NotContains(t, text, base64.StdEncoding.EncodeToString([]byte("AWS:" + password.(string)))[:60])
				return true
			})
			require.Zero(t, visits.Load())
			require.Less(t, talked.Load(), int32(64<<20), "it isn't listened to for so long")
		})
	}
}

// A user whose name ends as the root user's ARN does is a user.
func TestUserNamedRoot(t *testing.T) {
	t.Parallel()
	s := newPlace(t, ecrtest.Config{}, ecrtest.SetupOptions{})
	s.Inject(ecrtest.Fault{Action: "sts:GetCallerIdentity", Mutate: func(body []byte) []byte {
		return bytes.ReplaceAll(body, []byte(":user/rise-backend<"), []byte(":user/rise-root<"))
	}})
	list := diagnose(t.Context(), t, s.build(t), s.o)
	require.Empty(t, worst(list).Check, readable(t, list))
}

// Hints of repository calls come from the same knowledge.
func TestRepositoryHints(t *testing.T) {
	t.Parallel()
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
	aws.config.Installation = "prod"
	aws.UpdateUser("rise-backend", func(u *ecrtest.User) { u.Policies = replaced(u.Policies, "ecr:CreateRepository", "ecr:Nothing") })
	_, err := aws.provider(t).EnsureRepository(t.Context(), provider.Project{Name: "hello"}, repository.EnsureOptions{})
	require.ErrorIs(t, err, provider.ErrAccessDenied)
	require.Contains(t, asError(t, err).Hint, "no identity-based policy allows ecr:CreateRepository: allow it there")
	old := aws.deployment.Repository("hello")
	old.CreatedAt = time.Now().Add(-time.Hour) // what is new is tried again
	aws.CreateRepository(old)
	aws.config.MaxImageCount = 9 // which the controller's policy wasn't made for
	_, err = aws.provider(t).EnsureRepository(t.Context(), provider.Project{Name: "hello"}, repository.EnsureOptions{})
	require.ErrorIs(t, err, provider.ErrAccessDenied)
	require.Contains(t, asError(t, err).Hint, "no identity-based policy allows ecr:PutLifecyclePolicy: allow it there; the controller's policy is made for a configuration")
	aws.config.MaxImageCount = 0
	aws.trust("rise-backend", nobody)
	aws.outside()
	_, err = aws.provider(t).EnsureRepository(t.Context(), provider.Project{Name: "hello"}, repository.EnsureOptions{})
	require.ErrorIs(t, err, provider.ErrAccessDenied)
	require.Contains(t, asError(t, err).Hint, "the role in role_arn can't be assumed")
}

// ECR's own name for the registry is compared with what is handed out: a warning in the log, once.
func TestHostWarning(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		host, named string
		warned      bool
	}{
		"the same":    {"", "123456789012.dkr.ecr.eu-west-1.amazonaws.com", false},
		"dual stack":  {"", "123456789012.dkr-ecr.eu-west-1.on.aws", false},
		"FIPS":        {"", "123456789012.dkr.ecr-fips.eu-west-1.amazonaws.com", false},
		"a mirror":    {"mirror.example.com", "123456789012.dkr.ecr.eu-west-1.amazonaws.com", true},
		"PrivateLink": {"", "vpce-1.dkr.ecr.eu-west-1.vpce.amazonaws.com", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			aws := newAWS(t, ecrtest.Config{RegistryHost: test.named}, ecrtest.SetupOptions{})
			aws.config.RegistryHost = test.host
			var log bytes.Buffer
			p := aws.provider(t, ecr.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
			for range 3 {
				_, err := provider.Issue(t.Context(), p, push)
				require.NoError(t, err, "no error")
			}
			if !test.warned {
				require.Empty(t, log.String())
				return
			}
			require.Equal(t, 1, strings.Count(log.String(), "\n"))
			require.Contains(t, log.String(), "level=WARN")
			require.Contains(t, log.String(), "proxy_endpoint="+test.named)
		})
	}
}

// A policy comes from elsewhere: whatever it is, the diagnosis says something about it that can be printed.
func FuzzRegistryPolicy(f *testing.F) {
	for _, seed := range []string{
		"", "{}", "null", `{"Statement":{}}`, `{"Statement":[{"Effect":"Allow","Principal":"*"}]}`,
		`{"Statement":{"Effect":"Allow","NotPrincipal":{"AWS":"1"},"Resource":"arn:aws:ecr:*:*:repository/rise/*"}}`,
		`{"Statement":[{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::999999999999:root","\u001b"]},"Resource":["*","?"]}]}`,
	} {
		f.Add(seed)
	}
	server := ecrtest.NewServer(ecrtest.Config{})
	f.Cleanup(server.Close)
	aws := &awsServer{Server: server, deployment: server.Setup(ecrtest.SetupOptions{})}
	aws.reads()
	aws.SetRegistryPolicy(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"ecr:*","Resource":"*"}]}`)
	c := ecr.DefaultConfig()
	c.Region, c.AccountID, c.PushRoleARN, c.RegistryHost = "eu-west-1", "123456789012", aws.deployment.PushRoleARN, server.RegistryHost
	c.AccessKeyID, c.SecretAccessKey = provider.NewSecret(aws.deployment.ControllerUser.ID), provider.NewSecret(aws.deployment.ControllerUser.Secret)
	p, err := ecr.New(context.Background(), c, hermetic(), ecr.WithLoadOptions(config.WithBaseEndpoint(server.URL)))
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text string) {
		defer server.Inject(ecrtest.Fault{Action: "ecr:GetRegistryPolicy", Mutate: func([]byte) []byte {
			body, err := json.Marshal(map[string]string{"policyText": text})
			if err != nil {
				return nil
			}
			return body
		}})()
		server.ResetCalls()
		for _, found := range diagnose(t.Context(), t, p, diagnosis.Options{}) {
			require.NotContains(t, found.Summary+found.Remedy, "\x1b")
			if found.Check == "registry_policy" {
				require.Contains(t, []diagnosis.Status{diagnosis.Passed, diagnosis.Warned}, found.Status)
			}
		}
	})
}

// Tags of the push role itself show in sessions without a tag of that key, and are found without iam:GetRole.
func TestRoleTags(t *testing.T) {
	t.Parallel()
	const demands = `"Null":{"aws:RequestTag/rise:project":"false"}`
	for name, test := range map[string]struct {
		session, open bool // session tags, and a trust policy that doesn't demand them
		tags          map[string]string
		warned        string
	}{
		"none":                                 {},
		"others":                               {tags: map[string]string{"team": "a", "sunrise:project": "x"}},
		"a project":                            {tags: map[string]string{"rise:project": "hello"}, warned: "bears one of the tags rise:project"},
		"an installation":                      {tags: map[string]string{"rise:installation": "prod"}, warned: "bears one of the tags"},
		"an empty one":                         {tags: map[string]string{"rise:suspended": ""}, warned: "bears one of the tags"},
		"in another spelling":                  {tags: map[string]string{"RISE:Project": "hello"}, warned: "bears one of the tags"},
		"session tags":                         {session: true},
		"session tags, a project":              {session: true, tags: map[string]string{"rise:project": "hello"}},
		"session tags that needn't be":         {session: true, open: true, warned: "can be assumed without the session tag rise:project"},
		"session tags that needn't be, others": {session: true, open: true, tags: map[string]string{"team": "a"}, warned: "can be assumed without"},
		"session tags that needn't be, a project": {session: true, open: true, tags: map[string]string{"rise:project": "hello"},
			warned: "bears one of the tags"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{SessionTags: test.session})
			aws.config.RegistryHost, aws.config.Installation = aws.RegistryHost, "prod"
			aws.UpdateRole(aws.deployment.PushRoleARN, func(r *ecrtest.Role) {
				r.Tags = test.tags
				if test.open {
					require.Contains(t, r.Trust, demands+",")
					r.Trust = strings.Replace(r.Trust, demands+",", "", 1)
				}
			})
			list := diagnose(t.Context(), t, aws.provider(t), diagnosis.Options{})
			f := list[len(list)-1]
			require.Equal(t, "push_role_tags", f.Check)
			if test.warned == "" {
				require.Equal(t, diagnosis.Passed, f.Status, readable(t, list))
				return
			}
			require.Equal(t, diagnosis.Warned, f.Status, readable(t, list))
			require.Contains(t, f.Summary, test.warned)
			for _, c := range aws.Calls() {
				require.False(t, c.Action == "AssumeRole" && c.Form.Get("Policy") == "")
			}
		})
	}
}

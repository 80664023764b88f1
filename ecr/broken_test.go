package ecr_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/internal/realtest"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

// place is a set-up account, a configuration for it, and how the process reaches it.
type place struct {
	*awsServer
	opts []ecr.Option
	o    diagnosis.Options
	ca   string

	mu      sync.Mutex
	secrets []string
}

func newPlace(t *testing.T, c ecrtest.Config, o ecrtest.SetupOptions) *place {
	t.Helper()
	s := &place{awsServer: newAWS(t, c, o), o: diagnosis.Options{Project: "hello"}}
	s.config.RegistryHost, s.config.Installation = s.RegistryHost, "prod"
	for _, project := range []string{"hello", "other"} {
		s.CreateRepository(s.deployment.Repository(project))
	}
	s.reads()
	if c.InMemory {
		s.use(func(t *http.Transport) { t.DialContext, t.DialTLSContext, t.Proxy = s.DialContext, s.DialContext, nil })
	} else {
		s.at(s.URL)
	}
	return s
}

// at makes the SDK find STS and ECR at an address.
func (s *place) at(address string) {
	s.opts = append(s.opts, ecr.WithLoadOptions(config.WithBaseEndpoint(address)))
}

// use makes the SDK send in another way.
func (s *place) use(change func(*http.Transport)) {
	s.opts = append(s.opts, ecr.WithLoadOptions(config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(change))))
}

func (s *place) dial(dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	s.use(func(t *http.Transport) { t.DialContext, t.Proxy = dial, nil })
}

// chain leaves the credentials to p, or to the SDK's default chain, which has none.
func (s *place) chain(p awssdk.CredentialsProvider) {
	s.config.AccessKeyID, s.config.SecretAccessKey, s.config.SessionToken = provider.Secret{}, provider.Secret{}, provider.Secret{}
	if p != nil {
		s.opts = append(s.opts, ecr.WithLoadOptions(config.WithCredentialsProvider(p)))
	}
}

func (s *place) pod() {
	s.opts = append(s.opts, ecr.WithLoadOptions(containerCredentials(s.AddPodIdentity(ecrtest.PodIdentity{Role: podRole(s.awsServer)}))))
	s.config.AccessKeyID, s.config.SecretAccessKey = provider.Secret{}, provider.Secret{}
}

// podBefore runs the process as a pod's own role, which assumes the controller role.
func (s *place) podBefore() {
	role := s.AddRole(ecrtest.Role{
		Name:     "pod",
		Trust:    `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`,
		Policies: []string{`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession"],"Resource":"*"}]}`},
	})
	s.config.RoleARN = s.deployment.ControllerRoleARN
	s.config.AccessKeyID, s.config.SecretAccessKey = provider.Secret{}, provider.Secret{}
	s.opts = append(s.opts, ecr.WithLoadOptions(containerCredentials(s.AddPodIdentity(ecrtest.PodIdentity{Role: role}))))
}

func (s *place) build(t *testing.T) *ecr.Provider {
	t.Helper()
	p, err := ecr.New(t.Context(), s.config, append([]ecr.Option{hermetic()}, s.opts...)...)
	require.NoError(t, err)
	return p
}

var secretFields = regexp.MustCompile(`<(?:SecretAccessKey|SessionToken)>([^<]+)<|"authorizationToken":"([^"]+)"`)

// watch remembers each secret that AWS hands out.
func (s *place) watch() {
	s.secrets = append(s.secrets, s.deployment.ControllerUser.Secret, s.deployment.OutsideUser.Secret, s.config.SecretAccessKey.Reveal(), s.config.SessionToken.Reveal())
	note := func(body []byte) []byte {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, m := range secretFields.FindAllSubmatch(body, -1) {
			s.secrets = append(s.secrets, string(m[1]))
			if token, err := base64.StdEncoding.DecodeString(string(m[2])); err == nil {
				_, password, _ := strings.Cut(string(token), ":")
				s.secrets = append(s.secrets, string(m[2]), password)
			}
		}
		return body
	}
	for _, action := range []string{"sts:*", "ecr:GetAuthorizationToken"} {
		s.Inject(ecrtest.Fault{Action: action, Mutate: note})
	}
}

func (s *place) keeps(t *testing.T, text string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range s.secrets {
		if secret != "" {
			require.NotContains(t, text, secret)
		}
	}
}

// worst is the first finding that failed, or else the first warning about anything but the keys that the tests have.
func worst(list []diagnosis.Finding) diagnosis.Finding {
	for _, status := range []diagnosis.Status{diagnosis.Failed, diagnosis.Warned} {
		for _, f := range list {
			if f.Status == status && (f.Check != "credentials" || status == diagnosis.Failed) {
				return f
			}
		}
	}
	return diagnosis.Finding{}
}

// documents are the policies in a remedy.
func documents(t *testing.T, f diagnosis.Finding) []string {
	t.Helper()
	var list []string
	for line := range strings.SplitSeq(f.Remedy, "\n") {
		if strings.HasPrefix(line, "{") {
			list = append(list, line)
		}
	}
	require.NotEmpty(t, list, f.Remedy)
	return list
}

func (s *awsServer) trust(role, document string) {
	s.UpdateRole(role, func(r *ecrtest.Role) { r.Trust = document })
}

func (s *place) allow(role, document string) {
	s.UpdateRole(role, func(r *ecrtest.Role) { r.Policies = append(r.Policies, document) })
}

const nobody = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/somebody-else"},"Action":"sts:AssumeRole"}]}`

const (
	pushName, controllerName = "rise-backend-ecr-push", "rise-backend"
)

// trustPush applies the trust policy of a remedy, as the operator would.
func trustPush(t *testing.T, s *place, f diagnosis.Finding) {
	t.Helper()
	s.trust(pushName, documents(t, f)[0])
}

type brokenSite struct {
	server ecrtest.Config
	setup  ecrtest.SetupOptions
	breaks func(*testing.T, *place)
	// What diagnosis finds.
	check  string
	status diagnosis.Status // default Failed
	cause  string
	remedy string
	// What Credentials fails with; nothing if it works.
	kind provider.Kind
	hint string // default cause
	// mends does what the remedy says. nil: everything anew as it was before it was broken, for what is outside of the account.
	mends func(*testing.T, *place, diagnosis.Finding)
	left  string // the check that warns even then
}

// withoutStatement are the policies without the statement of that Sid.
func withoutStatement(t *testing.T, policies []string, sid string) []string {
	t.Helper()
	var list []string
	for _, text := range policies {
		var p map[string]any
		require.NoError(t, json.Unmarshal([]byte(text), &p))
		statements, ok := p["Statement"].([]any)
		require.True(t, ok)
		p["Statement"] = slices.DeleteFunc(statements, func(s any) bool { return s.(map[string]any)["Sid"] == sid })
		text, err := json.Marshal(p)
		require.NoError(t, err)
		list = append(list, string(text))
	}
	return list
}

func replaced(policies []string, from, to string) []string {
	var list []string
	for _, p := range policies {
		list = append(list, strings.ReplaceAll(p, from, to))
	}
	return list
}

func single(s *place) { s.opts = append(s.opts, ecr.WithLoadOptions(config.WithRetryMaxAttempts(1))) }

func tlsListener(t *testing.T, h http.Handler) (address, ca string) {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String(), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}

func plainListener(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// to dials address whatever is asked for.
func to(address string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
}

// Each of these is broken in one place, for real. The diagnosis names that place first, and doing what it says makes it
// pass; Credentials fails with the same cause as hint and the right kind; neither the endpoint's answer nor a secret tells.
func TestBrokenSites(t *testing.T) {
	t.Parallel()
	sites := map[string]brokenSite{}
	for _, group := range []map[string]brokenSite{brokenRoles(), brokenIdentities(), brokenNetworks(), brokenRepositories(), doubtfulSites()} {
		for name, b := range group {
			require.NotContains(t, sites, name)
			sites[name] = b
		}
	}
	require.GreaterOrEqual(t, len(sites), 30)
	for i, name := range slices.Sorted(maps.Keys(sites)) {
		if raceEnabled && i%3 != 0 { // they run the same code, ten times as slowly; all of them without the detector
			continue
		}
		b := sites[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newPlace(t, b.server, b.setup)
			b.breaks(t, s)
			s.watch()
			list := diagnose(t.Context(), t, s.build(t), s.o)
			first := worst(list)
			status := diagnosis.Failed
			if b.status != 0 {
				status = b.status
			}
			text := readable(t, list)
			require.Equal(t, b.check+" "+status.String(), first.Check+" "+first.Status.String(), text)
			require.Contains(t, first.Summary, b.cause, text)
			require.Contains(t, first.Remedy, b.remedy)
			require.NotEmpty(t, first.Remedy)
			require.NotEmpty(t, first.Evidence)
			s.keeps(t, text)
			s.fails(t, b)

			if b.mends == nil {
				s = newPlace(t, ecrtest.Config{}, ecrtest.SetupOptions{})
			} else {
				b.mends(t, s, first)
			}
			list = diagnose(t.Context(), t, s.build(t), s.o)
			require.Equal(t, b.left, worst(list).Check, readable(t, list))
			_, err := provider.Issue(t.Context(), s.build(t), asked(s.o.ProjectID, provider.Push))
			require.NoError(t, err)
		})
	}
}

// caller is whoever asks the endpoint.
type caller struct{}

func (caller) Subject() string { return "ci" }

// fails checks what the service and its callers see. Each gets a provider of its own: the SDK learns from a wrong clock.
func (s *place) fails(t *testing.T, b brokenSite) {
	t.Helper()
	_, err := provider.Issue(t.Context(), s.build(t), asked(s.o.ProjectID, provider.Push))
	var events strings.Builder
	opts := []endpoint.Option{endpoint.WithAudit(func(_ context.Context, e endpoint.Event) error {
		fmt.Fprintf(&events, "%+v %v", e, e.LogValue())
		return nil
	})}
	if id := s.o.ProjectID; id != "" {
		opts = append(opts, endpoint.WithProjectIDs(func(context.Context, string) (string, error) { return id, nil }))
	}
	handler := endpoint.New(s.build(t), func(*http.Request) (caller, error) { return caller{}, nil },
		func(context.Context, caller, provider.Request) error { return nil }, opts...)
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/?project=hello", nil))
	require.NotEmpty(t, events.String())
	s.keeps(t, events.String())
	if b.kind == "" {
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, recorder.Code)
		return
	}
	require.ErrorIs(t, err, b.kind, "%v", err)
	hint := b.hint
	if hint == "" {
		hint = b.cause
	}
	failure := asError(t, err)
	require.Contains(t, failure.Hint, hint)
	s.keeps(t, fmt.Sprintf("%v %+v %#v", err, err, *failure))
	require.GreaterOrEqual(t, recorder.Code, 500)
	answer := recorder.Body.String()
	for _, leak := range []string{hint, failure.Hint, "arn:", "123456789012", "127.0.0.1", "rise-", "sts", "ecr", "policy", "clock", "ID"} {
		require.NotContains(t, answer, leak)
	}
}

func brokenRoles() map[string]brokenSite {
	const likely = "the role in push_role_arn can't be assumed; likeliest first: its trust policy doesn't name the controller"
	return map[string]brokenSite{
		"wrong trust policy": {
			breaks: func(_ *testing.T, s *place) { s.trust(pushName, nobody) },
			check:  "push_role", cause: likely, remedy: "aws iam get-role --role-name rise-backend-ecr-push", kind: provider.ErrAccessDenied, mends: trustPush,
		},
		"wrong trust policy, and AWS says so": {
			breaks: func(_ *testing.T, s *place) {
				s.Inject(ecrtest.Fault{Action: "sts:AssumeRole", Error: "AccessDenied", Message: "User: arn:aws:iam::123456789012:user/rise-backend is not authorized to " +
					"perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/rise-backend-ecr-push because no role trust policy allows the sts:AssumeRole action"})
			},
			check: "push_role", cause: likely, remedy: "Trust policy that lets", kind: provider.ErrAccessDenied,
		},
		"wrong external ID, and AWS says that it is the trust policy": {
			breaks: func(_ *testing.T, s *place) {
				s.config.ExternalID = "wrong-id"
				s.Inject(ecrtest.Fault{Action: "sts:AssumeRole", Error: "AccessDenied", Message: "User: arn:aws:iam::123456789012:user/rise-backend is not authorized to " +
					"perform: sts:AssumeRole because no role trust policy allows the sts:AssumeRole action"})
			},
			check: "push_role", cause: "likeliest first: external_id isn't the external ID that the role's trust policy demands; its trust policy doesn't name",
			remedy: "its external ID (external_id)", kind: provider.ErrAccessDenied,
		},
		"Deny in the trust policy": {
			breaks: func(_ *testing.T, s *place) {
				s.Inject(ecrtest.Fault{Action: "sts:AssumeRole", Error: "AccessDenied", Message: "User: arn:aws:iam::123456789012:user/rise-backend is not authorized to " +
					"perform: sts:AssumeRole with an explicit deny in the role trust policy"})
			},
			check: "push_role", cause: "a Deny in the trust policy of the role in push_role_arn", remedy: "take it out", kind: provider.ErrAccessDenied,
		},
		"recreated controller role": {
			breaks: func(_ *testing.T, s *place) {
				s.outside()
				var role ecrtest.Role
				s.UpdateRole(controllerName, func(r *ecrtest.Role) { role = *r })
				s.DeleteRole(controllerName)
				s.AddRole(role)
			},
			check: "push_role", cause: "names one that was deleted (recreating a role breaks the trust in it)", remedy: "saving it again also heals a recreated role",
			kind: provider.ErrAccessDenied, mends: trustPush,
		},
		"missing TagSession under Pod Identity": {
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				s.pod()
				s.UpdateRole(pushName, func(r *ecrtest.Role) { r.Trust = withoutStatement(t, []string{r.Trust}, "Tag")[0] })
			},
			check: "push_role", cause: "sts:TagSession isn't allowed for the role in push_role_arn", remedy: "allow sts:TagSession", kind: provider.ErrAccessDenied, mends: trustPush,
		},
		"missing TagSession in the trust policy": {
			setup: ecrtest.SetupOptions{SessionTags: true},
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				s.UpdateRole(pushName, func(r *ecrtest.Role) {
					r.Trust = withoutStatement(t, []string{r.Trust}, "Tag")[0]
				})
			},
			check: "push_role", cause: "sts:TagSession isn't allowed for the role in push_role_arn", remedy: "allow sts:TagSession", kind: provider.ErrAccessDenied, mends: trustPush,
		},
		"missing TagSession in the controller's policy": {
			setup: ecrtest.SetupOptions{SessionTags: true},
			breaks: func(_ *testing.T, s *place) {
				s.UpdateUser(controllerName, func(u *ecrtest.User) {
					u.Policies = replaced(u.Policies, `"sts:AssumeRole","sts:TagSession"`, `"sts:AssumeRole"`)
				})
			},
			check: "push_role", cause: "sts:TagSession isn't allowed for the role in push_role_arn", remedy: "own policy", kind: provider.ErrAccessDenied,
			mends: func(t *testing.T, s *place, f diagnosis.Finding) {
				t.Helper()
				s.UpdateUser(controllerName, func(u *ecrtest.User) { u.Policies = append(u.Policies, documents(t, f)[1]) })
			},
		},
		"missing AssumeRole in the controller's policy": {
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				s.UpdateRole(pushName, func(r *ecrtest.Role) {
					r.Trust = regexp.MustCompile(`"AWS":\[[^]]*\]`).ReplaceAllString(r.Trust, `"AWS":"arn:aws:iam::123456789012:root"`)
				})
				s.UpdateUser(controllerName, func(u *ecrtest.User) { u.Policies = withoutStatement(t, u.Policies, "AssumePush") })
			},
			check: "push_role", cause: "the controller's own policy lacks sts:AssumeRole on it", remedy: "that the controller may sts:AssumeRole it", kind: provider.ErrAccessDenied,
			mends: func(t *testing.T, s *place, f diagnosis.Finding) {
				t.Helper()
				s.UpdateUser(controllerName, func(u *ecrtest.User) { u.Policies = append(u.Policies, documents(t, f)[1]) })
			},
		},
		"missing AssumeRole, and AWS says so": {
			breaks: func(_ *testing.T, s *place) {
				s.Inject(ecrtest.Fault{Action: "sts:AssumeRole", Error: "AccessDenied", Message: "User: arn:aws:iam::123456789012:user/rise-backend is not authorized to " +
					"perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/rise-backend-ecr-push because no identity-based policy allows the sts:AssumeRole action"})
			},
			check: "push_role", cause: "no identity-based policy allows sts:AssumeRole", remedy: "arn:aws:iam::123456789012:role/rise-backend-ecr-push", kind: provider.ErrAccessDenied,
		},
		"wrong external ID": {
			setup: ecrtest.SetupOptions{ExternalID: "push-id"}, breaks: func(_ *testing.T, s *place) { s.config.ExternalID = "wrong-id" },
			check: "push_role", cause: "likeliest first: external_id isn't the external ID that the role's trust policy demands", remedy: "its external ID (external_id)",
			kind: provider.ErrAccessDenied, mends: trustPush,
		},
		"missing external ID": {
			setup: ecrtest.SetupOptions{ExternalID: "push-id"}, breaks: func(_ *testing.T, s *place) { s.config.ExternalID = "" },
			check: "push_role", cause: "or demands an external ID, and external_id isn't set", remedy: "external ID", kind: provider.ErrAccessDenied,
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) { s.config.ExternalID = "push-id" },
		},
		"session_tags off though demanded": {
			setup: ecrtest.SetupOptions{SessionTags: true}, breaks: func(_ *testing.T, s *place) { s.config.SessionTags = false },
			check: "push_role", cause: "demands the session tag rise:project, and session_tags is off", remedy: "set session_tags: true", kind: provider.ErrAccessDenied,
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) { s.config.SessionTags = true },
		},
		"no push role": {
			breaks: func(_ *testing.T, s *place) { s.config.PushRoleARN = "arn:aws:iam::123456789012:role/missing" },
			check:  "push_role", cause: "the role doesn't exist", remedy: "check that the role exists", kind: provider.ErrAccessDenied,
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) { s.config.PushRoleARN = s.deployment.PushRoleARN },
		},
		"chained duration": {
			setup: ecrtest.SetupOptions{RoleExternalID: "outside-id"},
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				key := s.chained(t)
				s.config.AccessKeyID, s.config.SecretAccessKey = provider.NewSecret(key.AccessKeyID), provider.NewSecret(key.SecretAccessKey)
				s.config.SessionToken, s.config.SessionDuration = provider.NewSecret(key.SessionToken), 2*time.Hour
			},
			check: "push_role", cause: "role chaining", remedy: "set session_duration to 1h or less", kind: provider.ErrMisconfigured,
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) { s.config.SessionDuration = time.Hour },
		},
		"duration over the role's limit": {
			setup: ecrtest.SetupOptions{MaxSessionDuration: time.Hour}, breaks: func(_ *testing.T, s *place) { s.config.SessionDuration = 2 * time.Hour },
			check: "push_role", cause: "session_duration is longer than the role's MaxSessionDuration", remedy: "shorten the one", kind: provider.ErrMisconfigured,
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) { s.config.SessionDuration = time.Hour },
		},
		"pull role isn't trusted": {
			setup: ecrtest.SetupOptions{PullRole: true}, breaks: func(_ *testing.T, s *place) { s.trust("rise-backend-ecr-pull", nobody) },
			check: "pull_role", cause: "the role in pull_role_arn can't be assumed", remedy: "Trust policy that lets",
			mends: func(t *testing.T, s *place, f diagnosis.Finding) {
				t.Helper()
				s.trust("rise-backend-ecr-pull", documents(t, f)[0])
			},
		},
		"missing TagSession for the controller role, under Pod Identity": {
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				s.podBefore()
				s.UpdateRole(controllerName, func(r *ecrtest.Role) {
					r.Trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/pod"},"Action":"sts:AssumeRole"}]}`
				})
			},
			check: "controller_role", cause: "sts:TagSession isn't allowed for the role in role_arn", remedy: "allow sts:TagSession", kind: provider.ErrAccessDenied,
			mends: func(t *testing.T, s *place, f diagnosis.Finding) {
				t.Helper()
				s.trust(controllerName, documents(t, f)[0])
			},
		},
		"controller role trusts somebody else, under Pod Identity": {
			breaks: func(_ *testing.T, s *place) { s.podBefore(); s.trust(controllerName, nobody) },
			check:  "controller_role", cause: "the role in role_arn", remedy: "aws iam get-role --role-name rise-backend", kind: provider.ErrAccessDenied,
			mends: func(t *testing.T, s *place, f diagnosis.Finding) {
				t.Helper()
				s.trust(controllerName, documents(t, f)[0])
			},
		},
		"running as the push role": {
			breaks: func(_ *testing.T, s *place) {
				s.trust(pushName, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`)
				s.chain(nil)
				s.opts = append(s.opts, ecr.WithLoadOptions(containerCredentials(s.AddPodIdentity(ecrtest.PodIdentity{Role: s.deployment.PushRoleARN}))))
			},
			check: "push_role", cause: "runs as the role in push_role_arn itself", remedy: "run as the controller role", kind: provider.ErrAccessDenied,
		},
		"controller role's external ID": {
			setup: ecrtest.SetupOptions{RoleExternalID: "outside-id"}, breaks: func(_ *testing.T, s *place) { s.outside(); s.config.RoleExternalID = "wrong-id" },
			check: "controller_role", cause: "likeliest first: role_external_id isn't the external ID", remedy: "role_external_id", kind: provider.ErrAccessDenied,
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) { s.config.RoleExternalID = "outside-id" },
		},
		"controller role isn't trusting": {
			breaks: func(_ *testing.T, s *place) { s.outside(); s.trust(controllerName, nobody) },
			check:  "controller_role", cause: "its trust policy doesn't name this process's identity", remedy: "Trust policy that lets", kind: provider.ErrAccessDenied,
			mends: func(t *testing.T, s *place, f diagnosis.Finding) {
				t.Helper()
				s.trust(controllerName, documents(t, f)[0])
			},
		},
		"no right to tokens": {
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				s.UpdateRole(pushName, func(r *ecrtest.Role) { r.Policies = withoutStatement(t, r.Policies, "Token") })
			},
			check: "token", cause: "no identity-based policy allows ecr:GetAuthorizationToken", remedy: "the role's own policy allows ecr:GetAuthorizationToken on *",
			kind: provider.ErrAccessDenied, mends: func(t *testing.T, s *place, f diagnosis.Finding) { t.Helper(); s.allow(pushName, documents(t, f)[0]) },
		},
		"organization denies tokens": {
			server: ecrtest.Config{ServiceControlPolicies: []string{`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},` +
				`{"Effect":"Deny","Action":"ecr:GetAuthorizationToken","Resource":"*"}]}`}},
			breaks: func(*testing.T, *place) {},
			check:  "token", cause: "a Deny in a service control policy forbids ecr:GetAuthorizationToken", remedy: "take it out", kind: provider.ErrAccessDenied,
		},
		"VPC endpoint's policy": {
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				const message = "User: arn:aws:sts::123456789012:assumed-role/rise-backend-ecr-push/rise-push-hello is not authorized to perform: " +
					"ecr:GetAuthorizationToken on resource: * because no VPC endpoint policy allows the ecr:GetAuthorizationToken action"
				t.Cleanup(s.Inject(ecrtest.Fault{Action: token, Error: "AccessDeniedException", Message: message}))
			},
			check: "token", cause: "no VPC endpoint policy allows ecr:GetAuthorizationToken", remedy: "allow it there", kind: provider.ErrAccessDenied,
		},
	}
}

func brokenIdentities() map[string]brokenSite {
	ahead, behind := ecrtest.Config{ClockOffset: -10 * time.Minute}, ecrtest.Config{ClockOffset: 10 * time.Minute}
	return map[string]brokenSite{
		"clock behind": {
			server: behind, breaks: func(_ *testing.T, s *place) { single(s) },
			check: "clock", cause: "behind AWS's", hint: "this machine's clock is off: ", remedy: "NTP", kind: provider.ErrAccessDenied,
		},
		"clock ahead": {
			server: ahead, breaks: func(_ *testing.T, s *place) { single(s) },
			check: "clock", cause: "ahead of AWS's", hint: "this machine's clock is off: ", remedy: "NTP", kind: provider.ErrAccessDenied,
		},
		"clock off, and the SDK corrects for it": {
			server: behind, breaks: func(*testing.T, *place) {},
			check: "clock", cause: "this machine's clock is off: ", remedy: "NTP",
		},
		"the root user's key": {
			breaks: func(_ *testing.T, s *place) {
				s.Inject(ecrtest.Fault{Action: "sts:GetCallerIdentity", Mutate: func(body []byte) []byte {
					return bytes.ReplaceAll(body, []byte(":user/rise-backend<"), []byte(":root<"))
				}})
				s.Inject(ecrtest.Fault{Action: "sts:AssumeRole", Error: "AccessDenied", Message: "Roles may not be assumed by root accounts."})
			},
			check: "identity", cause: "the credentials are the account's root user's", remedy: "delete the root user's", kind: provider.ErrAccessDenied,
		},
		"unknown key": {
			breaks: func(_ *testing.T, s *place) { s.DeleteAccessKey(s.deployment.ControllerUser.ID) },
			check:  "identity", cause: "AWS doesn't know the credentials", remedy: "check the keys", kind: provider.ErrAccessDenied,
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) {
				key := s.AddAccessKey(controllerName)
				s.config.AccessKeyID, s.config.SecretAccessKey = provider.NewSecret(key.ID), provider.NewSecret(key.Secret)
			},
		},
		"wrong secret": {
			breaks: func(_ *testing.T, s *place) { s.config.SecretAccessKey = provider.NewSecret("wrong-secret-access-key") },
			check:  "identity", cause: "the secret access key doesn't belong to the access key id", remedy: "one key pair", kind: provider.ErrAccessDenied,
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) {
				s.config.SecretAccessKey = provider.NewSecret(s.deployment.ControllerUser.Secret)
			},
		},
		"temporary keys without their session token": {
			setup: ecrtest.SetupOptions{RoleExternalID: "outside-id"},
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				key := s.chained(t)
				s.config.AccessKeyID, s.config.SecretAccessKey = provider.NewSecret(key.AccessKeyID), provider.NewSecret(key.SecretAccessKey)
			},
			check: "identity", cause: "AWS doesn't know the credentials", remedy: "without their session_token", kind: provider.ErrAccessDenied,
			mends: func(t *testing.T, s *place, _ diagnosis.Finding) {
				t.Helper()
				key := s.chained(t)
				s.config.AccessKeyID, s.config.SecretAccessKey = provider.NewSecret(key.AccessKeyID), provider.NewSecret(key.SecretAccessKey)
				s.config.SessionToken = provider.NewSecret(key.SessionToken)
			},
		},
		"expired keys": {
			breaks: func(_ *testing.T, s *place) {
				s.Inject(ecrtest.Fault{Action: "sts:*", Error: "ExpiredToken", Message: "The security token included in the request is expired"})
			},
			check: "identity", cause: "the credentials that signed the call have expired", remedy: "how they are renewed", kind: provider.ErrAccessDenied,
		},
		"no credentials": {
			breaks: func(_ *testing.T, s *place) { s.chain(nil) },
			check:  "credentials", cause: "no AWS credentials were found", remedy: "set access_key_id and secret_access_key, or run with IRSA", kind: provider.ErrMisconfigured,
		},
		"web identity that isn't trusted": {
			breaks: func(t *testing.T, s *place) { t.Helper(); s.irsa(t, "system:serviceaccount:other:other", time.Hour) },
			check:  "credentials", cause: "AWS refused the credentials' own source", remedy: "the trust policy of the role in AWS_ROLE_ARN",
			kind: provider.ErrAccessDenied,
		},
		"projected token isn't mounted": {
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				missing := stscreds.IdentityTokenFile(filepath.Join(t.TempDir(), "token"))
				s.chain(stscreds.NewWebIdentityRoleProvider(awssts.New(awssts.Options{Region: "eu-west-1"}), s.deployment.ControllerRoleARN, missing))
			},
			check: "credentials", cause: "the token file of IRSA or Pod Identity can't be read", remedy: "check that it is mounted", kind: provider.ErrMisconfigured,
		},
		"SSO session is over": {
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				s.chain(ssocreds.New(nil, "123456789012", "role", "https://example.awsapps.com/start"))
			},
			check: "credentials", cause: "the profile's SSO session has expired", remedy: "aws sso login", kind: provider.ErrMisconfigured,
		},
		"expired web identity": {
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				s.irsa(t, "system:serviceaccount:rise-system:rise-backend", -time.Hour)
			},
			check: "credentials", cause: "AWS refuses the web identity token", remedy: "that the token file is renewed", kind: provider.ErrAccessDenied,
		},
		"profile's role isn't trusting": {
			breaks: func(t *testing.T, s *place) { t.Helper(); s.trust(controllerName, nobody); s.profile(t) },
			check:  "credentials", cause: "the role that the profile names", remedy: "check its trust policy", kind: provider.ErrAccessDenied,
		},
		"profile's keys have expired": {
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				s.Inject(ecrtest.Fault{Action: "sts:AssumeRole", Error: "ExpiredToken", Message: "The security token included in the request is expired"})
				s.profile(t)
			},
			check: "credentials", cause: "the credentials that assume the profile's role have expired", remedy: "renew", kind: provider.ErrAccessDenied,
		},
		"credential_process fails": {
			breaks: func(_ *testing.T, s *place) {
				s.chain(processcreds.NewProvider("exit 3"))
			},
			check: "credentials", cause: "the profile's credential_process failed", remedy: "run it by hand", kind: provider.ErrMisconfigured,
		},
		"Pod Identity isn't trusted": {
			breaks: func(_ *testing.T, s *place) { s.pod(); s.trust(controllerName, nobody) },
			check:  "credentials", cause: "AWS refused the credentials' own source", remedy: "pods.eks.amazonaws.com", kind: provider.ErrAccessDenied,
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) { podRole(s.awsServer) },
		},
		"Pod Identity's agent is down": {
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				s.chain(endpointcreds.New("http://"+realtest.ClosedAddress(t), func(o *endpointcreds.Options) { o.Retryer = awssdk.NopRetryer{} }))
			},
			check: "credentials", cause: "the credentials' source can't be reached: nothing listens at 127.0.0.1:", remedy: "check host and port", kind: provider.ErrUnavailable,
		},
		"another account's credentials": {
			breaks: func(_ *testing.T, s *place) {
				key := s.AddUser(ecrtest.User{Name: "arn:aws:iam::999999999999:user/elsewhere", Policies: []string{
					`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}]}`}})
				s.config.AccessKeyID, s.config.SecretAccessKey = provider.NewSecret(key.ID), provider.NewSecret(key.Secret)
			},
			check: "identity", cause: "the credentials are of account 999999999999, and account_id is 123456789012", remedy: "set role_arn", kind: provider.ErrAccessDenied,
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) {
				s.trust(controllerName, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999999999999:user/elsewhere"},"Action":"sts:AssumeRole"}]}`)
				s.config.RoleARN = s.deployment.ControllerRoleARN
			},
		},
		"STS throttles": {
			breaks: func(_ *testing.T, s *place) { single(s); s.Inject(ecrtest.Fault{Action: "sts:*", Error: "Throttling"}) },
			check:  "sts", cause: "AWS limits the rate", remedy: "higher quota", kind: provider.ErrThrottled,
		},
	}
}

// irsa makes the process one with a web identity token of the subject.
func (s *place) irsa(t *testing.T, subject string, lifetime time.Duration) {
	t.Helper()
	oidc := s.AddOIDCProvider("https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE")
	s.trust(controllerName, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"`+oidc.ARN+`"},`+
		`"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"`+oidc.Issuer+`:sub":"system:serviceaccount:rise-system:rise-backend"}}}]}`)
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("eu-west-1"), config.WithBaseEndpoint(s.URL),
		config.WithCredentialsProvider(awssdk.AnonymousCredentials{}))
	require.NoError(t, err)
	token := oidc.Token(subject, "", lifetime)
	s.secrets = append(s.secrets, token)
	s.chain(awssdk.NewCredentialsCache(stscreds.NewWebIdentityRoleProvider(awssts.NewFromConfig(cfg), s.deployment.ControllerRoleARN, identityToken(token))))
}

// profile makes the SDK assume the controller role by itself, as for a profile with role_arn and source_profile.
func (s *place) profile(t *testing.T) {
	t.Helper()
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("eu-west-1"), config.WithBaseEndpoint(s.URL),
		config.WithSharedConfigFiles(nil), config.WithSharedCredentialsFiles(nil),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(s.deployment.OutsideUser.ID, s.deployment.OutsideUser.Secret, "")))
	require.NoError(t, err)
	s.chain(awssdk.NewCredentialsCache(stscreds.NewAssumeRoleProvider(awssts.NewFromConfig(cfg), s.deployment.ControllerRoleARN)))
}

type identityToken string

func (i identityToken) GetIdentityToken() ([]byte, error) { return []byte(i), nil }

func brokenNetworks() map[string]brokenSite {
	const caRemedy = "AWS_CA_BUNDLE"
	trusting := func(s *place) {
		s.opts = append(s.opts, ecr.WithLoadOptions(func(o *config.LoadOptions) error {
			o.CustomCABundle = strings.NewReader(s.ca)
			return nil
		}))
	}
	return map[string]brokenSite{
		"dead DNS name": {
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				single(s)
				s.at("https://sts.eu-mars-9.invalid")
				s.dial(realtest.NoSuchHost(t).DialContext)
			},
			check: "sts", cause: "the host name sts.eu-mars-9.invalid doesn't exist in DNS", remedy: "check region", kind: provider.ErrUnavailable,
		},
		"closed port": {
			breaks: func(t *testing.T, s *place) { t.Helper(); single(s); s.at("http://" + realtest.ClosedAddress(t)) },
			check:  "sts", cause: "(connection refused)", remedy: "check host and port", kind: provider.ErrUnavailable,
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) { s.at(s.URL) },
		},
		"untrusted certificate": {
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				single(s)
				address, ca := tlsListener(t, s.Handler())
				s.at("https://" + address)
				s.ca = ca
			},
			check: "sts", cause: "is signed by an unknown authority, which isn't trusted", remedy: caRemedy, kind: provider.ErrUnavailable,
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) { trusting(s) },
		},
		"HTTP for HTTPS": {
			breaks: func(t *testing.T, s *place) { t.Helper(); single(s); s.at("https://" + plainListener(t, s.Handler())) },
			check:  "sts", cause: "plain HTTP is spoken at 127.0.0.1:", remedy: "let it serve TLS", kind: provider.ErrUnavailable,
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) { s.at(s.URL) },
		},
		"dead proxy": {
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				single(s)
				s.at("https://sts.eu-west-1.amazonaws.com")
				proxy := &url.URL{Scheme: "http", User: url.UserPassword("me", "proxy-password"), Host: realtest.ClosedAddress(t)}
				s.secrets = append(s.secrets, "proxy-password")
				s.use(func(t *http.Transport) { t.Proxy = http.ProxyURL(proxy) })
			},
			check: "sts", cause: "the HTTP proxy for sts.eu-west-1.amazonaws.com can't be reached or refuses", remedy: "NO_PROXY", kind: provider.ErrUnavailable,
		},
		"proxy with a dead DNS name": {
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				single(s)
				s.at("https://sts.eu-west-1.amazonaws.com")
				dead := realtest.NoSuchHost(t)
				s.use(func(t *http.Transport) {
					t.DialContext, t.Proxy = dead.DialContext, http.ProxyURL(&url.URL{Scheme: "http", Host: "proxy.invalid:3128"})
				})
			},
			check: "sts", cause: "the HTTP proxy for sts.eu-west-1.amazonaws.com can't be reached or refuses", remedy: "check HTTPS_PROXY", kind: provider.ErrUnavailable,
		},
		"proxy wants a login": {
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				single(s)
				s.at("https://sts.eu-west-1.amazonaws.com")
				proxy := plainListener(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusProxyAuthRequired) }))
				s.use(func(t *http.Transport) { t.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: proxy}) })
			},
			check: "sts", cause: "the HTTP proxy for sts.eu-west-1.amazonaws.com refuses to connect to it", remedy: "which login it wants", kind: provider.ErrUnavailable,
		},
		"client certificate wanted": {
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				single(s)
				server := httptest.NewUnstartedServer(s.Handler())
				// In TLS 1.3 the handshake is over for the client by then: it may see the connection end before it reads why.
				server.TLS, server.Config.ErrorLog = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12}, log.New(io.Discard, "", 0)
				server.StartTLS()
				t.Cleanup(server.Close)
				s.ca = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
				s.at(server.URL)
				trusting(s)
			},
			check: "sts", cause: "the TLS handshake with 127.0.0.1:", remedy: "client certificates", kind: provider.ErrUnavailable,
		},
		"firewall that drops packets": {
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				single(s)
				s.at("https://" + realtest.Unreachable(t))
				quick := awshttp.NewBuildableClient().WithDialerOptions(func(d *net.Dialer) { d.Timeout = 200 * time.Millisecond })
				s.opts = append(s.opts, ecr.WithLoadOptions(config.WithHTTPClient(quick)))
			},
			check: "sts", cause: "no connection to 127.0.0.1:", remedy: "check firewalls, security groups", kind: provider.ErrTimeout,
		},
		"STS fails": {
			breaks: func(_ *testing.T, s *place) {
				single(s)
				s.Inject(ecrtest.Fault{Action: "sts:*", Status: http.StatusServiceUnavailable})
			},
			check: "sts", cause: "AWS fails on its side", remedy: "try again later", kind: provider.ErrUnavailable,
		},
		"not STS": {
			breaks: func(t *testing.T, s *place) { t.Helper(); s.at("http://" + plainListener(t, http.NotFoundHandler())) },
			check:  "sts", cause: "what answers isn't AWS", remedy: "check AWS_ENDPOINT_URL", kind: provider.ErrBadResponse,
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) { s.at(s.URL) },
		},
		"a firewall answers in STS's place": {
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				s.at("http://" + plainListener(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(http.StatusForbidden)
					_, _ = io.WriteString(w, "<html>blocked</html>")
				})))
			},
			check: "sts", cause: "what answers isn't AWS", remedy: "proxies that answer in AWS's place", kind: provider.ErrBadResponse,
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) { s.at(s.URL) },
		},
		"not a token": {
			breaks: func(_ *testing.T, s *place) {
				s.Inject(ecrtest.Fault{Action: "ecr:GetAuthorizationToken", Malformed: true})
			},
			check: "token", cause: "what answers isn't AWS", remedy: "proxies", kind: provider.ErrBadResponse,
		},
		"STS cuts connections": {
			breaks: func(_ *testing.T, s *place) { single(s); s.Inject(ecrtest.Fault{Action: "sts:*", Reset: true}) },
			check:  "sts", cause: "was cut before an answer", remedy: "proxies and firewalls", kind: provider.ErrUnavailable,
		},
		"ECR's API can't be reached": {
			server: ecrtest.Config{InMemory: true},
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				single(s)
				dead := realtest.NoSuchHost(t)
				s.use(func(t *http.Transport) {
					t.Proxy, t.DialContext = nil, s.DialContext
					t.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
						if strings.HasPrefix(address, "api.ecr.") {
							return dead.DialContext(ctx, network, address)
						}
						return s.DialContext(ctx, network, address)
					}
				})
			},
			check: "token", cause: "the host name api.ecr.eu-west-1.amazonaws.com doesn't exist in DNS", remedy: "check the name", kind: provider.ErrUnavailable,
		},
		"image registry: dead DNS name": {
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				dead := realtest.NoSuchHost(t)
				s.config.RegistryHost = "registry.invalid"
				s.dial(func(ctx context.Context, network, address string) (net.Conn, error) {
					if strings.HasPrefix(address, "registry.invalid") {
						return dead.DialContext(ctx, network, address)
					}
					return (&net.Dialer{}).DialContext(ctx, network, address)
				})
			},
			check: "registry", cause: "the host name registry.invalid doesn't exist in DNS", remedy: "check registry_host",
		},
		"image registry: closed port": {
			breaks: func(t *testing.T, s *place) { t.Helper(); s.config.RegistryHost = realtest.ClosedAddress(t) },
			check:  "registry", cause: "(connection refused)", remedy: "check registry_host",
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) { s.config.RegistryHost = s.RegistryHost },
		},
		"image registry: untrusted certificate": {
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				address, ca := tlsListener(t, s.Handler())
				s.config.RegistryHost, s.ca = address, ca
			},
			check: "registry", cause: "is signed by an unknown authority", remedy: caRemedy,
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) { trusting(s) }, left: "registry_host", // which is the TLS listener's
		},
		"image registry: HTTP for HTTPS": {
			breaks: func(_ *testing.T, s *place) {
				s.config.RegistryHost = "registry.example.com:5000"
				at := to(s.RegistryHost)
				s.dial(at)
			},
			check: "registry", cause: "plain HTTP is spoken at registry.example.com:5000, where HTTPS is expected", remedy: "let it serve TLS",
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) { s.config.RegistryHost = s.RegistryHost },
		},
		"a firewall's page in the image registry's place": {
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				s.config.RegistryHost = plainListener(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(http.StatusForbidden)
					_, _ = io.WriteString(w, "<!DOCTYPE html><title>This category is blocked</title>")
				}))
			},
			check: "registry", cause: "what answers is no image registry", remedy: "proxies that answer in its place",
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) { s.config.RegistryHost = s.RegistryHost },
		},
		"a website as registry_host": {
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				s.config.RegistryHost = plainListener(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					_, _ = io.WriteString(w, "<!DOCTYPE html><title>Welcome</title>")
				}))
			},
			check: "registry", cause: "what answers is no image registry", remedy: "check registry_host",
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) { s.config.RegistryHost = s.RegistryHost },
		},
		"image registry: another's": {
			breaks: func(t *testing.T, s *place) { t.Helper(); s.config.RegistryHost = realtest.Registry(t, true) },
			check:  "registry", cause: "doesn't take the token: it is another registry", remedy: "check registry_host",
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) { s.config.RegistryHost = s.RegistryHost },
		},
		"image registry: one that lets everybody in": {
			breaks: func(t *testing.T, s *place) { t.Helper(); s.config.RegistryHost = realtest.Registry(t, false) },
			check:  "isolation", cause: "isn't refused another project's repository", remedy: "stop handing out credentials",
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) { s.config.RegistryHost = s.RegistryHost },
		},
		"image registry: one that lets everybody in, beside orphaned and suspended neighbours": {
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				for name, tag := range map[string]string{"a": "rise:orphaned", "b": "rise:suspended"} {
					r := s.deployment.Repository(name)
					r.Tags[tag] = "true"
					s.CreateRepository(r)
				}
				registry := realtest.Registry(t, false)
				s.config.RegistryHost = plainListener(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if strings.Contains(r.URL.Path, "/rise/a/") || strings.Contains(r.URL.Path, "/rise/b/") { // as the push role's own policy does
						w.WriteHeader(http.StatusForbidden)
						return
					}
					(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.Out.URL.Scheme, p.Out.URL.Host = "http", registry }}).ServeHTTP(w, r)
				}))
			},
			check: "isolation", cause: "isn't refused another project's repository", remedy: "stop handing out credentials",
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) { s.config.RegistryHost = s.RegistryHost },
		},
		"image registry: another region's": {
			server: ecrtest.Config{InMemory: true, OtherRegions: []string{"eu-central-1"}},
			breaks: func(_ *testing.T, s *place) {
				s.config.RegistryHost = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
			},
			check: "registry", cause: "Your authorization token has expired", remedy: "a token is bound to its region",
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) { s.config.RegistryHost = "" },
		},
	}
}

// By default, connections are given up before attempts are: else nobody could tell that it is the connection.
func TestDroppedPackets(t *testing.T) {
	t.Parallel()
	s := newPlace(t, ecrtest.Config{}, ecrtest.SetupOptions{})
	single(s)
	s.at("https://" + realtest.Unreachable(t))
	_, err := provider.Issue(t.Context(), s.build(t), push)
	require.ErrorIs(t, err, provider.ErrTimeout, "as anything else that hangs in every attempt")
	require.Contains(t, asError(t, err).Hint, "no connection to 127.0.0.1:")
}

func brokenRepositories() map[string]brokenSite {
	tag := func(key, value string) func(*testing.T, *place) {
		return func(_ *testing.T, s *place) {
			s.UpdateRepository("rise/hello", func(r *ecrtest.Repository) {
				if r.Tags[key] = value; value == "" {
					delete(r.Tags, key)
				}
			})
		}
	}
	// tagResource does what the command in the remedy does, with the operator's rights.
	tagResource := func(t *testing.T, s *place, f diagnosis.Finding) {
		t.Helper()
		command := regexp.MustCompile(`(?m)^aws ecr tag-resource --region eu-west-1 --resource-arn arn:aws:ecr:eu-west-1:123456789012:repository/(\S+) --tags (.*)$`).
			FindStringSubmatch(f.Remedy)
		require.NotNil(t, command, f.Remedy)
		for pair := range strings.FieldsSeq(command[2]) {
			key, value, ok := strings.Cut(strings.TrimPrefix(pair, "Key="), ",Value=")
			require.True(t, ok, pair)
			s.UpdateRepository(command[1], func(r *ecrtest.Repository) { r.Tags[key] = value })
		}
	}
	manage := func(do func(context.Context, repository.Manager) error) func(*testing.T, *place, diagnosis.Finding) {
		return func(t *testing.T, s *place, _ diagnosis.Finding) {
			t.Helper()
			require.NoError(t, do(t.Context(), s.build(t)))
		}
	}
	return map[string]brokenSite{
		"missing repository": {
			breaks: func(_ *testing.T, s *place) { s.DeleteRepository("rise/hello") },
			check:  "repository", cause: "there is no repository rise/hello", remedy: "operator repo ensure hello",
			mends: manage(func(ctx context.Context, m repository.Manager) error {
				_, err := m.EnsureRepository(ctx, provider.Project{Name: "hello"}, repository.EnsureOptions{})
				return err
			}),
		},
		"missing repository, and another project's name ends alike": {
			breaks: func(_ *testing.T, s *place) {
				s.DeleteRepository("rise/hello")
				s.CreateRepository(s.deployment.Repository("say-hello"))
				s.CreateRepository(ecrtest.Repository{Name: "docker-hub/library/hello"})
			},
			check: "repository", cause: "there is no repository rise/hello: ECR makes none on push", remedy: "operator repo ensure hello",
			mends: manage(func(ctx context.Context, m repository.Manager) error {
				_, err := m.EnsureRepository(ctx, provider.Project{Name: "hello"}, repository.EnsureOptions{})
				return err
			}),
		},
		"prefix mismatch": {
			breaks: func(_ *testing.T, s *place) { s.config.RepoPrefix = "rise-backend/" },
			check:  "repository", cause: "there is no repository rise-backend/hello, but there is rise/hello: repo_prefix disagrees", remedy: "set repo_prefix: rise/",
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) { s.config.RepoPrefix = "rise/" },
		},
		"controller is forbidden to read tags": {
			breaks: func(_ *testing.T, s *place) {
				s.UpdateUser(controllerName, func(u *ecrtest.User) {
					u.Policies = append(u.Policies, `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"ecr:ListTagsForResource","Resource":"*"}]}`)
				})
			},
			check: "repository", cause: "a Deny in an identity-based policy forbids ecr:ListTagsForResource", remedy: "take it out, or except this",
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) {
				s.UpdateUser(controllerName, func(u *ecrtest.User) { u.Policies = u.Policies[:len(u.Policies)-1] })
			},
		},
		"nobody's repository": {
			breaks: func(_ *testing.T, s *place) {
				s.UpdateRepository("rise/hello", func(r *ecrtest.Repository) { r.Tags = nil })
			},
			check: "repository", cause: "isn't ours: it isn't tagged rise:managed", remedy: "operator repo adopt hello",
			mends: manage(func(ctx context.Context, m repository.Manager) error {
				_, err := m.AdoptRepository(ctx, provider.Project{Name: "hello"}, false)
				return err
			}),
		},
		"foreign repository": {
			breaks: tag("rise:managed", ""), check: "repository", cause: "isn't ours: it isn't tagged rise:managed", remedy: "aws ecr tag-resource",
			mends: tagResource,
		},
		"a repository from before installation was set": {
			breaks: tag("rise:installation", ""), check: "repository", cause: "isn't ours: it has no tag rise:installation", remedy: "aws ecr tag-resource",
			mends: tagResource,
		},
		"another installation's repository": {
			breaks: tag("rise:installation", "staging"), check: "repository", cause: "its tag rise:installation names another installation", remedy: "correct installation",
			mends: tagResource,
		},
		"another project's repository": {
			breaks: tag("rise:project", "other"), check: "repository", cause: "its tag rise:project doesn't name the project", remedy: "name the project otherwise",
			mends: tagResource,
		},
		"orphaned repository": {
			breaks: tag("rise:orphaned", "true"), check: "repository", cause: "is orphaned", remedy: "operator repo restore hello",
			mends: manage(func(ctx context.Context, m repository.Manager) error {
				_, err := m.RestoreRepository(ctx, provider.Project{Name: "hello"})
				return err
			}),
		},
		"suspended repository": {
			breaks: tag("rise:suspended", "true"), check: "repository", cause: "is suspended", remedy: "operator repo suspend --lift hello",
			mends: manage(func(ctx context.Context, m repository.Manager) error {
				_, err := m.SuspendRepository(ctx, "hello", false)
				return err
			}),
		},
		"denied action": {
			breaks: func(_ *testing.T, s *place) {
				s.o.WriteProbe = true
				s.UpdateRole(pushName, func(r *ecrtest.Role) { r.Policies = replaced(r.Policies, `"ecr:InitiateLayerUpload",`, "") })
			},
			check: "repository_access", cause: "the push role's own policy doesn't allow ecr:InitiateLayerUpload", remedy: "let the push role's policy allow it",
			mends: func(t *testing.T, s *place, f diagnosis.Finding) { t.Helper(); s.allow(pushName, documents(t, f)[0]) },
		},
		"push role for another prefix": {
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				s.UpdateRole(pushName, func(r *ecrtest.Role) {
					r.Policies = replaced(withoutStatement(t, r.Policies, "NothingElse"), "repository/rise/", "repository/apps/")
				})
			},
			check: "repository_access", cause: "is for another prefix than repo_prefix", remedy: "repository/rise/*",
			mends: func(t *testing.T, s *place, f diagnosis.Finding) { t.Helper(); s.allow(pushName, documents(t, f)[0]) },
		},
		"push role denies": {
			breaks: func(_ *testing.T, s *place) {
				s.allow(pushName, `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"ecr:BatchGetImage","Resource":"*"}]}`)
			},
			check: "repository_access", cause: "a Deny in an identity-based policy forbids", remedy: "look for a Deny",
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) {
				s.UpdateRole(pushName, func(r *ecrtest.Role) { r.Policies = r.Policies[:len(r.Policies)-1] })
			},
		},
		"permissions boundary": {
			breaks: func(_ *testing.T, s *place) {
				s.UpdateRole(pushName, func(r *ecrtest.Role) {
					r.Boundary = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"}]}`
				})
			},
			check: "repository_access", cause: "the permissions boundary of the push role doesn't allow ecr:BatchGetImage", remedy: "allow it there",
			mends: func(t *testing.T, s *place, f diagnosis.Finding) {
				t.Helper()
				s.UpdateRole(pushName, func(r *ecrtest.Role) {
					r.Boundary = strings.Replace(documents(t, f)[0], `"Statement":[`, `"Statement":[{"Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"},`, 1)
				})
			},
		},
		"repository policy denies": {
			breaks: func(_ *testing.T, s *place) {
				s.UpdateRepository("rise/hello", func(r *ecrtest.Repository) {
					r.Policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"ecr:BatchGetImage"}]}`
				})
			},
			check: "repository_access", cause: "a Deny in a resource-based policy forbids", remedy: "look for a Deny",
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) {
				s.UpdateRepository("rise/hello", func(r *ecrtest.Repository) { r.Policy = "" })
			},
		},
	}
}

// What works, but not as it should.
func doubtfulSites() map[string]brokenSite {
	const everybody = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage"%s}]}`
	return map[string]brokenSite{
		"repository policy lets others in": {
			breaks: func(_ *testing.T, s *place) {
				s.UpdateRepository("rise/hello", func(r *ecrtest.Repository) { r.Policy = fmt.Sprintf(everybody, "") })
			},
			check: "repository_policy", status: diagnosis.Warned, cause: "lets others into our repositories: *", remedy: "aws ecr delete-repository-policy --repository-name rise/hello",
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) {
				s.UpdateRepository("rise/hello", func(r *ecrtest.Repository) { r.Policy = "" })
			},
		},
		"registry policy lets others in": {
			breaks: func(_ *testing.T, s *place) {
				s.SetRegistryPolicy(fmt.Sprintf(everybody, `,"Resource":"arn:aws:ecr:eu-west-1:123456789012:repository/ri*"`))
			},
			check: "registry_policy", status: diagnosis.Warned, cause: "the registry's policy lets others into our repositories: *", remedy: "aws ecr put-registry-policy",
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) {
				s.SetRegistryPolicy(fmt.Sprintf(everybody, `,"Resource":"arn:aws:ecr:eu-west-1:123456789012:repository/public/*"`))
			},
		},
		"registry policy that lets others in by wildcards": {
			breaks: func(_ *testing.T, s *place) {
				s.SetRegistryPolicy(fmt.Sprintf(everybody, `,"Resource":["arn:aws:ecr:*:*:repository/public/*","arn:aws:ecr:*:123456789012:*/r?se/h*"]`))
			},
			check: "registry_policy", status: diagnosis.Warned, cause: "the registry's policy lets others into our repositories: *", remedy: "aws ecr put-registry-policy",
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) { // for what is public alone, whatever its wildcards
				s.SetRegistryPolicy(fmt.Sprintf(everybody, `,"Resource":["arn:aws:ecr:*:*:repository/public/*","arn:aws:ecr:*:123456789012:repository/?ublic-*",`+
					`"arn:aws:ecr:*:*:repository/*/public/*","arn:aws:ecr:eu-west-1:123456789012:repository/rise","arn:aws:ecr:*:*:repository/rise/team/*"]`))
			},
		},
		"managed signing": {
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				t.Cleanup(s.AddSigningRule("public/*"))
				t.Cleanup(s.AddSigningRule("other/*", "*/hello"))
			},
			check: "managed_signing", status: diagnosis.Warned, cause: "signer:SignPayload, which sessions are denied by design", remedy: "aws ecr get-signing-configuration",
		},
		"managed signing of everything": {
			breaks: func(t *testing.T, s *place) { t.Helper(); t.Cleanup(s.AddSigningRule()) },
			check:  "managed_signing", status: diagnosis.Warned, cause: "what is pushed there stays unsigned", remedy: "narrow the rule's repository filters",
		},
		"create-on-push template": {
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				t.Cleanup(s.AddCreationTemplate(ecrtest.CreationTemplate{Prefix: "rise", AppliedFor: []string{"CREATE_ON_PUSH"}}))
			},
			check: "creation_templates", status: diagnosis.Warned, cause: "creates repositories on push reaches into rise/: rise", remedy: "aws ecr delete-repository-creation-template --prefix rise",
		},
		"create-on-push template above our prefix, with a slash": {
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				s.config.RepoPrefix = "rise/team/"
				s.CreateRepository(ecrtest.Repository{Name: "rise/team/hello", Tags: s.deployment.Repository("hello").Tags})
				t.Cleanup(s.AddCreationTemplate(ecrtest.CreationTemplate{Prefix: "rise", AppliedFor: []string{"CREATE_ON_PUSH"}}))
				s.Inject(ecrtest.Fault{Action: "ecr:DescribeRepositoryCreationTemplates", Mutate: func(body []byte) []byte {
					return bytes.ReplaceAll(body, []byte(`"prefix":"rise"`), []byte(`"prefix":"rise/"`))
				}})
			},
			check: "creation_templates", status: diagnosis.Warned, cause: "creates repositories on push reaches into rise/team/: rise/", remedy: "--prefix rise/",
		},
		"pull-through cache rule": {
			breaks: func(t *testing.T, s *place) {
				t.Helper()
				t.Cleanup(s.AddPullThroughCacheRule("ROOT", "registry-1.docker.io"))
			},
			check: "pull_through_rules", status: diagnosis.Warned, cause: "reaches into rise/: ROOT", remedy: "aws ecr delete-pull-through-cache-rule --ecr-repository-prefix ROOT",
		},
		"registry_host that ECR doesn't name": {
			breaks: func(_ *testing.T, s *place) {
				s.config.RegistryHost = strings.Replace(s.RegistryHost, "127.0.0.1", "localhost", 1)
			},
			check: "registry_host", status: diagnosis.Warned, cause: "is handed out", remedy: "take out registry_host",
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) { s.config.RegistryHost = s.RegistryHost },
		},
		"unknown region": {
			server: ecrtest.Config{InMemory: true, Region: "mars-north-1"},
			breaks: func(_ *testing.T, s *place) { s.config.RegistryHost = "" },
			check:  "config", status: diagnosis.Warned, cause: "the AWS SDK doesn't know region mars-north-1", remedy: "check region",
		},
		"FIPS where there is none": {
			server: ecrtest.Config{InMemory: true},
			breaks: func(_ *testing.T, s *place) { s.config.UseFIPS, s.config.RegistryHost = true, "" },
			check:  "config", status: diagnosis.Warned, cause: "FIPS is asked for", remedy: "use_fips",
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) { s.config.UseFIPS = false },
		},
		"plain HTTP to AWS": {
			breaks: func(_ *testing.T, s *place) {
				s.at("http://aws.example.com")
				s.dial(to(s.RegistryHost))
				s.config.Insecure = true
			},
			check: "config", status: diagnosis.Warned, cause: "an AWS endpoint is plain HTTP", remedy: "use https",
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) { s.at(s.URL); s.config.Insecure = false },
		},
		"a name's next owner would meet tokens of the last": {
			breaks: func(_ *testing.T, s *place) { s.config.AutoRemove, s.config.RemoveAfter = true, new(time.Duration(0)) },
			check:  "config", status: diagnosis.Warned, cause: "remove_after: with 0s", remedy: "or remove_after: 24h",
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) { s.config.RemoveAfter = new(24 * time.Hour) },
		},
		"a name's next owner would meet tokens of the last, mended by ids": {
			breaks: func(_ *testing.T, s *place) { s.config.RemoveAfter = new(time.Duration(0)) },
			check:  "config", status: diagnosis.Warned, cause: "remove_after: with 0s", remedy: "set project_ids: true",
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) {
				s.config.ProjectIDs, s.o.ProjectID = true, "p-1"
				s.UpdateRepository("rise/hello", func(r *ecrtest.Repository) { r.Tags["rise:project-id"] = "p-1" })
			},
		},
		"the name was another project's": {
			breaks: func(_ *testing.T, s *place) {
				s.o.ProjectID = "p-2"
				s.UpdateRepository("rise/hello", func(r *ecrtest.Repository) { r.Tags["rise:project-id"] = "p-1" })
			},
			check: "repository", status: diagnosis.Failed, cause: "is of a project of the same name with another id", remedy: "operator repo release hello --id ID",
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) { s.o.ProjectID = "p-1" },
		},
		"the name was another project's, who released it": {
			breaks: func(_ *testing.T, s *place) {
				s.o.ProjectID = "p-2"
				s.UpdateRepository("rise/hello", func(r *ecrtest.Repository) {
					r.Tags["rise:project-id"], r.Tags["rise:orphaned"] = "p-1", "true"
				})
			},
			check: "repository", status: diagnosis.Failed, cause: "is of a project of the same name with another id", remedy: "let the released repository be purged",
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) {
				s.UpdateRepository("rise/hello", func(r *ecrtest.Repository) {
					r.Tags["rise:project-id"] = "p-2"
					delete(r.Tags, "rise:orphaned")
				})
			},
		},
		"a repository of nobody's id": {
			breaks: func(_ *testing.T, s *place) { s.config.ProjectIDs, s.o.ProjectID = true, "p-1" },
			check:  "repository", status: diagnosis.Warned, cause: "has no tag rise:project-id", remedy: "operator repo ensure hello --id p-1",
			mends: func(t *testing.T, s *place, _ diagnosis.Finding) {
				t.Helper()
				_, err := s.build(t).EnsureRepository(t.Context(), provider.Project{Name: "hello", ID: "p-1"}, repository.EnsureOptions{})
				require.NoError(t, err)
			},
		},
		"auto_remove without installation": {
			breaks: func(_ *testing.T, s *place) {
				s.config.AutoRemove, s.config.RemoveAfter, s.config.Installation = true, new(24*time.Hour), ""
			},
			check: "config", status: diagnosis.Warned, cause: "auto_remove does nothing", remedy: "set installation",
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) { s.config.Installation = "prod" },
		},
		"installation isn't set": {
			breaks: func(_ *testing.T, s *place) { s.config.Installation = "" },
			check:  "repository", status: diagnosis.Warned, cause: "and installation isn't set", remedy: "set installation",
			mends: func(_ *testing.T, s *place, _ diagnosis.Finding) { s.config.Installation = "prod" },
		},
	}
}

package ecrtest_test

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
)

func TestAssumeRole(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		role    ecrtest.Role
		in      sts.AssumeRoleInput
		caller  string // policy of the caller; default: everything
		chained bool   // the caller is a session
		code    string // expected error; default none
		message string
	}{
		{name: "trusted"},
		{name: "not trusted", role: ecrtest.Role{Trust: trustOf(`{"AWS":"arn:aws:iam::123456789012:user/somebody"}`)},
			code: "AccessDenied", message: "User: arn:aws:iam::123456789012:user/caller is not authorized to perform: " +
				"sts:AssumeRole on resource: arn:aws:iam::123456789012:role/target"},
		{name: "no such role", in: sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::123456789012:role/nobody")},
			code: "AccessDenied", message: "on resource: arn:aws:iam::123456789012:role/nobody"},
		{name: "root-delegating trust, caller may", role: ecrtest.Role{Trust: trustOf(`{"AWS":"arn:aws:iam::123456789012:root"}`)}},
		{name: "root-delegating trust, caller may not", caller: denyNothing,
			role: ecrtest.Role{Trust: trustOf(`{"AWS":"123456789012"}`)}, code: "AccessDenied"},
		{name: "caller is denied", caller: `{"Statement":{"Effect":"Deny","Action":"sts:AssumeRole","Resource":"*"}}`,
			code: "AccessDenied"},
		{name: "external id", role: ecrtest.Role{Trust: externalIDTrust},
			in: sts.AssumeRoleInput{ExternalId: aws.String("x-1")}},
		{name: "no external id", role: ecrtest.Role{Trust: externalIDTrust}, code: "AccessDenied"},
		{name: "wrong external id", role: ecrtest.Role{Trust: externalIDTrust},
			in: sts.AssumeRoleInput{ExternalId: aws.String("x-2")}, code: "AccessDenied"},
		{name: "malformed external id", in: sts.AssumeRoleInput{ExternalId: aws.String("a b")}, code: "ValidationError",
			message: "at 'externalId' failed to satisfy constraint"},
		{name: "session name", in: sts.AssumeRoleInput{RoleSessionName: aws.String("a+=,.@-_9")}},
		{name: "session name with a slash", in: sts.AssumeRoleInput{RoleSessionName: aws.String("a/b")},
			code: "ValidationError",
			message: "Value 'a/b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression " +
				`pattern: [\w+=,.@-]*`},
		{name: "session name of one character", in: sts.AssumeRoleInput{RoleSessionName: aws.String("a")},
			code:    "ValidationError",
			message: "Member must have length greater than or equal to 2"},
		{name: "session name of 65 characters", in: sts.AssumeRoleInput{RoleSessionName: aws.String(strings.Repeat("a", 65))},
			code: "ValidationError", message: "Member must have length less than or equal to 64"},
		{name: "duration", in: sts.AssumeRoleInput{DurationSeconds: aws.Int32(900)}},
		{name: "duration too short", in: sts.AssumeRoleInput{DurationSeconds: aws.Int32(899)}, code: "ValidationError",
			message: "Member must have value greater than or equal to 900"},
		{name: "duration too long", in: sts.AssumeRoleInput{DurationSeconds: aws.Int32(43201)}, code: "ValidationError",
			message: "Member must have value less than or equal to 43200"},
		{name: "duration over the role's", in: sts.AssumeRoleInput{DurationSeconds: aws.Int32(3601)}, code: "ValidationError",
			message: "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."},
		{name: "duration up to the role's", role: ecrtest.Role{MaxSessionDuration: 12 * time.Hour},
			in: sts.AssumeRoleInput{DurationSeconds: aws.Int32(43200)}},
		{name: "chained", chained: true},
		{name: "chained over an hour", chained: true, role: ecrtest.Role{MaxSessionDuration: 12 * time.Hour},
			in: sts.AssumeRoleInput{DurationSeconds: aws.Int32(3601)}, code: "ValidationError",
			message: "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."},
		{name: "policy of 2,048 characters", in: sts.AssumeRoleInput{Policy: aws.String(sized(2048))}},
		{name: "policy of 2,049 characters", in: sts.AssumeRoleInput{Policy: aws.String(sized(2049))},
			code:    "ValidationError",
			message: "at 'policy' failed to satisfy constraint: Member must have length less than or equal to 2048"},
		{name: "malformed policy", in: sts.AssumeRoleInput{Policy: aws.String(`{"Statement":[{}]}`)},
			code: "MalformedPolicyDocument"},
		{name: "tags", in: sts.AssumeRoleInput{Tags: []types.Tag{tag("rise:project", "hello")}}},
		{name: "tags without trust for them", role: ecrtest.Role{Trust: assumeOnly}, code: "AccessDenied",
			in:      sts.AssumeRoleInput{Tags: []types.Tag{tag("rise:project", "hello")}},
			message: "is not authorized to perform: sts:TagSession on resource: arn:aws:iam::123456789012:role/target"},
		{name: "tags without the caller's right", code: "AccessDenied",
			caller:  `{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}}`,
			in:      sts.AssumeRoleInput{Tags: []types.Tag{tag("rise:project", "hello")}},
			message: "is not authorized to perform: sts:TagSession"},
		{name: "tag key twice", in: sts.AssumeRoleInput{Tags: []types.Tag{tag("a", "1"), tag("A", "2")}},
			code:    "ValidationError",
			message: "Duplicate tag keys"},
		{name: "tag key reserved", in: sts.AssumeRoleInput{Tags: []types.Tag{tag("aws:a", "1")}}, code: "ValidationError"},
		{name: "tag value with characters that aren't allowed", in: sts.AssumeRoleInput{Tags: []types.Tag{tag("a", "*")}},
			code: "ValidationError"},
		{name: "managed policies", in: sts.AssumeRoleInput{PolicyArns: []types.PolicyDescriptorType{{Arn: aws.String(
			"arn:aws:iam::aws:policy/ReadOnlyAccess")}}}, code: "ValidationError", message: "PolicyArns isn't supported"},
		{name: "source identity", in: sts.AssumeRoleInput{SourceIdentity: aws.String("me")}, code: "AccessDenied",
			message: "sts:SetSourceIdentity"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t, ecrtest.Config{})
			caller := cmp.Or(test.caller, admin)
			key := srv.AddUser(ecrtest.User{Name: "caller", Policies: []string{caller}})
			test.role.Name = "target"
			if test.role.Trust == "" {
				test.role.Trust = trustOf(`{"AWS":["arn:aws:iam::123456789012:user/caller","arn:aws:iam::123456789012:role/controller"]}`)
			}
			srv.AddRole(test.role)
			cfg := awsConfig(srv, key)
			if test.chained {
				arn := srv.AddRole(ecrtest.Role{Name: "controller",
					Trust:    trustOf(`{"AWS":"arn:aws:iam::123456789012:user/caller"}`),
					Policies: []string{caller}})
				cfg = awsConfig(srv, assumeRole(t, cfg, &sts.AssumeRoleInput{RoleArn: &arn, RoleSessionName: aws.String("hop")}))
			}
			if test.in.RoleArn == nil {
				test.in.RoleArn = aws.String("arn:aws:iam::123456789012:role/target")
			}
			if test.in.RoleSessionName == nil {
				test.in.RoleSessionName = aws.String("session")
			}
			out, err := sts.NewFromConfig(cfg).AssumeRole(t.Context(), &test.in)
			if test.code != "" {
				requireCode(t, err, test.code, test.message)
				return
			}
			require.NoError(t, err)
			require.Equal(t, "arn:aws:sts::123456789012:assumed-role/target/"+*test.in.RoleSessionName, *out.AssumedRoleUser.Arn)
			want := time.Hour
			if test.in.DurationSeconds != nil {
				want = time.Duration(*test.in.DurationSeconds) * time.Second
			}
			require.WithinDuration(t, time.Now().Add(want), *out.Credentials.Expiration, time.Minute)
		})
	}
}

const (
	denyNothing     = `{"Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}`
	externalIDTrust = `{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":` +
		`"arn:aws:iam::123456789012:user/caller"},"Condition":{"StringEquals":{"sts:ExternalId":"x-1"}}}}`
	assumeOnly = `{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":` +
		`"arn:aws:iam::123456789012:user/caller"}}}`
)

func tag(key, value string) types.Tag { return types.Tag{Key: &key, Value: &value} }

// sized is a policy of so many characters.
func sized(n int) string {
	const start, end = `{"Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"arn:`, `"}}`
	return start + strings.Repeat("a", n-len(start)-len(end)) + end
}

func TestErrorTypesOfSTS(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	d := srv.Setup(ecrtest.SetupOptions{})
	client := sts.NewFromConfig(awsConfig(srv, d.ControllerUser))
	_, err := client.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &d.PushRoleARN,
		RoleSessionName: aws.String("rise-push-x"), Policy: aws.String("{}")})
	var malformed *types.MalformedPolicyDocumentException
	require.ErrorAs(t, err, &malformed)
	srv.Inject(ecrtest.Fault{Action: "sts:AssumeRole", Error: "PackedPolicyTooLarge"})
	_, err = client.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &d.PushRoleARN,
		RoleSessionName: aws.String("rise-push-x")})
	var packed *types.PackedPolicyTooLargeException
	require.ErrorAs(t, err, &packed)
}

func TestRecreatedRole(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	key := newAdmin(srv)
	hop := ecrtest.Role{Name: "controller", Trust: trustOf(`{"AWS":"arn:aws:iam::123456789012:user/admin"}`),
		Policies: []string{admin}}
	// The target may be made before the role that it trusts.
	target := srv.AddRole(ecrtest.Role{Name: "push", Trust: trustOf(`{"AWS":"arn:aws:iam::123456789012:role/controller"}`)})
	controller := srv.AddRole(hop)
	session := func() ecrtest.AccessKey {
		return assumeRole(t, awsConfig(srv, key), &sts.AssumeRoleInput{RoleArn: &controller,
			RoleSessionName: aws.String("hop")})
	}
	assume := func(k ecrtest.AccessKey) error {
		_, err := sts.NewFromConfig(awsConfig(srv, k)).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &target,
			RoleSessionName: aws.String("x1")})
		return err
	}
	first := session()
	require.NoError(t, assume(first))
	srv.DeleteRole("controller")
	requireCode(t, assume(first), "InvalidClientTokenId", "")
	srv.AddRole(hop)
	requireCode(t, assume(session()), "AccessDenied", "sts:AssumeRole on resource: "+target)
	// Saving the trust policy unchanged mends nothing by itself; saving it anew does.
	srv.UpdateRole("push", func(r *ecrtest.Role) { r.MaxSessionDuration = 2 * time.Hour })
	require.Error(t, assume(session()))
	srv.UpdateRole("push", func(r *ecrtest.Role) { r.Trust += " " })
	require.NoError(t, assume(session()))
}

func TestSelfAssumption(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	arn := srv.AddRole(ecrtest.Role{Name: "r", Trust: trustOf(`{"AWS":"arn:aws:iam::123456789012:user/admin"}`),
		Policies: []string{admin}})
	in := &sts.AssumeRoleInput{RoleArn: &arn, RoleSessionName: aws.String("s1")}
	key := assumeRole(t, awsConfig(srv, newAdmin(srv)), in)
	_, err := sts.NewFromConfig(awsConfig(srv, key)).AssumeRole(t.Context(), in)
	requireCode(t, err, "AccessDenied", "")
}

func TestWebIdentity(t *testing.T) {
	t.Parallel()
	const subject = "system:serviceaccount:ns:sa"
	other := newServer(t, ecrtest.Config{}).AddOIDCProvider("https://oidc.example.com/id/1")
	for _, test := range []struct {
		name    string
		token   func(*ecrtest.OIDCProvider) string
		code    string
		message string
	}{
		{"good", func(p *ecrtest.OIDCProvider) string { return p.Token(subject, "", 0) }, "", ""},
		{"another subject", func(p *ecrtest.OIDCProvider) string { return p.Token(subject+"x", "", 0) }, "AccessDenied",
			"Not authorized to perform sts:AssumeRoleWithWebIdentity"},
		{"another audience", func(p *ecrtest.OIDCProvider) string { return p.Token(subject, "x", 0) }, "InvalidIdentityToken",
			"Incorrect token audience"},
		{"expired", func(p *ecrtest.OIDCProvider) string { return p.Token(subject, "", -time.Minute) },
			"ExpiredTokenException",
			"Token expired"},
		{"signed by another key", func(*ecrtest.OIDCProvider) string { return other.Token(subject, "", 0) },
			"InvalidIdentityToken", "signature"},
		{"tampered", func(p *ecrtest.OIDCProvider) string {
			parts := strings.Split(p.Token(subject+"x", "", 0), ".")
			parts[1] = strings.Split(p.Token(subject, "", 0), ".")[1]
			return strings.Join(parts, ".")
		}, "InvalidIdentityToken", "signature"},
		{"no JWT", func(*ecrtest.OIDCProvider) string { return "secret-token" }, "InvalidIdentityToken", "not a valid JWT"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t, ecrtest.Config{})
			provider := srv.AddOIDCProvider("https://oidc.example.com/id/1")
			arn := srv.AddRole(ecrtest.Role{Name: "irsa", Trust: webTrust(provider), Policies: []string{admin}})
			out, err := sts.NewFromConfig(awsConfig(srv, ecrtest.AccessKey{})).AssumeRoleWithWebIdentity(t.Context(),
				&sts.AssumeRoleWithWebIdentityInput{RoleArn: &arn, RoleSessionName: aws.String("pod"),
					WebIdentityToken: aws.String(test.token(provider))})
			if test.code != "" {
				requireCode(t, err, test.code, test.message)
				require.NotContains(t, err.Error(), "secret-token")
				return
			}
			require.NoError(t, err)
			require.Equal(t, subject, *out.SubjectFromWebIdentityToken)
			key := ecrtest.AccessKey{ID: *out.Credentials.AccessKeyId, Secret: *out.Credentials.SecretAccessKey,
				SessionToken: *out.Credentials.SessionToken}
			token(t.Context(), t, awsConfig(srv, key))
		})
	}
}

func TestPodIdentity(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	trust := `{"Statement":{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession"],"Principal":{"Service":` +
		`"pods.eks.amazonaws.com"},"Condition":{"StringEquals":{"aws:RequestTag/kubernetes-namespace":"rise-system"}}}}`
	srv.AddRole(ecrtest.Role{Name: "controller", Trust: trust, Policies: []string{admin}})
	assumeOnly := srv.AddRole(ecrtest.Role{Name: "untagged",
		Trust: `{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole",` +
			`"Principal":{"AWS":"arn:aws:iam::123456789012:role/controller"}}}`})
	tagged := srv.AddRole(ecrtest.Role{Name: "tagged",
		Trust: trustOf(`{"AWS":"arn:aws:iam::123456789012:role/controller"}`)})

	pod := srv.AddPodIdentity(ecrtest.PodIdentity{Role: "controller", Namespace: "rise-system"})
	provider := func(url, token string) *endpointcreds.Provider {
		return endpointcreds.New(url, func(o *endpointcreds.Options) { o.AuthorizationToken = token })
	}
	cfg := awsConfig(srv, ecrtest.AccessKey{})
	cfg.Credentials = aws.NewCredentialsCache(provider(pod.URL, pod.Token))
	client := sts.NewFromConfig(cfg)
	who, err := client.GetCallerIdentity(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, "arn:aws:sts::123456789012:assumed-role/controller/eks-main-pod-0", *who.Arn)

	// Its tags go along, so that every role assumed from here must let its session be tagged.
	_, err = client.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &assumeOnly, RoleSessionName: aws.String("x1")})
	requireCode(t, err, "AccessDenied", "is not authorized to perform: sts:TagSession on resource: "+assumeOnly)
	_, err = client.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &tagged, RoleSessionName: aws.String("x1")})
	require.NoError(t, err)
	_, err = client.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &tagged, RoleSessionName: aws.String("x1"),
		Tags: []types.Tag{tag("kubernetes-namespace", "other")}})
	requireCode(t, err, "InvalidParameterValue", "transitive")

	_, err = provider(pod.URL, "wrong").Retrieve(t.Context())
	require.ErrorContains(t, err, "AccessDeniedException")
	elsewhere := srv.AddPodIdentity(ecrtest.PodIdentity{Role: "controller", Namespace: "elsewhere"})
	_, err = provider(elsewhere.URL, elsewhere.Token).Retrieve(t.Context())
	require.ErrorContains(t, err, "AccessDeniedException")
	require.NotContains(t, format(srv.Calls()), pod.Token)
}

// Session tags bind a session to one project even without a session policy.
func TestSessionTags(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	d := srv.Setup(ecrtest.SetupOptions{SessionTags: true})
	srv.CreateRepository(d.Repository("hello"))
	srv.CreateRepository(d.Repository("other"))
	client := sts.NewFromConfig(awsConfig(srv, d.ControllerUser))
	_, err := client.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &d.PushRoleARN,
		RoleSessionName: aws.String("rise-push-hello")})
	requireCode(t, err, "AccessDenied", "sts:AssumeRole")
	key := assumeRole(t, awsConfig(srv, d.ControllerUser), &sts.AssumeRoleInput{RoleArn: &d.PushRoleARN,
		RoleSessionName: aws.String("rise-push-hello"), Tags: []types.Tag{tag("rise:project", "hello")}})
	api := ecr.NewFromConfig(awsConfig(srv, key))
	for repository, allowed := range map[string]bool{"rise/hello": true, "rise/other": false} {
		_, err := api.BatchCheckLayerAvailability(t.Context(),
			&ecr.BatchCheckLayerAvailabilityInput{RepositoryName: &repository,
				LayerDigests: []string{"sha256:" + strings.Repeat("0", 64)}})
		require.Equal(t, allowed, err == nil, "%s: %v", repository, err)
	}
}

func TestSTSProtocol(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	client := sts.NewFromConfig(awsConfig(srv, newAdmin(srv)))
	_, err := client.GetSessionToken(t.Context(), nil)
	requireCode(t, err, "InvalidAction", "Could not find operation GetSessionToken for version 2011-06-15")
	resp := do(t, srv, "", http.MethodGet, "/", "")
	require.Equal(t, http.StatusBadRequest, resp.StatusCode)
	require.Equal(t, "text/xml", resp.Header.Get("Content-Type"))
	resp = do(t, srv, "", http.MethodPost, "/", strings.Repeat("a", 2<<20))
	require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
}

// What isn't signed has quotas as well.
func TestQuotasOfFederation(t *testing.T) {
	t.Parallel()
	once := ecrtest.Quota{PerSecond: 0.001, Burst: 1}
	srv := newServer(t, ecrtest.Config{Quotas: map[string]ecrtest.Quota{
		"sts:AssumeRoleWithWebIdentity": once, "pod-identity:AssumeRoleForPodIdentity": once,
	}})
	issuer := srv.AddOIDCProvider("https://oidc.example.com")
	role := srv.AddRole(ecrtest.Role{Name: "controller", Trust: `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"Federated":"` + issuer.ARN + `"},"Action":"sts:AssumeRoleWithWebIdentity"},
		{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`})
	pod := srv.AddPodIdentity(ecrtest.PodIdentity{Role: role})
	form := url.Values{"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {role}, "RoleSessionName": {"pod"},
		"WebIdentityToken": {issuer.Token("pod", "", time.Hour)}}
	ask := func(method, address, body, authorization string) int {
		r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Authorization", authorization)
		resp, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	for _, status := range []int{http.StatusOK, http.StatusBadRequest} {
		require.Equal(t, status, ask(http.MethodPost, srv.STSURL, form.Encode(), ""))
		require.Equal(t, status, ask(http.MethodGet, pod.URL, "", pod.Token))
	}
	for _, c := range srv.Calls()[2:] {
		require.Equal(t, "Throttling", c.ErrorCode, c.Name())
	}
}

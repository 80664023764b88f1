package ecr_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsecr "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// The checks of isolation, by name. TestIsolation demands that none is broken, TestMutationsAreCaught that each breaks when
// the code behind it is changed.
const (
	ownWorks      = "a credential opens its own repository"
	ownAnswer     = "a credential is the asked project's own"
	pullOnlyPulls = "a pull credential can't write"
	othersClosed  = "another project's repository is closed at the registry"
	grantsClosed  = "grants to sessions, everybody and the organization don't open it"
	apiClosed     = "another project's repository is closed at ECR's API"
	mountClosed   = "another project's layers can't be mounted"
)

// world is an account with a provider, and what it takes to try the provider's credentials out.
type world struct {
	*awsServer
	provider  provider.Provider
	ecr       *ecr.Provider
	api       awssdk.Config
	http      *http.Client
	sessions  *sync.Map // by name, as STS answered the provider
	tokensDie bool
	later     int                  // how many pairs were tried when their sessions had ended
	broken    map[string]string    // check: what happened
	all       provider.Credentials // admin
}

// session is a role session's key.
type session struct {
	AccessKeyID     string `xml:"AssumeRoleResult>Credentials>AccessKeyId"`
	SecretAccessKey string `xml:"AssumeRoleResult>Credentials>SecretAccessKey"`
	SessionToken    string `xml:"AssumeRoleResult>Credentials>SessionToken"`
	ARN             string `xml:"AssumeRoleResult>AssumedRoleUser>Arn"`
}

func newWorld(t *testing.T, c ecrtest.Config, o ecrtest.SetupOptions, opts ...ecr.Option) *world {
	t.Helper()
	return newWorldFor(t, c, o, func(*ecr.Config) {}, opts...)
}

// newWorldFor is newWorld with a configuration that isn't the deployment's.
func newWorldFor(t *testing.T, c ecrtest.Config, o ecrtest.SetupOptions, change func(*ecr.Config), opts ...ecr.Option) *world {
	t.Helper()
	c.InMemory = true
	aws := newAWS(t, c, o)
	change(&aws.config)
	p, err := ecr.New(t.Context(), aws.config, append([]ecr.Option{hermetic(), inMemory(aws.Server)}, opts...)...)
	require.NoError(t, err)
	aws.SetRegistryPolicy(grants("", `"*"`))
	sessions := new(sync.Map)
	aws.Inject(ecrtest.Fault{Action: sts, Mutate: func(body []byte) []byte {
		var made session
		if err := xml.Unmarshal(body, &made); err == nil && made.ARN != "" {
			sessions.Store(made.ARN[strings.LastIndexByte(made.ARN, '/')+1:], made)
		}
		return body
	}})
	return &world{
		awsServer: aws, provider: p, ecr: p, sessions: sessions, tokensDie: c.TokenDiesWithSession, broken: map[string]string{}, http: aws.Client(),
		api: awssdk.Config{
			Region: aws.config.Region, HTTPClient: aws.Client(), RetryMaxAttempts: 1,
		},
	}
}

// grants is a resource policy that opens a repository, or the registry, as wide as it goes.
func grants(sid string, resource string) string {
	all := func(principal, condition string) string {
		s := `{"Effect":"Allow","Principal":` + principal + `,"Action":"ecr:*"` + condition
		if resource != "" {
			s += `,"Resource":` + resource
		}
		return s + `}`
	}
	statements := []string{
		all(`"*"`, ""),
		all(`"*"`, `,"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-ecrtest0001"}}`),
	}
	if sid != "" {
		statements = append(statements, all(sid, ""))
	}
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

func (w *world) breach(check, format string, args ...any) {
	if w.broken[check] == "" {
		w.broken[check] = fmt.Sprintf(format, args...)
	}
}

func (w *world) create(project string) {
	if _, ok := w.Repository("rise/" + project); !ok {
		w.CreateRepository(w.deployment.Repository(project))
	}
}

// try has a's credentials do everything to b's repository that they must not, with grants on it or without, and later, when
// their sessions have ended, or only now.
func (w *world) try(ctx context.Context, a, b string, granted, later bool) {
	w.create(a)
	w.create(b)
	policy := ""
	if granted {
		role := strings.Replace(w.deployment.PushRoleARN, ":iam:", ":sts:", 1)
		role = strings.Replace(role, ":role/", ":assumed-role/", 1)
		sessions := make([]string, 2)
		for i, access := range []provider.Access{provider.Push, provider.Pull} {
			name, err := w.ecr.SessionName(provider.Request{Project: a, Access: access})
			if err != nil {
				panic(err)
			}
			sessions[i] = fmt.Sprintf("%q", role+"/"+name)
		}
		both := `{"AWS":[` + strings.Join(sessions, ",") + `]}`
		policy = grants(both, "")
		w.SetRegistryPolicy(grants(both, `"*"`))
	}
	w.UpdateRepository("rise/"+b, func(r *ecrtest.Repository) { r.Policy = policy })
	closed := othersClosed
	if granted {
		closed = grantsClosed
	}
	layer := w.layer(ctx, b)
	shared := later && w.later%5 == 0 // what is shared is the same for all pairs: a part of them has seen it
	if later {
		w.later++
	}
	if shared {
		w.share(ctx, b, policy)
	}
	for _, access := range []provider.Access{provider.Push, provider.Pull} {
		c, err := provider.Issue(ctx, w.provider, provider.Request{Project: a, Access: access})
		if err != nil {
			w.breach(ownAnswer, "%s of %s: %v", access, a, err)
			continue
		}
		if status := w.registry(ctx, c, http.MethodGet, a+"/manifests/none"); status != http.StatusNotFound {
			w.breach(ownWorks, "%s of %s: reading answers %d", access, a, status)
		}
		status := w.registry(ctx, c, http.MethodPost, a+"/blobs/uploads/")
		switch {
		case access == provider.Push && status != http.StatusAccepted:
			w.breach(ownWorks, "push of %s: an upload answers %d", a, status)
		case access == provider.Pull && status != http.StatusForbidden:
			w.breach(pullOnlyPulls, "pull of %s: an upload answers %d", a, status)
		}
		w.tryRegistry(ctx, c, a, b, layer, closed)
		w.tryAPI(ctx, provider.Request{Project: a, Access: access}, b)
		if !later {
			continue
		}
		if shared {
			w.tryShared(ctx, c, a, b)
			w.trySharedAPI(ctx, provider.Request{Project: a, Access: access})
		}
		time.Sleep(time.Hour + time.Second) // the session has ended; its token may not have
		want := http.StatusNotFound
		if w.tokensDie {
			want = http.StatusForbidden
		}
		if status := w.registry(ctx, c, http.MethodGet, a+"/manifests/none"); status != want {
			w.breach(ownWorks, "%s of %s, after its session: reading answers %d", access, a, status)
		}
		w.tryRegistry(ctx, c, a, b, layer, closed)
		if shared && !w.tokensDie {
			w.tryShared(ctx, c, a, b)
		}
	}
}

// tryRegistry has a credential of a's do everything to b's repository at the registry.
func (w *world) tryRegistry(ctx context.Context, c provider.Credentials, a, b, layer, closed string) {
	for _, attempt := range []struct{ method, path string }{
		{http.MethodGet, "/manifests/v1"}, {http.MethodHead, "/manifests/v1"}, {http.MethodGet, "/blobs/" + layer}, {http.MethodHead, "/blobs/" + layer},
		{http.MethodPost, "/blobs/uploads/"}, {http.MethodPut, "/manifests/v1"}, {http.MethodDelete, "/manifests/v1"}, {http.MethodGet, "/tags/list"},
	} {
		if status := w.registry(ctx, c, attempt.method, b+attempt.path); status != http.StatusForbidden {
			w.breach(closed, "%s of %s: %s %s%s answers %d", c.Access, a, attempt.method, b, attempt.path, status)
		}
	}
	if status := w.registry(ctx, c, http.MethodPost, b+"-absent/blobs/uploads/"); status != http.StatusForbidden {
		w.breach(closed, "%s of %s: an upload to a repository that isn't there answers %d", c.Access, a, status)
	}
	for _, from := range []string{"&from=rise/" + b, ""} {
		if status := w.registry(ctx, c, http.MethodPost, a+"/blobs/uploads/?mount="+layer+from); status == http.StatusCreated {
			w.breach(mountClosed, "%s of %s mounted a layer of %s (%q)", c.Access, a, b, from)
		}
	}
}

// registry asks the image registry about a project's repository and returns the status.
func (w *world) registry(ctx context.Context, c provider.Credentials, method, path string) int {
	return w.registryAt(ctx, c, method, "rise/"+path)
}

// registryAt asks the image registry about any repository.
func (w *world) registryAt(ctx context.Context, c provider.Credentials, method, path string) int {
	var body io.Reader
	if method == http.MethodPut {
		body = strings.NewReader(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`)
	}
	r, err := http.NewRequestWithContext(ctx, method, "https://"+c.Target.RegistryStr()+"/v2/"+path, body)
	if err != nil {
		panic(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/vnd.oci.image.index.v1+json")
	}
	r.SetBasicAuth(c.Username, c.Password.Reveal())
	resp, err := w.http.Do(r)
	if err != nil {
		panic(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode
}

// layer puts a layer into b's repository with b's own credential, and returns its digest. A provider that is broken on
// purpose may not get that far.
func (w *world) layer(ctx context.Context, b string) string {
	content := "layer of " + b
	c, err := provider.Issue(ctx, w.provider, provider.Request{Project: b, Access: provider.Push})
	if err != nil {
		w.breach(ownAnswer, "push of %s: %v", b, err)
		return digest(content)
	}
	if status := w.upload(ctx, c, "rise/"+b, content); status != http.StatusCreated {
		w.breach(ownWorks, "push of %s: an upload answers %d", b, status)
	}
	return digest(content)
}

func digest(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// upload puts a layer into a repository and returns the last answer's status.
func (w *world) upload(ctx context.Context, c provider.Credentials, repository, content string) int {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+c.Target.RegistryStr()+"/v2/"+repository+"/blobs/uploads/", nil)
	if err != nil {
		panic(err)
	}
	r.SetBasicAuth(c.Username, c.Password.Reveal())
	resp, err := w.http.Do(r)
	if err != nil {
		panic(err)
	}
	_ = resp.Body.Close()
	location, err := resp.Location()
	if err != nil {
		return resp.StatusCode
	}
	query := location.Query()
	query.Set("digest", digest(content))
	location.RawQuery = query.Encode()
	r, err = http.NewRequestWithContext(ctx, http.MethodPut, location.String(), strings.NewReader(content))
	if err != nil {
		panic(err)
	}
	r.SetBasicAuth(c.Username, c.Password.Reveal())
	if resp, err = w.http.Do(r); err != nil {
		panic(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// client is of the session that the provider made for r.
func (w *world) client(r provider.Request) (*awsecr.Client, bool) {
	name, err := w.ecr.SessionName(r)
	if err != nil {
		panic(err)
	}
	made, ok := w.sessions.Load(name)
	if !ok {
		w.breach(ownAnswer, "%s of %s: no session %s was made", r.Access, r.Project, name)
		return nil, false
	}
	c, api := made.(session), w.api
	api.Credentials = credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)
	return awsecr.NewFromConfig(api), true
}

// tryAPI has the session that the provider made for r call ECR's API about b.
func (w *world) tryAPI(ctx context.Context, r provider.Request, b string) {
	client, ok := w.client(r)
	if !ok {
		return
	}
	a := r.Project
	repository, tag := awssdk.String("rise/"+b), awssdk.String("v1")
	for operation, call := range map[string]func() error{
		"BatchGetImage": func() error {
			_, err := client.BatchGetImage(ctx, &awsecr.BatchGetImageInput{RepositoryName: repository, ImageIds: []types.ImageIdentifier{{ImageTag: tag}}})
			return err
		},
		"InitiateLayerUpload": func() error {
			_, err := client.InitiateLayerUpload(ctx, &awsecr.InitiateLayerUploadInput{RepositoryName: repository})
			return err
		},
		"DescribeRepositories": func() error {
			_, err := client.DescribeRepositories(ctx, &awsecr.DescribeRepositoriesInput{RepositoryNames: []string{*repository}})
			return err
		},
		"DeleteRepository": func() error {
			_, err := client.DeleteRepository(ctx, &awsecr.DeleteRepositoryInput{RepositoryName: repository, Force: true})
			return err
		},
	} {
		var refused smithy.APIError
		if err := call(); !errors.As(err, &refused) || refused.ErrorCode() != "AccessDeniedException" {
			w.breach(apiClosed, "%s may call %s on %s: %v", a, operation, b, err)
		}
	}
}

func sessionTag(project string) []ststypes.Tag {
	return []ststypes.Tag{{Key: awssdk.String("rise:project"), Value: &project}}
}

// pair returns two different project names, most of them so alike that a careless match takes one for the other.
func pair(r *rand.Rand) (a, b string) {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	word := func(most int) string {
		text := make([]byte, 1+r.IntN(most))
		for i := range text {
			text[i] = letters[r.IntN(len(letters))]
		}
		return string(text)
	}
	a = word(4)
	for r.IntN(3) == 0 && len(a) < 40 {
		a += "-" + word(12)
	}
	switch r.IntN(6) {
	case 0:
		b = a + word(3)
	case 1:
		b = a + "-" + word(3)
	case 2:
		b = word(3) + a
	case 3:
		b = strings.TrimRight(a[:len(a)-1], "-")
	case 4:
		b = strings.ReplaceAll(a, "-", "")
	default:
		b = word(20)
	}
	if len(b) > provider.MaxProjectLength || b == a || provider.ValidateProject(b) != nil {
		return pair(r)
	}
	if r.IntN(2) == 0 {
		return b, a
	}
	return a, b
}

func TestIsolation(t *testing.T) {
	t.Parallel()
	pairs := 1000
	if raceEnabled { // which shows nothing of policies, and takes ten times as long: all pairs are tried without it
		pairs = 200
	}
	for name, mode := range map[string]struct {
		config ecrtest.Config
		tags   bool
		cache  bool
		shared []string
	}{
		"tokens outlive sessions, rights at use":             {config: ecrtest.Config{MountWithoutFrom: true}, shared: shared},
		"tokens outlive sessions, rights fixed, reused":      {config: ecrtest.Config{TokenRights: ecrtest.FixedAtIssue, CreateOnPushUnchecked: true}, tags: true, cache: true, shared: shared},
		"tokens die with sessions, rights at use":            {config: ecrtest.Config{TokenDiesWithSession: true, MountWithoutFrom: true, CreateOnPushUnchecked: true}, tags: true},
		"tokens die with sessions, rights fixed, grants cut": {config: ecrtest.Config{TokenDiesWithSession: true, TokenRights: ecrtest.FixedAtIssue, SessionPoliciesLimitGrants: true}},
		"shared repositories, rights at use":                 {config: ecrtest.Config{MountWithoutFrom: true, CreateOnPushUnchecked: true}, shared: shared},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, mode.config, ecrtest.SetupOptions{SessionTags: mode.tags, SharedRepositories: mode.shared})
				w.AddCreationTemplate(ecrtest.CreationTemplate{Prefix: "rise", AppliedFor: []string{"CREATE_ON_PUSH"}})
				if mode.cache {
					w.provider = cached(t, w.provider)
				}
				seed := rand.Uint64()
				random := rand.New(rand.NewPCG(seed, 1))
				for i := range pairs {
					a, b := pair(random)
					w.try(t.Context(), a, b, i%2 == 0, i%5 == 0)
					require.Empty(t, w.broken, "seed %d, pair %d: %s and %s", seed, i, a, b)
				}
			})
		})
	}
}

// changePolicy is a mutation of the library: what it sends to AssumeRole is changed on its way. nil drops the policy.
func changePolicy(change func(policy string) string) ecr.Option {
	mutation := middleware.InitializeMiddlewareFunc("Mutation", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
		middleware.InitializeOutput, middleware.Metadata, error,
	) {
		if input, ok := in.Parameters.(*awssts.AssumeRoleInput); ok && input.Policy != nil {
			changed := *input
			changed.Policy = nil
			if change != nil {
				changed.Policy = awssdk.String(change(*input.Policy))
			}
			in.Parameters = &changed
		}
		return next.HandleInitialize(ctx, in)
	})
	return ecr.WithLoadOptions(config.WithAPIOptions([]func(*middleware.Stack) error{
		func(s *middleware.Stack) error { return s.Initialize.Add(mutation, middleware.Before) },
	}))
}

func withoutDenies(policy string) string {
	var d map[string]any
	if err := json.Unmarshal([]byte(policy), &d); err != nil {
		panic(err)
	}
	d["Statement"] = slices.DeleteFunc(d["Statement"].([]any), func(s any) bool { return s.(map[string]any)["Effect"] == "Deny" })
	text, err := json.Marshal(d)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// careless reuses a credential for whoever asks for the same access.
type careless struct {
	provider.Provider
	kept map[provider.Access]provider.Credentials
}

func (c *careless) Credentials(ctx context.Context, r provider.Request) (provider.Credentials, error) {
	if kept, ok := c.kept[r.Access]; ok {
		return kept, nil
	}
	issued, err := c.Provider.Credentials(ctx, r)
	c.kept[r.Access] = issued
	return issued, err
}

// Each thing that isolation rests on, taken away, breaks the check that is named beside it.
func TestMutationsAreCaught(t *testing.T) {
	t.Parallel()
	const resource = `"arn:aws:ecr:eu-west-1:123456789012:repository/rise/hello"`
	widen := func(policy string) string {
		return strings.ReplaceAll(policy, resource, strings.Replace(resource, "hello", "*", 1))
	}
	pushActions := `"ecr:BatchCheckLayerAvailability","ecr:BatchGetImage","ecr:GetDownloadUrlForLayer","ecr:CompleteLayerUpload","ecr:InitiateLayerUpload","ecr:PutImage","ecr:UploadLayerPart"`
	pullActions := `"ecr:BatchCheckLayerAvailability","ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"`
	swap := func(policy string) string {
		if strings.Contains(policy, "PutImage") {
			return policy
		}
		return strings.ReplaceAll(policy, pullActions, pushActions)
	}
	drop := func(pattern string) func(*world) {
		return func(w *world) {
			w.UpdateRole(w.deployment.PushRoleARN, func(r *ecrtest.Role) {
				before := r.Policies[0]
				r.Policies[0] = regexp.MustCompile(pattern).ReplaceAllString(before, "")
				require.NotEqual(t, before, r.Policies[0])
			})
		}
	}
	const otherProject = `,\{[^{}]*\{"StringNotEquals":\{"aws:ResourceTag/rise:project":[^{}]*\{[^{}]*\}[^{}]*\}\}[^{}]*"OtherProject"\}`
	dropTags, dropDeny := drop(otherProject+`|,?"aws:ResourceTag/rise:project":"\$\{aws:PrincipalTag/rise:project\}"`), drop(otherProject)
	for name, mutant := range map[string]struct {
		tags    bool
		opts    []ecr.Option
		change  func(*world)
		granted bool
		broken  []string // none: nothing is
	}{
		"nothing changed":                                     {},
		"nothing changed, with grants":                        {granted: true},
		"the session policy without its Denies":               {opts: []ecr.Option{changePolicy(withoutDenies)}, granted: true, broken: []string{grantsClosed, apiClosed, mountClosed, pullOnlyPulls}},
		"its resource widened to the prefix":                  {opts: []ecr.Option{changePolicy(widen)}, broken: []string{othersClosed, apiClosed, mountClosed}},
		"no session policy":                                   {opts: []ecr.Option{changePolicy(nil)}, broken: []string{othersClosed, apiClosed, mountClosed, pullOnlyPulls}},
		"pull actions swapped for push actions":               {opts: []ecr.Option{changePolicy(swap)}, broken: []string{pullOnlyPulls}},
		"one project's credential reused for another":         {change: func(w *world) { w.provider = &careless{w.provider, map[provider.Access]provider.Credentials{}} }, broken: []string{ownAnswer}},
		"no session policy, but session tags":                 {tags: true, opts: []ecr.Option{changePolicy(nil)}, broken: []string{pullOnlyPulls}},
		"no session policy, the role's tag condition dropped": {tags: true, opts: []ecr.Option{changePolicy(nil)}, change: dropTags, broken: []string{othersClosed, apiClosed, mountClosed, pullOnlyPulls}},
		"no session policy, session tags, with grants":        {tags: true, opts: []ecr.Option{changePolicy(nil)}, granted: true, broken: []string{pullOnlyPulls}},
		"no session policy, the role's Deny of others dropped, with grants": {tags: true, opts: []ecr.Option{changePolicy(nil)}, change: dropDeny, granted: true,
			broken: []string{grantsClosed, apiClosed, mountClosed, pullOnlyPulls}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, ecrtest.Config{}, ecrtest.SetupOptions{SessionTags: mutant.tags}, mutant.opts...)
			if !mutant.granted {
				w.SetRegistryPolicy("")
			}
			if mutant.change != nil {
				mutant.change(w)
			}
			w.try(t.Context(), "hello", "hello-2", mutant.granted, false)
			var broken []string
			for check := range w.broken {
				broken = append(broken, check)
			}
			require.ElementsMatch(t, mutant.broken, broken, "%v", w.broken)
		})
	}
}

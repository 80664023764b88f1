package ecr_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsecr "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// The checks of shared_repositories, beside those of isolation_test.go.
const (
	sharedReads    = "every credential pulls what is shared"
	sharedReadOnly = "nobody writes to what is shared"
	sharedAlone    = "what only resembles the shared repositories is closed"
	sharedMounts   = "layers of what is shared are mounted into one's own repository, or uploaded"
)

var (
	shared = []string{"base", "mirror/*"}
	// there are repositories of these names.
	sharedThere = []string{"base", "mirror/x", "mirror/library/alpine"}
	lookAlikes  = []string{"bas", "bases", "base-2", "base/x", "x/base", "mirror", "mirrors/x", "mirror-2/x", "a/mirror/x", "rise-base", "risen/x", "riser"}
)

const sharedLayer = "layer of what is shared"

// admin is a login that may do everything.
func (w *world) admin(ctx context.Context) provider.Credentials {
	if w.all.Username == "" {
		key := w.AddUser(ecrtest.User{Name: "arn:aws:iam::123456789012:user/admin", Policies: []string{
			`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}`,
		}})
		api := w.api
		api.Credentials = credentials.NewStaticCredentialsProvider(key.ID, key.Secret, "")
		out, err := awsecr.NewFromConfig(api).GetAuthorizationToken(ctx, &awsecr.GetAuthorizationTokenInput{})
		if err != nil {
			panic(err)
		}
		login, err := base64.StdEncoding.DecodeString(*out.AuthorizationData[0].AuthorizationToken)
		if err != nil {
			panic(err)
		}
		host, err := w.ecr.Repository("hello", provider.Client)
		if err != nil {
			panic(err)
		}
		_, password, _ := strings.Cut(string(login), ":")
		w.all = provider.Credentials{Target: host.Registry, Username: "AWS", Password: provider.NewSecret(password)}
	}
	return w.all
}

// share makes shared repositories, and others of such names, with a layer and an image each. All have a repository policy, and
// b has an image too. The shared ones bear b's tags, some also such that close a project's repository.
func (w *world) share(ctx context.Context, b, policy string) {
	if len(w.config.SharedRepositories) == 0 {
		return
	}
	w.registryAt(ctx, w.admin(ctx), http.MethodPut, "rise/"+b+"/manifests/v1")
	for i, name := range append(append([]string(nil), sharedThere...), lookAlikes...) {
		if _, ok := w.Repository(name); !ok {
			w.CreateRepository(ecrtest.Repository{Name: name})
			w.upload(ctx, w.admin(ctx), name, sharedLayer)
			w.registryAt(ctx, w.admin(ctx), http.MethodPut, name+"/manifests/v1")
		}
		tags := w.deployment.Tags(b)
		if i == 0 {
			tags["rise:orphaned"], tags["rise:suspended"], tags["rise:project-id"] = "true", "true", "x"
		}
		w.UpdateRepository(name, func(r *ecrtest.Repository) { r.Policy, r.Tags = policy, tags })
	}
}

// tryShared has a credential of a's do with shared repositories what it may, and everything that it must not.
func (w *world) tryShared(ctx context.Context, c provider.Credentials, a, b string) {
	if len(w.config.SharedRepositories) == 0 {
		return
	}
	layer := digest(sharedLayer)
	for _, name := range sharedThere {
		for _, path := range []string{"/manifests/v1", "/blobs/" + layer} {
			if status := w.registryAt(ctx, c, http.MethodGet, name+path); status != http.StatusOK && status != http.StatusTemporaryRedirect {
				w.breach(sharedReads, "%s of %s: %s%s answers %d", c.Access, a, name, path, status)
			}
		}
		for _, attempt := range []struct{ method, path string }{
			{http.MethodPost, "/blobs/uploads/"}, {http.MethodPost, "/blobs/uploads/?mount=" + layer + "&from=rise/" + a}, {http.MethodPost, "/blobs/uploads/?mount=" + layer},
			{http.MethodPut, "/manifests/v1"}, {http.MethodPut, "/manifests/v2"}, {http.MethodDelete, "/manifests/v1"}, {http.MethodGet, "/tags/list"},
			{http.MethodDelete, "/blobs/" + layer},
		} {
			if status := w.registryAt(ctx, c, attempt.method, name+attempt.path); status < 400 || status == http.StatusNotFound {
				w.breach(sharedReadOnly, "%s of %s: %s %s%s answers %d", c.Access, a, attempt.method, name, attempt.path, status)
			}
		}
		status := w.registryAt(ctx, c, http.MethodPost, "rise/"+a+"/blobs/uploads/?mount="+layer+"&from="+name)
		switch {
		case c.Access == provider.Push && status != http.StatusCreated && status != http.StatusAccepted:
			w.breach(sharedMounts, "push of %s: mounting a layer of %s answers %d", a, name, status)
		case c.Access == provider.Pull && status != http.StatusForbidden:
			w.breach(pullOnlyPulls, "pull of %s: mounting a layer of %s answers %d", a, name, status)
		}
	}
	closed := []string{
		"BASE", "Base", "b\u0430se", "base%2f", "ｂase", "%62ase%2fx", "mirror/", "mirror", "mirror/*", "*", "MIRROR/x", "mirror/../rise/" + b, "mirror/x/../../rise/" + b,
		"mirror/..%2frise%2f" + b, "mirror%2f..%2frise/" + b, "base/../rise/" + b, "rise/" + b, "Rise/" + b, "rise/" + b + "/../" + b, "mirror/./../rise/" + b, "mirror//../rise/" + b,
	}
	for _, name := range append(closed, lookAlikes...) {
		for _, attempt := range []struct{ method, path string }{{http.MethodGet, "/manifests/v1"}, {http.MethodPost, "/blobs/uploads/"}} {
			if status := w.registryAt(ctx, c, attempt.method, name+attempt.path); status < 400 || status == http.StatusNotFound && strings.HasSuffix(name, "/"+b) {
				w.breach(sharedAlone, "%s of %s: %s %s%s answers %d", c.Access, a, attempt.method, name, attempt.path, status)
			}
		}
	}
}

// trySharedAPI has the session that the provider made for r call ECR's API about shared repositories.
func (w *world) trySharedAPI(ctx context.Context, r provider.Request) {
	if len(w.config.SharedRepositories) == 0 {
		return
	}
	client, ok := w.client(r)
	if !ok {
		return
	}
	for _, name := range append([]string{"mirror/new"}, sharedThere...) {
		repository, tag := awssdk.String(name), []types.ImageIdentifier{{ImageTag: awssdk.String("v1")}}
		arn := awssdk.String("arn:aws:ecr:eu-west-1:123456789012:repository/" + name)
		for operation, call := range map[string]func() error{
			"PutImage": func() error {
				_, err := client.PutImage(ctx, &awsecr.PutImageInput{RepositoryName: repository, ImageManifest: awssdk.String("{}"), ImageTag: awssdk.String("v1")})
				return err
			},
			"InitiateLayerUpload": func() error {
				_, err := client.InitiateLayerUpload(ctx, &awsecr.InitiateLayerUploadInput{RepositoryName: repository})
				return err
			},
			"BatchDeleteImage": func() error {
				_, err := client.BatchDeleteImage(ctx, &awsecr.BatchDeleteImageInput{RepositoryName: repository, ImageIds: tag})
				return err
			},
			"ListImages": func() error {
				_, err := client.ListImages(ctx, &awsecr.ListImagesInput{RepositoryName: repository})
				return err
			},
			"DescribeRepositories": func() error {
				_, err := client.DescribeRepositories(ctx, &awsecr.DescribeRepositoriesInput{RepositoryNames: []string{name}})
				return err
			},
			"CreateRepository": func() error {
				_, err := client.CreateRepository(ctx, &awsecr.CreateRepositoryInput{RepositoryName: repository})
				return err
			},
			"DeleteRepository": func() error {
				_, err := client.DeleteRepository(ctx, &awsecr.DeleteRepositoryInput{RepositoryName: repository, Force: true})
				return err
			},
			"TagResource": func() error {
				_, err := client.TagResource(ctx, &awsecr.TagResourceInput{ResourceArn: arn, Tags: []types.Tag{{Key: awssdk.String("a"), Value: awssdk.String("b")}}})
				return err
			},
			"UntagResource": func() error {
				_, err := client.UntagResource(ctx, &awsecr.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"rise:managed"}})
				return err
			},
			"SetRepositoryPolicy": func() error {
				_, err := client.SetRepositoryPolicy(ctx, &awsecr.SetRepositoryPolicyInput{RepositoryName: repository, PolicyText: awssdk.String(grants("", ""))})
				return err
			},
			"PutImageTagMutability": func() error {
				_, err := client.PutImageTagMutability(ctx, &awsecr.PutImageTagMutabilityInput{RepositoryName: repository, ImageTagMutability: types.ImageTagMutabilityMutable})
				return err
			},
		} {
			var refused smithy.APIError
			if err := call(); !errors.As(err, &refused) || refused.ErrorCode() != "AccessDeniedException" {
				w.breach(sharedReadOnly, "%s of %s may call %s on %s: %v", r.Access, r.Project, operation, name, err)
			}
		}
	}
	if _, err := client.BatchGetImage(ctx, &awsecr.BatchGetImageInput{
		RepositoryName: awssdk.String("base"), ImageIds: []types.ImageIdentifier{{ImageTag: awssdk.String("v1")}},
	}); err != nil {
		w.breach(sharedReads, "%s of %s: BatchGetImage of base: %v", r.Access, r.Project, err)
	}
}

// Each thing that the promises on shared repositories rest on, taken away, breaks the check that is named beside it.
func TestSharedMutationsAreCaught(t *testing.T) {
	t.Parallel()
	replace := func(old, with string) func(string) string {
		return func(policy string) string {
			changed := strings.ReplaceAll(policy, old, with)
			if changed == policy {
				panic(old + " isn't in " + policy)
			}
			return changed
		}
	}
	readOnly := func(policy string) string {
		var d map[string]any
		if err := json.Unmarshal([]byte(policy), &d); err != nil {
			panic(err)
		}
		before := d["Statement"].([]any)
		after := slices.DeleteFunc(slices.Clone(before), func(s any) bool { return s.(map[string]any)["Sid"] == "SharedReadOnly" })
		if d["Statement"] = after; len(after) != len(before)-1 {
			panic("no SharedReadOnly in " + policy)
		}
		text, err := json.Marshal(d)
		if err != nil {
			panic(err)
		}
		return string(text)
	}
	same := func(policy string) string { return policy }
	for name, mutant := range map[string]struct {
		session, role func(policy string) string
		granted       bool
		unprepared    bool // the roles know nothing of shared repositories
		broken        []string
	}{
		"nothing changed":                       {},
		"nothing changed, with grants":          {granted: true},
		"the session policy without its Denies": {session: withoutDenies, granted: true, broken: []string{sharedAlone, pullOnlyPulls}},
		"and the role without SharedReadOnly":   {session: withoutDenies, role: readOnly, granted: true, broken: []string{sharedAlone, sharedReadOnly, pullOnlyPulls, sharedReads}},
		"the role without SharedReadOnly":       {role: readOnly, granted: true},
		"a pattern without its slash":           {session: replace("mirror/*", "mirror*"), role: replace("mirror/*", "mirror*"), broken: []string{sharedAlone}},
		"the same in the role alone":            {role: replace("mirror/*", "mirror*"), granted: true},
		"a name that is a pattern":              {session: replace("/base\"", "/base*\""), role: replace("/base\"", "/base*\""), broken: []string{sharedAlone}},
		"a pattern at the beginning":            {session: replace("repository/mirror/*", "repository/*"), broken: []string{sharedAlone}},
		"roles made for another configuration":  {unprepared: true, broken: []string{sharedReads}},
		"session policies that don't know":      {session: replace("mirror/*", "nothing/*"), broken: []string{sharedReads}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if mutant.session == nil {
				mutant.session = same
			}
			o := ecrtest.SetupOptions{SharedRepositories: shared}
			if mutant.unprepared {
				o.SharedRepositories = nil
			}
			w := newWorldFor(t, ecrtest.Config{}, o, func(c *ecr.Config) { c.SharedRepositories = shared }, changePolicy(mutant.session))
			policy := ""
			if w.SetRegistryPolicy(""); mutant.granted {
				policy = grants("", "")
				w.SetRegistryPolicy(grants("", `"*"`))
			}
			if mutant.role != nil {
				w.UpdateRole(w.deployment.PushRoleARN, func(r *ecrtest.Role) { r.Policies[0] = mutant.role(r.Policies[0]) })
			}
			w.create("hello")
			w.create("hello-2")
			w.share(t.Context(), "hello-2", policy)
			for _, access := range []provider.Access{provider.Push, provider.Pull} {
				r := provider.Request{Project: "hello", Access: access}
				c, err := provider.Issue(t.Context(), w.provider, r)
				require.NoError(t, err)
				w.tryShared(t.Context(), c, "hello", "hello-2")
				w.trySharedAPI(t.Context(), r)
			}
			var broken []string
			for check := range w.broken {
				broken = append(broken, check)
			}
			require.ElementsMatch(t, mutant.broken, broken, "%v", w.broken)
		})
	}
}

// The registry-wide pull credential pulls what is shared, too.
func TestSharedWithPullRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ecrtest.Config{}, ecrtest.SetupOptions{PullRole: true, SessionTags: true, SharedRepositories: shared})
	w.create("hello")
	w.share(t.Context(), "hello", grants("", ""))
	c, err := provider.Issue(t.Context(), w.provider, all)
	require.NoError(t, err)
	for repository, want := range map[string]int{
		"rise/hello": http.StatusOK, "base": http.StatusOK, "mirror/x": http.StatusOK, "mirror": http.StatusForbidden, "base/x": http.StatusForbidden,
	} {
		require.Equal(t, want, w.registryAt(t.Context(), c, http.MethodGet, repository+"/manifests/v1"), repository)
		require.Equal(t, http.StatusForbidden, w.registryAt(t.Context(), c, http.MethodPost, repository+"/blobs/uploads/"), repository)
		require.Equal(t, http.StatusForbidden, w.registryAt(t.Context(), c, http.MethodPut, repository+"/manifests/v1"), repository)
	}
}

// What a caller does to its configuration later changes no policy.
func TestSharedIsCopied(t *testing.T) {
	t.Parallel()
	c := validConfig()
	c.SharedRepositories = []string{"base"}
	p, err := ecr.New(t.Context(), c, hermetic())
	require.NoError(t, err)
	before, err := p.SessionPolicy(push)
	require.NoError(t, err)
	c.SharedRepositories[0] = "*"
	after, err := p.SessionPolicy(push)
	require.NoError(t, err)
	require.Equal(t, before, after)
}

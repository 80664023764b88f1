package ecrtest_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
)

func ecrTag(key, value string) types.Tag { return types.Tag{Key: &key, Value: &value} }

func TestRepositories(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	ctx := t.Context()
	client := ecr.NewFromConfig(awsConfig(srv, newAdmin(srv)))
	out, err := client.CreateRepository(ctx, &ecr.CreateRepositoryInput{
		RepositoryName:             aws.String("rise/hello"),
		Tags:                       []types.Tag{ecrTag("b", "2"), ecrTag("a", "1")},
		ImageScanningConfiguration: &types.ImageScanningConfiguration{ScanOnPush: true},
		ImageTagMutability:         types.ImageTagMutabilityImmutableWithExclusion,
		ImageTagMutabilityExclusionFilters: []types.ImageTagMutabilityExclusionFilter{{Filter: aws.String("dev-*"),
			FilterType: types.ImageTagMutabilityExclusionFilterTypeWildcard}},
	})
	require.NoError(t, err)
	r := out.Repository
	require.Equal(t, repositoryARN("rise/hello"), *r.RepositoryArn)
	require.Equal(t, account, *r.RegistryId)
	require.Equal(t, srv.RegistryHost+"/rise/hello", *r.RepositoryUri)
	require.WithinDuration(t, time.Now(), *r.CreatedAt, time.Minute)
	require.True(t, r.ImageScanningConfiguration.ScanOnPush)
	require.Equal(t, types.ImageTagMutabilityImmutableWithExclusion, r.ImageTagMutability)
	require.Equal(t, "dev-*", *r.ImageTagMutabilityExclusionFilters[0].Filter)
	require.Equal(t, types.EncryptionTypeAes256, r.EncryptionConfiguration.EncryptionType)

	tags, err := client.ListTagsForResource(ctx, &ecr.ListTagsForResourceInput{ResourceArn: r.RepositoryArn})
	require.NoError(t, err)
	require.Equal(t, []types.Tag{ecrTag("a", "1"), ecrTag("b", "2")}, tags.Tags)
	_, err = client.TagResource(ctx, &ecr.TagResourceInput{ResourceArn: r.RepositoryArn, Tags: []types.Tag{ecrTag("c",
		""), ecrTag("a", "3")}})
	require.NoError(t, err)
	_, err = client.UntagResource(ctx, &ecr.UntagResourceInput{ResourceArn: r.RepositoryArn, TagKeys: []string{"b",
		"missing"}})
	require.NoError(t, err)
	seen, found := srv.Repository("rise/hello")
	require.True(t, found)
	require.Equal(t, map[string]string{"a": "3", "c": ""}, seen.Tags)

	_, err = client.PutImageScanningConfiguration(ctx,
		&ecr.PutImageScanningConfigurationInput{RepositoryName: r.RepositoryName,
			ImageScanningConfiguration: &types.ImageScanningConfiguration{}})
	require.NoError(t, err)
	mutability, err := client.PutImageTagMutability(ctx, &ecr.PutImageTagMutabilityInput{RepositoryName: r.RepositoryName,
		ImageTagMutability: types.ImageTagMutabilityMutable})
	require.NoError(t, err)
	require.Empty(t, mutability.ImageTagMutabilityExclusionFilters)
	described, err := client.DescribeRepositories(ctx,
		&ecr.DescribeRepositoriesInput{RepositoryNames: []string{"rise/hello"}})
	require.NoError(t, err)
	require.False(t, described.Repositories[0].ImageScanningConfiguration.ScanOnPush)
	require.Equal(t, types.ImageTagMutabilityMutable, described.Repositories[0].ImageTagMutability)

	const lifecycle = `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":5},` +
		`"action":{"type":"expire"}}]}`
	_, err = client.PutLifecyclePolicy(ctx, &ecr.PutLifecyclePolicyInput{RepositoryName: r.RepositoryName,
		LifecyclePolicyText: aws.String(lifecycle)})
	require.NoError(t, err)
	got, err := client.GetLifecyclePolicy(ctx, &ecr.GetLifecyclePolicyInput{RepositoryName: r.RepositoryName})
	require.NoError(t, err)
	require.Equal(t, lifecycle, *got.LifecyclePolicyText)
	_, err = client.DeleteLifecyclePolicy(ctx, &ecr.DeleteLifecyclePolicyInput{RepositoryName: r.RepositoryName})
	require.NoError(t, err)

	policy := `{"Statement":{"Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage"}}`
	_, err = client.SetRepositoryPolicy(ctx, &ecr.SetRepositoryPolicyInput{RepositoryName: r.RepositoryName,
		PolicyText: &policy})
	require.NoError(t, err)
	p, err := client.GetRepositoryPolicy(ctx, &ecr.GetRepositoryPolicyInput{RepositoryName: r.RepositoryName})
	require.NoError(t, err)
	require.Equal(t, policy, *p.PolicyText)
	_, err = client.DeleteRepositoryPolicy(ctx, &ecr.DeleteRepositoryPolicyInput{RepositoryName: r.RepositoryName})
	require.NoError(t, err)

	deleted, err := client.DeleteRepository(ctx, &ecr.DeleteRepositoryInput{RepositoryName: r.RepositoryName})
	require.NoError(t, err)
	require.Equal(t, "rise/hello", *deleted.Repository.RepositoryName)
	_, found = srv.Repository("rise/hello")
	require.False(t, found)
}

// errorAs reports whether err is of type E.
func errorAs[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

func TestErrorTypesOfECR(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{MaxRepositories: 2})
	srv.CreateRepository(ecrtest.Repository{Name: "rise/empty"})
	srv.CreateRepository(ecrtest.Repository{Name: "rise/full"})
	key := newAdmin(srv)
	password := token(t.Context(), t, awsConfig(srv, key))
	require.NoError(t, remote.Write(repo(t, srv, "rise/full").Tag("v1"), randomImage(t), auth(password)))
	client := ecr.NewFromConfig(awsConfig(srv, key))
	ctx := t.Context()
	create := func(in ecr.CreateRepositoryInput) error {
		_, err := client.CreateRepository(ctx, &in)
		return err
	}
	many := func(n int) []types.Tag {
		var tags []types.Tag
		for i := range n {
			tags = append(tags, ecrTag(fmt.Sprint("k", i), "v"))
		}
		return tags
	}
	for _, test := range []struct {
		name string
		err  error
		is   func(error) bool
		text string
	}{
		{"exists", create(ecr.CreateRepositoryInput{RepositoryName: aws.String("rise/empty")}),
			errorAs[*types.RepositoryAlreadyExistsException],
			"The repository with name 'rise/empty' already exists in the registry with id '123456789012'"},
		{"quota", create(ecr.CreateRepositoryInput{RepositoryName: aws.String("rise/more")}),
			errorAs[*types.LimitExceededException], ""},
		{"name", create(ecr.CreateRepositoryInput{RepositoryName: aws.String("rise/a--b")}),
			errorAs[*types.InvalidParameterException],
			"Invalid parameter at 'repositoryName' failed to satisfy constraint"},
		{"name too long", create(ecr.CreateRepositoryInput{RepositoryName: aws.String(strings.Repeat("a", 257))}),
			errorAs[*types.InvalidParameterException], "256"},
		{"51 tags", create(ecr.CreateRepositoryInput{RepositoryName: aws.String("rise/more"), Tags: many(51)}),
			errorAs[*types.TooManyTagsException], ""},
		{"reserved tag", create(ecr.CreateRepositoryInput{RepositoryName: aws.String("rise/more"),
			Tags: []types.Tag{ecrTag("aws:x", "")}}),
			errorAs[*types.InvalidTagParameterException], "aws:"},
		{"tag twice", create(ecr.CreateRepositoryInput{RepositoryName: aws.String("rise/more"),
			Tags: []types.Tag{ecrTag("x", "1"), ecrTag("x", "2")}}), errorAs[*types.InvalidTagParameterException], "unique"},
		{"filters without exclusion", create(ecr.CreateRepositoryInput{RepositoryName: aws.String("rise/more"),
			ImageTagMutability: types.ImageTagMutabilityImmutable,
			ImageTagMutabilityExclusionFilters: []types.ImageTagMutabilityExclusionFilter{
				{Filter: aws.String("x"), FilterType: types.ImageTagMutabilityExclusionFilterTypeWildcard}}}),
			errorAs[*types.InvalidParameterException], "imageTagMutabilityExclusionFilters"},
		{"not there", second(client.DescribeRepositories(ctx,
			&ecr.DescribeRepositoriesInput{RepositoryNames: []string{"rise/x"}})),
			errorAs[*types.RepositoryNotFoundException],
			"The repository with name 'rise/x' does not exist in the registry with id '123456789012'"},
		{"not empty", second(client.DeleteRepository(ctx,
			&ecr.DeleteRepositoryInput{RepositoryName: aws.String("rise/full")})),
			errorAs[*types.RepositoryNotEmptyException], "still contains images"},
		{"no lifecycle policy", second(client.GetLifecyclePolicy(ctx,
			&ecr.GetLifecyclePolicyInput{RepositoryName: aws.String("rise/empty")})),
			errorAs[*types.LifecyclePolicyNotFoundException], ""},
		{"no repository policy", second(client.GetRepositoryPolicy(ctx,
			&ecr.GetRepositoryPolicyInput{RepositoryName: aws.String("rise/empty")})),
			errorAs[*types.RepositoryPolicyNotFoundException], ""},
		{"no registry policy", second(client.GetRegistryPolicy(ctx, nil)),
			errorAs[*types.RegistryPolicyNotFoundException], ""},
		{"no template", second(client.DescribeRepositoryCreationTemplates(ctx, &ecr.DescribeRepositoryCreationTemplatesInput{
			Prefixes: []string{"x"}})), errorAs[*types.TemplateNotFoundException], ""},
		{"no cache rule", second(client.DescribePullThroughCacheRules(ctx, &ecr.DescribePullThroughCacheRulesInput{
			EcrRepositoryPrefixes: []string{"x"}})), errorAs[*types.PullThroughCacheRuleNotFoundException], ""},
		{"no image", second(client.DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: aws.String("rise/full"),
			ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("v2")}}})), errorAs[*types.ImageNotFoundException], ""},
		{"lifecycle policy", second(client.PutLifecyclePolicy(ctx,
			&ecr.PutLifecyclePolicyInput{RepositoryName: aws.String("rise/full"),
				LifecyclePolicyText: aws.String(`{"rules":[{}]}`)})), errorAs[*types.InvalidParameterException],
			"Lifecycle policy validation failure: rule 1: rulePriority"},
		{"repository policy", second(client.SetRepositoryPolicy(ctx,
			&ecr.SetRepositoryPolicyInput{RepositoryName: aws.String("rise/full"),
				PolicyText: aws.String(`{"Statement":{"Effect":"Allow","Action":"ecr:*"}}`)})),
			errorAs[*types.InvalidParameterException],
			"Invalid repository policy provided"},
		{"page token", second(client.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{NextToken: aws.String("x")})),
			errorAs[*types.InvalidParameterException], "nextToken"},
		{"page size", second(client.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{MaxResults: aws.Int32(1001)})),
			errorAs[*types.InvalidParameterException], "maxResults"},
		{"ARN", second(client.ListTagsForResource(ctx, &ecr.ListTagsForResourceInput{ResourceArn: aws.String("rise/full")})),
			errorAs[*types.InvalidParameterException], "Invalid ARN"},
		{"ARN of another region", second(client.ListTagsForResource(ctx, &ecr.ListTagsForResourceInput{
			ResourceArn: aws.String("arn:aws:ecr:us-east-1:123456789012:repository/rise/full")})),
			errorAs[*types.InvalidParameterException], "Invalid ARN"},
	} {
		require.Error(t, test.err, test.name)
		require.True(t, test.is(test.err), "%s: %v", test.name, test.err)
		require.ErrorContains(t, test.err, test.text, test.name)
	}
}

func second[T any](_ T, err error) error { return err }

func TestPaging(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	for i := range 250 {
		srv.CreateRepository(ecrtest.Repository{Name: fmt.Sprintf("rise/p%03d", i)})
	}
	client := ecr.NewFromConfig(awsConfig(srv, newAdmin(srv)))
	for size, pages := range map[int32]int{0: 3, 100: 3, 125: 2, 1000: 1} {
		in := &ecr.DescribeRepositoriesInput{}
		if size > 0 {
			in.MaxResults = &size
		}
		var names []string
		count := 0
		for p := ecr.NewDescribeRepositoriesPaginator(client, in); p.HasMorePages(); count++ {
			page, err := p.NextPage(t.Context())
			require.NoError(t, err)
			for _, r := range page.Repositories {
				names = append(names, *r.RepositoryName)
			}
		}
		require.Equal(t, pages, count, "size %d", size)
		require.Len(t, names, 250)
		require.IsIncreasing(t, names)
	}
	// What comes and goes between two pages neither repeats nor hides another.
	first, err := client.DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{MaxResults: aws.Int32(100)})
	require.NoError(t, err)
	srv.DeleteRepository("rise/p099")
	srv.CreateRepository(ecrtest.Repository{Name: "rise/p000a"})
	next, err := client.DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{NextToken: first.NextToken})
	require.NoError(t, err)
	require.Equal(t, "rise/p100", *next.Repositories[0].RepositoryName)
}

func TestAuthorization(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	d := srv.Setup(ecrtest.SetupOptions{AutoRemove: true, TagKeys: []string{"team"}, KMSKeyARN: kmsKey})
	mine := d.Tags("hello")
	srv.CreateRepository(d.Repository("hello"))
	srv.CreateRepository(ecrtest.Repository{Name: "rise/foreign", Tags: map[string]string{"rise:managed": "true",
		"rise:installation": "other"}})
	srv.CreateRepository(ecrtest.Repository{Name: "outside", Tags: mine})
	orphan := d.Tags("orphan")
	orphan["rise:orphaned"] = "true"
	srv.CreateRepository(ecrtest.Repository{Name: "rise/orphan", Tags: orphan})
	client := ecr.NewFromConfig(awsConfig(srv, d.ControllerUser))
	ctx := t.Context()
	tags := func(m map[string]string) []types.Tag {
		var out []types.Tag
		for k, v := range m {
			out = append(out, ecrTag(k, v))
		}
		return out
	}
	tagging := func(name string, more ...types.Tag) error {
		return second(client.TagResource(ctx, &ecr.TagResourceInput{ResourceArn: aws.String(repositoryARN(name)),
			Tags: more}))
	}
	deleting := func(name string) error {
		return second(client.DeleteRepository(ctx, &ecr.DeleteRepositoryInput{RepositoryName: &name, Force: true}))
	}
	for _, test := range []struct {
		name    string
		err     error
		allowed bool
	}{
		{"list", second(client.DescribeRepositories(ctx, nil)), true},
		{"create", second(client.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String("rise/new"),
			Tags: tags(mine)})), true},
		{"create without tags", second(client.CreateRepository(ctx,
			&ecr.CreateRepositoryInput{RepositoryName: aws.String("rise/new2")})), false},
		{"create outside", second(client.CreateRepository(ctx,
			&ecr.CreateRepositoryInput{RepositoryName: aws.String("new"), Tags: tags(mine)})), false},
		{"create encrypted", second(client.CreateRepository(ctx,
			&ecr.CreateRepositoryInput{RepositoryName: aws.String("rise/kms"), Tags: tags(mine),
				EncryptionConfiguration: &types.EncryptionConfiguration{EncryptionType: types.EncryptionTypeKms,
					KmsKey: aws.String(kmsKey)}})), true},
		{"mark own", tagging("rise/hello", ecrTag("rise:suspended", "true")), true},
		{"mark own by a configured key", tagging("rise/hello", ecrTag("team", "x")), true},
		{"another key", tagging("rise/hello", ecrTag("rise:project", "other")), false},
		{"another key beside", tagging("rise/hello", ecrTag("rise:suspended", "true"), ecrTag("x", "")), false},
		{"mark foreign", tagging("rise/foreign", ecrTag("rise:suspended", "true")), false},
		{"mark outside", tagging("outside", ecrTag("rise:suspended", "true")), false},
		{"take over foreign", tagging("rise/foreign", tags(mine)...), false},
		{"configure own", second(client.PutImageTagMutability(ctx,
			&ecr.PutImageTagMutabilityInput{RepositoryName: aws.String("rise/hello"),
				ImageTagMutability: types.ImageTagMutabilityImmutable})), true},
		{"configure foreign", second(client.PutImageTagMutability(ctx,
			&ecr.PutImageTagMutabilityInput{RepositoryName: aws.String("rise/foreign"),
				ImageTagMutability: types.ImageTagMutabilityImmutable})), false},
		{"delete own", deleting("rise/hello"), false},
		{"delete own orphan", deleting("rise/orphan"), true},
		{"delete foreign", deleting("rise/foreign"), false},
		{"set a policy", second(client.SetRepositoryPolicy(ctx,
			&ecr.SetRepositoryPolicyInput{RepositoryName: aws.String("rise/hello"),
				PolicyText: aws.String("{}")})), false},
		{"delete what isn't there", deleting("rise/nothing"), false},
		{"upload by the API", second(client.InitiateLayerUpload(ctx,
			&ecr.InitiateLayerUploadInput{RepositoryName: aws.String("rise/hello")})), false},
	} {
		if test.allowed {
			require.NoError(t, test.err, test.name)
			continue
		}
		require.Error(t, test.err, test.name)
		require.ErrorContains(t, test.err, "AccessDeniedException: User: arn:aws:iam::123456789012:user/rise-backend is not authorized to perform: ecr:",
			test.name)
		require.ErrorContains(t, test.err, "because no identity-based policy allows the ecr:", test.name)
	}
}

// Tag-on-create needs ecr:TagResource too, and rolls back without.
func TestTagOnCreate(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	key := srv.AddUser(ecrtest.User{Name: "u", Policies: []string{
		`{"Statement":{"Effect":"Allow","Action":"ecr:CreateRepository","Resource":"*"}}`}})
	client := ecr.NewFromConfig(awsConfig(srv, key))
	_, err := client.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("rise/tagged"),
		Tags: []types.Tag{ecrTag("k", "v")}})
	requireCode(t, err, "AccessDeniedException", "is not authorized to perform: ecr:TagResource on resource: "+repositoryARN("rise/tagged"))
	_, err = client.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("rise/plain")})
	require.NoError(t, err)
	require.Len(t, srv.Repositories(), 1)
}

const kmsKey = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"

func TestKMS(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	d := srv.Setup(ecrtest.SetupOptions{})
	var tags []types.Tag
	for k, v := range d.Tags("hello") {
		tags = append(tags, ecrTag(k, v))
	}
	_, err := ecr.NewFromConfig(awsConfig(srv, d.ControllerUser)).CreateRepository(t.Context(), &ecr.CreateRepositoryInput{
		RepositoryName: aws.String("rise/hello"), Tags: tags,
		EncryptionConfiguration: &types.EncryptionConfiguration{EncryptionType: types.EncryptionTypeKms,
			KmsKey: aws.String(kmsKey)},
	})
	var kms *types.KmsException
	require.ErrorAs(t, err, &kms)
	require.ErrorContains(t, err, "kms:DescribeKey")
	require.Empty(t, srv.Repositories())
}

// Denials name the layer that caused them, in AWS's words.
func TestDenials(t *testing.T) {
	t.Parallel()
	const session = "arn:aws:sts::123456789012:assumed-role/r/s1"
	for _, test := range []struct {
		name       string
		role       ecrtest.Role
		session    string
		repository string // policy
		registry   string // policy
		scp        []string
		because    string
	}{
		{"identity", ecrtest.Role{}, "", "", "", nil, "because no identity-based policy allows the ecr:BatchGetImage action"},
		{"identity, explicit", ecrtest.Role{Policies: []string{admin, denyAll}}, "", "", "", nil,
			"with an explicit deny in an identity-based policy"},
		{"session", ecrtest.Role{Policies: []string{admin}}, silent, "", "", nil,
			"because no session policy allows the ecr:BatchGetImage action"},
		{"session, explicit", ecrtest.Role{Policies: []string{admin}}, denyAll, "", "", nil,
			"with an explicit deny in a session policy"},
		{"session, explicit, against a grant", ecrtest.Role{Policies: []string{admin}}, denyAll, grantAll, grantAllOn, nil,
			"with an explicit deny in a session policy"},
		{"boundary", ecrtest.Role{Policies: []string{admin}, Boundary: silent}, "", "", "", nil,
			"because no permissions boundary allows the ecr:BatchGetImage action"},
		{"boundary, explicit", ecrtest.Role{Policies: []string{admin}, Boundary: denyAll}, "", "", "", nil,
			"with an explicit deny in a permissions boundary"},
		{"repository policy, explicit", ecrtest.Role{Policies: []string{admin}}, "", denyEverybody, "", nil,
			"with an explicit deny in a resource-based policy"},
		{"registry policy, explicit", ecrtest.Role{Policies: []string{admin}}, "", "", denyEverybodyOn, nil,
			"with an explicit deny in a resource-based policy"},
		{"service control policy", ecrtest.Role{Policies: []string{admin}}, "", "", "", []string{allButECR},
			"because no service control policy allows the ecr:BatchGetImage action"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t, ecrtest.Config{ServiceControlPolicies: test.scp})
			srv.CreateRepository(ecrtest.Repository{Name: "rise/hello", Policy: test.repository})
			srv.SetRegistryPolicy(test.registry)
			test.role.Name, test.role.Trust = "r", trustOf(`{"AWS":"arn:aws:iam::123456789012:user/admin"}`)
			arn := srv.AddRole(test.role)
			in := &sts.AssumeRoleInput{RoleArn: &arn, RoleSessionName: aws.String("s1")}
			if test.session != "" {
				in.Policy = &test.session
			}
			key := assumeRole(t, awsConfig(srv, newAdmin(srv)), in)
			_, err := ecr.NewFromConfig(awsConfig(srv, key)).BatchGetImage(t.Context(), &ecr.BatchGetImageInput{
				RepositoryName: aws.String("rise/hello"), ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("v1")}}})
			requireCode(t, err, "AccessDeniedException", "User: "+session+" is not authorized to perform: ecr:BatchGetImage on resource: "+
				repositoryARN("rise/hello")+" "+test.because)
		})
	}
}

const (
	silent          = `{"Statement":{"Effect":"Allow","Action":"ecr:ListImages","Resource":"*"}}`
	denyAll         = `{"Statement":{"Effect":"Deny","Action":"ecr:*","Resource":"*"}}`
	allButECR       = `{"Statement":{"Effect":"Allow","NotAction":"ecr:*","Resource":"*"}}`
	grantAll        = `{"Statement":{"Effect":"Allow","Action":"ecr:*","Principal":"*"}}`
	grantAllOn      = `{"Statement":{"Effect":"Allow","Action":"ecr:*","Principal":"*","Resource":"*"}}`
	denyEverybody   = `{"Statement":{"Effect":"Deny","Action":"ecr:*","Principal":"*"}}`
	denyEverybodyOn = `{"Statement":{"Effect":"Deny","Action":"ecr:*","Principal":"*","Resource":"*"}}`
)

func TestRegistries(t *testing.T) {
	t.Parallel()
	const other = "999999999999"
	srv := newServer(t, ecrtest.Config{OtherRegions: []string{"us-east-1"}})
	ctx := t.Context()
	key := newAdmin(srv)
	stranger := srv.AddUser(ecrtest.User{Name: "arn:aws:iam::999999999999:user/stranger", Policies: []string{admin}})
	srv.CreateRepository(ecrtest.Repository{Name: "rise/hello"})
	names := func(k ecrtest.AccessKey, r, registry string) []string {
		in := &ecr.DescribeRepositoriesInput{}
		if registry != "" {
			in.RegistryId = &registry
		}
		out, err := ecr.NewFromConfig(awsConfig(srv, k, inRegion(r))).DescribeRepositories(ctx, in)
		if err != nil {
			return []string{err.Error()}
		}
		list := []string{}
		for _, repository := range out.Repositories {
			list = append(list, *repository.RepositoryName)
		}
		return list
	}
	require.Equal(t, []string{"rise/hello"}, names(key, region, ""))
	require.Empty(t, names(key, "us-east-1", ""), "each region has its own")
	require.Empty(t, names(stranger, region, ""), "each account has its own")
	require.Contains(t, names(stranger, region, account)[0],
		"because no resource-based policy allows the ecr:DescribeRepositories action")
	srv.UpdateRepository("rise/hello", func(r *ecrtest.Repository) {
		r.Policy = `{"Statement":{"Effect":"Allow","Action":"ecr:DescribeRepositories","Principal":{"AWS":"` + other + `"}}}`
	})
	_, err := ecr.NewFromConfig(awsConfig(srv, stranger)).DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{
		RegistryId: aws.String(account), RepositoryNames: []string{"rise/hello"}})
	require.NoError(t, err)
}

func TestPartitions(t *testing.T) {
	t.Parallel()
	for r, want := range map[string]struct{ partition, suffix string }{
		"eu-west-1":     {"aws", "amazonaws.com"},
		"cn-north-1":    {"aws-cn", "amazonaws.com.cn"},
		"us-gov-west-1": {"aws-us-gov", "amazonaws.com"},
	} {
		srv := newServer(t, ecrtest.Config{Region: r, InMemory: true})
		require.Equal(t, "123456789012.dkr.ecr."+r+"."+want.suffix, srv.RegistryHost)
		d := srv.Setup(ecrtest.SetupOptions{})
		require.Equal(t, "arn:"+want.partition+":iam::123456789012:role/rise-backend-ecr-push", d.PushRoleARN)
		srv.CreateRepository(d.Repository("hello"))
		key := assumeRole(t, awsConfig(srv, d.ControllerUser, inMemory(srv), inRegion(r)),
			&sts.AssumeRoleInput{RoleArn: &d.PushRoleARN,
				RoleSessionName: aws.String("rise-push-hello")})
		cfg := awsConfig(srv, key, inMemory(srv), inRegion(r))
		who, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), nil)
		require.NoError(t, err)
		require.Equal(t, "arn:"+want.partition+":sts::123456789012:assumed-role/rise-backend-ecr-push/rise-push-hello",
			*who.Arn)
		out, err := ecr.NewFromConfig(cfg).GetAuthorizationToken(t.Context(), nil)
		require.NoError(t, err)
		require.Equal(t, "https://"+srv.RegistryHost, *out.AuthorizationData[0].ProxyEndpoint)
		password := token(t.Context(), t, cfg)
		require.NoError(t, remote.Write(repo(t, srv, "rise/hello").Tag("v1"), randomImage(t), auth(password),
			remote.WithTransport(srv.Transport())))
	}
}

func TestTagDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, ecrtest.Config{InMemory: true, TagDelay: time.Minute})
		d := srv.Setup(ecrtest.SetupOptions{AutoRemove: true})
		client := ecr.NewFromConfig(awsConfig(srv, d.ControllerUser, inMemory(srv)))
		var tags []types.Tag
		for k, v := range d.Tags("hello") {
			tags = append(tags, ecrTag(k, v))
		}
		name, arn := aws.String("rise/hello"), aws.String(repositoryARN("rise/hello"))
		_, err := client.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: name, Tags: tags})
		require.NoError(t, err)
		configure := func() error {
			return second(client.PutImageTagMutability(t.Context(), &ecr.PutImageTagMutabilityInput{RepositoryName: name,
				ImageTagMutability: types.ImageTagMutabilityImmutable}))
		}
		requireCode(t, configure(), "AccessDeniedException", "")
		out, err := client.ListTagsForResource(t.Context(), &ecr.ListTagsForResourceInput{ResourceArn: arn})
		require.NoError(t, err)
		require.Len(t, out.Tags, 3, "tags are there at once; only rights aren't")
		time.Sleep(time.Minute)
		require.NoError(t, configure())

		_, err = client.TagResource(t.Context(), &ecr.TagResourceInput{ResourceArn: arn,
			Tags: []types.Tag{ecrTag("rise:orphaned", "true")}})
		require.NoError(t, err)
		remove := func() error {
			return second(client.DeleteRepository(t.Context(), &ecr.DeleteRepositoryInput{RepositoryName: name}))
		}
		time.Sleep(time.Minute - time.Second)
		requireCode(t, remove(), "AccessDeniedException", "")
		time.Sleep(time.Second)
		require.NoError(t, remove())
	})
}

func TestExpiredSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, ecrtest.Config{InMemory: true})
		d := srv.Setup(ecrtest.SetupOptions{})
		key := assumeRole(t, awsConfig(srv, d.ControllerUser, inMemory(srv)), &sts.AssumeRoleInput{RoleArn: &d.PushRoleARN,
			RoleSessionName: aws.String("rise-push-hello"), DurationSeconds: aws.Int32(900)})
		cfg := awsConfig(srv, key, inMemory(srv))
		time.Sleep(15*time.Minute - time.Second)
		token(t.Context(), t, cfg)
		time.Sleep(time.Second)
		_, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), nil)
		requireCode(t, err, "ExpiredToken", "The security token included in the request is expired")
		_, err = ecr.NewFromConfig(cfg).GetAuthorizationToken(t.Context(), nil)
		requireCode(t, err, "ExpiredTokenException", "The security token included in the request is expired")
	})
}

func TestModesOfTheAPI(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{ForceDeleteNeedsBatchDelete: true, ScanningByRegistry: true})
	srv.CreateRepository(ecrtest.Repository{Name: "rise/hello", ScanOnPush: true})
	key := srv.AddUser(ecrtest.User{Name: "u", Policies: []string{admin,
		`{"Statement":{"Effect":"Deny","Action":"ecr:BatchDeleteImage","Resource":"*"}}`}})
	password := token(t.Context(), t, awsConfig(srv, key))
	require.NoError(t, remote.Write(repo(t, srv, "rise/hello").Tag("v1"), randomImage(t), auth(password)))
	client := ecr.NewFromConfig(awsConfig(srv, key))
	_, err := client.DeleteRepository(t.Context(), &ecr.DeleteRepositoryInput{RepositoryName: aws.String("rise/hello"),
		Force: true})
	requireCode(t, err, "AccessDeniedException", "ecr:BatchDeleteImage")
	_, err = client.PutImageScanningConfiguration(t.Context(), &ecr.PutImageScanningConfigurationInput{
		RepositoryName: aws.String("rise/hello"), ImageScanningConfiguration: &types.ImageScanningConfiguration{ScanOnPush: true}})
	require.True(t, errorAs[*types.ValidationException](err), "%v", err)
	out, err := client.DescribeRepositories(t.Context(), nil)
	require.NoError(t, err)
	require.False(t, out.Repositories[0].ImageScanningConfiguration.ScanOnPush)
}

func TestTemplatesAndRules(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	remove := srv.AddCreationTemplate(ecrtest.CreationTemplate{Prefix: "rise", AppliedFor: []string{"CREATE_ON_PUSH"}})
	removeRule := srv.AddPullThroughCacheRule("rise", "registry-1.docker.io")
	client := ecr.NewFromConfig(awsConfig(srv, newAdmin(srv)))
	templates, err := client.DescribeRepositoryCreationTemplates(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, "rise", *templates.RepositoryCreationTemplates[0].Prefix)
	require.Equal(t, []types.RCTAppliedFor{types.RCTAppliedForCreateOnPush},
		templates.RepositoryCreationTemplates[0].AppliedFor)
	rules, err := client.DescribePullThroughCacheRules(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, "registry-1.docker.io", *rules.PullThroughCacheRules[0].UpstreamRegistryUrl)
	remove()
	removeRule()
	templates, err = client.DescribeRepositoryCreationTemplates(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, templates.RepositoryCreationTemplates)
	rules, err = client.DescribePullThroughCacheRules(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, rules.PullThroughCacheRules)
	scanning, err := client.GetRegistryScanningConfiguration(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, types.ScanTypeBasic, scanning.ScanningConfiguration.ScanType)
	setting, err := client.GetAccountSetting(t.Context(),
		&ecr.GetAccountSettingInput{Name: aws.String("REGISTRY_POLICY_SCOPE")})
	require.NoError(t, err)
	require.Equal(t, "V2", *setting.Value)
	_, err = client.DescribeRegistry(t.Context(), nil)
	require.NoError(t, err)
}

// Tags that differ in case only are one condition key. A repository that has both, and a request, are decided the same way
// each time, and the worse one.
func TestTagsInTwoCases(t *testing.T) {
	t.Parallel()
	srv := newServer(t, ecrtest.Config{})
	srv.CreateRepository(ecrtest.Repository{Name: "rise/hello", Tags: map[string]string{"team": "a", "Team": "b"}})
	client := func(policy string) *ecr.Client {
		return ecr.NewFromConfig(awsConfig(srv, srv.AddUser(ecrtest.User{Name: rand.Text(), Policies: []string{policy}})))
	}
	const on = `"Action":"ecr:*","Resource":"*","Condition":{"StringEquals":`
	allowed, refused := client(`{"Statement":{"Effect":"Allow",`+on+`{"aws:ResourceTag/team":"b"}}}}`),
		client(`{"Statement":{"Effect":"Allow",`+on+`{"ecr:ResourceTag/team":"c"}}}}`)
	creates := client(`{"Statement":{"Effect":"Allow",` + on + `{"aws:RequestTag/team":"b"}}}}`)
	denies := client(`{"Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*"},{"Effect":"Deny",` + on + `{"aws:ResourceTag/team":"b"}}}]}`)
	for i := range 20 {
		in := &ecr.ListTagsForResourceInput{ResourceArn: aws.String(repositoryARN("rise/hello"))}
		require.NoError(t, second(allowed.ListTagsForResource(t.Context(), in)))
		require.NoError(t, second(denies.ListTagsForResource(t.Context(), in)))
		requireCode(t, second(refused.ListTagsForResource(t.Context(), in)), "AccessDeniedException", "")
		require.NoError(t, second(creates.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{
			RepositoryName: aws.String(fmt.Sprintf("rise/r%d", i)), Tags: []types.Tag{ecrTag("team", "b"), ecrTag("Team", "a")}})))
	}
}

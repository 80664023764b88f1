package ecr_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	awsecr "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// A question is one that AWS's documentation leaves open.
type question struct {
	name string
	slow bool // it waits for a session to end
	ask  func(*lab, context.Context) (finding, error)
}

// A finding is the answer, in one line, and what the library promises and didn't keep.
type finding struct {
	answer string
	broken []string
}

func (f *finding) breaks(format string, args ...any) {
	f.broken = append(f.broken, fmt.Sprintf(format, args...))
}

func questions() []question {
	return []question{
		{name: "token-survives-revocation", ask: (*lab).tokenSurvivesRevocation},
		{name: "grants-to-everybody", ask: (*lab).grantsToEverybody},
		{name: "grants-to-session", ask: (*lab).grantsToSession},
		{name: "mount-without-from", ask: (*lab).mountWithoutFrom},
		{name: "tag-delay", ask: (*lab).tagDelay},
		{name: "forced-deletion", ask: (*lab).forcedDeletion},
		{name: "create-on-push", ask: (*lab).createOnPush},
		{name: "token-outlives-session", slow: true, ask: (*lab).tokenOutlivesSession},
	}
}

// shortest is the shortest session that AWS makes.
const shortest = 15 * time.Minute

// Does a token outlive its role session? The promise: a credential works until its ExpiresAt.
func (l *lab) tokenOutlivesSession(ctx context.Context) (finding, error) {
	var f finding
	project := l.project("own")
	repository := l.repository(project)
	if err := l.createReady(ctx, project); err != nil {
		return f, err
	}
	c := l.config
	c.SessionDuration = shortest
	p, err := ecr.New(ctx, c, l.options...)
	if err != nil {
		return f, err
	}
	credential, err := provider.Issue(ctx, p, provider.Request{Project: project, Access: provider.Push})
	if err != nil {
		return f, err
	}
	s, err := l.assume(ctx, project, shortest, unchanged)
	if err != nil {
		return f, err
	}
	if err := l.pause(ctx, time.Until(credential.ExpiresAt.Add(-time.Minute))); err != nil {
		return f, err
	}
	_, alive, err := l.settlesWithin(ctx, 20*time.Second, func() (bool, error) { return l.mayRead(ctx, credential, repository) })
	if err != nil {
		return f, err
	}
	if !alive {
		f.breaks("a credential is refused a minute before its ExpiresAt")
	}
	if err := l.pause(ctx, time.Until(s.ends)); err != nil {
		return f, err
	}
	// The session has ended when its own calls are refused.
	_, ended, err := l.settlesWithin(ctx, 3*l.patience, func() (bool, error) {
		_, err := awssts.NewFromConfig(l.api, func(o *awssts.Options) { o.Credentials = s.api }).GetCallerIdentity(ctx, &awssts.GetCallerIdentityInput{})
		var api smithy.APIError
		if err != nil && !errors.As(err, &api) {
			return false, err
		}
		return err != nil, nil
	})
	if err != nil {
		return f, err
	}
	if !ended {
		f.answer = fmt.Sprintf("unknown: STS still takes the session itself %v after its expiration", 3*l.patience)
		return f, nil
	}
	took, died, err := l.settlesWithin(ctx, 3*l.patience, func() (bool, error) {
		alive, err := l.mayRead(ctx, s.credentials, repository)
		return !alive, err
	})
	if died {
		f.answer = fmt.Sprintf("no: a token is refused %v after its session's end", tenths(took))
	} else {
		f.answer = fmt.Sprintf("yes: a token is still accepted %v after its session's end", 3*l.patience)
	}
	return f, err
}

func unchanged(policy string) string { return policy }

// Does a token survive a revocation of older sessions? Nothing is promised.
func (l *lab) tokenSurvivesRevocation(ctx context.Context) (f finding, err error) {
	project := l.project("own")
	if err := l.createReady(ctx, project); err != nil {
		return f, err
	}
	s, err := l.assume(ctx, project, time.Hour, unchanged)
	if err != nil {
		return f, err
	}
	// What the console's "Revoke active sessions" adds (IAM User Guide, "Revoke IAM role temporary security credentials"), but
	// for this session alone, in case that the role has others.
	revocation, err := json.Marshal(jsonObject{"Version": "2012-10-17", "Statement": []jsonObject{{
		"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": jsonObject{
			"DateLessThan": jsonObject{"aws:TokenIssueTime": s.issued.Add(time.Minute).UTC().Format(time.RFC3339)},
			"StringLike":   jsonObject{"aws:userid": "*:" + s.name},
		},
	}}})
	if err != nil {
		return f, err
	}
	if err := l.putRolePolicy(ctx, l.config.PushRoleARN, "rise-live-test-"+l.id, string(revocation)); err != nil {
		if isDenied(err) {
			return f, &skip{fmt.Sprintf("needs iam:PutRolePolicy and iam:DeleteRolePolicy on the push role: %v", err)}
		}
		return f, err
	}
	_, revoked, err := l.settles(ctx, func() (bool, error) {
		_, err := l.token(ctx, s.api)
		if err != nil && !isDenied(err) {
			return false, err
		}
		return err != nil, nil
	})
	if err != nil {
		return f, err
	}
	if !revoked {
		f.answer = fmt.Sprintf("unknown: the session itself still gets tokens %v after its revocation", l.patience)
		return f, nil
	}
	took, died, err := l.settles(ctx, func() (bool, error) {
		alive, err := l.mayRead(ctx, s.credentials, l.repository(project))
		return !alive, err
	})
	if died {
		f.answer = fmt.Sprintf("no: a token that was issued before is refused %v after its session was revoked", tenths(took))
	} else {
		f.answer = fmt.Sprintf("yes: a token that was issued before is still accepted %v after its session was revoked", l.patience)
	}
	return f, err
}

type jsonObject = map[string]any

// readActions and the action that lists tags, which neither a push role nor a session policy allows by itself.
func readActions() []string {
	return []string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:ListImages"}
}

// ownAccount is a grant to everybody, as far as this account reaches.
func (l *lab) ownAccount() jsonObject {
	return jsonObject{
		"Effect": "Allow", "Principal": "*", "Action": readActions(),
		"Condition": jsonObject{"StringEquals": jsonObject{"aws:PrincipalAccount": l.config.AccountID}},
	}
}

// Do grants to * pass a session policy that only allows? The promise: they don't pass the library's, which denies.
func (l *lab) grantsToEverybody(ctx context.Context) (finding, error) {
	return l.grants(ctx, func(liveSession) jsonObject { return l.ownAccount() })
}

// And grants to the session's ARN?
func (l *lab) grantsToSession(ctx context.Context) (finding, error) {
	return l.grants(ctx, func(s liveSession) jsonObject {
		return jsonObject{"Effect": "Allow", "Principal": jsonObject{"AWS": s.arn}, "Action": readActions()}
	})
}

func (l *lab) grants(ctx context.Context, grant func(liveSession) jsonObject) (f finding, err error) {
	own, other := l.project("own"), l.project("other")
	repository := l.repository(other)
	if err := l.createReady(ctx, own, other); err != nil {
		return f, err
	}
	free, err := l.assume(ctx, own, time.Hour, nil)
	if err != nil {
		return f, err
	}
	allowOnly, err := l.assume(ctx, own, time.Hour, withoutDenies)
	if err != nil {
		return f, err
	}
	inEffect := func() (bool, error) { return l.mayList(ctx, free.credentials, repository) }
	if already, err := inEffect(); err != nil || already {
		f.answer = "unknown: the push role may list tags by itself, so that nothing shows when a grant takes effect"
		return f, err
	}
	if err := l.setPolicy(ctx, repository, grant(free)); err != nil {
		return f, err
	}
	_, settled, err := l.settles(ctx, inEffect)
	if err != nil {
		return f, err
	}
	if !settled {
		f.answer = fmt.Sprintf("unknown: a session without a session policy doesn't see the grant within %v", l.patience)
		return f, nil
	}
	passes, err := l.opens(ctx, allowOnly.credentials, repository)
	if err != nil {
		return f, err
	}
	if passes {
		f.answer = "yes: the grant opens another project's repository to a session whose policy only allows its own"
	} else {
		f.answer = "no: a session policy cuts the grant even if it only allows"
	}
	for _, access := range []provider.Access{provider.Push, provider.Pull} {
		c, err := l.issue(ctx, own, access)
		if err != nil {
			return f, err
		}
		if passes, err = l.opens(ctx, c, repository); err != nil {
			return f, err
		}
		if passes {
			f.breaks("a grant opens another project's repository to a %s credential, whose session policy denies that", access)
		}
	}
	return f, nil
}

// opens reports whether a credential may read a repository or list its tags, now or in a while.
func (l *lab) opens(ctx context.Context, c provider.Credentials, repository string) (bool, error) {
	for range 2 * steady {
		for _, may := range []func(context.Context, provider.Credentials, string) (bool, error){l.mayRead, l.mayList} {
			if yes, err := may(ctx, c, repository); yes || err != nil {
				return yes, err
			}
		}
		if err := l.pause(ctx, l.poll); err != nil {
			return false, err
		}
	}
	return false, nil
}

// setPolicy sets a repository policy, which goes with the repository.
func (l *lab) setPolicy(ctx context.Context, repository string, statement jsonObject) error {
	text, err := json.Marshal(jsonObject{"Version": "2012-10-17", "Statement": []jsonObject{statement}})
	if err != nil {
		return err
	}
	_, err = l.ecrAPI().SetRepositoryPolicy(ctx, &awsecr.SetRepositoryPolicyInput{RepositoryName: &repository, PolicyText: awssdk.String(string(text))})
	return err
}

// Does a mount without from take a layer from any repository that the token may read? The promise: a project's credential
// doesn't mount another project's layers, with from or without.
func (l *lab) mountWithoutFrom(ctx context.Context) (f finding, err error) {
	own, other := l.project("own"), l.project("other")
	if err := l.createReady(ctx, own, other); err != nil {
		return f, err
	}
	layer, err := l.publish(ctx, other)
	if err != nil {
		return f, err
	}
	// For session tags, which keep also a session without a session policy to its own project.
	if err := l.setPolicy(ctx, l.repository(other), l.ownAccount()); err != nil {
		return f, err
	}
	free, err := l.assume(ctx, own, time.Hour, nil)
	if err != nil {
		return f, err
	}
	_, readable, err := l.settles(ctx, func() (bool, error) { return l.mayList(ctx, free.credentials, l.repository(other)) })
	if err != nil {
		return f, err
	}
	if !readable {
		f.answer = fmt.Sprintf("unknown: no token can read two repositories: a grant took no effect within %v", l.patience)
		return f, nil
	}
	mount := func(c provider.Credentials, from string) (bool, error) {
		path := "/blobs/uploads/?mount=" + layer
		if from != "" {
			path += "&from=" + l.repository(from)
		}
		r, err := l.request(ctx, c, http.MethodPost, l.repository(own), path)
		if err == nil && r.status != http.StatusCreated && r.status != http.StatusAccepted {
			err = fmt.Errorf("a mount is answered with %v", r)
		}
		return r.status == http.StatusCreated, err
	}
	c, err := l.issue(ctx, own, provider.Push) // the library's first: once mounted, a layer is own's
	if err != nil {
		return f, err
	}
	for _, from := range []string{"", other} {
		mounted, err := mount(c, from)
		if err != nil {
			return f, err
		}
		if mounted {
			f.breaks("a push credential mounts another project's layer (from: %q)", from)
			f.answer = "unknown: the layer is there now"
			return f, nil
		}
	}
	without, err := mount(free.credentials, "")
	if err != nil {
		return f, err
	}
	setting := "unknown"
	if out, err := l.ecrAPI().GetAccountSetting(ctx, &awsecr.GetAccountSettingInput{Name: awssdk.String("BLOB_MOUNTING")}); err == nil {
		setting = awssdk.ToString(out.Value)
	}
	if without {
		f.answer = fmt.Sprintf("yes: a layer is mounted from any repository that the token may read (BLOB_MOUNTING is %s)", setting)
		return f, nil
	}
	with, err := mount(free.credentials, other)
	if with {
		f.answer = fmt.Sprintf("no: such a mount becomes an upload, while one with from works (BLOB_MOUNTING is %s)", setting)
	} else {
		f.answer = fmt.Sprintf("no: such a mount becomes an upload, and so does one with from (BLOB_MOUNTING is %s)", setting)
	}
	return f, err
}

// How long until a change of tags counts on the docker path? Nothing is promised but that ecr retries.
func (l *lab) tagDelay(ctx context.Context) (f finding, err error) {
	project := l.project("own")
	repository := l.repository(project)
	c, err := l.issue(ctx, project, provider.Push)
	if err != nil {
		return f, err
	}
	var took []string
	measure := func(what string, open bool) error {
		d, settled, err := l.settles(ctx, func() (bool, error) {
			may, err := l.mayRead(ctx, c, repository)
			return may == open, err
		})
		if settled {
			took = append(took, fmt.Sprintf("%s after %v", what, tenths(d)))
		} else {
			took = append(took, fmt.Sprintf("not %s within %v", what, l.patience))
		}
		return err
	}
	if err := l.create(ctx, project); err != nil {
		return f, err
	}
	if err := measure("open", true); err != nil {
		return f, err
	}
	suspended, resource := awssdk.String("rise:suspended"), awssdk.String(l.arn(repository))
	if _, err := l.ecrAPI().TagResource(ctx, &awsecr.TagResourceInput{
		ResourceArn: resource, Tags: []types.Tag{{Key: suspended, Value: awssdk.String("true")}},
	}); err != nil {
		return f, err
	}
	if err := measure("suspended", false); err != nil {
		return f, err
	}
	if _, err := l.ecrAPI().UntagResource(ctx, &awsecr.UntagResourceInput{ResourceArn: resource, TagKeys: []string{*suspended}}); err != nil {
		return f, err
	}
	err = measure("open again", true)
	f.answer = fmt.Sprintf("a new repository is %s (looked every %v)", strings.Join(took, ", "), l.poll)
	return f, err
}

// Does a forced deletion work without ecr:BatchDeleteImage? Nothing is promised.
func (l *lab) forcedDeletion(ctx context.Context) (f finding, err error) {
	control, kept := l.project("control"), l.project("kept")
	if err := l.createReady(ctx, control, kept); err != nil {
		return f, err
	}
	for _, project := range []string{control, kept} {
		if _, err := l.publish(ctx, project); err != nil {
			return f, err
		}
	}
	if err := l.forceDelete(ctx, l.repository(control)); err != nil {
		return f, fmt.Errorf("these tests need ecr:DeleteRepository and ecr:BatchDeleteImage: %w", err)
	}
	// A Deny in the repository's policy takes the right away from everybody, whoever runs this.
	repository := l.repository(kept)
	deleteImage := func(ctx context.Context) (bool, error) {
		_, err := l.ecrAPI().BatchDeleteImage(ctx, &awsecr.BatchDeleteImageInput{
			RepositoryName: &repository, ImageIds: []types.ImageIdentifier{{ImageTag: awssdk.String("absent")}},
		})
		if isDenied(err) {
			return false, nil
		}
		return err == nil, err
	}
	l.undo(func(ctx context.Context) error {
		_, err := l.ecrAPI().DeleteRepositoryPolicy(ctx, &awsecr.DeleteRepositoryPolicyInput{RepositoryName: &repository})
		var gone *types.RepositoryNotFoundException
		var none *types.RepositoryPolicyNotFoundException
		if errors.As(err, &gone) || errors.As(err, &none) {
			return nil
		}
		if err == nil {
			_, _, err = l.settles(ctx, func() (bool, error) { return deleteImage(ctx) }) // or deleting it would fail
		}
		return err
	})
	if err := l.setPolicy(ctx, repository, jsonObject{"Effect": "Deny", "Principal": "*", "Action": "ecr:BatchDeleteImage"}); err != nil {
		return f, err
	}
	_, settled, err := l.settles(ctx, func() (bool, error) {
		may, err := deleteImage(ctx)
		return !may, err
	})
	if err != nil {
		return f, err
	}
	if !settled {
		f.answer = fmt.Sprintf("unknown: a Deny of ecr:BatchDeleteImage took no effect within %v", l.patience)
		return f, nil
	}
	switch err := l.forceDelete(ctx, repository); {
	case isDenied(err):
		f.answer = "no: a forced deletion of a repository with images takes ecr:BatchDeleteImage beside ecr:DeleteRepository"
	case err != nil:
		return f, err
	default:
		f.answer = "yes: ecr:DeleteRepository is enough to delete a repository with images"
	}
	return f, nil
}

// What may a scoped token create through a create-on-push template? The promise: nothing but its own project's repository.
func (l *lab) createOnPush(ctx context.Context) (f finding, err error) {
	prefix, refused := strings.TrimSuffix(l.config.RepoPrefix, "/"), false
	l.undo(func(ctx context.Context) error {
		if refused {
			return nil
		}
		_, err := l.ecrAPI().DeleteRepositoryCreationTemplate(ctx, &awsecr.DeleteRepositoryCreationTemplateInput{Prefix: &prefix})
		var none *types.TemplateNotFoundException
		if errors.As(err, &none) {
			return nil
		}
		return err
	})
	if _, err := l.ecrAPI().CreateRepositoryCreationTemplate(ctx, &awsecr.CreateRepositoryCreationTemplateInput{
		Prefix: &prefix, AppliedFor: []types.RCTAppliedFor{types.RCTAppliedForCreateOnPush}, Description: awssdk.String(liveTag + " " + l.stamp),
	}); err != nil {
		if refused = isDenied(err); refused {
			return f, &skip{fmt.Sprintf("needs ecr:CreateRepositoryCreationTemplate: %v", err)}
		}
		return f, err
	}
	// pushes tries to create a project's repository, and reports whether it did.
	pushes := func(c provider.Credentials, project string) (bool, error) {
		repository := l.repository(project)
		l.undo(func(ctx context.Context) error { // a template without a role of its own sets no tags
			return l.remove(ctx, repository, func(stamp string) bool { return stamp == "" })
		})
		image, _, err := newImage()
		if err != nil {
			return false, err
		}
		if _, err := l.push(ctx, c, repository, image); err != nil {
			return false, err
		}
		_, made, err := l.stampOf(ctx, repository)
		return made, err
	}
	caller, err := l.token(ctx, l.api.Credentials)
	if err != nil {
		return f, err
	}
	attempt := 0
	_, works, err := l.settles(ctx, func() (bool, error) {
		attempt++
		return pushes(caller, l.project(fmt.Sprintf("control%d", attempt)))
	})
	if err != nil {
		return f, err
	}
	if !works {
		f.answer = fmt.Sprintf("unknown: the template makes nothing within %v, not even for the caller with ecr:CreateRepository", l.patience)
		return f, nil
	}
	roles := []struct{ what, arn string }{{"the push role", l.config.PushRoleARN}}
	if l.plainRole != "" {
		roles = append(roles, struct{ what, arn string }{"a role without conditions on tags", l.plainRole})
	}
	var answers []string
	for i, role := range roles {
		config := l.config
		config.PushRoleARN = role.arn
		p, err := ecr.New(ctx, config, l.options...)
		if err != nil {
			return f, err
		}
		own := l.project(fmt.Sprintf("own%d", i))
		c, err := provider.Issue(ctx, p, provider.Request{Project: own, Access: provider.Push})
		if err != nil {
			return f, err
		}
		others, err := pushes(c, l.project(fmt.Sprintf("other%d", i)))
		if err != nil {
			return f, err
		}
		if others {
			f.breaks("with %s, a push credential creates another project's repository", role.what)
		}
		made, err := pushes(c, own)
		switch {
		case err != nil:
			return f, err
		case made:
			answers = append(answers, "with "+role.what+" its own project's repository, without any tags")
		default:
			answers = append(answers, "with "+role.what+" nothing")
		}
	}
	if l.plainRole == "" {
		answers = append(answers, "with a role without conditions on tags unknown (RISE_LIVE_PLAIN_ROLE_ARN isn't set)")
	}
	f.answer = strings.Join(answers, "; ")
	return f, nil
}

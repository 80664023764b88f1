package ecr

import (
	"context"
	"iter"
	"log/slog"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/hint"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/scrub"
	"github.com/rise-deploy/rise-registry-go/internal/probe"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// The checks, in order.
const (
	checkConfig         = "config"
	checkCredentials    = "credentials"
	checkSTS            = "sts"
	checkClock          = "clock"
	checkIdentity       = "identity"
	checkControllerRole = "controller_role"
	checkPushRole       = "push_role"
	checkPullRole       = "pull_role"
	checkToken          = "token"
	checkRegistryHost   = "registry_host"
	checkRegistry       = "registry"
	checkRepository     = "repository"
	checkAccess         = "repository_access"
	checkIsolation      = "isolation"
	checkRepoPolicy     = "repository_policy"
	checkRegistryPolicy = "registry_policy"
	checkTemplates      = "creation_templates"
	checkCacheRules     = "pull_through_rules"
	checkSigning        = "managed_signing"
	checkRoleTags       = "push_role_tags"
)

// Diagnose implements [diagnosis.Diagnoser]. The checks, in order:
//
//	config              the configuration makes sense: region, FIPS, endpoints
//	credentials         AWS credentials are found, and where; static keys are a warning
//	sts                 STS can be reached: DNS, TCP, TLS, proxy
//	clock               this machine's clock agrees with AWS's
//	identity            AWS knows the credentials, and they are of the right account
//	controller_role     role_arn can be assumed (only if it is set)
//	push_role           push_role_arn can be assumed with a session policy
//	pull_role           the same for pull_role_arn (only if it is set)
//	token               ECR issues a token to that session
//	registry_host       ECR names the same image registry as is handed out
//	registry            the image registry can be reached and takes the token
//	repository          o.Project's repository exists, is ours and o.ProjectID's, and is neither orphaned nor suspended
//	repository_access   the credential can use it; with o.WriteProbe, it can push
//	isolation           the credential can't read another project's repository
//	repository_policy   what the repository's policy grants to others
//	registry_policy     what the registry's policy grants
//	creation_templates  no template makes repositories under our prefix
//	pull_through_rules  no pull-through cache rule does
//	managed_signing     no signing configuration is for our repositories: sessions can't sign, by design
//	push_role_tags      no tag of the push role itself counts as its sessions'
//
// Those from repository_policy to managed_signing need rights that issuing credentials doesn't; without them a check is skipped,
// with the statement that allows it. With o.ProjectID, the session is that id's, as a request's is. Without a project, the push role is assumed for a project "diagnose", and the checks about a
// project's repository are left out.
//
// It makes at most 19 calls upstream when nothing is wrong, and up to three more to tell apart why a role can't be assumed. All
// of them show in CloudTrail, refused ones as errors: AssumeRole under the usual session names, for isolation a
// BatchGetImage of a tag that doesn't exist, denied as it has to be, and with session_tags an AssumeRole without a tag, likewise. No
// session that it opens can do more than the session that it stands for, and all are dropped at once. A write probe's upload
// expires by itself, since ECR can't cancel one.
func (p *Provider) Diagnose(ctx context.Context, o diagnosis.Options) iter.Seq[diagnosis.Finding] {
	return diagnosis.RunChecks(ctx, func() []diagnosis.Check {
		d := &checkup{Provider: p, o: o, once: p.aws.Once(o.Project, p.config.RepoPrefix+o.Project), host: probe.NewHost(p.aws.Transport())}
		checks := []diagnosis.Check{
			{ID: checkConfig, Run: d.checkConfig},
			{ID: checkCredentials, Run: d.checkCredentials},
			{ID: checkSTS, Needs: []string{checkCredentials}, Run: d.checkSTS},
			{ID: checkClock, Needs: []string{checkSTS}, Run: d.checkClock},
			{ID: checkIdentity, Needs: []string{checkSTS}, Run: d.checkIdentity},
		}
		if p.config.RoleARN != "" {
			checks = append(checks, diagnosis.Check{ID: checkControllerRole, Needs: []string{checkIdentity}, Run: d.checkControllerRole})
		}
		controller := []string{checkIdentity, checkControllerRole}
		checks = append(checks, diagnosis.Check{ID: checkPushRole, Needs: controller, Run: d.checkPushRole})
		if p.config.PullRoleARN != "" {
			checks = append(checks, diagnosis.Check{ID: checkPullRole, Needs: controller, Run: d.checkPullRole})
		}
		checks = append(checks,
			diagnosis.Check{ID: checkToken, Needs: []string{checkPushRole}, Run: d.checkToken},
			diagnosis.Check{ID: checkRegistryHost, Needs: []string{checkToken}, Run: d.checkRegistryHost},
			diagnosis.Check{ID: checkRegistry, Needs: []string{checkToken}, Run: d.checkRegistry},
		)
		if o.Project != "" {
			checks = append(checks,
				diagnosis.Check{ID: checkRepository, Needs: controller, Run: d.checkRepository},
				diagnosis.Check{ID: checkAccess, Needs: []string{checkRegistry, checkRepository}, Run: d.checkAccess},
				diagnosis.Check{ID: checkIsolation, Needs: []string{checkRegistry}, Run: d.checkIsolation},
				diagnosis.Check{ID: checkRepoPolicy, Needs: []string{checkIdentity, checkControllerRole, checkRepository}, Run: d.checkRepositoryPolicy},
			)
		}
		checks = append(checks,
			diagnosis.Check{ID: checkRegistryPolicy, Needs: controller, Run: d.checkRegistryPolicy},
			diagnosis.Check{ID: checkTemplates, Needs: controller, Run: d.checkTemplates},
			diagnosis.Check{ID: checkCacheRules, Needs: controller, Run: d.checkCacheRules},
			diagnosis.Check{ID: checkSigning, Needs: controller, Run: d.checkSigning},
			diagnosis.Check{ID: checkRoleTags, Needs: []string{checkToken}, Run: d.checkRoleTags},
		)
		for i, check := range checks {
			checks[i].Run = func(ctx context.Context) diagnosis.Finding { return d.clean(check.Run(ctx)) }
		}
		return checks
	})
}

// checkup is one run of a diagnosis. Each field is written by one check and read by those that need it.
type checkup struct {
	*Provider
	o       diagnosis.Options
	once    *awsapi.Once
	host    probe.Host
	listing listing

	base       awsapi.Keys // checkCredentials
	identity   awsapi.Identity
	identified error // checkSTS
	offset     time.Duration
	dated      bool
	controller awsapi.Keys    // checkIdentity, checkControllerRole
	session    awsapi.Session // checkPushRole
	token      awsapi.Token   // checkToken
	login      loginAt        // checkRegistry
}

// push is the request that the push role is assumed for.
func (d *checkup) push() provider.Request {
	r := provider.Request{Project: "diagnose", Access: provider.Push}
	switch {
	case d.o.Project != "":
		r.Project, r.ProjectID = d.o.Project, d.o.ProjectID
	case d.config.ProjectIDs:
		r.ProjectID = "diagnose"
	}
	return r
}

// failed is the finding for a step that failed.
func (d *checkup) failed(ctx context.Context, op string, err error, evidence ...slog.Attr) diagnosis.Finding {
	reason := d.once.Failed(ctx, op, err)
	t := hint.Explain(d.setup, reason)
	f := diagnosis.Finding{Status: diagnosis.Failed, Summary: op + ": " + reason.Kind.Error(), Remedy: t.Remedy}
	if t.Is != "" {
		f.Summary = op + ": " + t.Is
	}
	if f.Remedy == "" {
		f.Remedy = "see the error"
	}
	if t.More != "" {
		f.Remedy += "\n" + t.More
	}
	f.Evidence = append(f.Evidence, evidence...)
	f.Evidence = append(f.Evidence, slog.String("error", reason.Error()), slog.String("kind", string(reason.Kind)))
	if reason.RequestID != "" {
		f.Evidence = append(f.Evidence, slog.String("request_id", reason.RequestID))
	}
	status := reason.HTTPStatus
	if reason.Source != nil && reason.Source.Status != 0 {
		status = reason.Source.Status
	}
	if status != 0 {
		f.Evidence = append(f.Evidence, slog.Int("http_status", status))
	}
	return f
}

// clean takes out of a finding what is a piece of a secret that the diagnosis knows. Names in answers, too, may be one.
func (d *checkup) clean(f diagnosis.Finding) diagnosis.Finding {
	secrets := d.once.Secrets()
	f.Summary, f.Remedy = scrub.Redact(f.Summary, secrets), scrub.Redact(f.Remedy, secrets)
	for i, attr := range f.Evidence {
		if attr.Value.Kind() == slog.KindString {
			f.Evidence[i] = slog.String(attr.Key, scrub.Redact(attr.Value.String(), secrets))
		}
	}
	return f
}

func requestID(id string) slog.Attr { return slog.String("request_id", id) }

func passed(summary string, evidence ...slog.Attr) diagnosis.Finding {
	return diagnosis.Finding{Status: diagnosis.Passed, Summary: summary, Evidence: evidence}
}

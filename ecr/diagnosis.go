package ecr

import (
	"context"
	"iter"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi"
	checks "github.com/rise-deploy/rise-registry-go/ecr/internal/diagnosis"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
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
//	shared_repositories the credential can pull what is shared (only if it is set)
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
// It makes at most 19 calls upstream when nothing is wrong (with shared_repositories, one more for each and one to list), and up to three more to tell apart why a role can't be assumed. All
// of them show in CloudTrail, refused ones as errors: AssumeRole under the usual session names, for isolation a
// BatchGetImage of a tag that doesn't exist, denied as it has to be, and with session_tags an AssumeRole without a tag, likewise. No
// session that it opens can do more than the session that it stands for, and all are dropped at once. A write probe's upload
// expires by itself, since ECR can't cancel one.
func (p *Provider) Diagnose(ctx context.Context, o diagnosis.Options) iter.Seq[diagnosis.Finding] {
	return diagnosis.RunChecks(ctx, func() []diagnosis.Check { return p.diagnosed().Checks(o) })
}

// diagnosed is what the checks are told of the provider.
func (p *Provider) diagnosed() checks.Subject {
	s := checks.Subject{
		Setup: p.setup, AWS: p.aws,
		StaticKeys: !p.config.AccessKeyID.IsZero(), Insecure: p.config.Insecure,
		HandedOut: p.host.RegistryStr(), HostConfigured: p.config.RegistryHost != "", Agrees: p.hostWarning.host.agrees,
		SessionOf: func(r provider.Request) (awsapi.SessionInput, error) { return sessionInput(p.setup, r) },
	}
	for _, w := range p.config.warnings() {
		s.Doubts = append(s.Doubts, checks.Doubt{Is: w.key + ": " + w.is, Remedy: w.remedy})
	}
	return s
}

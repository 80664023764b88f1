package ecr

import (
	"context"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/hint"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/scrub"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// likelyRegion matches what the SDK's endpoint data takes for a region without guessing.
var likelyRegion = regexp.MustCompile(`^(?:(?:us|eu|ap|sa|ca|me|af|il|mx|cn)-[a-z]+|us-gov-[a-z]+|us-iso[a-z]?-[a-z]+|` +
	`eu-isoe-[a-z]+|eusc-[a-z]+-[a-z]+)-[0-9]+$`)

// checkConfig is about what New accepts though it is doubtful; what it refuses never comes here.
func (d *checkup) checkConfig(context.Context) diagnosis.Finding {
	c := d.config
	endpoints := d.aws.Endpoints()
	f := passed("region, account, ARNs and keys agree", slog.String("region", c.Region), slog.String("sts_region", endpoints.STSRegion), slog.String("partition", d.setup.Partition),
		slog.String("account", c.AccountID), slog.String("registry_host", d.Provider.host.RegistryStr()),
		slog.String("push_role_arn", c.PushRoleARN), slog.String("repo_prefix", c.RepoPrefix))
	var doubts, remedies []string
	doubt := func(is, remedy string) { doubts, remedies = append(doubts, is), append(remedies, remedy) }
	if !likelyRegion.MatchString(c.Region) {
		doubt("the AWS SDK doesn't know region "+c.Region+", and guesses its host names", "check region")
	}
	if endpoints.FIPS && !strings.HasPrefix(c.Region, "us-") {
		doubt("FIPS is asked for, and ECR has FIPS endpoints in US regions only; the SDK makes up names elsewhere",
			"take out use_fips (AWS_USE_FIPS_ENDPOINT)")
	}
	for _, own := range []struct{ key, host string }{{"sts_endpoint", endpoints.STS}, {"ecr_endpoint", endpoints.ECR}} {
		if own.host != "" {
			f.Evidence = append(f.Evidence, slog.String(own.key, own.host))
		}
	}
	if endpoints.Plain && c.Insecure {
		doubt("an AWS endpoint is plain HTTP, as insecure: true allows: whoever is on the way reads tokens", "use https")
	}
	for _, w := range c.warnings() {
		doubt(w.key+": "+w.is, w.remedy)
	}
	if c.AutoRemove && c.Installation == "" {
		doubt("auto_remove does nothing: without installation no repository is released or purged", "set installation, and tag the repositories that there are")
	}
	if len(doubts) > 0 {
		f.Status, f.Summary, f.Remedy = diagnosis.Warned, strings.Join(doubts, "; "), strings.Join(remedies, "; ")
	}
	return f
}

func (d *checkup) checkCredentials(ctx context.Context) diagnosis.Finding {
	var err error
	if d.base, err = d.once.Base(ctx); err != nil {
		return d.failed(ctx, failure.OpCredentials, err)
	}
	source := d.base.Source
	if !d.config.AccessKeyID.IsZero() {
		source = "configuration (access_key_id)"
	}
	f := passed("AWS credentials were found: "+scrub.Printable(source), slog.String("source", scrub.Printable(source)))
	if !d.base.Expires.IsZero() {
		f.Evidence = append(f.Evidence, slog.Time("expires_at", d.base.Expires))
	}
	if d.base.LongLived {
		f.Status = diagnosis.Warned
		f.Summary = "long-lived static keys are used (" + scrub.Printable(source) + "): they work until somebody deletes them, wherever they leak to"
		f.Remedy = "use IRSA, Pod Identity or an instance role inside AWS; outside, let the keys' user do nothing but assume role_arn, with " +
			"role_external_id, and rotate them"
	}
	return f
}

// checkSTS makes the call that the next two look at.
func (d *checkup) checkSTS(ctx context.Context) diagnosis.Finding {
	d.identity, d.identified = d.once.Identity(ctx, d.base)
	err := d.identified
	if err == nil {
		d.offset, d.dated = d.identity.ClockOffset, d.identity.Dated
		return passed("STS answers", requestID(d.identity.RequestID))
	}
	reason := failure.Of(err)
	d.offset, d.dated = reason.ClockOffset, reason.Dated
	if reason.HTTPStatus != 0 && reason.HTTPStatus < http.StatusInternalServerError {
		if r := reason.Refusal(); !r.Unknown() && !r.Throttled() {
			return passed("STS answers", slog.Int("http_status", reason.HTTPStatus))
		}
	}
	f := d.failed(ctx, "reach STS", err)
	if reason.Network != nil {
		f.Evidence = append(f.Evidence, slog.String("step", reason.Network.Step))
	}
	return f
}

func (d *checkup) checkClock(context.Context) diagnosis.Finding {
	if !d.dated {
		return diagnosis.Finding{Status: diagnosis.Skipped, Summary: "the answer had no date to compare with"}
	}
	offset := slog.Duration("clock_offset", d.offset.Round(time.Second))
	switch off := d.offset.Abs(); {
	case off >= failure.BadClock:
		return diagnosis.Finding{
			Status: diagnosis.Failed, Evidence: []slog.Attr{offset}, Summary: hint.OffClock(d.offset),
			Remedy: "keep the clock with NTP (chronyc tracking, timedatectl); AWS refuses what is signed more than five minutes off, " +
				"and credentials are taken for alive or expired when they aren't",
		}
	case off >= time.Minute:
		return diagnosis.Finding{Status: diagnosis.Warned, Evidence: []slog.Attr{offset}, Summary: hint.OffClock(d.offset),
			Remedy: "keep the clock with NTP"}
	}
	return passed("this machine's clock agrees with AWS's", offset)
}

func (d *checkup) checkIdentity(ctx context.Context) diagnosis.Finding {
	if d.identified != nil {
		return d.failed(ctx, failure.OpCallerIdentity, d.identified)
	}
	caller := scrub.Said(d.identity.ARN, d.once.Secrets())
	evidence := []slog.Attr{slog.String("arn", caller), requestID(d.identity.RequestID)}
	d.controller = d.base
	a, err := arn.Parse(d.identity.ARN)
	if err != nil || !scrub.IsARN(a.String()) {
		return diagnosis.Finding{Status: diagnosis.Failed, Evidence: evidence, Summary: "STS answers with an identity that is none",
			Remedy: "check what answers at AWS_ENDPOINT_URL_STS"}
	}
	partition := d.setup.Partition
	switch {
	case a.Partition != partition:
		return diagnosis.Finding{Status: diagnosis.Failed, Evidence: evidence,
			Summary: "the credentials are of partition " + a.Partition + ", and region " + d.config.Region + " is in " + partition,
			Remedy:  "use credentials of that partition, or correct region"}
	case a.AccountID != d.config.AccountID && d.config.RoleARN == "":
		return diagnosis.Finding{Status: diagnosis.Failed, Evidence: evidence,
			Summary: "the credentials are of account " + a.AccountID + ", and account_id is " + d.config.AccountID,
			Remedy:  "set role_arn to a controller role in account " + d.config.AccountID + ", or correct account_id, or use credentials of that account"}
	case a.Resource == "root":
		t := hint.Root()
		return diagnosis.Finding{Status: diagnosis.Failed, Evidence: evidence, Summary: t.Is, Remedy: t.Remedy}
	}
	return passed("AWS knows the credentials as "+caller, evidence...)
}

func (d *checkup) checkControllerRole(ctx context.Context) diagnosis.Finding {
	account, role, ok := policy.AssumedRole(d.identity.ARN)
	evidence := []slog.Attr{slog.String("arn", d.config.RoleARN)}
	if ok && policy.IsRole(d.config.RoleARN, account, role) {
		return passed("the process runs as the controller role already", evidence...)
	}
	d.controller = awsapi.Keys{}
	session, err := d.once.Assume(ctx, failure.OpAssumeController, awsapi.SessionInput{
		RoleARN: d.config.RoleARN, Name: awsapi.ControllerSession, Policy: d.setup.DiagnosisSession().Pasteable(), ExternalID: d.config.RoleExternalID,
		Duration: minSessionDuration,
	}, d.base)
	if err != nil {
		return d.failed(ctx, failure.OpAssumeController, err, evidence...)
	}
	d.controller = session.Keys()
	return passed("the controller role can be assumed", append(evidence, requestID(session.RequestID))...)
}

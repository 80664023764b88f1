package ecr

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/scrub"
	"github.com/rise-deploy/rise-registry-go/internal/probe"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// likelyRegion matches what the SDK's endpoint data takes for a region without guessing.
var likelyRegion = regexp.MustCompile(`^(?:(?:us|eu|ap|sa|ca|me|af|il|mx|cn)-[a-z]+|us-gov-[a-z]+|us-iso[a-z]?-[a-z]+|` +
	`eu-isoe-[a-z]+|eusc-[a-z]+-[a-z]+)-[0-9]+$`)

// checkConfig is about what New accepts though it is doubtful; what it refuses never comes here.
func (d *checkup) checkConfig(context.Context) diagnosis.Finding {
	c := d.config
	stsEndpoint, ecrEndpoint := d.upstream.assumer.client.Options().BaseEndpoint, d.upstream.registry.Options().BaseEndpoint
	f := passed("region, account, ARNs and keys agree", slog.String("region", c.Region), slog.String("sts_region", d.upstream.assumer.client.Options().Region), slog.String("partition", d.setup.Partition),
		slog.String("account", c.AccountID), slog.String("registry_host", d.Provider.host.RegistryStr()),
		slog.String("push_role_arn", c.PushRoleARN), slog.String("repo_prefix", c.RepoPrefix))
	var doubts, remedies []string
	doubt := func(is, remedy string) { doubts, remedies = append(doubts, is), append(remedies, remedy) }
	if !likelyRegion.MatchString(c.Region) {
		doubt("the AWS SDK doesn't know region "+c.Region+", and guesses its host names", "check region")
	}
	fips := d.upstream.registry.Options().EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled
	if fips && !strings.HasPrefix(c.Region, "us-") {
		doubt("FIPS is asked for, and ECR has FIPS endpoints in US regions only; the SDK makes up names elsewhere",
			"take out use_fips (AWS_USE_FIPS_ENDPOINT)")
	}
	plain := false
	for _, e := range []struct {
		key string
		url *string
	}{{"sts_endpoint", stsEndpoint}, {"ecr_endpoint", ecrEndpoint}} {
		if e.url == nil {
			continue
		}
		f.Evidence = append(f.Evidence, slog.String(e.key, hostOf(*e.url)))
		plain = plain || strings.HasPrefix(*e.url, "http://")
	}
	if plain && c.Insecure {
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
	base := d.upstream.assumer.controller.base
	err := errNoCredentials
	if base != nil {
		d.base, err = base.Retrieve(ctx)
		d.hidden.hide(d.base.AccessKeyID, d.base.SecretAccessKey, d.base.SessionToken)
	}
	if err != nil {
		return d.failed(ctx, opCredentials, err)
	}
	source := d.base.Source
	if !d.config.AccessKeyID.IsZero() {
		source = "configuration (access_key_id)"
	}
	f := passed("AWS credentials were found: "+scrub.Printable(source), slog.String("source", scrub.Printable(source)))
	if d.base.CanExpire {
		f.Evidence = append(f.Evidence, slog.Time("expires_at", d.base.Expires))
	}
	if d.base.SessionToken == "" {
		f.Status = diagnosis.Warned
		f.Summary = "long-lived static keys are used (" + scrub.Printable(source) + "): they work until somebody deletes them, wherever they leak to"
		f.Remedy = "use IRSA, Pod Identity or an instance role inside AWS; outside, let the keys' user do nothing but assume role_arn, with " +
			"role_external_id, and rotate them"
	}
	return f
}

// checkSTS makes the call that the next two look at.
func (d *checkup) checkSTS(ctx context.Context) diagnosis.Finding {
	d.identity, d.identified = d.upstream.assumer.client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}, d.sts(d.base))
	err := d.identified
	if err == nil {
		d.offset, d.dated = answeredOffset(d.identity.ResultMetadata)
		return passed("STS answers", d.requestID(d.identity.ResultMetadata))
	}
	d.offset, d.dated = clockOffset(err)
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.HTTPStatusCode() != 0 && response.HTTPStatusCode() < http.StatusInternalServerError {
		if r := refusalOf(err); r.code != "" && r.code != unknownError && !isThrottle(r.code) {
			return passed("STS answers", slog.Int("http_status", response.HTTPStatusCode()))
		}
	}
	f := d.failed(ctx, "reach STS", err)
	if failure, ok := probe.Explain(err); ok {
		f.Evidence = append(f.Evidence, slog.String("step", failure.Step))
	}
	return f
}

func (d *checkup) checkClock(context.Context) diagnosis.Finding {
	if !d.dated {
		return diagnosis.Finding{Status: diagnosis.Skipped, Summary: "the answer had no date to compare with"}
	}
	offset := slog.Duration("clock_offset", d.offset.Round(time.Second))
	switch off := d.offset.Abs(); {
	case off >= badClock:
		return diagnosis.Finding{
			Status: diagnosis.Failed, Evidence: []slog.Attr{offset}, Summary: offClock(d.offset),
			Remedy: "keep the clock with NTP (chronyc tracking, timedatectl); AWS refuses what is signed more than five minutes off, " +
				"and credentials are taken for alive or expired when they aren't",
		}
	case off >= time.Minute:
		return diagnosis.Finding{Status: diagnosis.Warned, Evidence: []slog.Attr{offset}, Summary: offClock(d.offset),
			Remedy: "keep the clock with NTP"}
	}
	return passed("this machine's clock agrees with AWS's", offset)
}

func (d *checkup) checkIdentity(ctx context.Context) diagnosis.Finding {
	if d.identified != nil {
		return d.failed(ctx, opCallerIdentity, d.identified)
	}
	caller := scrub.Said(aws.ToString(d.identity.Arn), d.hidden.all())
	evidence := []slog.Attr{slog.String("arn", caller), d.requestID(d.identity.ResultMetadata)}
	d.controller = d.base
	a, err := arn.Parse(aws.ToString(d.identity.Arn))
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
		t := explainRoot()
		return diagnosis.Finding{Status: diagnosis.Failed, Evidence: evidence, Summary: t.is, Remedy: t.remedy}
	}
	return passed("AWS knows the credentials as "+caller, evidence...)
}

func (d *checkup) checkControllerRole(ctx context.Context) diagnosis.Finding {
	account, role, ok := policy.AssumedRole(aws.ToString(d.identity.Arn))
	evidence := []slog.Attr{slog.String("arn", d.config.RoleARN)}
	if ok && policy.IsRole(d.config.RoleARN, account, role) {
		return passed("the process runs as the controller role already", evidence...)
	}
	d.controller = aws.Credentials{}
	input := &sts.AssumeRoleInput{
		RoleArn: aws.String(d.config.RoleARN), RoleSessionName: aws.String(controllerSession), Policy: aws.String(d.setup.DiagnosisSession().Pasteable()),
		DurationSeconds: aws.Int32(int32(minSessionDuration / time.Second)),
	}
	if d.config.RoleExternalID != "" {
		input.ExternalId = aws.String(d.config.RoleExternalID)
	}
	out, err := d.upstream.assumer.client.AssumeRole(ctx, input, d.sts(d.base))
	if err != nil {
		return d.failed(ctx, opAssumeController, err, evidence...)
	}
	d.controller = keysOf(out.Credentials)
	d.hidden.hide(d.controller.SecretAccessKey, d.controller.SessionToken)
	return passed("the controller role can be assumed", append(evidence, d.requestID(out.ResultMetadata))...)
}

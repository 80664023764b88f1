package diagnosis

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/hint"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/ecr/internal/scrub"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

func (d *checkup) checkCredentials(ctx context.Context) diagnosis.Finding {
	var err error
	if d.base, err = d.once.Base(ctx); err != nil {
		return d.failed(ctx, failure.OpCredentials, err)
	}
	source := d.base.Source
	if d.StaticKeys {
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
	partition := d.Setup.Partition
	switch {
	case a.Partition != partition:
		return diagnosis.Finding{Status: diagnosis.Failed, Evidence: evidence,
			Summary: "the credentials are of partition " + a.Partition + ", and region " + d.Setup.Region + " is in " + partition,
			Remedy:  "use credentials of that partition, or correct region"}
	case a.AccountID != d.Setup.AccountID && d.Setup.RoleARN == "":
		return diagnosis.Finding{Status: diagnosis.Failed, Evidence: evidence,
			Summary: "the credentials are of account " + a.AccountID + ", and account_id is " + d.Setup.AccountID,
			Remedy:  "set role_arn to a controller role in account " + d.Setup.AccountID + ", or correct account_id, or use credentials of that account"}
	case a.Resource == "root":
		t := hint.Root()
		return diagnosis.Finding{Status: diagnosis.Failed, Evidence: evidence, Summary: t.Is, Remedy: t.Remedy}
	}
	return passed("AWS knows the credentials as "+caller, evidence...)
}

func (d *checkup) checkControllerRole(ctx context.Context) diagnosis.Finding {
	account, role, ok := policy.AssumedRole(d.identity.ARN)
	evidence := []slog.Attr{slog.String("arn", d.Setup.RoleARN)}
	if ok && policy.IsRole(d.Setup.RoleARN, account, role) {
		return passed("the process runs as the controller role already", evidence...)
	}
	d.controller = awsapi.Keys{}
	session, err := d.once.Assume(ctx, failure.OpAssumeController, awsapi.SessionInput{
		RoleARN: d.Setup.RoleARN, Name: awsapi.ControllerSession, Policy: d.Setup.DiagnosisSession().Pasteable(), ExternalID: d.Setup.RoleExternalID,
		Duration: awsapi.ShortestSession,
	}, d.base)
	if err != nil {
		return d.failed(ctx, failure.OpAssumeController, err, evidence...)
	}
	d.controller = session.Keys()
	return passed("the controller role can be assumed", append(evidence, requestID(session.RequestID))...)
}

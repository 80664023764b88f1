package diagnosis

import (
	"context"
	"log/slog"
	"regexp"
	"strings"

	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// likelyRegion matches what the SDK's endpoint data takes for a region without guessing.
var likelyRegion = regexp.MustCompile(`^(?:(?:us|eu|ap|sa|ca|me|af|il|mx|cn)-[a-z]+|us-gov-[a-z]+|us-iso[a-z]?-[a-z]+|` +
	`eu-isoe-[a-z]+|eusc-[a-z]+-[a-z]+)-[0-9]+$`)

// checkConfig is about what New accepts though it is doubtful; what it refuses never comes here.
func (d *checkup) checkConfig(context.Context) diagnosis.Finding {
	c := d.Setup
	endpoints := d.AWS.Endpoints()
	f := passed("region, account, ARNs and keys agree", slog.String("region", c.Region), slog.String("sts_region", endpoints.STSRegion), slog.String("partition", c.Partition),
		slog.String("account", c.AccountID), slog.String("registry_host", d.HandedOut),
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
	if endpoints.Plain && d.Insecure {
		doubt("an AWS endpoint is plain HTTP, as insecure: true allows: whoever is on the way reads tokens", "use https")
	}
	for _, of := range d.Doubts {
		doubt(of.Is, of.Remedy)
	}
	if c.AutoRemove && c.Installation == "" {
		doubt("auto_remove does nothing: without installation no repository is released or purged", "set installation, and tag the repositories that there are")
	}
	if len(doubts) > 0 {
		f.Status, f.Summary, f.Remedy = diagnosis.Warned, strings.Join(doubts, "; "), strings.Join(remedies, "; ")
	}
	return f
}

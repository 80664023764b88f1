package ecr

import (
	"context"
	"log/slog"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/scrub"
)

// hostWarning logs a host that isn't the one handed out, once until it changes.
type hostWarning struct {
	logger *slog.Logger
	last   atomic.Pointer[string]
}

// checkProxyEndpoint warns when ECR names another image registry than the one that is handed out: a wrong registry_host. It may
// be meant (PrivateLink), so it is no error. Another account's or region's is one before it comes here.
func (p *Provider) checkProxyEndpoint(ctx context.Context, endpoint string) {
	if p.hostWarning.logger == nil || p.agrees(endpoint) {
		return
	}
	host := hostOf(endpoint)
	if last := p.hostWarning.last.Swap(&host); last == nil || *last != host {
		p.hostWarning.logger.LogAttrs(ctx, slog.LevelWarn, "ECR names another image registry than the one that is handed out",
			slog.String("handed_out", p.host.RegistryStr()), slog.String("proxy_endpoint", host))
	}
}

// agrees reports whether endpoint, as ECR names the image registry, is what is handed out. ECR names one host for a registry that has
// several: FIPS and dual-stack ones are as good.
func (p *Provider) agrees(endpoint string) bool {
	host := hostOf(endpoint)
	if host == p.host.RegistryStr() {
		return true
	}
	return p.isOwnHost(host) && p.isOwnHost(p.host.RegistryStr())
}

// ecrHost matches ECR's names for an account's image registry, whatever the domain.
var ecrHost = regexp.MustCompile(`^([0-9]{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.`)

// mayBeOwn reports whether endpoint, as ECR names the image registry, is that of our account and region, or says of neither.
func (p *Provider) mayBeOwn(endpoint string) bool {
	host := hostOf(endpoint)
	if host == "" { // no URL
		host = endpoint
	}
	if host == p.host.RegistryStr() && p.config.RegistryHost == "" {
		return true
	}
	named := ecrHost.FindStringSubmatch(strings.ToLower(host))
	return named == nil || named[1] == p.config.AccountID && named[2] == p.config.Region
}

func (p *Provider) isOwnHost(host string) bool {
	for _, fips := range []bool{false, true} {
		for _, dualStack := range []bool{false, true} {
			if own, err := imageHost(p.config.AccountID, p.config.Region, fips, dualStack); err == nil && own == host {
				return true
			}
		}
	}
	return false
}

func hostOf(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	return scrub.Printable(u.Host)
}

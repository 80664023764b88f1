package diagnosis

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/internal/probe"
	"github.com/rise-deploy/rise-registry-go/oci/internal/reach"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// checkup is one run. What a check finds for later ones is in it.
type checkup struct {
	Subject
	host    probe.Host
	project string

	scheme string // of the registry, the last that was reached
	// Of the registry as clients reach it.
	found  reach.Found
	base   string        // of its URLs
	offset time.Duration // how far its clock is ahead of this machine's
	dated  bool          // its answer had a date
	realm  *url.URL
}

func passed(format string, args ...any) diagnosis.Finding {
	return diagnosis.Finding{Status: diagnosis.Passed, Summary: fmt.Sprintf(format, args...)}
}

func warned(remedy, format string, args ...any) diagnosis.Finding {
	return diagnosis.Finding{Status: diagnosis.Warned, Summary: fmt.Sprintf(format, args...), Remedy: remedy}
}

func failed(remedy, format string, args ...any) diagnosis.Finding {
	return diagnosis.Finding{Status: diagnosis.Failed, Summary: fmt.Sprintf(format, args...), Remedy: remedy}
}

func skipped(summary string) diagnosis.Finding {
	return diagnosis.Finding{Status: diagnosis.Skipped, Summary: summary}
}

// section is how distribution's registry has to be configured, after what is to be done with it.
func (d *checkup) section(do string) string {
	realm := cmp.Or(d.scheme, "https") + "://" + d.Clients.Registry.RegistryStr() + "/token"
	return do + fmt.Sprintf(`:
auth:
  token:
    realm: %s
    service: %q
    issuer: %q
    rootcertbundle: /etc/docker/registry/ca.crt  # the authority of the signing certificate (ca.crt of operator token-keys), and no other`, realm, d.Service, d.Issuer)
}

// ask asks the registry with a token.
func (d *checkup) ask(ctx context.Context, method, path string, t Token) (probe.Answer, error) {
	token, err := d.Token(t)
	if err != nil {
		return probe.Answer{}, err
	}
	return d.host.DoAs(ctx, method, d.base+"/v2/"+path, "Bearer "+token), nil
}

// tags is where a repository's tags are: of one that isn't there, registries say so to whoever may know.
func tags(repository string) string { return repository + "/tags/list" }

// unusable is the finding about an answer that isn't about what was asked; ok is false if it is.
func unusable(a probe.Answer, err error, asked string) (f diagnosis.Finding, ok bool) {
	switch {
	case err != nil:
		f = failed(Renew, "%v", err)
	case a.Failure != nil:
		f = failed(a.Failure.Remedy, "the registry can't be asked %s: %s", asked, a.Failure.Summary)
	case a.Status == http.StatusRequestHeaderFieldsTooLarge || a.Status == http.StatusBadRequest && mentions(a, "header", "cookie too large"):
		f = failed("let it take headers of 8 KiB (large_client_header_buffers of nginx); or use a signing key on P-256, below its authority without others between",
			"what is before the registry refuses a request %s, for the length of its header", asked)
	case a.Status == http.StatusTooManyRequests || a.Status >= http.StatusInternalServerError:
		f = failed("look at its log, and at that of a proxy before it; try again later", "the registry fails or is busy: it answered %d to a request %s", a.Status, asked)
	case a.Status/100 == 3:
		f = failed("let the registry, or what is before it, answer by itself", "the registry redirects a request %s, with which clients lose the token", asked)
	default:
		return diagnosis.Finding{}, false
	}
	f.Evidence = a.Evidence
	return f, true
}

func mentions(a probe.Answer, texts ...string) bool {
	body := strings.ToLower(string(a.Body))
	for _, text := range texts {
		if strings.Contains(body, text) {
			return true
		}
	}
	return false
}

// refused reports whether the registry said no.
func refused(a probe.Answer) bool {
	return a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden
}

// opened reports whether it let in: to a repository, which may not be there.
func opened(a probe.Answer) bool {
	return a.Status == http.StatusOK || a.Status == http.StatusNotFound && mentions(a, "name_unknown", "name_invalid", "manifest_unknown")
}

// clockSays is an offset in words.
func clockSays(offset time.Duration) string {
	direction := "ahead of"
	if offset < 0 {
		direction = "behind"
	}
	return fmt.Sprintf("the registry's clock is %v %s this machine's", offset.Abs().Round(2*time.Second), direction)
}

const keepClocks = "keep both machines' clocks by NTP (chronyc tracking, timedatectl)"

func (d *checkup) authority() []slog.Attr {
	name, keyID := d.Keys.Ring().Authority()
	return []slog.Attr{slog.String("authority", name), slog.String("authority_key_id", cmp.Or(keyID, "none"))}
}

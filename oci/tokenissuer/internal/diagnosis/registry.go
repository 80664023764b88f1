package diagnosis

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/rise-deploy/rise-registry-go/oci/internal/reach"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// reach looks at a registry; later checks ask the one that clients ask.
func (d *checkup) reach(site reach.Site, clients bool) func(context.Context) diagnosis.Finding {
	return func(ctx context.Context) diagnosis.Finding {
		f, found := reach.Registry(ctx, d.host, site)
		d.scheme = found.Scheme
		if f.Status != diagnosis.Passed && found.Authentication == "bearer" { // it is about the realm
			f.Remedy += "\n" + d.section("for distribution's registry")
		}
		if clients {
			d.found, d.base = found, found.Scheme+"://"+site.Registry.RegistryStr()
			if date, err := http.ParseTime(found.Header.Get("Date")); err == nil {
				d.offset, d.dated = time.Until(date.Add(time.Second/2)), true // dates have whole seconds
			}
		}
		return f
	}
}

// shortly is how long before its end a registry's certificate counts as ending; of one that lives for less than three times as long, a third of
// that. By then, what renews certificates by itself has done so.
const shortly = 14 * 24 * time.Hour

func (d *checkup) checkCertificate(context.Context) diagnosis.Finding {
	c := d.found.Certificate
	if c == nil {
		return skipped("the registry is asked without TLS")
	}
	day, left := c.NotAfter.UTC().Format(time.DateOnly), time.Until(c.NotAfter)
	f := passed("the registry's certificate is trusted, and lasts until %s", day)
	if left < min(shortly, c.NotAfter.Sub(c.NotBefore)/3) {
		f = warned("renew it; if that goes by itself, look why it didn't", "the registry's certificate ends on %s: from then on, no client talks to it", day)
	}
	f.Evidence = []slog.Attr{slog.Time("certificate_ends", c.NotAfter.UTC()), slog.String("certificate_issuer", c.Issuer.String())}
	return f
}

// late is from when on clocks that differ are worth a word. Tokens begin a minute back, and registries may be lenient for a minute more, or not at all.
const late = 30 * time.Second

func (d *checkup) checkClock(context.Context) diagnosis.Finding {
	if !d.dated {
		return skipped("the registry's answer had no date to compare with")
	}
	f := passed("the registry's clock agrees with this machine's")
	if d.offset.Abs() >= late {
		f = warned(keepClocks, "%s: registries take no token that has ended or doesn't begin yet by their own", clockSays(d.offset))
	}
	f.Evidence = []slog.Attr{slog.Duration("clock_offset", d.offset.Round(time.Second))}
	return f
}

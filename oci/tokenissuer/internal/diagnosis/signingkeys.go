package diagnosis

import (
	"context"
	"log/slog"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

const (
	howToRotate = "operator token-keys --dir DIR --rotate add; ten minutes later --rotate use; session_duration later --rotate drop"
	howToMake   = "operator token-keys --dir DIR"
)

func (d *checkup) checkKeys(context.Context) diagnosis.Finding {
	now, ring, problem := time.Now(), d.Keys.Ring(), d.Keys.Problem()
	day := ring.Ends().UTC().Format(time.DateOnly)
	var f diagnosis.Finding
	switch warnings := ring.Warnings(); {
	case !now.Before(ring.Ends()):
		f = failed("make a new one now, for files of one replica or when nothing works anyway:\noperator token-keys --dir DIR --rotate all",
			"the signing certificate has expired, on %s: no registry takes a token", day)
		if problem != nil {
			f.Summary += "; the files of keys aren't in use: " + problem.Error()
		}
	case problem != nil:
		f = warned("put a key and its own certificate where signing_key_file and signing_cert_file say, the certificate of the key that signs first; to make a pair: "+howToMake,
			"the files of keys aren't in use, and tokens are signed with what was there before: %v", problem)
	case ring.EndsSoon(now):
		f = warned(Renew+": "+howToRotate, "the signing certificate ends on %s", day)
	case len(warnings) > 0:
		f = warned(OwnAuthority+": "+howToMake, "the signing certificate %s", warnings[0])
	default:
		f = passed("the signing key and its certificate match, and last until %s", day)
	}
	f.Evidence = append([]slog.Attr{
		slog.String("key", ring.ID()), slog.Int("keys", ring.Count()), slog.Time("certificate_ends", ring.Ends().UTC()),
	}, d.authority()...)
	return f
}

package ecr

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi"
)

// hostWarning logs an image registry's host that isn't the one handed out, once until it changes.
type hostWarning struct {
	logger *slog.Logger // nil: it isn't logged
	host   imageRegistry
	last   atomic.Pointer[string]
}

// check warns when ECR names another image registry than the one that is handed out: a wrong registry_host. It may be meant
// (PrivateLink), so it is no error. Another account's or region's is one before it comes here.
func (w *hostWarning) check(ctx context.Context, t awsapi.Token) {
	if w.logger == nil {
		return
	}
	host := t.ProxyHost()
	if w.host.agrees(host) {
		return
	}
	if last := w.last.Swap(&host); last == nil || *last != host {
		w.logger.LogAttrs(ctx, slog.LevelWarn, "ECR names another image registry than the one that is handed out",
			slog.String("handed_out", w.host.handedOut), slog.String("proxy_endpoint", host))
	}
}

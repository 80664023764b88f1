package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/rise-deploy/rise-registry-go/examples/internal/bounds"
	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
)

// The endpoint's own limit for a request is endpoint.DefaultTimeout; what is around it gives that time to end.
const (
	readTimeout  = 20 * time.Second // the endpoint reads no body; uploads to the embedded registry take what they take
	writeTimeout = endpoint.DefaultTimeout + 10*time.Second
	idleTimeout  = 2 * time.Minute
)

// part is one thing that is served, at an address of its own.
type part struct {
	name     string
	http     *http.Server
	listener net.Listener
}

// listen returns a part that listens already, without TLS if certificate is nil.
func listen(
	ctx context.Context, name, address string, certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error),
	handler http.Handler, limits config.Limits, logger *slog.Logger,
) (part, error) {
	var secure *tls.Config
	if certificate != nil {
		secure = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: certificate}
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return part{}, fmt.Errorf("%s: %w", name, err)
	}
	server := &http.Server{
		Handler:           handler,
		TLSConfig:         secure,
		ReadHeaderTimeout: limits.HeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    limits.HeaderBytes,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	fit := bounds.Fit(limits.Connections)
	if fit < limits.Connections {
		logger.Warn("fewer connections than server.limits.connections: this process may open no more files", "what", name, "connections", fit, "wanted", limits.Connections)
	}
	return part{name: name, http: server, listener: bounds.NewConnections(fit, bounds.Spare(fit)).Apply(server, listener)}, nil
}

func (p part) serve() error {
	var err error
	if p.http.TLSConfig != nil {
		err = p.http.ServeTLS(p.listener, "", "")
	} else {
		err = p.http.Serve(p.listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("%s: %w", p.name, err)
}

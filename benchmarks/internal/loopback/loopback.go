// Package loopback is addresses of this machine's own, for servers that are started to be measured.
package loopback

import (
	"context"
	"errors"
	"net"
	"time"
)

// Free is an address that nobody listens on.
func Free() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // ends at once
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// Listens waits until somebody listens at an address, for half a minute.
func Listens(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

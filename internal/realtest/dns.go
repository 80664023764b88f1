package realtest

import (
	"context"
	"net"
	"testing"
)

// NoSuchHost returns a dialer whose DNS server, a real one on loopback, knows no name.
func NoSuchHost(t *testing.T) *net.Dialer {
	t.Helper()
	server, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	go func() {
		for packet := make([]byte, 512); ; {
			n, from, err := server.ReadFrom(packet)
			if err != nil {
				return
			}
			if n >= 12 { // RFC 1035, section 4.1.1: a response, recursion available, NXDOMAIN, no records but the question
				packet[2] |= 0x80
				packet[3] = 0x80 | 3
				for i := 6; i < 12; i++ {
					packet[i] = 0
				}
				_, _ = server.WriteTo(question(packet[:n]), from)
			}
		}
	}()
	return &net.Dialer{Resolver: &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
	}}}
}

// question cuts a message after its first question.
func question(message []byte) []byte {
	for i := 12; i < len(message); i += int(message[i]) + 1 {
		if message[i] == 0 {
			return message[:min(len(message), i+5)] // type and class
		}
	}
	return message
}

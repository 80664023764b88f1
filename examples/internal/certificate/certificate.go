// Package certificate serves a TLS certificate that is renewed in its files while it is used.
package certificate

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/rise-deploy/rise-registry-go/examples/internal/config"
)

// lookEvery is how often files are looked at, when somebody connects.
const lookEvery = 2 * time.Second

// Source is a certificate and its key, by their files. They are read again as they are used: what is a pair by then, and valid, is served, and until it is,
// what was before. It is safe for concurrent use.
type Source struct {
	files config.TLS
	log   *slog.Logger

	mu        sync.Mutex
	looked    time.Time
	served    *tls.Certificate
	problem   error // why what was looked at last isn't served
	announced string
}

// Open reads the files. One that can't be used is an error, but for one that isn't valid now: it is served, as there is no other, and logged.
func Open(files config.TLS, log *slog.Logger) (*Source, error) {
	s := &Source{files: files, log: log}
	var err error
	if s.served, err = s.read(); err != nil {
		return nil, err
	}
	s.looked = time.Now()
	if s.problem = validAt(s.served, s.looked); s.problem != nil {
		s.say()
	}
	return s, nil
}

// Get is for [tls.Config].
func (s *Source) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.look()
	return s.served, nil
}

// State returns when the certificate that is served ends, and why what the files have isn't it; nil if it is.
func (s *Source) State() (ends time.Time, problem error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.look()
	return s.served.Leaf.NotAfter, s.problem
}

// look reads the files again, unless it was done a moment ago.
func (s *Source) look() {
	now := time.Now()
	if since := now.Sub(s.looked); since >= 0 && since < lookEvery {
		return
	}
	s.looked = now
	next, err := s.read()
	if err == nil {
		err = validAt(next, now)
	}
	s.problem = err
	s.say()
	if err == nil && !slices.EqualFunc(next.Certificate, s.served.Certificate, bytes.Equal) {
		s.served = next
		s.log.Info("read the certificate of server.tls again", "ends", next.Leaf.NotAfter)
	}
}

// say logs what is wrong, once.
func (s *Source) say() {
	text := ""
	if s.problem != nil {
		text = s.problem.Error()
	}
	if text != s.announced && text != "" {
		s.log.Error("what the files of server.tls hold can't be used as it is; a certificate that was served before still is", "error", text)
	}
	s.announced = text
}

func (s *Source) read() (*tls.Certificate, error) {
	var text [2][]byte
	for i, file := range []struct{ key, name string }{{"cert_file", s.files.CertFile}, {"key_file", s.files.KeyFile}} {
		var err error
		if text[i], err = os.ReadFile(file.name); err != nil {
			return nil, fmt.Errorf("%s: %w", file.key, err)
		}
	}
	c, err := tls.X509KeyPair(text[0], text[1])
	if err != nil {
		return nil, fmt.Errorf("cert_file and key_file: %w", err)
	}
	return &c, nil
}

func validAt(c *tls.Certificate, now time.Time) error {
	switch {
	case now.Before(c.Leaf.NotBefore):
		return errors.New("cert_file: the certificate isn't valid yet: is this machine's clock right?")
	case now.After(c.Leaf.NotAfter):
		return errors.New("cert_file: the certificate has expired")
	}
	return nil
}

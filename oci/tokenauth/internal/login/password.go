package login

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/rise-deploy/rise-registry-go/oci/tokenauth/internal/tokenserver"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// Password is a user name and a password, from the configuration or a file that is read each time.
type Password struct {
	Username string
	Password provider.Secret
	// File holds the password, if Password is empty.
	File string
	// UserKey and FileKey are the keys of Username and File.
	UserKey, FileKey string
}

// Key returns UserKey.
func (p Password) Key() string { return p.UserKey }

// Refused does nothing: what is configured is all there is, and files are read each time.
func (p Password) Refused(tokenserver.Proof) {}

// Check says what is wrong with a file, as a [*provider.ConfigError].
func (p Password) Check() error {
	if p.File == "" {
		return nil
	}
	if _, err := readSecret(p.File); err != nil {
		return provider.NewConfigError(p.FileKey, "%s", err.Error())
	}
	return nil
}

// Prove returns the user name and the password. A file that can't be used is [provider.ErrMisconfigured].
func (p Password) Prove(context.Context) (tokenserver.Proof, error) {
	password := p.Password
	if p.File != "" {
		var err error
		if password, err = readSecret(p.File); err != nil {
			return tokenserver.Proof{}, &provider.Error{Kind: provider.ErrMisconfigured, Op: "read login", Err: provider.NewConfigError(p.FileKey, "%s", err.Error())}
		}
	}
	return tokenserver.Proof{Username: p.Username, Password: password}, nil
}

// unreadable leaves the file's name out: what is configured isn't shown.
func unreadable(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		err = inner
	}
	return fmt.Errorf("can't be read: %w", err)
}

// maxFile is how much of a file is read.
const maxFile = 64 << 10

// readSecret reads a file that is a secret and maybe the end of its line. Errors hold nothing of it.
func readSecret(path string) (provider.Secret, error) {
	file, err := os.Open(path) //nolint:gosec // the configuration's
	if err != nil {
		return provider.Secret{}, unreadable(err)
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	switch {
	case err != nil:
		return provider.Secret{}, unreadable(err)
	case len(text) > maxFile:
		return provider.Secret{}, fmt.Errorf("is longer than %d bytes, and no secret", maxFile)
	}
	secret := provider.NewSecret(strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"))
	if secret.IsZero() {
		return provider.Secret{}, errors.New("is empty")
	}
	if strings.ContainsFunc(secret.Reveal(), unicode.IsControl) && secret.Validate() == nil {
		return provider.Secret{}, errors.New("holds control characters, the ends of lines perhaps, which no password can have")
	}
	return secret, secret.Validate()
}

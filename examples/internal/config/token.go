package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// DevelopmentToken is the token of the built-in configuration. Everybody knows it.
const DevelopmentToken = "rise-dev-token"

// minToken is how many characters a token has at least: what can be guessed isn't one. That one is long enough says nothing of how it was made.
const minToken = 16

// Token is one static bearer token, in one of three ways.
type Token struct {
	// Token is the token itself.
	Token provider.Secret `yaml:"token"`
	// SHA256 is the SHA-256 hash of the token, in 64 hexadecimal digits: the configuration then holds nothing that opens anything.
	SHA256 provider.Secret `yaml:"token_sha256"`
	// File holds the token, or several, one a line, each of which is good: the old one and the new one while they are exchanged. It is read again
	// within seconds of a change. What isn't in it any longer is no token; nor is anything of a file that is gone or that holds what can't be one.
	File string `yaml:"token_file"`
	// Subject names the caller in the audit log. Required.
	Subject string `yaml:"subject"`
	// Projects are names, or globs with *. None means no project.
	Projects []string `yaml:"projects"`
	// Access is pull by default; push includes pull.
	Access provider.Access `yaml:"access"`
	// Login lets the token be a password at the token server of type oci-token-issuer, in place of a credential.
	Login bool `yaml:"login"`
	// Expires is when the token ends, as RFC 3339 has it, such as 2026-12-31T00:00:00Z. Default: never.
	Expires string `yaml:"expires"`
}

// Ends is Expires, which Validate has checked; the zero time is never.
func (t Token) Ends() time.Time {
	ends, err := time.Parse(time.RFC3339, t.Expires)
	if err != nil {
		return time.Time{}
	}
	return ends
}

// Hash returns the hash of the token; false for one in a file.
func (t Token) Hash() (hash [sha256.Size]byte, ok bool) {
	if !t.Token.IsZero() {
		return sha256.Sum256([]byte(t.Token.Reveal())), true
	}
	n, err := hex.Decode(hash[:], []byte(t.SHA256.Reveal()))
	return hash, err == nil && n == len(hash)
}

// CheckToken reports what is wrong with a bearer token. The error is the end of a sentence and doesn't hold it.
func CheckToken(token provider.Secret) error {
	if err := token.Validate(); err != nil {
		return err
	}
	text := token.Reveal()
	switch {
	case text == "":
		return errors.New("is required")
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return errors.New("must hold no white space: no Authorization header can carry it")
	case len(text) < minToken && text != DevelopmentToken:
		return fmt.Errorf("must have at least %d characters, made at random, such as those of openssl rand -hex 32", minToken)
	}
	return nil
}

var (
	hashPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)
	globPattern = regexp.MustCompile(`^[a-z0-9*-]{1,63}$`)
)

// validateTokens checks all of them. exposed says that others than this machine reach what they open.
func validateTokens(tokens []Token, exposed bool) (errs []error) {
	used := map[[sha256.Size]byte]bool{}
	for i, t := range tokens {
		fail := func(key, format string, args ...any) {
			errs = append(errs, provider.NewConfigError(fmt.Sprintf("auth.tokens[%d].%s", i, key), format, args...))
		}
		key := "token"
		switch {
		case !t.SHA256.IsZero() && t.Token.IsZero() && t.File == "":
			if key = "token_sha256"; !hashPattern.MatchString(t.SHA256.Reveal()) {
				fail(key, "must be 64 digits of 0-9 and a-f, such as printf %%s \"$TOKEN\" | sha256sum prints")
			}
		case !t.SHA256.IsZero() || t.File != "" && !t.Token.IsZero():
			fail(key, "goes with neither token_sha256 nor token_file: a token is given in one way")
		case t.File == "":
			if err := CheckToken(t.Token); err != nil {
				fail(key, "%s", err)
			}
		}
		if hash, ok := t.Hash(); ok {
			if exposed && hash == sha256.Sum256([]byte(DevelopmentToken)) {
				fail(key, "is the development token, which everybody knows; it works on loopback only")
			}
			if used[hash] {
				fail(key, "is used twice")
			}
			used[hash] = true
		}
		if t.Subject == "" {
			fail("subject", "is required: it names the caller in the audit log")
		} else if err := (provider.Request{Project: "x", Access: provider.Pull, Caller: t.Subject}).Validate(); err != nil {
			fail("subject", "must be at most %d bytes of printable text", provider.MaxCallerLength)
		}
		if t.Expires != "" && t.Ends().IsZero() {
			fail("expires", "must be a time such as 2026-12-31T00:00:00Z")
		}
		for j, p := range t.Projects {
			if !globPattern.MatchString(p) {
				fail(fmt.Sprintf("projects[%d]", j), "must be a project's name, or a glob of such names with *")
			}
		}
	}
	return errs
}

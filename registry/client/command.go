package client

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// commandTime is how long a command may take: it asks over the network itself.
const commandTime = 30 * time.Second

// Command is what a program prints: the token alone, as text. It is run each time, without a shell, with this process's environment and an empty
// standard input, and may take 30 seconds. Where it fails, the error has the end of its standard error, without what looks like a secret.
//
//	client.Command("aws", "sts", "get-web-identity-token", "--audience", "deploy.example.com", "--signing-algorithm", "ES384",
//		"--query", "WebIdentityToken", "--output", "text")
//	client.Command("gcloud", "auth", "print-identity-token", "--audiences=deploy.example.com")
//	client.Command("az", "account", "get-access-token", "--resource", "api://deploy", "--query", "accessToken", "--output", "tsv")
func Command(name string, args ...string) TokenSource {
	return TokenFunc(func(ctx context.Context) (provider.Secret, error) {
		ctx, cancel := context.WithTimeout(ctx, commandTime)
		defer cancel()
		command := exec.CommandContext(ctx, name, args...) //nolint:gosec // what runs is the program's to say
		command.WaitDelay = time.Second                    // children of its own may hold its output open
		var out head
		var messages tail
		command.Stdout, command.Stderr = &out, &messages
		shown := "the command " + filepath.Base(name) // arguments may be anything
		err := command.Run()
		switch exit := (*exec.ExitError)(nil); {
		case ctx.Err() != nil:
			return provider.Secret{}, &provider.Error{
				Kind: provider.ErrTimeout, Op: opToken, Err: fmt.Errorf("%s didn't end in time: %w", shown, ctx.Err()),
				Hint: "see whether it waits for somebody: it gets no input, and may take " + commandTime.String(),
			}
		case errors.As(err, &exit):
			return provider.Secret{}, &provider.Error{
				Kind: provider.ErrUnavailable, Op: opToken, Err: fmt.Errorf("%s failed: %w%s", shown, err, messages.shown(string(out))),
				Hint: "run it by hand to see why",
			}
		case err != nil:
			return provider.Secret{}, noToken(fmt.Errorf("%s can't be run: %w", shown, errors.Unwrap(err)), "check its name, and that it is installed in a folder of PATH")
		}
		hint := "it has to print the token and nothing else"
		if strings.HasPrefix(strings.TrimSpace(string(out)), "{") {
			hint += ", not JSON; for aws: --query WebIdentityToken --output text"
		}
		return tokenIn(string(out), "what "+shown+" prints", hint)
	})
}

// head is the beginning of what is written.
type head []byte

func (h *head) Write(p []byte) (int, error) {
	*h = append(*h, p[:min(len(p), maxSource-len(*h))]...)
	return len(p), nil
}

// tail is the end of what is written.
type tail []byte

const maxTail = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	*t = append(*t, p[max(0, len(p)-maxTail):]...)
	*t = (*t)[max(0, len(*t)-maxTail):]
	return len(p), nil
}

// looksSecret is what may be a token, or part of one: what comes after words that announce it, and what is long and no word.
var looksSecret = regexp.MustCompile(`(?i)(?:bearer|basic|token|password|secret|key)["']?(?:\s*[:=]\s*|\s+)\S+|[A-Za-z0-9_+/=.~-]{20,}`)

// shown is the end of what a failed command said.
func (t tail) shown(out string) string {
	text := strings.Join(strings.FieldsFunc(strings.ToValidUTF8(string(t), "?"), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
	if len(t) == maxTail { // what it begins in may be the rest of anything
		_, text, _ = strings.Cut(text, " ")
	}
	text = looksSecret.ReplaceAllString(text, "[...]")
	if text == "" {
		return ""
	}
	if cut := len(text) - longestQuote; cut > 0 {
		text = strings.ToValidUTF8(text[cut:], "")
	}
	return ", and said " + quote(text, provider.NewSecret(strings.TrimSpace(out)))
}

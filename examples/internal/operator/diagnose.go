package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint/oidc"
)

type diagnose struct {
	Project    string        `arg:"" optional:"" help:"A project whose repository is looked at too or, with --token-file, whether the token may push it."`
	ID         string        `name:"id" help:"The service's immutable id of the project. Default: the one that its repository bears."`
	JSON       bool          `name:"json" help:"Print a JSON array of findings."`
	WriteProbe bool          `help:"Start an upload to the project's repository. It is canceled, or on ECR, which can't, left to expire."`
	TokenFile  string        `placeholder:"FILE" predictor:"file" help:"Find out instead why the OIDC token in this file (/dev/stdin: what is piped in) is refused, and what it gives, by auth.oidc."`
	Verbose    bool          `short:"v" help:"Say of what wasn't checked why not, and what would let it, in full."`
	Timeout    time.Duration `default:"2m" help:"When to give up."`
}

// readingID is how long reading a project's id may keep the diagnosis waiting.
const readingID = 5 * time.Second

// Validate refuses what makes no sense together.
func (c diagnose) Validate() error {
	if c.TokenFile != "" && (c.ID != "" || c.WriteProbe) {
		return errors.New("--token-file looks at a token alone: --id and --write-probe are for the registry")
	}
	return nil
}

// Run prints a finding for each check, and a verdict. It fails if one of them did.
func (c diagnose) Run(env *environment) error {
	ctx, cancel := context.WithTimeout(env, c.Timeout)
	defer cancel()
	if c.TokenFile != "" {
		return c.token(ctx, env)
	}
	configured, p, err := env.load()
	if err != nil {
		return c.print(ctx, env, unusable(err))
	}
	if err := ownKeys(configured); err != nil {
		return errors.Join(err, provider.Close(p))
	}
	findings, err := diagnosis.Of(ctx, p, diagnosis.Options{Project: c.Project, ProjectID: c.id(ctx, p), WriteProbe: c.WriteProbe})
	if err == nil {
		err = c.print(ctx, env, findings)
	}
	return errors.Join(err, provider.Close(p))
}

// unusable is what there is to find with a configuration that has an error, whose text holds no configured values.
func unusable(err error) iter.Seq[diagnosis.Finding] {
	return func(yield func(diagnosis.Finding) bool) {
		yield(diagnosis.Finding{Check: "config", Status: diagnosis.Failed, Summary: "the configuration can't be used", Remedy: "correct it:\n" + err.Error()})
	}
}

// token prints what there is to find about a caller's token. The registry isn't asked, and its provider isn't made.
func (c diagnose) token(ctx context.Context, env *environment) error {
	if env.loader.Section != "" {
		return errors.New("--token-file goes by auth.oidc of the server's own configuration, which --section leaves out")
	}
	token, err := readToken(c.TokenFile)
	if err != nil {
		return fmt.Errorf("--token-file: %w", err)
	}
	configured, err := env.configuration()
	if err == nil && len(configured.Auth.OIDC) == 0 {
		err = errors.New("auth.oidc: has no issuer, so no token of one is taken")
	}
	if err != nil {
		return c.print(ctx, env, unusable(err))
	}
	findings, err := oidc.Diagnose(ctx, configured.Auth.OIDC, token, c.Project)
	if err != nil {
		return err
	}
	return c.print(ctx, env, findings)
}

const maxTokenFile = 64 << 10

// readToken reads a file of a token, with or without an end of line.
func readToken(name string) (provider.Secret, error) {
	file, err := os.Open(name) //nolint:gosec // G304: what the operator names
	if err != nil {
		return provider.Secret{}, err
	}
	defer file.Close() //nolint:errcheck // read
	text, err := io.ReadAll(io.LimitReader(file, maxTokenFile+1))
	if err == nil && len(text) > maxTokenFile {
		err = fmt.Errorf("%s has more than %d bytes, which no token has", name, maxTokenFile)
	}
	return provider.NewSecret(strings.TrimSpace(string(text))), err
}

// id is the project's, as far as it can be found out: what keeps that from it, the diagnosis says.
func (c diagnose) id(ctx context.Context, p provider.Provider) string {
	if c.ID != "" || c.Project == "" {
		return c.ID
	}
	m, err := repository.ManagerOf(p)
	if err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, readingID)
	defer cancel()
	owner, err := m.RepositoryOwner(ctx, c.Project)
	if err != nil {
		return ""
	}
	return idOf(owner)
}

// print prints the findings as they come, and then the verdict; it fails if a check did.
func (c diagnose) print(ctx context.Context, env *environment, findings iter.Seq[diagnosis.Finding]) error {
	all := []diagnosis.Finding{}
	var t tally
	said := map[string]bool{}
	for f := range findings {
		t.add(f)
		if c.JSON {
			all = append(all, f)
		} else if _, err := io.WriteString(env.stdout, line(f, c.Verbose, said)); err != nil {
			return err
		}
	}
	text, good := t.verdict(ctx.Err() != nil)
	if c.JSON {
		encoder := json.NewEncoder(env.stdout)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(all); err != nil || good {
			return err
		}
		return errors.New(text)
	}
	if _, err := io.WriteString(env.stdout, text+"\n"); err != nil || good {
		return err
	}
	return errSaid
}

// line is a finding for people: its evidence only where there is something to look into, and one line for what wasn't checked, with the remedy where
// it wasn't said before, unless they want it whole.
func line(f diagnosis.Finding, whole bool, said map[string]bool) string {
	mark := map[diagnosis.Status]string{diagnosis.Passed: "✓", diagnosis.Failed: "✗", diagnosis.Warned: "!", diagnosis.Skipped: "–"}[f.Status]
	var b strings.Builder
	if f.Status == diagnosis.Skipped && !whole {
		hint, _, _ := strings.Cut(f.Remedy, "\n")
		if hint != "" && !said[hint] {
			said[hint] = true
			return fmt.Sprintf("%s %-18s %s (%s)\n", mark, f.Check, f.Summary, hint)
		}
		return fmt.Sprintf("%s %-18s %s\n", mark, f.Check, f.Summary)
	}
	fmt.Fprintf(&b, "%s %-18s %s\n", mark, f.Check, f.Summary)
	if f.Status != diagnosis.Passed {
		for _, a := range f.Evidence {
			fmt.Fprintf(&b, "    %s: %s\n", a.Key, a.Value.Resolve())
		}
	}
	for i, text := range strings.Split(f.Remedy, "\n") {
		switch {
		case text == "":
		case i == 0:
			b.WriteString("  → " + text + "\n")
		default:
			b.WriteString("    " + text + "\n")
		}
	}
	return b.String()
}

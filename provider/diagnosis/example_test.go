package diagnosis_test

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
)

// vending is a provider of a third party, of which only the diagnosis is shown.
type vending struct {
	provider.Provider
	signIn func(context.Context) (session string, err error)
	vend   func(ctx context.Context, session, project string) error
}

// Diagnose implements [diagnosis.Diagnoser]. What one check finds out for the next is a variable of theirs.
func (v vending) Diagnose(ctx context.Context, o diagnosis.Options) iter.Seq[diagnosis.Finding] {
	return diagnosis.RunChecks(ctx, func() []diagnosis.Check {
		var session string
		return []diagnosis.Check{
			{ID: "sign_in", Run: func(ctx context.Context) diagnosis.Finding {
				var err error
				if session, err = v.signIn(ctx); err != nil {
					return diagnosis.Finding{Status: diagnosis.Failed, Summary: "the API refuses the key: " + err.Error(), Remedy: "make a new key and configure it"}
				}
				return diagnosis.Finding{Status: diagnosis.Passed, Summary: "the API takes the key"}
			}},
			{ID: "vend", Needs: []string{"sign_in"}, Run: func(ctx context.Context) diagnosis.Finding {
				if err := v.vend(ctx, session, o.Project); err != nil {
					return diagnosis.Finding{Status: diagnosis.Failed, Summary: err.Error()}
				}
				return diagnosis.Finding{Status: diagnosis.Passed, Summary: "a credential is issued"}
			}},
		}
	})
}

func ExampleRunChecks() {
	var p provider.Provider = vending{signIn: func(context.Context) (string, error) { return "", errors.New("key expired") }}

	findings, err := diagnosis.Of(context.Background(), p, diagnosis.Options{Project: "hello"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for f := range findings {
		fmt.Printf("%s %s: %s\n", f.Check, f.Status, f.Summary)
	}
	// Output:
	// sign_in failed: the API refuses the key: key expired
	// vend skipped: not checked, since it needs what sign_in is about
}

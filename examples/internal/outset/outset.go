// Package outset is a look at the upstream when the server starts, so that what would fail the first request is in the first lines of the log.
package outset

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

const (
	// patience is how long all of it may take.
	patience = time.Minute
	// quota is how many repositories an account may have in a region, unless AWS has been asked for more (ECR User Guide, "Amazon ECR service quotas").
	quota = 100_000
	// near is from where on that is worth a word.
	near = quota / 10 * 9
)

// cheap are the checks of ecr's diagnosis up to the first that opens a session: they make one call.
var cheap = []string{"config", "credentials", "sts", "clock", "identity"}

// Look logs what it finds wrong: with type ecr, AWS credentials that aren't there, a clock that is off, and where the server makes repositories, too many of
// them. It returns once it is through, or soon after ctx ends. It makes a call to STS, and pages through the repositories' list where makes is true.
func Look(ctx context.Context, p provider.Provider, makes bool, logger *slog.Logger) {
	if provider.TypeOf(p) != ecr.Type {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if !looked(ctx, p, logger) || !makes {
		return
	}
	if m, err := repository.ManagerOf(p); err == nil {
		count(ctx, m, logger)
	}
}

// looked is false if what comes next makes no sense.
func looked(ctx context.Context, p provider.Provider, logger *slog.Logger) bool {
	findings, err := diagnosis.Of(ctx, p, diagnosis.Options{})
	if err != nil {
		return false // a decorated provider without it
	}
	good := true
	for f := range findings {
		if ctx.Err() != nil || !slices.Contains(cheap, f.Check) {
			break
		}
		attrs := []any{slog.String("check", f.Check), slog.String("found", f.Summary)}
		if f.Remedy != "" {
			attrs = append(attrs, slog.String("remedy", f.Remedy))
		}
		switch f.Status {
		case diagnosis.Failed:
			good = false
			logger.Error("at the start: credentials can't be issued", append(attrs, slog.String("more", `"operator diagnose" says more`))...)
		case diagnosis.Warned:
			logger.Warn("at the start: not as it should be", attrs...)
		}
		if f.Check == cheap[len(cheap)-1] {
			break // before the next check runs
		}
	}
	if good && ctx.Err() == nil {
		logger.Info("at the start: AWS answers, knows the credentials, and agrees about the time")
	}
	return good
}

func count(ctx context.Context, m repository.Manager, logger *slog.Logger) {
	n := 0
	for _, err := range m.ListRepositories(ctx) {
		if err != nil {
			logger.Debug("at the start: repositories can't be counted", slog.String("error", err.Error()))
			return
		}
		if n++; n >= quota {
			break
		}
	}
	if n >= near {
		logger.Warn("at the start: there are about as many repositories as ECR allows, and no first push of a new project works beyond",
			slog.Int("repositories", n), slog.Int("quota", quota),
			slog.String("remedy", `have AWS raise the quota "Registered repositories", or let go of those that nobody needs ("operator reconcile")`))
	}
}

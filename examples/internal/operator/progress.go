package operator

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/rise-deploy/rise-registry-go/registry/reconcile"
)

// progress shows how far a run is: a bar for each phase on a terminal, and elsewhere a line when a phase begins.
type progress struct {
	w        io.Writer
	terminal bool
	phase    reconcile.Phase
	bar      *progressbar.ProgressBar
}

func newProgress(w io.Writer) *progress {
	file, ok := w.(*os.File)
	return &progress{w: w, terminal: ok && term.IsTerminal(int(file.Fd()))}
}

// show is called by one goroutine at a time.
func (p *progress) show(now reconcile.Progress) {
	begins := now.Phase != p.phase
	if begins {
		p.end()
		p.phase = now.Phase
	}
	switch {
	case p.terminal && begins:
		total := int64(now.Total)
		if total == 0 {
			total = -1 // a spinner
		}
		p.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(p.w), progressbar.OptionSetDescription(string(now.Phase)),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionShowCount(), progressbar.OptionClearOnFinish())
	case !p.terminal && begins && now.Total > 0:
		_, _ = fmt.Fprintf(p.w, "%s: %d\n", now.Phase, now.Total)
	case !p.terminal && begins:
		_, _ = fmt.Fprintf(p.w, "%s\n", now.Phase)
	}
	if p.bar != nil {
		_ = p.bar.Set(now.Done)
	}
}

// end ends the phase's bar.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
		p.bar = nil
	}
}

package hint

import (
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi/failure"
)

func explainClock(f *failure.Failure, r failure.Refusal) (Trouble, bool) {
	switch {
	case strings.Contains(r.Message, "Signature expired"), strings.Contains(r.Message, "Signature not yet current"),
		r.Code == "RequestTimeTooSkewed", r.Code == "RequestExpired":
	case r.Denied() && f.Dated && f.ClockOffset.Abs() >= failure.BadClock:
	default:
		return Trouble{}, false
	}
	t := Trouble{Is: "this machine's clock is off",
		Remedy: "keep it with NTP; AWS refuses what is signed more than five minutes off"}
	if f.Dated {
		t.Is = OffClock(f.ClockOffset)
	}
	return t, true
}

// OffClock words how far AWS's clock is ahead of this machine's.
func OffClock(offset time.Duration) string {
	direction := "behind"
	if offset < 0 {
		direction = "ahead of"
	}
	return "this machine's clock is off: " + offset.Abs().Round(time.Second).String() + " " + direction + " AWS's"
}

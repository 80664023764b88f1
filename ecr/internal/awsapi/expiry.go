package awsapi

import "time"

// Until when a session and a token are certain, by this machine's clock. No life is taken from that clock, which may be off: it
// is the difference of two times of AWS's, the end and the date of the same answer.

const (
	// defaultDuration is that of a session which is asked for without one (STS API Reference).
	defaultDuration = time.Hour
	// LongestToken is how long a token may live, whatever its session (ECR API Reference, GetAuthorizationToken).
	LongestToken = 12 * time.Hour
)

// sessionEnd is when a session ends that AWS's answer of date has expire at expires. It was asked for at asked, for that many
// seconds, or nil.
func sessionEnd(asked, date, expires time.Time, seconds *int32) time.Time {
	most := defaultDuration
	if seconds != nil {
		most = time.Duration(*seconds) * time.Second
	}
	return localEnd(asked, date, expires, most)
}

// ends is when a session ends: as AWS has it, and by this machine's clock.
type ends struct{ upstream, here time.Time }

// tokenEnd is when a token ends that AWS's answer of date has expire at expires, asked for at asked with that session: when
// the token or the session does, whichever is sooner. The session's end is counted by this answer's date too, as the session may
// be of an old answer, with the date that it had then.
func tokenEnd(asked, date, expires time.Time, session ends) time.Time {
	end := earlier(session.here, localEnd(asked, date, session.upstream, LongestToken))
	return earlier(end, localEnd(asked, date, expires, LongestToken))
}

// localEnd is when what AWS's answer of date says to end at expires ends by this machine's clock: it lives for as long as AWS
// says, at most for what was asked, from before it was asked. If the clock was set meanwhile, or stood still, the earlier
// counts.
func localEnd(asked, date, expires time.Time, most time.Duration) time.Time {
	life, now := min(expires.Sub(date), most), time.Now()
	return earlier(asked.Round(0).Add(life), now.Round(0).Add(life-now.Sub(asked))).Truncate(time.Second)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

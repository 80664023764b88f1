// Package scrub is the rule of what AWS, or whatever answers in its place, may be quoted with.
//
// What upstreams say is shown word by word, as far as AWS says it: its vocabulary, identifiers made of it (DurationSeconds,
// ecr:PutImage), ARNs, numbers and times. Anything else may be a secret that was sent and comes back, in whatever encoding, whole or
// in part. What is looked for isn't a list of secrets: what a proxy or a credentials endpoint holds, nobody knows here. Secrets that are
// known are taken out besides.
package scrub

import (
	"regexp"
	"strings"

	"github.com/rise-deploy/rise-registry-go/provider"
)

var (
	shownNumber = regexp.MustCompile(`^[0-9]{1,7}(?:\.[0-9]{1,6})?$`)
	shownTime   = regexp.MustCompile(`^(?:[0-9]{8}T[0-9]{6}Z|[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2}))?)$`)
	shownARN    = regexp.MustCompile(`^arn:aws(?:-[a-z]{1,8}){0,3}:(?:iam|sts|ecr|kms|organizations|signer|sso):[a-z0-9-]{0,24}:(?:[0-9]{12}|aws)?:[A-Za-z0-9+=,.@_/*-]{1,400}$`)
	// separators are more than AWS has in a row; base64 may have.
	separators = regexp.MustCompile(`[^A-Za-z0-9]{5}`)
	// longRun is longer than a name's part without a mark in between: session names end in 26 such characters.
	longRun = regexp.MustCompile(`[A-Za-z0-9+=]{28,}`)
	// shownID is how STS, ECR and SSO number requests.
	shownID  = regexp.MustCompile(`^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
	shownKey = regexp.MustCompile(`^[A-Z0-9]{16,32}$`)
)

// Said returns the first line of what an upstream said, without anything that isn't AWS's. known are names of ours that it may hold.
func Said(text string, secrets []string, known ...string) string {
	text, _, _ = strings.Cut(text, "\n")
	text = without(text, secrets)
	var list []string
	length := 0
	for word := range strings.FieldsSeq(Printable(text)) {
		if !shown(word, secrets, known) {
			if len(list) > 0 && list[len(list)-1] == provider.Redacted {
				continue
			}
			word = provider.Redacted
		}
		if length += len(word) + 1; length > maxLine {
			list = append(list, "...")
			break
		}
		list = append(list, word)
	}
	return strings.Join(list, " ")
}

func shown(word string, secrets, known []string) bool {
	core := strings.Trim(word, marks)
	if separators.MatchString(word) {
		return false
	}
	if core == "" || shownNumber.MatchString(core) || shownTime.MatchString(core) {
		return true
	}
	if shownARN.MatchString(core) {
		name := core[strings.LastIndexByte(core, ':')+1:]
		return !longRun.MatchString(name) && !holds(core, secrets, forms) && (ofWords(name, known) || !holds(name, secrets, layers))
	}
	for _, name := range known {
		if name != "" && core == name {
			return true
		}
	}
	return ofWords(core, known)
}

// Code returns an error code, which is one word of AWS's or nothing to show.
func Code(code string) string {
	if inVocabulary(code) {
		return code
	}
	return provider.Redacted
}

// ID returns a request's number, as AWS writes them.
func ID(id string) string {
	if id == "" || shownID.MatchString(id) {
		return id
	}
	return provider.Redacted
}

// Key returns an access key id, which isn't secret unless a hostile endpoint put one there.
func Key(id string, secrets []string) string {
	if shownKey.MatchString(id) && !holds(id, secrets, forms) {
		return id
	}
	return provider.Redacted
}

// IsARN reports whether text is an ARN of the form and of the services that are shown.
func IsARN(text string) bool { return shownARN.MatchString(text) }

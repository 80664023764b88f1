package oidc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/rise-deploy/rise-registry-go/internal/probe"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint/oidc/internal/keyset"
)

// Diagnose tells why a token is accepted or isn't, and what it gives, for an operator who has it at hand: a finding for each check, in this order, one after the other as
// they are taken. What doesn't rest on a check that failed goes on, so that a token which has ended still shows which rule it would have.
//
//	token_form       a request can carry it, and it is a JWT with an asymmetric algorithm
//	token_issuer     its issuer is configured
//	token_audience   it is for this service alone
//	token_times      exp, nbf and iat, by this machine's clock
//	issuer_keys      the issuer's keys can be had: by its discovery, from jwks_url or jwks_file
//	issuer_clock     this machine's clock and the issuer's agree, by the Date of its answers
//	token_key        the key that it names is the issuer's
//	token_signature  that key signed it
//	token_rule       the rule that decides or, if there is none, the nearest and which claims differ from it
//	token_projects   the projects and the access that it gives; of project, if that isn't empty, whether a push is among them
//
// The issuers are asked, with what each has configured for that; nothing is kept. A finding holds neither the token nor its signature. Of what the token says it
// shows algorithm, key's name, issuer, audience and times, the claims that the nearest rule and its projects name, and the subject if a rule matches; they aren't
// verified where token_signature hasn't passed.
//
// Errors are those of [New], and [provider.ErrInvalidRequest] for a project that can't be one.
func Diagnose(ctx context.Context, issuers []Issuer, token provider.Secret, project string) (iter.Seq[diagnosis.Finding], error) {
	return diagnose(ctx, issuers, token, project, time.Now)
}

func diagnose(ctx context.Context, issuers []Issuer, token provider.Secret, project string, now func() time.Time) (iter.Seq[diagnosis.Finding], error) {
	if err := validateAll(issuers); err != nil {
		return nil, err
	}
	if project != "" {
		if err := provider.ValidateProject(project); err != nil {
			return nil, err
		}
	}
	return diagnosis.RunChecks(ctx, func() []diagnosis.Check {
		x := &examination{issuers: issuers, raw: token.Reveal(), project: project, now: now}
		return []diagnosis.Check{
			{ID: "token_form", Run: x.form},
			{ID: "token_issuer", Run: x.configured, Needs: []string{"token_form"}},
			{ID: "token_audience", Run: x.audience, Needs: []string{"token_issuer"}},
			{ID: "token_times", Run: x.times, Needs: []string{"token_form"}},
			{ID: "issuer_keys", Run: x.fetch, Needs: []string{"token_issuer"}},
			{ID: "issuer_clock", Run: x.clock, Needs: []string{"token_issuer"}},
			{ID: "token_key", Run: x.key, Needs: []string{"issuer_keys"}},
			{ID: "token_signature", Run: x.signature, Needs: []string{"token_key"}},
			{ID: "token_rule", Run: x.rule, Needs: []string{"token_issuer"}},
			{ID: "token_projects", Run: x.gives, Needs: []string{"token_rule"}},
		}
	}), nil
}

// examination is what the checks of one token share.
type examination struct {
	issuers []Issuer
	raw     string
	project string
	now     func() time.Time

	token   *token
	issuer  Issuer
	keys    []jose.JSONWebKey
	decided *rule

	mu   sync.Mutex // a fetch that took too long may go on
	ours time.Time  // when an answer of the issuer's came
	date time.Time  // what its Date says; zero: none came
}

func found(status diagnosis.Status, summary, remedy string, evidence ...slog.Attr) diagnosis.Finding {
	return diagnosis.Finding{Status: status, Summary: summary, Remedy: remedy, Evidence: evidence}
}

// shown is a text of the token's, or of its issuer's, as it may stand in a finding.
func shown(text string) string { return strconv.Quote(cut(printable(text), keptSubject)) }

func (x *examination) form(context.Context) diagnosis.Finding {
	const remedy = "give the token alone, as the job has it: three parts with dots between. Of GitHub's answer it is the value; a static token is none"
	request := &http.Request{Header: http.Header{"Authorization": {"Bearer " + x.raw}}}
	if _, ok := endpoint.BearerToken(request); !ok {
		return found(diagnosis.Failed, "no request can carry it: it is empty, has more than 8 KiB, or white space inside", remedy)
	}
	t, err := parse(x.raw)
	if err != nil {
		return found(diagnosis.Failed, err.Error(), remedy+".\nIt has to be signed with one of "+strings.Join(keyset.Algorithms, ", "))
	}
	x.token = t
	evidence := []slog.Attr{slog.String("algorithm", t.alg)}
	if t.kid != "" {
		evidence = append(evidence, slog.String("key", shown(t.kid)))
	}
	return found(diagnosis.Passed, "it is a JWT, signed with "+t.alg, "", evidence...)
}

func (x *examination) configured(context.Context) diagnosis.Finding {
	near, names := "", []string{}
	for _, i := range x.issuers {
		if i.Issuer == x.token.issuer {
			x.issuer = i
			return found(diagnosis.Passed, "its issuer is "+i.Name, "", slog.String("issuer", i.Issuer))
		}
		names = append(names, i.Issuer)
		if strings.EqualFold(strings.TrimRight(i.Issuer, "/"), strings.TrimRight(x.token.issuer, "/")) {
			near = i.Issuer
		}
	}
	remedy := "configure it, if its tokens are to be taken here"
	if near != "" {
		remedy = "write it as the token does: " + shown(x.token.issuer) + ", where now " + strconv.Quote(near) + " is configured"
	}
	return found(diagnosis.Failed, "its issuer isn't configured", remedy, slog.String("issuer", shown(x.token.issuer)), slog.String("configured", strings.Join(names, ", ")))
}

func (x *examination) audience(context.Context) diagnosis.Finding {
	var says []string
	switch aud := x.token.claims["aud"].(type) {
	case string:
		says = append(says, shown(aud))
	case []any:
		for _, one := range aud[:min(len(aud), 10)] {
			if s, ok := text(one); ok {
				says = append(says, shown(s))
			}
		}
	}
	evidence := []slog.Attr{slog.String("audience", strings.Join(says, ", ")), slog.String("configured", x.issuer.Audience)}
	if err := x.token.checkAudience(x.issuer.Audience); err != nil {
		return found(diagnosis.Failed, err.Error(), "have the job's token made for "+x.issuer.Audience+
			" alone.\nOn GitHub the request for it has audience=…, on GitLab id_tokens has aud, on Kubernetes the projected volume has audience", evidence...)
	}
	return found(diagnosis.Passed, "it is for this service alone", "", evidence...)
}

func (x *examination) times(context.Context) diagnosis.Finding {
	now, t := x.now(), x.token
	var evidence []slog.Attr
	for _, claim := range [][2]string{{"issued", "iat"}, {"valid_from", "nbf"}, {"expires", "exp"}} {
		if at, ok := t.time(claim[1]); ok {
			evidence = append(evidence, slog.String(claim[0], at.UTC().Format(time.RFC3339)))
		}
	}
	evidence = append(evidence, slog.String("now", now.UTC().Format(time.RFC3339)))
	if err := t.checkTimes(now); err != nil {
		remedy := "it is the issuer that sets it"
		issued, _ := t.time("iat")
		switch {
		case issued.After(now.Add(leeway)) || !now.After(t.expires):
			remedy = "set this machine's clock by NTP, and look at issuer_clock"
		case now.After(t.expires) && !issued.IsZero() && t.expires.After(issued):
			remedy = fmt.Sprintf("ask for a token right before it is used: this one lived for %s", t.expires.Sub(issued))
		}
		if t.expires.Sub(issued) > maxLife {
			remedy = "have it made for a day at most"
		}
		return found(diagnosis.Failed, err.Error(), remedy, evidence...)
	}
	return found(diagnosis.Passed, fmt.Sprintf("it is valid for another %s", max(0, t.expires.Sub(now)).Round(time.Second)), "", evidence...)
}

func (x *examination) fetch(ctx context.Context) diagnosis.Finding {
	from := newFetcher(x.issuer)
	from.heard = x.heard
	where := "its discovery"
	switch {
	case x.issuer.JWKSFile != "":
		where = "jwks_file"
	case x.issuer.JWKSURL != "":
		where = "jwks_url"
	}
	keys, err := from.keys(ctx)
	if err != nil {
		summary, remedy := explain(err)
		return found(diagnosis.Failed, "the issuer's keys can't be had: "+summary, remedy, slog.String("keys_from", strings.TrimPrefix(where, "its ")), slog.String("error", printable(err.Error())))
	}
	x.keys = keys
	return found(diagnosis.Passed, fmt.Sprintf("the issuer's keys can be had, by %s: %d usable", where, len(keys)), "", slog.String("keys", x.keyNames()))
}

func (x *examination) keyNames() string {
	var names []string
	for _, key := range x.keys {
		names = append(names, shown(key.KeyID))
	}
	return strings.Join(names, ", ")
}

func (x *examination) heard(response *http.Response) {
	now := x.now()
	date, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil {
		return
	}
	if age, err := strconv.Atoi(response.Header.Get("Age")); err == nil && age > 0 && age < 1<<20 { // of an answer that a cache kept
		date = date.Add(time.Duration(age) * time.Second)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ours, x.date = now, date
}

// explain says what an error of a fetcher means and what to do.
func explain(err error) (summary, remedy string) {
	var status statusError
	var unknown x509.UnknownAuthorityError
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.Is(err, errNotPublic), errors.Is(err, errNotLoopback):
		return printable(err.Error()), ""
	case errors.Is(err, errAnotherIssuers):
		return err.Error(), "configure the issuer exactly as its discovery document says it: …/.well-known/openid-configuration"
	case errors.Is(err, keyset.ErrNone):
		return err.Error(), "have the issuer publish keys that tokens may be signed with, or look whether jwks_url or jwks_file is the right one"
	case errors.As(err, &status) && (status == http.StatusUnauthorized || status == http.StatusForbidden):
		return err.Error(), "it doesn't answer strangers: name a token for it in bearer_token_file (in a pod: its own), or let it answer all\n" +
			"(on Kubernetes: kubectl create clusterrolebinding oidc-reviewer --clusterrole system:service-account-issuer-discovery --group system:unauthenticated)"
	case errors.As(err, &status) && status/100 == 3:
		return err.Error(), "redirects aren't followed: configure the address that it ends at, as issuer or jwks_url"
	case errors.As(err, &status):
		return err.Error(), "look whether issuer and jwks_url are right, and at the issuer's log"
	}
	f, ok := probe.Explain(err)
	switch {
	case !ok:
		return printable(err.Error()), "look whether issuer, jwks_url and the files beside them are right"
	case errors.As(err, &unknown), errors.As(err, &untrusted) && strings.Contains(f.Remedy, "AWS_CA_BUNDLE"):
		f.Remedy = "name its authority's certificates in ca_file, or add them to the system's or container's"
	}
	return printable(f.Summary), f.Remedy
}

func (x *examination) clock(context.Context) diagnosis.Finding {
	x.mu.Lock()
	ours, date := x.ours, x.date
	x.mu.Unlock()
	switch {
	case x.issuer.JWKSFile != "":
		return found(diagnosis.Skipped, "not checked, since the issuer isn't asked: its keys are in jwks_file", "")
	case date.IsZero():
		return found(diagnosis.Skipped, "not checked, since no answer of the issuer's has a date", "")
	}
	off := ours.Sub(date).Round(time.Second)
	evidence := slog.Duration("clock_offset", off)
	_, expires := x.token.time("exp")
	refused := expires && x.token.checkTimes(ours) != nil && x.token.checkTimes(date) == nil
	const remedy = "set this machine's clock by NTP, or look which proxy sets the Date of the issuer's answers"
	switch {
	case off > leeway && refused:
		return found(diagnosis.Failed, fmt.Sprintf("this machine's clock is %s ahead of the issuer's, by which the token is valid", off), remedy, evidence)
	case off > leeway:
		return found(diagnosis.Warned, fmt.Sprintf("this machine's clock is %s ahead of the issuer's: tokens end too early here", off), remedy, evidence)
	case off < -leeway:
		return found(diagnosis.Failed, fmt.Sprintf("this machine's clock is %s behind the issuer's: new tokens are refused as issued in the future", -off), remedy, evidence)
	}
	return found(diagnosis.Passed, "this machine's clock and the issuer's agree", "", evidence)
}

func (x *examination) key(context.Context) diagnosis.Finding {
	t := x.token
	if len(keyset.Fitting(x.keys, t.kid, t.alg)) > 0 {
		return found(diagnosis.Passed, "the key that it names is one of the issuer's", "")
	}
	evidence := []slog.Attr{slog.String("key", shown(t.kid)), slog.String("algorithm", t.alg), slog.String("keys", x.keyNames())}
	switch {
	case t.kid == "":
		return found(diagnosis.Failed, "it names no key, and not exactly one of the issuer's fits", "have the issuer put kid into the header of its tokens", evidence...)
	case slices.ContainsFunc(x.keys, func(key jose.JSONWebKey) bool { return key.KeyID == t.kid }):
		return found(diagnosis.Failed, "the key that it names is for another algorithm", "look at the issuer's configuration: it signs by "+t.alg, evidence...)
	}
	return found(diagnosis.Failed, keyset.ErrUnknown.Error(), "ask for a new token, as this one's key may have been replaced meanwhile. If that one is refused too, it isn't this issuer that signs it,\n"+
		"or jwks_url or jwks_file has other keys than it", evidence...)
}

// signature is checked as it is for callers, but for what token_audience and token_times have found already.
func (x *examination) signature(ctx context.Context) diagnosis.Finding {
	t, now := x.token, x.now()
	verifier := oidc.NewVerifier(x.issuer.Issuer, &signedBy{keyset.Fitting(x.keys, t.kid, t.alg), t}, &oidc.Config{
		ClientID: x.issuer.Audience, SupportedSigningAlgs: []string{t.alg}, Now: func() time.Time { return now.Add(-leeway) },
		SkipClientIDCheck: t.checkAudience(x.issuer.Audience) != nil, SkipExpiryCheck: t.checkTimes(now) != nil,
	})
	if _, err := verifier.Verify(ctx, t.raw); err != nil { // whose words quote the token
		return found(diagnosis.Failed, "its signature doesn't verify", "take the token as the issuer made it: this one was changed, cut, or made by somebody else")
	}
	return found(diagnosis.Passed, "the issuer signed it", "")
}

func (x *examination) rule(context.Context) diagnosis.Finding {
	nearest, differ, fit := closest(newRules(x.issuer.Rules), x.token.claims)
	name := fmt.Sprintf("rules[%d]", nearest.number)
	sentence := x.issuer.Rules[nearest.number].String()
	if len(differ) == 0 {
		x.decided = nearest
		return found(diagnosis.Passed, name+" decides: "+sentence, "", slog.Int("rule", nearest.number), slog.GroupAttrs("claims", fit...))
	}
	evidence := []slog.Attr{slog.String(name, sentence)}
	for _, key := range differ {
		evidence = append(evidence, slog.String(key, difference(x.token.claims, key, nearest.configured[key])))
	}
	return found(diagnosis.Failed, "no rule matches; "+name+" came closest, but for "+strings.Join(differ, ", "),
		"if such tokens are to be taken, change the rule or add one; else the job has to be another, or run elsewhere", evidence...)
}

func difference(c claims, key, wanted string) string {
	wants := "the rule wants " + strconv.Quote(wanted)
	v, there := c.get(key)
	switch v := v.(type) {
	case []any:
		return wants + ", and no element of the token's list is that"
	case map[string]any:
		return wants + ", and the token has more claims below it: name one of them with /"
	default:
		if s, ok := text(v); there && ok {
			return wants + ", and the token says " + shown(s)
		}
		return wants + ", and the token hasn't it"
	}
}

func (x *examination) gives(context.Context) diagnosis.Finding {
	r, c := x.decided, x.token.claims
	projects := r.projects(c)
	may := fmt.Sprintf("such a token may %s %s", r.access, strings.Join(projects, ", "))
	evidence := []slog.Attr{
		slog.String("subject", subjectOf(x.issuer.Name, x.token.subject)), slog.String("access", r.access.String()), slog.String("projects", strings.Join(projects, ", ")),
	}
	missing := false
	for n, t := range r.templates {
		if t.fill(c, r.configured) != "" {
			continue
		}
		missing = true
		says := "isn't one text"
		v, _ := c.get(t.claim)
		if s, ok := text(v); ok {
			says = shown(s)
		}
		evidence = append(evidence, slog.String(x.issuer.Rules[r.number].Projects[n], t.claim+" is "+says))
	}
	const names = "nothing is folded or cut: what makes no project's name (" + provider.ProjectRule + "),\nor what comes before the last / and no claim of the rule fixes, gives none"
	switch {
	case len(projects) == 0:
		return found(diagnosis.Failed, fmt.Sprintf("rules[%d], which decides, gives it no project", r.number), names, evidence...)
	case x.project == "" && missing:
		return found(diagnosis.Warned, may+", and not all that the rule names", names, evidence...)
	case x.project == "":
		return found(diagnosis.Passed, may, "", evidence...)
	case !slices.Contains(projects, x.project):
		return found(diagnosis.Failed, may+", and not "+x.project+": the answer is 404", "add the project to the rule, or a rule for it before", evidence...)
	case !r.access.Includes(provider.Push):
		return found(diagnosis.Warned, "such a token may pull "+x.project+", and not push: that is answered with 404", "if it is to push, give the rule access: push", evidence...)
	}
	return found(diagnosis.Passed, "such a token may push "+x.project, "", evidence...)
}

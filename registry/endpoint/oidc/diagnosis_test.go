package oidc_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
	"github.com/rise-deploy/rise-registry-go/registry/endpoint/oidc"
)

func diagnose(t *testing.T, clock *clock, issuers []oidc.Issuer, token, project string) []diagnosis.Finding {
	t.Helper()
	seq, err := oidc.DiagnoseAt(t.Context(), issuers, provider.NewSecret(token), project, clock.now)
	require.NoError(t, err)
	all := slices.Collect(seq)
	require.Len(t, all, 10)
	written, err := json.Marshal(all)
	require.NoError(t, err)
	if len(token) > 20 {
		for _, part := range strings.Split(token, ".") {
			if len(part) > 10 {
				require.NotContains(t, string(written), part, "part of the token is shown")
			}
		}
	}
	return all
}

// failedChecks are those that failed, but for the clock: the issuers of these tests answer with the real time.
func failedChecks(t *testing.T, clock *clock, issuers []oidc.Issuer, token string) (failed []string) {
	t.Helper()
	for _, f := range diagnose(t, clock, issuers, token, "") {
		if f.Status == diagnosis.Failed && f.Check != "issuer_clock" {
			failed = append(failed, f.Check)
		}
	}
	return failed
}

// requireDiagnosed checks that what callers are refused for fails in the diagnosis, in the same words, at the check of that name.
func requireDiagnosed(t *testing.T, clock *clock, issuers []oidc.Issuer, token, why, name string) {
	t.Helper()
	failed := failedChecks(t, clock, issuers, token)
	require.NotEmpty(t, failed, name)
	if why != "" {
		require.Equal(t, "token_"+string(checkOf(why)), failed[0], name)
	}
}

// wanted is what a check has to find: its status, part of its summary, its remedy and its evidence.
type wanted struct {
	status                    diagnosis.Status
	summary, remedy, evidence string
}

func TestDiagnose(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := newServer(t, clock)
	date := func(off time.Duration) func() {
		return func() {
			answer := func(body string) http.HandlerFunc {
				return func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Date", clock.now().Add(off).UTC().Format(http.TimeFormat))
					_, _ = fmt.Fprint(w, body)
				}
			}
			s.on(&s.discovery, answer(text(map[string]any{"issuer": s.URL, "jwks_uri": s.URL + "/keys"})))
			s.on(&s.jwks, answer(keySet(jwk("ec", keys().ec.Public()), jwk("rsa", keys().rsa.Public()))))
		}
	}
	now := clock.now().Unix()
	config := s.config(
		oidc.Rule{Claims: map[string]string{"owner": "acme", "ref": "refs/heads/main"}, Projects: []string{"shop"}, Access: provider.Push},
		oidc.Rule{Claims: map[string]string{"owner": "acme", "namespace": "*", "groups": "dev"}, Projects: []string{"base", "{namespace}", "x-{namespace}"}},
	)
	pushing := map[string]any{"ref": "refs/heads/main"}
	with := func(more map[string]any) string {
		all := map[string]any{"ref": "refs/heads/main"}
		for k, v := range more {
			all[k] = v
		}
		return s.token(all)
	}
	for name, test := range map[string]struct {
		change  func() // of the issuer
		config  func(*oidc.Issuer)
		token   string
		project string
		want    map[string]wanted
		skipped []string
	}{
		"good": {token: with(nil), project: "shop", want: map[string]wanted{
			"token_form": {diagnosis.Passed, "a JWT, signed with ES256", "", `key="ec"`}, "token_issuer": {diagnosis.Passed, "its issuer is ci", "", s.URL},
			"token_audience": {diagnosis.Passed, "for this service alone", "", audience}, "token_times": {diagnosis.Passed, "valid for another 5m0s", "", "now="},
			"issuer_keys": {diagnosis.Passed, "by its discovery: 2 usable", "", `"ec", "rsa"`}, "issuer_clock": {diagnosis.Passed, "agree", "", "clock_offset=0s"},
			"token_key": {diagnosis.Passed, "one of the issuer's", "", ""}, "token_signature": {diagnosis.Passed, "the issuer signed it", "", ""},
			"token_rule":     {diagnosis.Passed, `rules[0] decides: tokens that say "acme" as owner and say "refs/heads/main" as ref may push shop`, "", "ref=refs/heads/main"},
			"token_projects": {diagnosis.Passed, "such a token may push shop", "", "subject=ci:job-1"},
		}},
		"expired": {token: with(map[string]any{"iat": now - 900, "nbf": nil, "exp": now - 300}), want: map[string]wanted{
			"token_times":     {diagnosis.Failed, "it has expired", "lived for 10m0s", "expires=2026-11-28T11:55:00Z"},
			"token_signature": {diagnosis.Passed, "", "", ""}, "token_projects": {diagnosis.Passed, "such a token may push shop", "", ""},
		}},
		"for another audience": {token: with(map[string]any{"aud": "https://vault.example.com"}), want: map[string]wanted{
			"token_audience":  {diagnosis.Failed, "isn't this service's", "made for " + audience, `audience="https://vault.example.com"`},
			"token_signature": {diagnosis.Passed, "", "", ""}, "token_rule": {diagnosis.Passed, "", "", ""},
		}},
		"for several audiences": {token: with(map[string]any{"aud": []string{audience, "sts.example.com"}}), want: map[string]wanted{
			"token_audience": {diagnosis.Failed, "several audiences", "alone", `"` + audience + `", "sts.example.com"`},
		}},
		"of an unknown key": {token: signed(`{"alg":"ES256","kid":"old"}`, s.claims(pushing), keys().ec), want: map[string]wanted{
			"issuer_keys": {diagnosis.Passed, "", "", ""}, "token_key": {diagnosis.Failed, "isn't one of the issuer's", "ask for a new token", `key="old"`},
			"token_rule": {diagnosis.Passed, "", "", ""},
		}, skipped: []string{"token_signature"}},
		"of a key for another algorithm": {token: signed(`{"alg":"ES256","kid":"rsa"}`, s.claims(pushing), keys().ec), want: map[string]wanted{
			"token_key": {diagnosis.Failed, "for another algorithm", "signs by ES256", ""},
		}, skipped: []string{"token_signature"}},
		"of no key": {change: func() { s.publish(keySet(jwk("a", keys().ec.Public()), jwk("b", keys().ec2.Public()))) }, token: signed(`{"alg":"ES256"}`, s.claims(pushing), keys().ec), want: map[string]wanted{
			"token_key": {diagnosis.Failed, "names no key", "put kid into", ""},
		}, skipped: []string{"token_signature"}},
		"of another issuer": {token: with(map[string]any{"iss": "https://evil.example.com/\x1b[2J"}), want: map[string]wanted{
			"token_issuer": {diagnosis.Failed, "its issuer isn't configured", "configure it, if", `issuer="https://evil.example.com/?[2J"`},
		}, skipped: []string{"token_audience", "issuer_keys", "issuer_clock", "token_key", "token_signature", "token_rule", "token_projects"}},
		"of the issuer in another spelling": {token: with(map[string]any{"iss": s.URL + "/"}), want: map[string]wanted{
			"token_issuer": {diagnosis.Failed, "its issuer isn't configured", `write it as the token does: "` + s.URL + `/"`, ""},
		}, skipped: []string{"token_audience", "issuer_keys", "issuer_clock", "token_key", "token_signature", "token_rule", "token_projects"}},
		"with another signature": {token: signed(`{"alg":"ES256","kid":"ec"}`, s.claims(pushing), keys().ec2), want: map[string]wanted{
			"token_key": {diagnosis.Passed, "", "", ""}, "token_signature": {diagnosis.Failed, "doesn't verify", "changed, cut, or made by somebody else", ""},
			"token_rule": {diagnosis.Passed, "", "", ""},
		}},
		"symmetric": {token: signed(`{"alg":"HS256","kid":"ec"}`, s.claims(pushing), []byte("0123456789abcdef")), want: map[string]wanted{
			"token_form": {diagnosis.Failed, "asymmetric", "RS256", ""},
		}, skipped: []string{"token_issuer", "token_audience", "token_times", "issuer_keys", "issuer_clock", "token_key", "token_signature", "token_rule", "token_projects"}},
		"GitHub's whole answer": {token: `{"count":1,"value":"` + with(nil) + `"}`, want: map[string]wanted{
			"token_form": {diagnosis.Failed, "header isn't base64url", "Of GitHub's answer it is the value", ""},
		}, skipped: []string{"token_issuer", "token_audience", "token_times", "issuer_keys", "issuer_clock", "token_key", "token_signature", "token_rule", "token_projects"}},
		"with white space": {token: "Bearer " + with(nil), want: map[string]wanted{
			"token_form": {diagnosis.Failed, "no request can carry it", "the token alone", ""},
		}, skipped: []string{"token_issuer", "token_audience", "token_times", "issuer_keys", "issuer_clock", "token_key", "token_signature", "token_rule", "token_projects"}},
		"whose issuer is down": {config: func(i *oidc.Issuer) { i.JWKSURL = "https://127.0.0.1:1/keys" }, token: with(nil), want: map[string]wanted{
			"issuer_keys":  {diagnosis.Failed, "nothing listens at 127.0.0.1:1", "check host and port", "keys_from=jwks_url"},
			"issuer_clock": {diagnosis.Skipped, "no answer of the issuer's has a date", "", ""}, "token_rule": {diagnosis.Passed, "", "", ""},
			"token_projects": {diagnosis.Passed, "", "", ""},
		}, skipped: []string{"token_key", "token_signature"}},
		"whose issuer isn't trusted": {config: func(i *oidc.Issuer) { i.CAFile = "" }, token: with(nil), want: map[string]wanted{
			"issuer_keys": {diagnosis.Failed, "signed by an unknown authority", "in ca_file", "error=discovery: "},
		}, skipped: []string{"token_key", "token_signature", "issuer_clock"}},
		"whose issuer's certificates can't be read": {config: func(i *oidc.Issuer) { i.CAFile = "/nonexistent.pem" }, token: with(nil), want: map[string]wanted{
			"issuer_keys": {diagnosis.Failed, "ca_file: open /nonexistent.pem", "the files beside them", ""},
		}, skipped: []string{"token_key", "token_signature", "issuer_clock"}},
		"whose issuer answers nobody": {change: func() {
			s.on(&s.discovery, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) })
		}, token: with(nil), want: map[string]wanted{
			"issuer_keys": {diagnosis.Failed, "discovery: the answer has status 403", "bearer_token_file", ""},
		}, skipped: []string{"token_key", "token_signature"}},
		"whose issuer redirects": {change: func() {
			s.on(&s.discovery, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/keys", http.StatusFound) })
		}, token: with(nil), want: map[string]wanted{
			"issuer_keys": {diagnosis.Failed, "status 302", "redirects aren't followed", ""},
		}, skipped: []string{"token_key", "token_signature"}},
		"whose issuer says that it is another": {change: func() { s.discover(`{"issuer":"https://evil.example.com","jwks_uri":"https://evil.example.com/keys"}`) }, token: with(nil), want: map[string]wanted{
			"issuer_keys": {diagnosis.Failed, "another issuer's", "exactly as its discovery document", ""},
		}, skipped: []string{"token_key", "token_signature"}},
		"whose keys are inside": {change: func() { s.discover(text(map[string]any{"issuer": s.URL, "jwks_uri": "https://127.0.0.2:1/keys"})) }, token: with(nil), want: map[string]wanted{
			"issuer_keys": {diagnosis.Failed, "configure jwks_url if it is right", "", ""},
		}, skipped: []string{"token_key", "token_signature"}},
		"whose issuer has no keys": {change: func() { s.publish(`{"keys":[]}`) }, token: with(nil), want: map[string]wanted{
			"issuer_keys": {diagnosis.Failed, "no key that tokens may be signed with", "look whether jwks_url", ""},
		}, skipped: []string{"token_key", "token_signature"}},
		"whose keys are in a file": {config: func(i *oidc.Issuer) { i.JWKSFile, i.CAFile = fileOf(t, keySet(jwk("ec", keys().ec.Public()))), "" }, token: with(nil), want: map[string]wanted{
			"issuer_keys": {diagnosis.Passed, "by jwks_file: 1 usable", "", ""}, "issuer_clock": {diagnosis.Skipped, "its keys are in jwks_file", "", ""},
			"token_signature": {diagnosis.Passed, "", "", ""},
		}},
		"too early for our clock": {change: date(10 * time.Minute), token: with(map[string]any{"iat": now + 600, "nbf": now + 600, "exp": now + 900}), want: map[string]wanted{
			"token_times": {diagnosis.Failed, "issued in the future", "NTP", ""}, "issuer_clock": {diagnosis.Failed, "10m0s behind the issuer's", "NTP", "clock_offset=-10m0s"},
			"token_signature": {diagnosis.Passed, "", "", ""},
		}},
		"too late for our clock": {change: date(-10 * time.Minute), token: with(map[string]any{"iat": now - 600, "nbf": now - 600, "exp": now - 300}), want: map[string]wanted{
			"token_times": {diagnosis.Failed, "it has expired", "", ""}, "issuer_clock": {diagnosis.Failed, "10m0s ahead of the issuer's, by which the token is valid", "NTP", ""},
		}},
		"in time, though our clock is ahead": {change: date(-2 * time.Minute), token: with(map[string]any{"iat": now - 120, "nbf": nil, "exp": now + 120}), want: map[string]wanted{
			"token_times": {diagnosis.Passed, "", "", ""}, "issuer_clock": {diagnosis.Warned, "2m0s ahead", "NTP", ""},
		}},
		"that no rule takes": {token: with(map[string]any{"ref": "refs/heads/dev\n"}), want: map[string]wanted{
			"token_rule": {diagnosis.Failed, "no rule matches; rules[0] came closest, but for ref", "change the rule", `ref=the rule wants "refs/heads/main", and the token says "refs/heads/dev?"`},
		}, skipped: []string{"token_projects"}},
		"that no rule takes, for what isn't there": {token: s.token(map[string]any{"namespace": "a", "groups": []string{"ops", "qa"}, "sub": "secret-of-somebody"}), want: map[string]wanted{
			"token_rule": {diagnosis.Failed, "rules[0] came closest, but for ref", "", `ref=the rule wants "refs/heads/main", and the token hasn't it`},
		}, skipped: []string{"token_projects"}},
		"that no rule takes, by a list": {token: s.token(map[string]any{"owner": "acme2", "namespace": "a", "groups": []string{"ops"}, "ref": map[string]string{"x": "y"}}), want: map[string]wanted{
			"token_rule": {diagnosis.Failed, "came closest, but for owner, ref", "", "name one of them with /"},
		}, skipped: []string{"token_projects"}},
		"for pulls": {token: s.token(map[string]any{"namespace": "web", "groups": []string{"ops", "dev"}}), project: "web", want: map[string]wanted{
			"token_rule": {diagnosis.Passed, "rules[1] decides", "", "groups=dev"}, "token_projects": {diagnosis.Warned, "may pull web, and not push", "access: push", ""},
		}},
		"for more pulls": {token: s.token(map[string]any{"namespace": "web", "groups": "dev"}), want: map[string]wanted{
			"token_projects": {diagnosis.Passed, "may pull base, web, x-web", "", ""},
		}},
		"for another project": {token: with(nil), project: "hello", want: map[string]wanted{
			"token_projects": {diagnosis.Failed, "may push shop, and not hello: the answer is 404", "add the project", ""},
		}},
		"whose claim makes no name": {token: s.token(map[string]any{"namespace": "Web_1", "groups": "dev"}), want: map[string]wanted{
			"token_projects": {diagnosis.Warned, "may pull base, and not all that the rule names", "nothing is folded or cut", `{namespace}=namespace is "Web_1"`},
		}},
		"whose claim makes nothing": {config: func(i *oidc.Issuer) { i.Rules = i.Rules[1:]; i.Rules[0].Projects = []string{"{namespace}"} },
			token: s.token(map[string]any{"namespace": "Web_1", "groups": "dev"}), want: map[string]wanted{
				"token_projects": {diagnosis.Failed, "gives it no project", "nothing is folded or cut", ""},
			}},
	} {
		date(0)()
		if test.change != nil {
			test.change()
		}
		one := config
		one.Rules = slices.Clone(config.Rules)
		if test.config != nil {
			test.config(&one)
		}
		other := s.config()
		other.Name, other.Issuer = "other", "https://other.example.com"
		checks := []string{}
		for _, f := range diagnose(t, clock, []oidc.Issuer{other, one}, test.token, test.project) {
			checks = append(checks, f.Check)
			evidence := fmt.Sprint(f.Evidence)
			require.NotContains(t, evidence+f.Summary+f.Remedy, "secret-of-somebody", name)
			require.NotContains(t, evidence+f.Summary+f.Remedy, "\x1b", name)
			if slices.Contains(test.skipped, f.Check) {
				require.Equal(t, diagnosis.Skipped, f.Status, "%s: %+v", name, f)
				continue
			}
			want, expected := test.want[f.Check]
			if !expected {
				if f.Check == "issuer_clock" { // some answers have the real time
					continue
				}
				require.NotEqual(t, diagnosis.Failed, f.Status, "%s: %+v", name, f)
				continue
			}
			require.Equal(t, want.status, f.Status, "%s: %+v", name, f)
			require.Contains(t, f.Summary, want.summary, name)
			require.Contains(t, f.Remedy, want.remedy, "%s: %s", name, f.Summary)
			require.Contains(t, evidence, want.evidence, "%s: %s", name, f.Summary)
			if f.Status == diagnosis.Failed && !strings.Contains(f.Summary, "configure") {
				require.NotEmpty(t, f.Remedy, "%s: %s", name, f.Check)
			}
		}
		require.Equal(t, []string{"token_form", "token_issuer", "token_audience", "token_times", "issuer_keys", "issuer_clock", "token_key", "token_signature", "token_rule", "token_projects"}, checks)
	}
}

// fileOf is a file that holds text.
func fileOf(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

func TestDiagnoseCalledWrongly(t *testing.T) {
	t.Parallel()
	s := newServer(t, newClock())
	_, err := oidc.Diagnose(t.Context(), []oidc.Issuer{s.config()}, provider.NewSecret("x"), "a--b")
	require.ErrorIs(t, err, provider.ErrInvalidRequest)
	bad := s.config()
	bad.Audience = ""
	_, err = oidc.Diagnose(t.Context(), []oidc.Issuer{bad}, provider.NewSecret("x"), "")
	require.ErrorContains(t, err, "oidc[0].audience: is required")
	seq, err := oidc.Diagnose(t.Context(), nil, provider.NewSecret(s.token(nil)), "")
	require.NoError(t, err)
	all := slices.Collect(seq)
	require.Equal(t, diagnosis.Failed, all[1].Status)
	require.Zero(t, s.discovered.Load(), "nobody is asked for a token that isn't his")
}

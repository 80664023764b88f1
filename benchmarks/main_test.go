package main

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every row works and makes exactly the calls that it is said to; how long they take is the command's business.
func TestRun(t *testing.T) {
	var out bytes.Buffer
	_, err := run(t.Context(), &out, sizes{rounds: 1, slowRounds: 1, operations: 2, slowOperations: 1, hitOperations: 10, requests: 40, warm: 64, noise: 200})
	require.NoError(t, err)
	rows := map[string][]string{}
	for line := range strings.Lines(out.String()) {
		if cells := strings.Split(line, "|"); len(cells) == 10 {
			name := strings.TrimSpace(cells[1])
			rows[name] = append(rows[name], strings.TrimSpace(cells[2])+" "+strings.TrimSpace(cells[3]))
		}
	}
	for _, name := range []string{floor, ours, fluxUncached, loginUncached, riseWay} {
		require.Equal(t, []string{"1 1", "1 1", "1 1", "1 1"}, rows[name], name)
	}
	for _, name := range []string{bareMap, oursHit, oursIssue, fluxHit, loginHit} {
		require.Equal(t, []string{"0 0"}, rows[name], name)
	}
	for _, target := range []string{
		`TLS: calls for a new credential +\| 1 STS \+ 1 ECR +\| 1 STS \+ 1 ECR +\| met`,
		`plain HTTP: new connections in steady state +\| 0 +\| 0 +\| met`,
		`oci-token-auth, TLS: a cold credential's time on a core by a bare round trip's +\| \d`,
		`oci-token-auth, plain HTTP: a cold credential's time on a core by a bare round trip's +\| \d`,
		`1,000 callers of one cold key +\| 1 STS \+ 1 ECR +\| 1 STS \+ 1 ECR +\| met`,
		`hit: calls upstream +\| 0 +\| 0 +\| met`,
		`a first credential beside 200 connections of another subject, 25 ms a call: its delay +\| \d`,
		`endpoint: requests/s by the bare handler's +\| \d`,
		`3000 connections asking for new projects: delay of another's first credential, repository to be made +\| \d\.\d\d makings`,
		`3000 connections asking for new projects: delay of another's first credential, repository there +\| \d\.\d\d looks`,
		`/token: exchanges/s by the bare handler's +\| \d`,
		`/token: time on a core by the bare handler's +\| \d`,
		`the endpoint beside full load at /token, 99th percentile of a credential that is kept: by that beside the bare handler's load +\| \d`,
		`the endpoint beside full load at /token, 99th percentile of a new grant: by that beside the bare handler's load +\| \d`,
		`a new OIDC token, RS256: time on a core by a bare handler's with one check +\| \d`,
		`a new OIDC token, ES256: time on a core by a bare handler's with one check +\| \d`,
		`an OIDC token that was seen, RS256: time on a core by a bare handler's with one check +\| \d`,
		`docker-credential-rise: another registry, environment, without network +\| \d`,
		`docker-credential-rise: its registry, file, beside the endpoint's time +\| \d`,
		`64 projects warmed, 25 ms a call, 64 in flight, max_per_second 0 \(\d+ new connections\) +\| \d`,
		`103 projects warmed, 25 ms a call, 64 in flight, max_per_second 200 \(\d+ new connections\) +\| \d`,
	} {
		require.Regexp(t, regexp.MustCompile(target), out.String())
	}
}

// A target that is missed is said and fails the run.
func TestMissedTarget(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := &report{w: &out}
	r.atMost("a", 1, 2)
	require.True(t, r.targets())
	r.atLeast("b", 1, 2)
	require.False(t, r.targets())
	require.Regexp(t, `\| b +\| 1.00 × +\| ≥ 2.00 × +\| MISSED \|`, out.String())
}

// The guide's proxies route by project, and without their hashing every replica issues for each.
func TestRouting(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"nginx", "haproxy"} {
		if _, err := exec.LookPath(program); err != nil {
			require.NotEqual(t, "1", os.Getenv("RISE_TEST_REQUIRE_REAL"), program)
			t.Skip(program + " is not installed")
		}
	}
	var out bytes.Buffer
	_, err := runRouting(t.Context(), &out, 90, 6, func(text string) string { return strings.ReplaceAll(text, "fail_timeout=10s", "fail_timeout=1s") })
	require.NoError(t, err)
	require.Regexp(t, `\| nginx, in turns +\| [23]\.\d`, out.String())
	for _, proxy := range []string{"nginx", "HAProxy"} {
		require.Regexp(t, `\| `+proxy+` +\| 1\.000 +\|`, out.String())
		require.Regexp(t, `\| `+proxy+`: it comes back empty: issues by its \d+ projects +\| 1\.00 ×`, out.String())
		for _, phase := range []string{"a replica killed under load", "it comes back empty"} {
			require.Regexp(t, `\| `+proxy+`: `+phase+`: issues for others' projects +\| 0 `, out.String())
		}
		require.Regexp(t, `\| `+proxy+`: requests that failed meanwhile +\| 0 `, out.String())
	}
}

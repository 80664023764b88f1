package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"text/tabwriter"
	"time"
)

const (
	// registryHost is the one that the measured helper has credentials for.
	registryHost = "registry.example.com"
	// endpointTakes is how long the endpoint takes for each.
	endpointTakes = 50 * time.Millisecond
)

// helper measures docker-credential-rise as clients run it, a process each time: for another registry's host, configured by the environment and by a file,
// and for its own, beside asking the endpoint directly. The floor is a program that does nothing.
func (r *report) helper(ctx context.Context, dir string, n sizes) error {
	program, err := buildPrograms(ctx, dir)
	if err != nil {
		return err
	}
	var asked atomic.Int64
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		time.Sleep(endpointTakes)
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"credentials":{"registry_url":"%s/rise/hello","username":"AWS","password":"a-password","expires_in":3599,`+
			`"expires_at":%q,"auth_method":"login_credentials"},"repository":"hello"}`, registryHost, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	defer endpoint.Close()
	environment := []string{"RISE_URL=" + endpoint.URL, "RISE_REGISTRY=" + registryHost, "RISE_PROJECT=hello", "RISE_TOKEN=a-token-of-0815"}
	if err := os.MkdirAll(filepath.Join(dir, "rise"), 0o700); err != nil {
		return err
	}
	file := fmt.Sprintf("hosts:\n  %s: {url: %q, project: hello, token: a-token-of-0815}\n", registryHost, endpoint.URL)
	if err := os.WriteFile(filepath.Join(dir, "rise", "credential.yaml"), []byte(file), 0o600); err != nil {
		return err
	}
	fromFile := []string{"XDG_CONFIG_HOME=" + dir}

	get := func(env []string, host string, found bool) func() error {
		return func() error { return runHelper(ctx, program, env, host, found) }
	}
	subjects := []struct {
		name  string
		run   func() error
		asks  int64
		times []time.Duration
	}{
		{name: "a Go program that does nothing", run: func() error { return exec.CommandContext(ctx, filepath.Join(dir, "nothing")).Run() }}, //nolint:gosec // just built
		{name: "another registry, environment", run: get(environment, "https://index.docker.io/v1/", false)},
		{name: "another registry, file", run: get(fromFile, "https://index.docker.io/v1/", false)},
		{name: "the endpoint, asked directly", run: func() error { return askDirectly(ctx, endpoint.URL) }, asks: 1},
		{name: "its registry, environment", run: get(environment, registryHost, true), asks: 1},
		{name: "its registry, file", run: get(fromFile, registryHost, true), asks: 1},
	}
	for range n.rounds {
		for i := range subjects {
			s := &subjects[i]
			before := asked.Load()
			took, err := takes(s.run)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			if asks := asked.Load() - before; asks != s.asks {
				return fmt.Errorf("%s: the endpoint was asked %d times", s.name, asks)
			}
			s.times = append(s.times, took)
		}
	}
	_, _ = fmt.Fprintf(r.w, "\ndocker-credential-rise, a process each time; the endpoint takes %v (%d runs each)\n\n", endpointTakes, n.rounds)
	w := tabwriter.NewWriter(r.w, 0, 0, 1, ' ', 0)
	_, _ = fmt.Fprintln(w, "|\t| time\t| × floor\t|\n|---\t|---\t|---\t|")
	for _, s := range subjects {
		_, _ = fmt.Fprintf(w, "| %s\t| %s\t| %.2f\t|\n", s.name, rounded(median(s.times)), ratio(median(s.times), median(subjects[0].times)))
	}
	_ = w.Flush()
	direct := median(subjects[3].times)
	for _, i := range []int{1, 2} {
		took := median(subjects[i].times)
		r.target("docker-credential-rise: "+subjects[i].name+", without network", rounded(took), "< 20 ms", took < 20*time.Millisecond)
	}
	for _, i := range []int{4, 5} {
		more := median(subjects[i].times) - direct
		r.target("docker-credential-rise: "+subjects[i].name+", beside the endpoint's time", rounded(more), "≤ 30 ms", more <= 30*time.Millisecond)
	}
	return nil
}

// buildPrograms builds the helper as a release does, and the floor.
func buildPrograms(ctx context.Context, dir string) (program string, err error) {
	nothing := filepath.Join(dir, "nothing.go")
	if err := os.WriteFile(nothing, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		return "", err
	}
	program = filepath.Join(dir, "docker-credential-rise")
	for _, args := range [][]string{
		{"build", "-o", program, "./docker-credential-rise"}, {"build", "-o", filepath.Join(dir, "nothing"), nothing},
	} {
		cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // see above
		cmd.Dir, cmd.Env = filepath.Join("..", "examples"), append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return program, nil
}

// runHelper runs it as docker does, and looks whether the answer is right.
func runHelper(ctx context.Context, program string, env []string, host string, found bool) error {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, program, "get")
	cmd.Env, cmd.Stdin, cmd.Stdout = env, strings.NewReader(host), &out
	err := cmd.Run()
	exit := (*exec.ExitError)(nil)
	switch {
	case found && err == nil && strings.Contains(out.String(), "a-password"):
		return nil
	case !found && errors.As(err, &exit) && out.String() == "credentials not found in native keychain\n":
		return nil
	}
	return fmt.Errorf("not what was expected: %w", errors.Join(err, errors.New(cmd.String())))
}

// askDirectly is what a request costs whoever has a client already.
func askDirectly(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return errors.Join(err, answer.Body.Close())
}

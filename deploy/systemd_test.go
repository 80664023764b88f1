//go:build linux

package deploy_test

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/realtest"
)

const unitFile = "systemd/rise-registry.service"

// unitHere is the unit, with the program where it is in this test, and changed by change.
func unitHere(t *testing.T, change func(string) string) string {
	t.Helper()
	text, err := os.ReadFile(unitFile)
	require.NoError(t, err)
	here := strings.Replace(string(text), "ExecStart=/usr/local/bin/rise-registry", "ExecStart="+program(t, "server"), 1)
	require.NotEqual(t, string(text), here)
	return write(t, filepath.Join(t.TempDir(), "rise-registry.service"), change(here))
}

func same(text string) string { return text }

// systemd knows each key of the unit, and finds little that it might do.
func TestUnit(t *testing.T) {
	t.Parallel()
	analyze := realtest.Program(t, "systemd-analyze")
	verify := func(unit string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", unit)
		var said strings.Builder
		cmd.Stderr = &said
		require.NoError(t, cmd.Run(), said.String())
		return said.String()
	}
	require.Empty(t, verify(unitHere(t, same)))
	unknown := unitHere(t, func(text string) string { return strings.Replace(text, "PrivateTmp=", "PrivatTmp=", 1) })
	require.Contains(t, verify(unknown), "PrivatTmp", "it would be seen, though verify ends with 0")

	security := []string{"security", "--offline=true", "--no-pager", "--threshold=20"}
	out := realtest.Must(t, nil, analyze, append(security, unitHere(t, same))...)
	require.Contains(t, out, "Overall exposure level")
	open := unitHere(t, func(text string) string {
		return regexp.MustCompile(`(?m)^(SystemCall|Protect|Restrict).*\n`).ReplaceAllString(text, "")
	})
	require.Error(t, realtest.Run(t, nil, analyze, append(security, open)...).Err)
}

// The page's commands put everything where the unit and its configuration expect it, and the server runs with what systemd makes of that.
func TestUnitConfiguration(t *testing.T) {
	t.Parallel()
	dir, address := t.TempDir(), realtest.FreeAddress(t)
	here := strings.NewReplacer("/usr/local/bin", dir+"/bin", "/etc/", dir+"/etc/", "127.0.0.1:3000", address)
	for _, folder := range []string{"bin", "etc/systemd/system", "home"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, folder), 0o755))
	}
	program(t, "operator")
	environ := []string{"HOME=" + filepath.Join(dir, "home"), "BIN=" + filepath.Dir(program(t, "server")), "PATH=" + filepath.Join(dir, "bin") + ":" + os.Getenv("PATH")}
	const instead = `go() { cp "$BIN/$(basename "$5")" "$4"; }
systemctl() { echo "systemctl $*"; }`
	said := mustPaste(t, "..", environ, instead, here.Replace(docBlock(t, "sh", "# needs a clone, root, and systemd 250 or later")))
	require.Contains(t, said, "systemctl daemon-reload\nsystemctl enable --now rise-registry\n")

	// What systemd does.
	text, err := os.ReadFile(filepath.Join(dir, "etc/systemd/system/rise-registry.service"))
	require.NoError(t, err)
	unit := here.Replace(string(text))
	all := func(key string) string {
		var values []string
		for _, found := range regexp.MustCompile(`(?m)^`+key+`=(.*)$`).FindAllStringSubmatch(unit, -1) {
			values = append(values, found[1])
		}
		require.NotEmpty(t, values, key)
		return strings.Join(values, " ")
	}
	prefix, from, found := strings.Cut(all("LoadCredential"), ":")
	require.True(t, found)
	credentials := t.TempDir()
	files, err := os.ReadDir(from)
	require.NoError(t, err)
	require.Len(t, files, 3)
	for _, f := range files {
		info, err := f.Info()
		require.NoError(t, err)
		require.Zero(t, info.Mode()&0o077, "%s is for root alone", f.Name())
		content, err := os.ReadFile(filepath.Join(from, f.Name()))
		require.NoError(t, err)
		write(t, filepath.Join(credentials, prefix+"_"+f.Name()), string(content))
	}
	production := filepath.Join(dir, "etc/rise/production.yaml")
	text, err = os.ReadFile(production)
	require.NoError(t, err)
	write(t, production, here.Replace(string(text)))
	environ = append(strings.Fields(all("Environment")), "CREDENTIALS_DIRECTORY="+credentials)
	realtest.Must(t, environ, filepath.Join(dir, "bin/rise-operator"), "check-config")
	command := strings.Fields(all("ExecStart"))
	server := exec.CommandContext(t.Context(), command[0], command[1:]...)
	server.Env = environ
	realtest.Serve(t, address, server)

	said = mustPaste(t, dir, nil, "", here.Replace(docBlock(t, "sh", "# needs the above")))
	require.Contains(t, said, `"registry_url":"registry.example.com/rise-apps/hello"`)
	status, _, _ := credential(t, "http://"+address, "a-token-of-nobody", "hello")
	require.Equal(t, http.StatusUnauthorized, status)
	require.NoError(t, server.Process.Signal(syscall.SIGTERM))
	require.NoError(t, server.Wait(), "it ends by itself")
}

// The system calls that the unit allows are enough: the server runs under the same filter, here of podman's.
func TestUnitSystemCalls(t *testing.T) {
	t.Parallel()
	analyze, run := realtest.Program(t, "systemd-analyze"), podman(t)
	text, err := os.ReadFile(unitFile)
	require.NoError(t, err)
	sets := regexp.MustCompile(`(?m)^SystemCallFilter=(.*)$`).FindAllStringSubmatch(string(text), -1)
	require.Equal(t, [][]string{{"SystemCallFilter=@system-service", "@system-service"}, {"SystemCallFilter=~@privileged @resources", "~@privileged @resources"}}, sets)
	calls := map[string]bool{}
	for _, name := range systemCalls(t, analyze, "@system-service") {
		calls[name] = true
	}
	for _, set := range []string{"@privileged", "@resources"} {
		for _, name := range systemCalls(t, analyze, set) {
			delete(calls, name)
		}
	}
	require.Greater(t, len(calls), 100)
	require.False(t, calls["setuid"] || calls["mount"])
	names := []string{}
	for name := range calls {
		names = append(names, name)
	}
	profile, err := json.Marshal(map[string]any{
		"defaultAction": "SCMP_ACT_ERRNO", "architectures": []string{"SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"},
		"syscalls": []any{map[string]any{"names": names, "action": "SCMP_ACT_ALLOW"}},
	})
	require.NoError(t, err)
	filter := write(t, filepath.Join(t.TempDir(), "seccomp.json"), string(profile))

	out := run("load", "-q", "-i", serverImage(t))
	require.NoError(t, out.Err, out.Text)
	address, registry := realtest.FreeAddress(t), realtest.FreeAddress(t)
	out = run("run", "-d", "--name", "filtered", "--network", "host", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--security-opt", "no-new-privileges", "--security-opt", "seccomp="+filter,
		"-e", "RISE_CONFIG_DIR=", "-e", "RISE_CONFIG_RUN_MODE=development", "-e", "RISE_LISTEN="+address, "-e", "RISE_REGISTRY_LISTEN="+registry, serverTag)
	require.NoError(t, out.Err, out.Text)
	status, _, _ := credential(t, "http://"+address, "rise-dev-token", "hello")
	require.Equal(t, http.StatusOK, status, "%s", run("logs", "filtered").Text)
}

// systemCalls are those of a set, and of the sets in it.
func systemCalls(t *testing.T, analyze, set string) (names []string) {
	t.Helper()
	for line := range strings.Lines(realtest.Must(t, nil, analyze, "syscall-filter", "--no-pager", set)) {
		switch name := strings.TrimSpace(line); {
		case strings.HasPrefix(line, "    @"):
			names = append(names, systemCalls(t, analyze, name)...)
		case strings.HasPrefix(line, "    ") && !strings.HasPrefix(name, "#"):
			names = append(names, name)
		}
	}
	require.NotEmpty(t, names, set)
	return names
}

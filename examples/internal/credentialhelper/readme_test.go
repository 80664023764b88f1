package credentialhelper_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/internal/credentialhelper/setup"
	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
)

var (
	shell = regexp.MustCompile("(?s)```sh\n(.*?)```")
	yaml  = regexp.MustCompile("(?s)```yaml\n(hosts:.*?)```")
)

// What README shows can be pasted, one after the other, and prints what it says.
func TestREADME(t *testing.T) {
	t.Parallel()
	text := read(t, "../../docker-credential-rise/README.md")
	s := serve(t, "development")
	dir := home(t, nil)
	here := strings.NewReplacer("127.0.0.1:5001", s.registry, "http://127.0.0.1:3000", s.url)
	env := []string{"HOME=" + dir, "PATH=" + filepath.Dir(helperPath(t)) + ":" + os.Getenv("PATH")}
	var printed []string
	for _, block := range shell.FindAllStringSubmatch(text, -1) {
		if strings.HasPrefix(block[1], "# needs ") {
			continue
		}
		printed = append(printed, realtest.Must(t, env, "/bin/bash", "-euc", here.Replace(block[1])))
		if len(printed) == 1 {
			get := exec.CommandContext(t.Context(), helperPath(t), "get")
			get.Env, get.Stdin = env, strings.NewReader(s.registry)
			out, err := get.Output()
			require.NoError(t, err)
			require.Contains(t, string(out), `"Username":"rise"`)
		}
	}
	require.Len(t, printed, 2)
	printed[0] = strings.ReplaceAll(printed[0], dir, "/home/me")
	printed[0] = strings.ReplaceAll(printed[0], "config.json (new)", "config.json")
	require.Contains(t, here.Replace(text), "```text\n"+printed[0]+"```")
	require.Contains(t, printed[1], "Done.")
	require.NoFileExists(t, filepath.Join(dir, ".docker/config.json"))

	example := yaml.FindStringSubmatch(text)[1]
	file, err := setup.Parse("/credential.yaml", example, lookup(nil))
	require.NoError(t, err)
	require.Len(t, file.Hosts, 2)
}
